// Who is woken for work that comes, and who looks once more before it sleeps.
#include "sdk/runtime/idle.h"

#include <optional>

#include <gtest/gtest.h>

namespace kaido::detail {
namespace {

TEST(Idle, WorkWakesOneSleeperUnlessOneSearches) {
  Idle idle(4);
  EXPECT_EQ(idle.worker_to_notify(), std::nullopt) << "all are awake";
  static_cast<void>(idle.park(2, false));
  static_cast<void>(idle.park(3, false));
  EXPECT_EQ(idle.worker_to_notify(), 3U);
  EXPECT_EQ(idle.worker_to_notify(), std::nullopt) << "3 searches";
  EXPECT_TRUE(idle.stop_searching());
  EXPECT_EQ(idle.worker_to_notify(), 2U);
}

TEST(Idle, HalfOfTheWorkersMaySearch) {
  Idle idle(4);
  EXPECT_TRUE(idle.start_searching());
  EXPECT_TRUE(idle.start_searching());
  EXPECT_FALSE(idle.start_searching());
  EXPECT_FALSE(idle.stop_searching());
  EXPECT_TRUE(idle.start_searching());
}

TEST(Idle, TheLastSearcherLooksOnceMoreBeforeItSleeps) {
  Idle idle(4);
  EXPECT_TRUE(idle.start_searching() && idle.start_searching());
  EXPECT_FALSE(idle.park(0, true)) << "what comes now is the other's";
  EXPECT_TRUE(idle.park(1, true));
}

// It could not search, since others did. Work that came after its last look at the queues was announced to those, who
// may each have found something else in the meantime and looked no further: it would lie until the next wake-up.
TEST(Idle, OneThatCouldNotSearchLooksOnceMoreBeforeItSleeps) {
  Idle idle(2);
  ASSERT_TRUE(idle.start_searching());   // Worker 0 looks through the queues.
  ASSERT_FALSE(idle.start_searching());  // So worker 1 may not, and goes to sleep.
  EXPECT_EQ(idle.worker_to_notify(), std::nullopt) << "work comes, and worker 0 is to find it";
  EXPECT_TRUE(idle.stop_searching());  // It has found something else.
  EXPECT_TRUE(idle.park(1, false));
  EXPECT_EQ(idle.worker_to_notify(), 1U) << "which is how it finds itself awake again";
}

TEST(Idle, OneThatWakesByItselfIsNoLongerWoken) {
  Idle idle(2);
  static_cast<void>(idle.park(1, false));
  EXPECT_TRUE(idle.is_parked(1));
  EXPECT_TRUE(idle.unpark(1));
  EXPECT_FALSE(idle.is_parked(1));
  EXPECT_FALSE(idle.unpark(1));
  EXPECT_EQ(idle.worker_to_notify(), std::nullopt);
}

}  // namespace
}  // namespace kaido::detail
