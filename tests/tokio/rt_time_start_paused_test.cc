/// tokio's rt_time_start_paused.rs.
#include <chrono>
#include <thread>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/time.h>

#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

TEST(rt_time_start_paused, test_start_paused) {
  Runtime rt = paused();
  rt.block_on([]() -> Task<void> {
    const Instant before = Clock::now();
    const auto real = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - real < std::chrono::milliseconds(2)) std::this_thread::yield();
    EXPECT_EQ(Clock::now(), before);
    co_return;
  });
}

}  // namespace
}  // namespace kaido::parity
