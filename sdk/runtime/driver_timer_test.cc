// Timers at the driver, on a clock that is moved by hand: the cases that tokio keeps beside its wheel.
#include "sdk/runtime/driver.h"

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>

#include <gtest/gtest.h>

#include <kaido/detail/timer_entry.h>
#include <kaido/detail/waker.h>

#include "sdk/time/clock.h"

namespace kaido::detail {
namespace {

using namespace std::chrono_literals;

class Target final : public WakeTarget {
 public:
  Target() noexcept : WakeTarget(kOneRef) {}
  ~Target() override = default;
  void wake_by_ref() noexcept override { ++wakes; }
  int wakes = 0;

 private:
  void destroy() noexcept override {}  // Of the test.
};

class Timers : public ::testing::Test {
 protected:
  /// As the poll of a Sleep.
  bool poll(TimerEntry& entry, Instant deadline, Target& target) {
    Budget budget;
    PollContext context(target, budget);
    return driver_.arm(entry, deadline, context);
  }
  void advance(std::chrono::nanoseconds duration) {
    clock_.advance_to(clock_.now() + duration);
    driver_.poll();
  }

  RuntimeClock clock_{true};
  Driver driver_{clock_};
  const Instant start_ = clock_.now();
  Target target_;
};

TEST_F(Timers, single_timer) {
  TimerEntry entry;
  EXPECT_FALSE(poll(entry, start_ + 1s, target_));
  advance(999ms);
  EXPECT_FALSE(entry.has_fired.load());
  EXPECT_EQ(target_.wakes, 0);
  advance(1ms);
  EXPECT_TRUE(entry.has_fired.load());
  EXPECT_EQ(target_.wakes, 1);
  EXPECT_TRUE(poll(entry, start_ + 1s, target_));
}

TEST_F(Timers, drop_timer) {
  TimerEntry entry;
  EXPECT_FALSE(poll(entry, start_ + 1s, target_));
  EXPECT_FALSE(poll(entry, start_ + 1s, target_));
  driver_.disarm(entry);
  advance(2s);
  EXPECT_EQ(target_.wakes, 0);
  EXPECT_FALSE(entry.has_fired.load());
}

TEST_F(Timers, change_waker) {
  Target other;
  TimerEntry entry;
  EXPECT_FALSE(poll(entry, start_ + 1s, target_));
  EXPECT_FALSE(poll(entry, start_ + 1s, other));
  advance(2s);
  EXPECT_EQ(target_.wakes, 0);
  EXPECT_EQ(other.wakes, 1);
}

TEST_F(Timers, reset_future) {
  TimerEntry entry;
  EXPECT_FALSE(poll(entry, start_ + 1s, target_));
  driver_.disarm(entry);
  EXPECT_FALSE(poll(entry, start_ + 2s, target_));
  advance(1500ms);
  EXPECT_FALSE(entry.has_fired.load());
  EXPECT_EQ(target_.wakes, 0);
  advance(1s);
  EXPECT_TRUE(entry.has_fired.load());
  EXPECT_EQ(target_.wakes, 1);
}

// It fires between the owner's look and its reset.
TEST_F(Timers, OneThatFiredUnseenIsReset) {
  TimerEntry entry;
  EXPECT_FALSE(poll(entry, start_ + 1s, target_));
  advance(1s);
  EXPECT_TRUE(entry.has_fired.load());
  driver_.rearm(entry, start_ + 3s);
  EXPECT_FALSE(entry.has_fired.load());
  EXPECT_EQ(target_.wakes, 1);  // Whom that woke polls again, and finds this:
  EXPECT_FALSE(poll(entry, start_ + 3s, target_));
  advance(1s);
  EXPECT_FALSE(entry.has_fired.load());
  advance(1s);
  EXPECT_TRUE(poll(entry, start_ + 3s, target_));
  EXPECT_EQ(target_.wakes, 2);
}

/// Looks at the driver when its last waker goes, as the destructor of anything a waker keeps may.
class Reentrant final : public WakeTarget {
 public:
  explicit Reentrant(Driver& driver) noexcept : WakeTarget(kOneRef), driver_(driver) {}
  ~Reentrant() override = default;
  void wake_by_ref() noexcept override {}
  bool is_gone = false;

 private:
  void destroy() noexcept override {
    is_gone = true;
    driver_.poll();
  }
  Driver& driver_;
};

TEST_F(Timers, WakersAreDroppedOutsideTheLock) {
  TimerEntry entry;
  Reentrant replaced(driver_);
  Reentrant disarmed(driver_);
  Budget budget;
  PollContext first(replaced, budget);
  EXPECT_FALSE(driver_.arm(entry, start_ + 1s, first));
  replaced.drop_ref();
  PollContext second(disarmed, budget);
  EXPECT_FALSE(driver_.arm(entry, start_ + 1s, second));
  EXPECT_TRUE(replaced.is_gone);
  disarmed.drop_ref();
  driver_.disarm(entry);
  EXPECT_TRUE(disarmed.is_gone);
}

TEST_F(Timers, poll_process_levels) {
  constexpr std::size_t kCount = 1024;
  std::deque<TimerEntry> entries(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(poll(entries[i], start_ + std::chrono::milliseconds(i), target_), i == 0);
  }
  for (std::size_t now = 1; now < kCount; ++now) {
    advance(1ms);
    EXPECT_EQ(target_.wakes, static_cast<int>(now));
    EXPECT_TRUE(entries[now].has_fired.load());
    if (now + 1 < kCount) {
      EXPECT_FALSE(entries[now + 1].has_fired.load());
    }
  }
}

TEST_F(Timers, poll_process_levels_targeted) {
  TimerEntry entry;
  EXPECT_FALSE(poll(entry, start_ + 193ms, target_));
  advance(62ms);
  EXPECT_FALSE(poll(entry, start_ + 193ms, target_));
  advance(130ms);
  EXPECT_FALSE(poll(entry, start_ + 193ms, target_));
  EXPECT_EQ(target_.wakes, 0);
  advance(1ms);
  EXPECT_TRUE(poll(entry, start_ + 193ms, target_));
}

TEST_F(Timers, instant_to_tick_max) {
  TimerEntry last;
  EXPECT_FALSE(poll(last, Instant::max(), target_));
  TimerEntry soon;
  EXPECT_FALSE(poll(soon, start_ + 1ms, target_));
  advance(1ms);
  EXPECT_TRUE(soon.has_fired.load());
  advance(std::chrono::hours(24 * 365));
  EXPECT_FALSE(last.has_fired.load());
  driver_.disarm(last);
}

}  // namespace
}  // namespace kaido::detail
