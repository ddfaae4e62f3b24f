// Timers of the root and of many tasks on several workers at once.
#include <chrono>

#include <gtest/gtest.h>

#include <kaido/join_set.h>
#include <kaido/runtime.h>
#include <kaido/sync/oneshot.h>
#include <kaido/time.h>

#include "tests/tokio/support.h"

namespace kaido {
namespace {

using namespace std::chrono_literals;

constexpr int kTasks = 512;

template <typename F>
void in_root_and_tasks(F body) {
  parity::multi_thread(2).block_on([&]() -> Task<void> {
    co_await body();
    JoinSet<void> set;
    for (int i = 0; i < kTasks; ++i) set.spawn(body());
    for (;;) {
      const auto next = co_await set.join_next();
      if (!next) break;
      EXPECT_TRUE(next->has_value());
    }
  });
}

TEST(time_alt, sleep) {
  in_root_and_tasks([]() -> Task<void> {
    const Instant before = Clock::now();
    co_await sleep(10ms);
    EXPECT_GE(Clock::now() - before, 10ms);
  });
}

TEST(time_alt, timeout) {
  in_root_and_tasks([]() -> Task<void> {
    const Instant before = Clock::now();
    auto [sender, receiver] = oneshot::channel<int>();
    const auto result = co_await timeout(10ms, receiver);
    EXPECT_TRUE(result.has_error() && result.error().is_timed_out());
    EXPECT_GE(Clock::now() - before, 10ms);
  });
}

}  // namespace
}  // namespace kaido
