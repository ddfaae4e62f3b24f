#include "sdk/time/wheel.h"

#include <cstdint>
#include <deque>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace kaido::detail {
namespace {

using Tick = TimerWheel::Tick;

std::vector<Tick> expire_all(TimerWheel& wheel, Tick now) {
  std::vector<Tick> ticks;
  while (TimerEntry* entry = wheel.expire(now)) ticks.push_back(entry->deadline_tick);
  return ticks;
}

TEST(TimerWheel, RefusesAPassedDeadline) {
  TimerWheel wheel;
  TimerEntry entry;
  entry.deadline_tick = 0;
  EXPECT_FALSE(wheel.insert(entry));
  EXPECT_FALSE(entry.is_linked);
  EXPECT_EQ(expire_all(wheel, 10), std::vector<Tick>());
  entry.deadline_tick = 10;
  EXPECT_FALSE(wheel.insert(entry));
}

TEST(TimerWheel, FiresOnTheTickAndNotBefore) {
  for (Tick deadline : {Tick{1}, Tick{63}, Tick{64}, Tick{65}, Tick{4095}, Tick{4096}, Tick{300'000}}) {
    TimerWheel wheel;
    TimerEntry entry;
    entry.deadline_tick = deadline;
    ASSERT_TRUE(wheel.insert(entry));
    EXPECT_EQ(expire_all(wheel, deadline - 1), std::vector<Tick>()) << deadline;
    EXPECT_EQ(wheel.next_expiration(), deadline);
    EXPECT_EQ(expire_all(wheel, deadline), std::vector<Tick>{deadline});
    EXPECT_EQ(wheel.next_expiration(), std::nullopt);
  }
}

TEST(TimerWheel, EqualDeadlinesFireInTheOrderOfInsertion) {
  TimerWheel wheel;
  std::deque<TimerEntry> entries(3);
  for (auto& entry : entries) {
    entry.deadline_tick = 100;
    ASSERT_TRUE(wheel.insert(entry));
  }
  for (auto& entry : entries) EXPECT_EQ(wheel.expire(100), &entry);
}

TEST(TimerWheel, ARemovedEntryDoesNotFireEvenWhenItIsDue) {
  TimerWheel wheel;
  TimerEntry first;
  TimerEntry second;
  first.deadline_tick = second.deadline_tick = 5;
  ASSERT_TRUE(wheel.insert(first));
  ASSERT_TRUE(wheel.insert(second));
  EXPECT_EQ(wheel.expire(5), &first);
  wheel.remove(second);  // Due, not handed out yet.
  EXPECT_EQ(wheel.expire(5), nullptr);
  second.deadline_tick = 70;
  ASSERT_TRUE(wheel.insert(second));
  wheel.remove(second);
  EXPECT_EQ(wheel.next_expiration(), std::nullopt);
}

TEST(TimerWheel, DeadlinesBeyondItsRangeStillFire) {
  TimerWheel wheel;
  TimerEntry entry;
  entry.deadline_tick = (Tick{1} << 37) + 12345;
  ASSERT_TRUE(wheel.insert(entry));
  Tick now = 0;
  int steps = 0;
  while (entry.is_linked && steps++ < 1000) {
    now = wheel.next_expiration().value();
    ASSERT_LE(now, entry.deadline_tick);
    static_cast<void>(wheel.expire(now));
  }
  EXPECT_EQ(now, entry.deadline_tick);
}

TEST(TimerWheel, FiresEverythingOnceAndInOrderWhateverTheSteps) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  TimerWheel wheel;
  std::deque<TimerEntry> entries(5000);
  std::size_t linked = 0;
  for (auto& entry : entries) {
    entry.deadline_tick = random() % (std::uint64_t{1} << (random() % 24));
    if (wheel.insert(entry)) ++linked;
  }
  Tick now = 0;
  Tick last = 0;
  std::size_t fired = 0;
  while (wheel.next_expiration()) {
    const Tick before = now;
    now += random() % 5000;
    for (Tick deadline : expire_all(wheel, now)) {
      ASSERT_GT(deadline, before);
      ASSERT_LE(deadline, now);
      ASSERT_GE(deadline, last);
      last = deadline;
      ++fired;
    }
  }
  EXPECT_EQ(fired, linked);
}

}  // namespace
}  // namespace kaido::detail
