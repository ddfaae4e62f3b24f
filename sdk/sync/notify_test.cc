#include <kaido/sync/notify.h>

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/select.h>
#include <kaido/spawn.h>

#include "sdk/testing/poll_probe.h"

namespace kaido {
namespace {

using testing::PollProbe;
using Wait = PollProbe<Notified>;

Runtime four_workers() { return RuntimeBuilder::new_multi_thread().worker_threads(4).enable_all().build().value(); }

TEST(Notify, KeepsOneNotificationAtMost) {
  Notify notify;
  notify.notify_one();
  notify.notify_one();
  Wait first(notify.notified());
  Wait second(notify.notified());
  EXPECT_TRUE(first.poll());
  EXPECT_FALSE(second.poll());
}

TEST(Notify, NotifyWaitersWakesAllOfManyAndKeepsNothing) {
  Notify notify;
  std::vector<std::unique_ptr<Wait>> waits;
  for (int index = 0; index < 100; ++index) {
    waits.push_back(std::make_unique<Wait>(notify.notified()));
    EXPECT_FALSE(waits.back()->poll());
  }
  waits.erase(waits.begin() + 40);
  notify.notify_waiters();
  for (auto& wait : waits) {
    EXPECT_EQ(wait->wake_count(), 1);
    EXPECT_TRUE(wait->poll());
  }
  Wait later(notify.notified());
  EXPECT_FALSE(later.poll());
}

TEST(Notify, NotifyWaitersCompletesWhatWasMadeBeforeAndNeverPolled) {
  Notify notify;
  Wait before(notify.notified());
  notify.notify_waiters();
  Wait after(notify.notified());
  EXPECT_TRUE(before.poll());
  EXPECT_FALSE(after.poll());
}

TEST(Notify, DroppedWaitThatNotifyWaitersChoseKeepsNothing) {
  Notify notify;
  Wait first(notify.notified());
  EXPECT_FALSE(first.poll());
  notify.notify_waiters();
  first.drop();
  Wait second(notify.notified());
  EXPECT_FALSE(second.poll());
}

TEST(Notify, WaitThatMovesStartsAnew) {
  Notify notify;
  Notified original = notify.notified();
  EXPECT_FALSE(original.enable());
  Wait other(notify.notified());
  EXPECT_FALSE(other.poll());
  Wait moved(std::move(original));
  EXPECT_FALSE(moved.poll());
  notify.notify_one();  // The original still has its place, until it goes.
  EXPECT_FALSE(other.is_woken());
  EXPECT_TRUE(original.enable());
}

TEST(Notify, SingleWaiterMayDestroyItOnceNotified) {
  Runtime runtime = four_workers();
  runtime.block_on([]() -> Task<void> {
    auto round = []() -> Task<void> {
      Notify notify;
      auto notifier = spawn([&notify]() -> Task<void> {
        notify.notify_one();
        co_return;
      });
      co_await notify.notified();
      static_cast<void>(std::move(notifier));
    };
    for (int index = 0; index < 2000; ++index) {
      auto task = spawn(round());
      EXPECT_TRUE(co_await task);
    }
  });
}

// The waiter does not wait to be woken: it looks while the one who notifies is still inside.
TEST(Notify, SingleWaiterThatLooksAllTheTimeMayDestroyItOnceNotified) {
  for (int round = 0; round < 500; ++round) {
    auto notify = std::make_unique<Notify>();
    std::atomic<bool> has_joined = false;
    std::thread notifier([&has_joined, &notify = *notify, all = round % 2 == 0] {
      while (!has_joined.load()) std::this_thread::yield();
      all ? notify.notify_waiters() : notify.notify_one();
    });
    {
      Wait wait(notify->notified());
      EXPECT_FALSE(wait.poll());
      has_joined.store(true);
      while (!wait.poll()) std::this_thread::yield();
    }
    notify.reset();
    notifier.join();
  }
}

/// Items that are taken by whoever is notified; waits are dropped at random moments and pass their notification on.
struct Store {
  static constexpr int kItems = 4000;
  Notify notify;
  std::atomic<int> items = 0;
  std::atomic<int> taken = 0;

  bool take() {
    int count = items.load();
    while (count > 0) {
      if (!items.compare_exchange_weak(count, count - 1)) continue;
      if (taken.fetch_add(1) + 1 == kItems) notify.notify_waiters();
      return true;
    }
    return false;
  }
  [[nodiscard]] bool is_done() const { return taken.load() == kItems; }
};

Task<void> consume(std::shared_ptr<Store> store) {
  for (;;) {
    auto notified = store->notify.notified();
    if (store->is_done()) co_return;
    if (store->take()) continue;
    co_await notified;
  }
}

Task<void> give_up_at_once(std::shared_ptr<Store> store) {
  while (!store->is_done()) {
    auto won = co_await select(store->notify.notified(), yield_now());
    if (won.index() == 0) {
      static_cast<void>(store->take());
      store->notify.notify_one();  // Whoever takes may have left more behind.
    }
  }
}

TEST(Notify, NoNotificationIsLostBetweenThreads) {
  Runtime runtime = four_workers();
  auto store = std::make_shared<Store>();
  std::vector<JoinHandle<void>> tasks;
  for (int index = 0; index < 4; ++index) tasks.push_back(runtime.spawn(consume(store)));
  for (int index = 0; index < 2; ++index) tasks.push_back(runtime.spawn(give_up_at_once(store)));
  std::vector<std::thread> producers;
  for (int index = 0; index < 2; ++index) {
    producers.emplace_back([store, index] {
      for (int item = 0; item < Store::kItems / 2; ++item) {
        store->items.fetch_add(1);
        index == 0 ? store->notify.notify_one() : store->notify.notify_last();
      }
    });
  }
  for (std::thread& producer : producers) producer.join();
  for (JoinHandle<void>& task : tasks) EXPECT_TRUE(runtime.block_on(task));
  EXPECT_EQ(store->taken.load(), Store::kItems);
}

TEST(Notify, EveryWaiterHearsEveryRoundBetweenThreads) {
  constexpr int kRounds = 200;
  constexpr int kWaiters = 64;
  Runtime runtime = four_workers();
  Notify round_began;
  Notify all_heard;
  std::atomic<int> round = 0;
  std::atomic<int> heard = 0;
  auto listen = [&]() -> Task<void> {
    for (int expected = 1; expected <= kRounds; ++expected) {
      for (;;) {
        auto notified = round_began.notified();
        if (round.load() >= expected) break;
        co_await notified;
      }
      if (heard.fetch_add(1) + 1 == kWaiters * expected) all_heard.notify_one();
    }
  };
  std::vector<JoinHandle<void>> tasks;
  for (int index = 0; index < kWaiters; ++index) tasks.push_back(runtime.spawn(listen()));
  runtime.block_on([&]() -> Task<void> {
    for (int number = 1; number <= kRounds; ++number) {
      round.store(number);
      round_began.notify_waiters();
      co_await all_heard.notified();
    }
  });
  for (JoinHandle<void>& task : tasks) EXPECT_TRUE(runtime.block_on(task));
  EXPECT_EQ(heard.load(), kRounds * kWaiters);
}

}  // namespace
}  // namespace kaido
