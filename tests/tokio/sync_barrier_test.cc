#include <cstddef>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/sync/barrier.h>

#include "sdk/testing/poll_probe.h"

namespace kaido {
namespace {

using testing::PollProbe;

void expect_every_wait_leads(Barrier& barrier) {
  for (int round = 0; round < 3; ++round) {
    PollProbe wait(barrier.wait());
    ASSERT_TRUE(wait.poll());
    EXPECT_TRUE(wait.take().is_leader());
  }
}

TEST(sync_barrier, zero_does_not_block) {
  Barrier barrier(0);
  expect_every_wait_leads(barrier);
}

TEST(sync_barrier, single) {
  Barrier barrier(1);
  expect_every_wait_leads(barrier);
}

TEST(sync_barrier, tango) {
  Barrier barrier(2);
  PollProbe first(barrier.wait());
  EXPECT_FALSE(first.poll());
  PollProbe second(barrier.wait());
  EXPECT_TRUE(second.poll());
  EXPECT_TRUE(first.is_woken());
  EXPECT_TRUE(first.poll());
  EXPECT_NE(first.take().is_leader(), second.take().is_leader());
}

TEST(sync_barrier, lots) {
  constexpr std::size_t kTasks = 100;
  Barrier barrier(kTasks);
  for (int round = 0; round < 10; ++round) {
    std::vector<std::unique_ptr<PollProbe<BarrierWait>>> waits;
    for (std::size_t task = 0; task + 1 < kTasks; ++task) {
      waits.push_back(std::make_unique<PollProbe<BarrierWait>>(barrier.wait()));
      EXPECT_FALSE(waits.back()->poll());
    }
    for (auto& wait : waits) EXPECT_FALSE(wait->poll());

    waits.push_back(std::make_unique<PollProbe<BarrierWait>>(barrier.wait()));
    int leaders = 0;
    for (auto wait = waits.rbegin(); wait != waits.rend(); ++wait) {
      ASSERT_TRUE((*wait)->poll());
      leaders += (*wait)->take().is_leader() ? 1 : 0;
    }
    EXPECT_EQ(leaders, 1);
  }
}

}  // namespace
}  // namespace kaido
