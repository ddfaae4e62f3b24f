#include <kaido/sync/once_cell.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/sync/notify.h>

#include "sdk/testing/poll_probe.h"

namespace kaido {
namespace {

using testing::PollProbe;

Task<int> nine() { co_return 9; }
Task<int> never(Notify& notify) {
  co_await notify.notified();
  co_return 0;
}

TEST(OnceCell, ThrowingInitializerHandsTheRightOn) {
  OnceCell<int> cell;
  Notify notify;
  PollProbe failing(cell.get_or_init([&]() -> Task<int> {
    co_await notify.notified();
    throw std::runtime_error("init");
  }));
  EXPECT_FALSE(failing.poll());
  PollProbe second(cell.get_or_init(nine));
  PollProbe third(cell.get_or_init(nine));
  EXPECT_FALSE(second.poll());
  EXPECT_FALSE(third.poll());
  notify.notify_one();
  EXPECT_THROW(failing.poll(), std::runtime_error);
  EXPECT_TRUE(second.is_woken());
  EXPECT_FALSE(third.is_woken());
  ASSERT_TRUE(second.poll());
  EXPECT_EQ(second.take(), 9);
  EXPECT_TRUE(third.is_woken());
  ASSERT_TRUE(third.poll());
  EXPECT_EQ(third.take(), 9);
}

TEST(OnceCell, DroppedInitializerHandsTheRightOnAndIsDestroyedBefore) {
  OnceCell<int> cell;
  Notify notify;
  auto witness = std::make_shared<int>(0);
  PollProbe first(cell.get_or_init([&notify, witness]() -> Task<int> { return never(notify); }));
  EXPECT_FALSE(first.poll());
  PollProbe second(cell.get_or_init(nine));
  EXPECT_FALSE(second.poll());
  first.drop();
  EXPECT_EQ(witness.use_count(), 1);
  EXPECT_TRUE(second.is_woken());
  ASSERT_TRUE(second.poll());
  EXPECT_EQ(second.take(), 9);
}

TEST(OnceCell, DroppedWaiterPassesTheRightOn) {
  OnceCell<int> cell;
  Notify notify;
  PollProbe first(cell.get_or_init(never(notify)));
  PollProbe second(cell.get_or_init(nine));
  PollProbe third(cell.get_or_init(nine));
  EXPECT_FALSE(first.poll());
  EXPECT_FALSE(second.poll());
  EXPECT_FALSE(third.poll());
  first.drop();
  EXPECT_TRUE(second.is_woken());
  second.drop();
  EXPECT_TRUE(third.is_woken());
  ASSERT_TRUE(third.poll());
  EXPECT_EQ(third.take(), 9);
}

TEST(OnceCell, NobodyLeftLeavesItEmpty) {
  OnceCell<int> cell;
  Notify notify;
  {
    PollProbe first(cell.get_or_init(never(notify)));
    EXPECT_FALSE(first.poll());
    EXPECT_TRUE(cell.set(1).error().is_initializing_err());
  }
  EXPECT_TRUE(cell.set(1));
  EXPECT_EQ(*cell.get(), 1);
}

TEST(OnceCell, TakeEmptiesIt) {
  OnceCell<std::string> cell;
  EXPECT_TRUE(cell.set("one"));
  EXPECT_EQ(cell.take(), "one");
  EXPECT_FALSE(cell.initialized());
  EXPECT_TRUE(cell.set("two"));
  *cell.get_mut() += "!";
  EXPECT_EQ(*cell.get(), "two!");
}

TEST(OnceCell, TryInitTakesResultsToo) {
  OnceCell<int> cell;
  PollProbe failing(
      cell.get_or_try_init([]() -> Task<Result<int>> { co_return Error(ErrorKind::kUnavailable, "no connection"); }));
  ASSERT_TRUE(failing.poll());
  EXPECT_EQ(failing.take().error().kind(), ErrorKind::kUnavailable);
  PollProbe succeeding(cell.get_or_try_init([]() -> Task<Result<int>> { co_return 3; }));
  ASSERT_TRUE(succeeding.poll());
  EXPECT_EQ(*succeeding.take().value(), 3);
}

TEST(OnceCell, OneInitializerAtATimeAndOneSuccessBetweenThreads) {
  Runtime runtime = RuntimeBuilder::new_multi_thread().worker_threads(4).build().value();
  for (int round = 0; round < 50; ++round) {
    OnceCell<int> cell;
    std::atomic<int> running = 0;
    std::atomic<int> attempts = 0;
    auto get = [&]() -> Task<int> {
      auto init = [&]() -> Task<int> {
        EXPECT_EQ(running.fetch_add(1), 0);
        const int attempt = attempts.fetch_add(1);
        co_await yield_now();
        running.fetch_sub(1);
        if (attempt < 5) throw std::runtime_error("not yet");
        co_return attempt;
      };
      for (;;) {
        try {
          co_return co_await cell.get_or_init(init);
        } catch (const std::runtime_error&) {
        }
      }
    };
    std::vector<JoinHandle<int>> tasks;
    for (int index = 0; index < 40; ++index) tasks.push_back(runtime.spawn(get()));
    for (JoinHandle<int>& task : tasks) EXPECT_EQ(runtime.block_on(task).value(), 5);
    EXPECT_EQ(attempts.load(), 6);
  }
}

}  // namespace
}  // namespace kaido
