#include <kaido/sync/set_once.h>

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/runtime.h>

#include "sdk/testing/poll_probe.h"

namespace kaido {
namespace {

using testing::PollProbe;

TEST(SetOnce, SetWakesAllWaits) {
  SetOnce<int> cell;
  PollProbe first(cell.wait());
  PollProbe second(cell.wait());
  EXPECT_FALSE(first.poll());
  EXPECT_FALSE(second.poll());
  EXPECT_TRUE(cell.set(3));
  EXPECT_TRUE(first.is_woken());
  EXPECT_TRUE(second.is_woken());
  ASSERT_TRUE(first.poll());
  ASSERT_TRUE(second.poll());
  EXPECT_EQ(&first.take(), &second.take());
  EXPECT_EQ(*cell.get(), 3);
}

TEST(SetOnce, DroppedWaitIsForgotten) {
  SetOnce<int> cell;
  PollProbe wait(cell.wait());
  EXPECT_FALSE(wait.poll());
  wait.drop();
  EXPECT_TRUE(cell.set(3));
  EXPECT_EQ(wait.wake_count(), 0);
}

TEST(SetOnce, OneOfManyThreadsWinsAndAllWaitersSeeItsValue) {
  Runtime runtime = RuntimeBuilder::new_multi_thread().worker_threads(4).build().value();
  for (int round = 0; round < 50; ++round) {
    SetOnce<std::shared_ptr<int>> cell;
    auto wait = [&]() -> Task<int> { co_return *(co_await cell.wait()); };
    std::vector<JoinHandle<int>> tasks;
    for (int index = 0; index < 40; ++index) tasks.push_back(runtime.spawn(wait()));
    std::atomic<int> winner = -1;
    std::atomic<int> wins = 0;
    std::vector<std::thread> setters;
    for (int id = 0; id < 4; ++id) {
      setters.emplace_back([&cell, &winner, &wins, id] {
        if (!cell.set(std::make_shared<int>(id))) return;
        winner.store(id);
        wins.fetch_add(1);
      });
    }
    for (std::thread& setter : setters) setter.join();
    EXPECT_EQ(wins.load(), 1);
    for (JoinHandle<int>& task : tasks) EXPECT_EQ(runtime.block_on(task).value(), winner.load());
  }
}

}  // namespace
}  // namespace kaido
