/// tokio's rt_panic.rs: misuse is reported where it happens.
#include <stdexcept>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/spawn.h>

#include "tests/tokio/poll_fn.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

TEST(rt_panic, current_handle_panic_caller) { EXPECT_THROW(static_cast<void>(Handle::current()), std::logic_error); }

TEST(rt_panic, into_panic_panic_caller) {
  Runtime rt = current_thread();
  auto handle = rt.spawn([]() -> Task<void> { co_await pending(); });
  handle.abort();
  const Result<void> result = rt.block_on(handle);
  ASSERT_TRUE(result.error().is_cancelled());
  EXPECT_THROW(static_cast<void>(result.error().into_panic()), std::logic_error);
}

TEST(rt_panic, builder_worker_threads_panic_caller) {
  EXPECT_THROW(RuntimeBuilder::new_multi_thread().worker_threads(0), std::invalid_argument);
}

TEST(rt_panic, builder_max_blocking_threads_panic_caller) {
  EXPECT_THROW(RuntimeBuilder::new_multi_thread().max_blocking_threads(0), std::invalid_argument);
}

TEST(rt_panic, builder_global_queue_interval_panic_caller) {
  EXPECT_THROW(RuntimeBuilder::new_multi_thread().global_queue_interval(0), std::invalid_argument);
}

TEST(rt_panic, builder_event_interval_interval_panic_caller) {
  EXPECT_THROW(RuntimeBuilder::new_multi_thread().event_interval(0), std::invalid_argument);
}

TEST(rt_panic, builder_name_panic_caller) {
  EXPECT_THROW(RuntimeBuilder::new_current_thread().name(""), std::invalid_argument);
  EXPECT_THROW(RuntimeBuilder::new_current_thread().name("  "), std::invalid_argument);
}

}  // namespace
}  // namespace kaido::parity
