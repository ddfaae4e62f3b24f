// What a test's runtime does about a spawned task that throws.
#include <stdexcept>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/spawn.h>

#include "tests/tokio/support.h"

namespace kaido {
namespace {

Task<void> throw_in_task() {
  auto handle = spawn([]() -> Task<void> {
    throw std::runtime_error("This panic is expected");
    co_return;
  });
  const Result<void> result = co_await handle;
  EXPECT_TRUE(result.has_error() && result.error().is_panic());
}

TEST(macros_test, macro_rt_arg_unhandled_panic__unhandled_panic_shutdown_runtime) {
  auto runtime = RuntimeBuilder::new_current_thread().unhandled_panic(UnhandledPanic::kShutdownRuntime).build().value();
  EXPECT_THROW(runtime.block_on(throw_in_task), std::runtime_error);
}

TEST(macros_test, macro_rt_arg_unhandled_panic__unhandled_panic_ignore) {
  auto runtime = RuntimeBuilder::new_current_thread().unhandled_panic(UnhandledPanic::kIgnore).build().value();
  runtime.block_on(throw_in_task);
}

}  // namespace
}  // namespace kaido
