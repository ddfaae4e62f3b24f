// Sleep: its resolution, its range, and reset before and after it fired.
#include <kaido/time.h>

#include <chrono>
#include <deque>
#include <memory>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/select.h>
#include <kaido/spawn.h>

#include "sdk/testing/probe.h"
#include "tests/tokio/support.h"

namespace kaido {
namespace {

using namespace std::chrono_literals;
using testing::Probe;

constexpr std::chrono::hours kYear(24 * 365);

/// Runs a coroutine on a clock that stands still.
template <typename F>
void paused(F body) {
  parity::paused().block_on(std::move(body));
}

TEST(time_sleep, immediate_sleep) {
  paused([]() -> Task<void> {
    const Instant now = Clock::now();
    Sleep immediate = sleep_until(now);
    EXPECT_FALSE(immediate.is_elapsed());
    co_await immediate;
    EXPECT_TRUE(immediate.is_elapsed());
    EXPECT_LE(Clock::now() - now, 1ms);
  });
}

TEST(time_sleep, is_elapsed) {
  paused([]() -> Task<void> {
    Sleep waiting = sleep(50ms);
    EXPECT_FALSE(waiting.is_elapsed());
    Probe probe([&]() -> Task<void> { co_await waiting; });
    EXPECT_FALSE(probe.poll());
    EXPECT_FALSE(waiting.is_elapsed());
    co_await sleep(50ms);
    EXPECT_TRUE(probe.is_woken());
    EXPECT_TRUE(probe.poll());
    EXPECT_TRUE(waiting.is_elapsed());
  });
}

TEST(time_sleep, delayed_sleep_level_0) {
  paused([]() -> Task<void> {
    for (const auto duration : {1ms, 10ms, 60ms}) {
      const Instant before = Clock::now();
      co_await sleep(duration);
      EXPECT_EQ(Clock::now() - before, duration);
    }
  });
}

TEST(time_sleep, sub_ms_delayed_sleep) {
  paused([]() -> Task<void> {
    for (int i = 0; i < 5; ++i) {
      const Instant before = Clock::now();
      const Instant deadline = before + 1ms + 1ns;
      co_await sleep_until(deadline);
      EXPECT_GE(Clock::now() - before, 1ms + 1ns);
      EXPECT_LE(Clock::now() - before, 2ms);
    }
  });
}

TEST(time_sleep, delayed_sleep_wrapping_level_0) {
  paused([]() -> Task<void> {
    co_await sleep(5ms);
    const Instant before = Clock::now();
    co_await sleep(60ms);
    EXPECT_EQ(Clock::now() - before, 60ms);
  });
}

TEST(time_sleep, reset_future_sleep_before_fire) {
  paused([]() -> Task<void> {
    const Instant start = Clock::now();
    Sleep waiting = sleep_until(start + 100ms);
    Probe probe([&]() -> Task<void> { co_await waiting; });
    EXPECT_FALSE(probe.poll());
    waiting.reset(start + 200ms);
    EXPECT_FALSE(probe.poll());
    co_await sleep_until(start + 199ms);
    EXPECT_FALSE(probe.is_woken());
    co_await sleep_until(start + 200ms);
    EXPECT_TRUE(probe.is_woken());
    EXPECT_TRUE(probe.poll());
  });
}

TEST(time_sleep, reset_past_sleep_before_turn) {
  paused([]() -> Task<void> {
    const Instant start = Clock::now();
    Sleep waiting = sleep_until(start + 100ms);
    Probe probe([&]() -> Task<void> { co_await waiting; });
    EXPECT_FALSE(probe.poll());
    waiting.reset(start + 80ms);
    EXPECT_FALSE(probe.poll());
    co_await sleep_until(start + 80ms);
    EXPECT_TRUE(probe.is_woken());
    EXPECT_TRUE(probe.poll());
  });
}

TEST(time_sleep, reset_past_sleep_before_fire) {
  paused([]() -> Task<void> {
    const Instant start = Clock::now();
    Sleep waiting = sleep_until(start + 100ms);
    Probe probe([&]() -> Task<void> { co_await waiting; });
    EXPECT_FALSE(probe.poll());
    co_await sleep(10ms);
    EXPECT_FALSE(probe.is_woken());
    waiting.reset(start + 80ms);
    EXPECT_FALSE(probe.poll());
    co_await sleep_until(start + 79ms);
    EXPECT_FALSE(probe.is_woken());
    co_await sleep_until(start + 80ms);
    EXPECT_TRUE(probe.is_woken());
    EXPECT_TRUE(probe.poll());
  });
}

TEST(time_sleep, reset_future_sleep_after_fire) {
  paused([]() -> Task<void> {
    const Instant start = Clock::now();
    Sleep waiting = sleep_until(start + 100ms);
    co_await waiting;
    EXPECT_EQ(Clock::now() - start, 100ms);
    waiting.reset(start + 110ms);
    co_await waiting;
    EXPECT_EQ(Clock::now() - start, 110ms);
  });
}

TEST(time_sleep, reset_sleep_to_past) {
  paused([]() -> Task<void> {
    const Instant start = Clock::now();
    Sleep waiting = sleep_until(start + 100ms);
    Probe probe([&]() -> Task<void> { co_await waiting; });
    EXPECT_FALSE(probe.poll());
    co_await sleep(50ms);
    EXPECT_FALSE(probe.is_woken());
    waiting.reset(start + 40ms);
    EXPECT_TRUE(probe.poll());
  });
}

TEST(time_sleep, creating_sleep_outside_of_context) {
  EXPECT_THROW(static_cast<void>(sleep_until(Clock::now() + 1ms)), std::logic_error);
}

TEST(time_sleep, greater_than_max) {
  paused([]() -> Task<void> {
    const Instant deadline = Clock::now() + 5 * kYear;
    co_await sleep_until(deadline);
    EXPECT_GE(Clock::now(), deadline);
  });
}

TEST(time_sleep, short_sleeps) {
  parity::current_thread().block_on([]() -> Task<void> {
    for (int i = 0; i < 1000; ++i) co_await sleep(0ms);
  });
}

TEST(time_sleep, multi_long_sleeps) {
  paused([]() -> Task<void> {
    const Instant deadline = Clock::now() + 10 * kYear;
    for (int i = 0; i < 5; ++i) co_await sleep(kYear);
    co_await sleep_until(deadline);
    EXPECT_GE(Clock::now(), deadline);
  });
}

TEST(time_sleep, long_sleeps) {
  paused([]() -> Task<void> {
    const Instant deadline = Clock::now() + 10 * kYear;
    co_await sleep_until(deadline);
    EXPECT_GE(Clock::now(), deadline);
    EXPECT_LE(Clock::now(), deadline + 1ms);
  });
}

TEST(time_sleep, reset_after_firing) {
  paused([]() -> Task<void> {
    Sleep waiting = sleep(1ms);
    const Instant deadline = waiting.deadline();
    co_await waiting;
    Probe probe([&]() -> Task<void> { co_await waiting; });
    waiting.reset(deadline + 600s);
    EXPECT_NE(waiting.deadline(), deadline);
    EXPECT_EQ(waiting.deadline(), deadline + 600s);
    EXPECT_FALSE(probe.poll());
  });
}

TEST(time_sleep, exactly_max) {
  paused([]() -> Task<void> { co_await sleep(std::chrono::nanoseconds::max()); });
}

TEST(time_sleep, issue_5183) {
  paused([]() -> Task<void> {
    const auto won =
        co_await select(sleep(std::chrono::nanoseconds(std::chrono::hours(1024 * 365 * 24) / 50)), sleep(1ns));
    EXPECT_EQ(won.index(), 1u);
  });
}

TEST(time_sleep, no_out_of_bounds_close_to_max) {
  paused([]() -> Task<void> { co_await sleep(std::chrono::nanoseconds::max() - 1ms); });
}

TEST(time_sleep, drop_after_reschedule_at_new_scheduled_time) {
  paused([]() -> Task<void> {
    const Instant start = Clock::now();
    std::deque<Sleep> sleeps;
    for (const auto delay : {2ms, 3ms, 4ms}) sleeps.emplace_back(start + delay);
    auto await_sleep = [](Sleep& waiting) -> Task<void> { co_await waiting; };
    Probe<void> a(await_sleep(sleeps[0]));
    auto b = std::make_unique<Probe<void>>(await_sleep(sleeps[1]));
    Probe<void> c(await_sleep(sleeps[2]));
    EXPECT_FALSE(a.poll());
    EXPECT_FALSE(b->poll());
    EXPECT_FALSE(c.poll());
    sleeps[1].reset(start + 2ms);
    EXPECT_FALSE(b->poll());
    b.reset();
    co_await sleep_until(start + 4ms);
    EXPECT_TRUE(a.poll());
    EXPECT_TRUE(c.poll());
  });
}

}  // namespace
}  // namespace kaido
