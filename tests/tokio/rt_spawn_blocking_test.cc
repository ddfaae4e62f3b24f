/// tokio's rt_spawn_blocking.rs.
#include <chrono>
#include <future>
#include <memory>

#include <gtest/gtest.h>

#include <kaido/runtime.h>

#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

TEST(rt_spawn_blocking, issue_8056_regression_test) {
  // Threads that give up for want of work just when there is some.
  Runtime rt = RuntimeBuilder::new_multi_thread()
                   .worker_threads(1)
                   .thread_keep_alive(std::chrono::nanoseconds(1))
                   .build()
                   .value();
  for (int round = 0; round < 512; ++round) {
    auto first = rt.spawn_blocking([] { return 1; });
    auto second = rt.spawn_blocking([] { return 2; });
    EXPECT_EQ(rt.block_on(first).value(), 1);
    EXPECT_EQ(rt.block_on(second).value(), 2);
  }
}

}  // namespace
}  // namespace kaido::parity
