// interval: its ticks after a stall, and after each kind of reset. The clock stands still but for advance().
#include <kaido/interval.h>

#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/time.h>

#include "sdk/testing/probe.h"
#include "tests/tokio/support.h"

namespace kaido {
namespace {

using namespace std::chrono_literals;
using testing::Probe;

/// An interval of `period` from 1 ms after the start, ticked by hand. Times are milliseconds since the start.
class Ticks {
 public:
  explicit Ticks(std::chrono::milliseconds period)
      : start_(Clock::now()), interval_(interval_at(start_ + 1ms, period)) {}

  /// The next tick if there is one now.
  std::optional<std::chrono::milliseconds> poll() {
    Probe probe([this]() -> Task<Instant> { co_return co_await interval_.tick(); });
    if (!probe.poll()) return std::nullopt;
    return std::chrono::floor<std::chrono::milliseconds>(probe.take() - start_);
  }
  std::vector<std::chrono::milliseconds> poll_all() {
    std::vector<std::chrono::milliseconds> ticks;
    while (auto tick = poll()) ticks.push_back(*tick);
    return ticks;
  }
  Interval& operator*() { return interval_; }
  Interval* operator->() { return &interval_; }
  [[nodiscard]] Instant start() const { return start_; }

 private:
  Instant start_;
  Interval interval_;
};

using List = std::vector<std::chrono::milliseconds>;

template <typename F>
void with_paused_clock(F body) {
  parity::paused().block_on([&]() -> Task<void> { co_await body(); });
}

TEST(time_interval, interval_zero_duration) {
  with_paused_clock([]() -> Task<void> {
    EXPECT_THROW(static_cast<void>(interval_at(Clock::now(), 0ms)), std::logic_error);
    co_return;
  });
}

// 300 ms apart; nobody looks between 1 and 930 ms.
Task<void> stall(Ticks& ticks) {
  EXPECT_EQ(ticks.poll(), std::nullopt);
  co_await advance_clock(100ms);
  EXPECT_EQ(ticks.poll(), 1ms);
  EXPECT_EQ(ticks.poll(), std::nullopt);
  co_await advance_clock(650ms);
  EXPECT_EQ(ticks.poll(), 301ms);
}

TEST(time_interval, burst) {
  with_paused_clock([]() -> Task<void> {
    Ticks ticks(300ms);
    co_await stall(ticks);  // Now at 750 ms.
    EXPECT_EQ(ticks.poll_all(), List{601ms});
    co_await advance_clock(200ms);
    EXPECT_EQ(ticks.poll_all(), List{901ms});
    co_await advance_clock(600ms);
    EXPECT_EQ(ticks.poll_all(), (List{1201ms, 1501ms}));
  });
}

TEST(time_interval, delay) {
  with_paused_clock([]() -> Task<void> {
    Ticks ticks(300ms);
    ticks->set_missed_tick_behavior(MissedTickBehavior::kDelay);
    // The first was late already: at 100 ms, so that the next is due at 400 ms.
    EXPECT_EQ(ticks.poll(), std::nullopt);
    co_await advance_clock(100ms);
    EXPECT_EQ(ticks.poll_all(), List{1ms});
    co_await advance_clock(650ms);  // 750 ms
    EXPECT_EQ(ticks.poll_all(), List{400ms});
    co_await advance_clock(299ms);
    EXPECT_EQ(ticks.poll_all(), List{});
    co_await advance_clock(1ms);  // 1050 ms
    EXPECT_EQ(ticks.poll_all(), List{1050ms});
    co_await advance_clock(300ms);
    EXPECT_EQ(ticks.poll_all(), List{1350ms});
  });
}

TEST(time_interval, skip) {
  with_paused_clock([]() -> Task<void> {
    Ticks ticks(300ms);
    ticks->set_missed_tick_behavior(MissedTickBehavior::kSkip);
    co_await stall(ticks);  // Now at 750 ms.
    EXPECT_EQ(ticks.poll_all(), List{});
    co_await advance_clock(151ms);
    EXPECT_EQ(ticks.poll_all(), List{901ms});
    co_await advance_clock(300ms);
    EXPECT_EQ(ticks.poll_all(), List{1201ms});
  });
}

// Ticks at 1 and 301 ms, looked at on time; then it is 401 ms and `act` is called. Up to 1001 ms in steps of 100 ms,
// these come.
void expect_after(std::function<void(Ticks&)> act, List expected) {
  with_paused_clock([&]() -> Task<void> {
    Ticks ticks(300ms);
    EXPECT_EQ(ticks.poll_all(), List{});
    co_await advance_clock(1ms);
    EXPECT_EQ(ticks.poll_all(), List{1ms});
    co_await advance_clock(300ms);
    EXPECT_EQ(ticks.poll_all(), List{301ms});
    co_await advance_clock(100ms);
    EXPECT_EQ(ticks.poll_all(), List{});
    act(ticks);
    List seen = ticks.poll_all();
    for (int step = 0; step < 6; ++step) {
      co_await advance_clock(100ms);
      const List now = ticks.poll_all();
      seen.insert(seen.end(), now.begin(), now.end());
    }
    EXPECT_EQ(seen, expected);
  });
}

TEST(time_interval, reset) {
  expect_after([](Ticks& ticks) { ticks->reset(); }, {701ms, 1001ms});
}

TEST(time_interval, reset_immediately) {
  expect_after([](Ticks& ticks) { ticks->reset_immediately(); }, {401ms, 701ms, 1001ms});
}

TEST(time_interval, reset_after) {
  expect_after([](Ticks& ticks) { ticks->reset_after(100ms); }, {501ms, 801ms});
}

TEST(time_interval, reset_at) {
  expect_after([](Ticks& ticks) { ticks->reset_at(Clock::now() + 200ms); }, {601ms, 901ms});
}

TEST(time_interval, reset_at_bigger_than_interval) {
  expect_after([](Ticks& ticks) { ticks->reset_at(ticks.start() + 951ms); }, {951ms});
}

TEST(time_interval, interval_doesnt_panic_max_duration_when_polling) {
  with_paused_clock([]() -> Task<void> {
    Interval endless = interval(std::chrono::nanoseconds::max());
    Probe first([&]() -> Task<Instant> { co_return co_await endless.tick(); });
    EXPECT_TRUE(first.poll());
    EXPECT_EQ(first.take(), Clock::now());
    Probe second([&]() -> Task<Instant> { co_return co_await endless.tick(); });
    EXPECT_FALSE(second.poll());
    co_return;
  });
}

}  // namespace
}  // namespace kaido
