// The paused clock: who may pause it, how it advances, and which timers fire.
#include <chrono>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/interval.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/time.h>

#include "sdk/testing/probe.h"
#include "tests/tokio/support.h"

namespace kaido {
namespace {

using namespace std::chrono_literals;
using testing::Probe;

Task<void> pause_it() {
  pause_clock();
  co_return;
}

TEST(time_pause, pause_time_in_main) { parity::current_thread().block_on(pause_it()); }

TEST(time_pause, pause_time_in_task) {
  parity::current_thread().block_on([]() -> Task<void> {
    auto handle = spawn(pause_it());
    const auto result = co_await handle;
    EXPECT_TRUE(result.has_value());
  });
}

TEST(time_pause, pause_time_in_main_threads) {
  EXPECT_THROW(parity::multi_thread(1).block_on(pause_it()), std::logic_error);
}

TEST(time_pause, pause_time_in_spawn_threads) {
  parity::multi_thread(1).block_on([]() -> Task<void> {
    auto handle = spawn(pause_it());
    const auto result = co_await handle;
    EXPECT_TRUE(result.has_error() && result.error().is_panic());
  });
}

TEST(time_pause, paused_time_is_deterministic) {
  auto random_sleeps = [] {
    return parity::paused().block_on([]() -> Task<std::vector<Duration>> {
      std::mt19937_64 random(42);
      std::vector<Duration> times;
      const Instant start = Clock::now();
      for (int i = 0; i < 10'000; ++i) {
        co_await sleep(std::chrono::milliseconds(random() % 100));
        times.push_back(Clock::now() - start);
      }
      co_return times;
    });
  };
  EXPECT_EQ(random_sleeps(), random_sleeps());
}

Task<void> wait(std::chrono::nanoseconds duration) { co_await sleep(duration); }

TEST(time_pause, advance_after_poll) {
  parity::paused().block_on([]() -> Task<void> {
    co_await advance_clock(1ms);
    Probe<void> probe(wait(300ms));
    EXPECT_FALSE(probe.poll());
    const Instant before = Clock::now();
    co_await advance_clock(100ms);
    EXPECT_EQ(Clock::now() - before, 100ms);
    EXPECT_FALSE(probe.poll());
  });
}

TEST(time_pause, sleep_no_poll) {
  parity::paused().block_on([]() -> Task<void> {
    co_await advance_clock(1ms);
    Sleep unstarted = sleep(300ms);
    const Instant before = Clock::now();
    co_await advance_clock(100ms);
    EXPECT_EQ(Clock::now() - before, 100ms);
    Probe probe([&]() -> Task<void> { co_await unstarted; });
    EXPECT_FALSE(probe.poll());
  });
}

/// As a task that awaits a sleep, and advances the clock while it does.
template <bool kPollFirst>
Task<void> sleep_and_advance() {
  co_await advance_clock(1ms);
  Sleep waiting = sleep(300ms);
  Probe probe([&]() -> Task<void> { co_await waiting; });
  if (kPollFirst) {
    EXPECT_FALSE(probe.poll());
  }
  const Instant before = Clock::now();
  co_await advance_clock(100ms);
  EXPECT_EQ(Clock::now() - before, 100ms);
  EXPECT_FALSE(probe.is_woken());
  EXPECT_FALSE(probe.poll());
}

TEST(time_pause, sleep_same_task) { parity::paused().block_on(sleep_and_advance<true>()); }

TEST(time_pause, sleep_same_task_no_poll) { parity::paused().block_on(sleep_and_advance<false>()); }

TEST(time_pause, interval) {
  parity::paused().block_on([]() -> Task<void> {
    co_await advance_clock(1ms);
    Interval ticks = kaido::interval(300ms);
    auto is_ready = [&] {
      Probe probe([&]() -> Task<void> { co_await ticks.tick(); });
      return probe.poll();
    };
    EXPECT_TRUE(is_ready());
    EXPECT_FALSE(is_ready());
    co_await advance_clock(100ms);
    EXPECT_FALSE(is_ready());
    co_await advance_clock(200ms);
    EXPECT_TRUE(is_ready());
    EXPECT_FALSE(is_ready());
    co_await advance_clock(500ms);
    EXPECT_TRUE(is_ready());
    EXPECT_FALSE(is_ready());
    co_await advance_clock(500ms);
    EXPECT_TRUE(is_ready());
    EXPECT_TRUE(is_ready());
    EXPECT_FALSE(is_ready());
  });
}

template <typename... Steps>
void expect_exact(Steps... steps) {
  parity::paused().block_on([=]() -> Task<void> {
    for (const std::chrono::nanoseconds step : {std::chrono::nanoseconds(steps)...}) {
      const Instant before = Clock::now();
      co_await advance_clock(step);
      EXPECT_EQ(Clock::now() - before, step);
    }
  });
}

TEST(time_pause, test_time_advance_sub_ms) { expect_exact(51'592us, 1us); }

TEST(time_pause, test_time_advance_3ms_and_change) { expect_exact(3'141'592us, 1us); }

TEST(time_pause, regression_3710_with_submillis_advance) {
  parity::paused().block_on([]() -> Task<void> {
    co_await advance_clock(1ms);
    Probe<void> probe(wait(60s));
    EXPECT_FALSE(probe.poll());
    co_await advance_clock(1us);
    EXPECT_FALSE(probe.is_woken());
    EXPECT_FALSE(probe.poll());
  });
}

TEST(time_pause, exact_1ms_advance) { expect_exact(1ms, 1ms); }

TEST(time_pause, advance_once_with_timer) {
  parity::paused().block_on([]() -> Task<void> {
    Probe<void> probe(wait(1ms));
    EXPECT_FALSE(probe.poll());
    co_await advance_clock(250us);
    EXPECT_FALSE(probe.is_woken());
    EXPECT_FALSE(probe.poll());
    co_await advance_clock(1500us);
    EXPECT_TRUE(probe.is_woken());
    EXPECT_TRUE(probe.poll());
  });
}

TEST(time_pause, advance_multi_with_timer) {
  parity::paused().block_on([]() -> Task<void> {
    Probe<void> probe(wait(1ms));
    EXPECT_FALSE(probe.poll());
    for (int i = 0; i < 3; ++i) {
      co_await advance_clock(250us);
      EXPECT_FALSE(probe.is_woken());
      EXPECT_FALSE(probe.poll());
    }
    co_await advance_clock(250us);
    EXPECT_TRUE(probe.is_woken());
    EXPECT_TRUE(probe.poll());
  });
}

}  // namespace
}  // namespace kaido
