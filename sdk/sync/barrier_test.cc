#include <kaido/sync/barrier.h>

#include <atomic>
#include <cstddef>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/runtime.h>

#include "sdk/testing/poll_probe.h"

namespace kaido {
namespace {

using testing::PollProbe;

TEST(Barrier, DroppedWaitHasArrived) {
  Barrier barrier(2);
  PollProbe dropped(barrier.wait());
  EXPECT_FALSE(dropped.poll());
  dropped.drop();
  PollProbe leader(barrier.wait());
  ASSERT_TRUE(leader.poll());
  EXPECT_TRUE(leader.take().is_leader());
  EXPECT_EQ(dropped.wake_count(), 0);
}

TEST(Barrier, WaitThatIsNotAwaitedHasNotArrived) {
  Barrier barrier(2);
  BarrierWait unstarted = barrier.wait();
  PollProbe first(barrier.wait());
  EXPECT_FALSE(first.poll());
  PollProbe second(std::move(unstarted));
  EXPECT_TRUE(second.poll());
}

TEST(Barrier, NobodyPassesBeforeAllHaveArrived) {
  constexpr int kTasks = 40;  // More than are woken in one batch.
  constexpr int kRounds = 100;
  Runtime runtime = RuntimeBuilder::new_multi_thread().worker_threads(4).build().value();
  Barrier barrier(kTasks);
  std::atomic<int> arrivals = 0;
  std::atomic<int> leaders = 0;
  auto run = [&]() -> Task<void> {
    for (int round = 1; round <= kRounds; ++round) {
      arrivals.fetch_add(1);
      const BarrierWaitResult result = co_await barrier.wait();
      EXPECT_GE(arrivals.load(), round * kTasks);
      if (result.is_leader()) leaders.fetch_add(1);
    }
  };
  std::vector<JoinHandle<void>> tasks;
  for (int index = 0; index < kTasks; ++index) tasks.push_back(runtime.spawn(run()));
  for (JoinHandle<void>& task : tasks) EXPECT_TRUE(runtime.block_on(task));
  EXPECT_EQ(leaders.load(), kRounds);
}

}  // namespace
}  // namespace kaido
