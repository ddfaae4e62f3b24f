#include <kaido/sync/watch.h>

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/spawn.h>

#include "sdk/testing/poll_probe.h"

namespace kaido {
namespace {

using testing::PollProbe;

TEST(Watch, SendIfModifiedWakesOnlyIfModified) {
  auto [tx, rx] = watch::channel(1);
  PollProbe changed(rx.changed());
  EXPECT_FALSE(changed.poll());
  EXPECT_FALSE(tx.send_if_modified([](int&) { return false; }));
  EXPECT_FALSE(changed.is_woken());
  EXPECT_TRUE(tx.send_if_modified([](int& value) {
    ++value;
    return true;
  }));
  EXPECT_TRUE(changed.is_woken());
  EXPECT_EQ(*rx.borrow(), 2);
}

TEST(Watch, SendReplaceNeedsNoReceiverAndGivesTheOldValue) {
  watch::Sender<std::string> tx("one");
  EXPECT_FALSE(tx.send("refused"));
  EXPECT_EQ(tx.send_replace("two"), "one");
  EXPECT_EQ(*tx.subscribe().borrow(), "two");
}

TEST(Watch, BorrowSaysWhetherTheValueIsNew) {
  auto [tx, rx] = watch::channel(1);
  EXPECT_FALSE(rx.borrow().has_changed());
  EXPECT_TRUE(tx.send(2));
  EXPECT_TRUE(rx.borrow().has_changed());
  EXPECT_TRUE(rx.borrow_and_update().has_changed());
  EXPECT_FALSE(rx.borrow_and_update().has_changed());
  EXPECT_FALSE(tx.borrow().has_changed());
}

TEST(Watch, WaitForLooksAtEachNewValueOnce) {
  auto [tx, rx] = watch::channel(1);
  int looks = 0;
  PollProbe wait(rx.wait_for([&](int value) {
    ++looks;
    return value == 3;
  }));
  EXPECT_FALSE(wait.poll());
  EXPECT_FALSE(wait.poll());
  EXPECT_EQ(looks, 1);
  EXPECT_TRUE(tx.send(2));
  EXPECT_TRUE(wait.is_woken());
  EXPECT_FALSE(wait.poll());
  EXPECT_TRUE(tx.send(3));
  ASSERT_TRUE(wait.poll());
  EXPECT_EQ(looks, 3);
  EXPECT_EQ(**wait.take(), 3);
}

TEST(Watch, WaitForLooksAtTheLastValueAndThenFails) {
  auto [tx, rx] = watch::channel(1);
  std::optional<watch::Sender<int>> sender(std::move(tx));
  std::vector<int> seen;
  PollProbe wait(rx.wait_for([&](int value) {
    seen.push_back(value);
    return false;
  }));
  EXPECT_FALSE(wait.poll());
  EXPECT_TRUE(sender->send(2));
  sender.reset();
  ASSERT_TRUE(wait.poll());
  EXPECT_EQ(wait.take().error(), watch::RecvError());
  EXPECT_EQ(seen, (std::vector<int>{1, 2}));
}

TEST(Watch, ThrowingPredicateReleasesTheValue) {
  auto [tx, rx] = watch::channel(1);
  {
    PollProbe wait(rx.wait_for([](int) -> bool { throw std::runtime_error("predicate"); }));
    EXPECT_THROW(wait.poll(), std::runtime_error);
  }
  EXPECT_TRUE(tx.send(2));
}

TEST(Watch, ManyWaitersAreWokenOnceAndDroppedOnesLeave) {
  auto [tx, rx] = watch::channel(0);
  using Wait = PollProbe<watch::Changed>;
  std::vector<watch::Receiver<int>> receivers(300, rx);
  std::vector<std::unique_ptr<Wait>> waits;
  for (auto& receiver : receivers) {
    waits.push_back(std::make_unique<Wait>(receiver.changed()));
    EXPECT_FALSE(waits.back()->poll());
    EXPECT_FALSE(waits.back()->poll());
  }
  waits.erase(waits.begin() + 140);
  EXPECT_TRUE(tx.send(1));
  for (auto& wait : waits) {
    EXPECT_EQ(wait->wake_count(), 1);
    EXPECT_TRUE(wait->poll());
  }
}

TEST(Watch, ChangedThatMovesStartsAnew) {
  auto [tx, rx] = watch::channel(0);
  watch::Changed original = rx.changed();
  {
    PollProbe moved(std::move(original));
    EXPECT_FALSE(moved.poll());
    EXPECT_TRUE(tx.send(1));
    EXPECT_TRUE(moved.is_woken());
    EXPECT_TRUE(moved.poll());
  }
  EXPECT_FALSE(*rx.has_changed());
}

TEST(Watch, WhoBorrowsMayBorrowAgainWhileASenderWaits) {
  auto [tx, rx] = watch::channel(0);
  std::atomic<bool> is_about_to_send = false;
  std::optional<watch::Ref<int>> first(rx.borrow());
  std::thread sender([&, &tx = tx] {
    is_about_to_send = true;
    EXPECT_TRUE(tx.send(1));
  });
  while (!is_about_to_send) std::this_thread::yield();
  EXPECT_EQ(*rx.borrow(), 0);
  first.reset();
  sender.join();
  EXPECT_EQ(*rx.borrow(), 1);
}

TEST(Watch, DroppedChangedMarksNothing) {
  auto [tx, rx] = watch::channel(1);
  {
    PollProbe changed(rx.changed());
    EXPECT_FALSE(changed.poll());
    EXPECT_TRUE(tx.send(2));
  }
  EXPECT_TRUE(rx.has_changed().value());
}

TEST(Watch, EveryReceiverSeesTheLastValueBetweenThreads) {
  constexpr int kValues = 2000;
  constexpr int kReceivers = 40;
  Runtime runtime = RuntimeBuilder::new_multi_thread().worker_threads(4).build().value();
  // The value is on the heap: a torn or freed one would show.
  auto [sender, receiver] = watch::channel(std::make_shared<int>(0));
  auto follow = [](watch::Receiver<std::shared_ptr<int>> rx) -> Task<int> {
    int last = 0;
    while (co_await rx.changed()) {
      const int value = **rx.borrow_and_update();
      EXPECT_GE(value, last);
      last = value;
    }
    co_return last;
  };
  auto wait_for_last = [](watch::Receiver<std::shared_ptr<int>> rx) -> Task<int> {
    auto wait = rx.wait_for([](const std::shared_ptr<int>& value) { return *value == kValues; });
    auto found = co_await wait;
    co_return ***found;
  };
  std::vector<JoinHandle<int>> tasks;
  for (int index = 0; index < kReceivers; ++index) {
    tasks.push_back(runtime.spawn(index % 2 == 0 ? follow(receiver) : wait_for_last(receiver)));
  }
  {
    auto dropped = std::move(receiver);
  }
  auto produce = [tx = std::make_shared<watch::Sender<std::shared_ptr<int>>>(std::move(sender))] {
    for (int index = 0; index < kValues / 2; ++index) {
      tx->send_modify([](std::shared_ptr<int>& value) { value = std::make_shared<int>(*value + 1); });
    }
  };
  {
    std::thread first(produce);
    std::thread second(std::move(produce));
    first.join();
    second.join();
  }
  for (JoinHandle<int>& task : tasks) EXPECT_EQ(runtime.block_on(task).value(), kValues);
}

TEST(Watch, ClosedEndsWhenTheLastReceiverGoesBetweenThreads) {
  Runtime runtime = RuntimeBuilder::new_multi_thread().worker_threads(4).build().value();
  runtime.block_on([]() -> Task<void> {
    for (int round = 0; round < 500; ++round) {
      watch::Sender<int> tx(0);
      auto drop = [](watch::Receiver<int> rx) -> Task<void> {
        static_cast<void>(rx);
        co_return;
      };
      for (int index = 0; index < 3; ++index) static_cast<void>(spawn(drop(tx.subscribe())));
      co_await tx.closed();
      EXPECT_TRUE(tx.is_closed());
    }
  });
}

}  // namespace
}  // namespace kaido
