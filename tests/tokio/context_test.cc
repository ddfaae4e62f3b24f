// A task that sees another runtime than the one that polls it.
#include <chrono>

#include <gtest/gtest.h>

#include <kaido/runtime_context.h>
#include <kaido/time.h>

#include "tests/tokio/task_support.h"

namespace kaido::parity {
namespace {

TEST(context, tokio_context_with_another_runtime) {
  Runtime without_timers = RuntimeBuilder::new_multi_thread().worker_threads(1).build().value();
  const Runtime with_timers = multi_thread(1);
  const auto nap = []() -> Task<int> {
    co_await sleep(std::chrono::milliseconds(2));
    co_return 42;
  };
  RuntimeContext context(nap(), with_timers.handle());
  EXPECT_EQ(without_timers.block_on(context), 42);
}

}  // namespace
}  // namespace kaido::parity
