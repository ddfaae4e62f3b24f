#include <kaido/detail/futex_lock.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/detail/futex_shared_lock.h>

namespace kaido::detail {
namespace {

constexpr int kThreads = 4;
constexpr int kRounds = 20'000;

void on_threads(int count, auto body) {
  std::vector<std::thread> threads;
  for (int index = 0; index < count; ++index) threads.emplace_back(body, index);
  for (std::thread& thread : threads) thread.join();
}

TEST(FutexLock, IsHeldByOneAtATime) {
  FutexLock lock;
  int count = 0;
  on_threads(kThreads, [&](int) {
    for (int round = 0; round < kRounds; ++round) {
      const std::scoped_lock held(lock);
      ++count;
    }
  });
  EXPECT_EQ(count, kThreads * kRounds);
}

TEST(FutexLock, WhoeverSleepsIsWokenInTurn) {
  FutexLock lock;
  std::atomic<int> waiting = 0;
  int passed = 0;
  lock.lock();
  std::vector<std::thread> threads;
  for (int index = 0; index < kThreads; ++index) {
    threads.emplace_back([&] {
      waiting.fetch_add(1);
      const std::scoped_lock held(lock);
      ++passed;
    });
  }
  while (waiting.load() != kThreads) std::this_thread::yield();
  lock.unlock();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(passed, kThreads);
}

TEST(FutexLock, WaitingForItsReleaseShowsWhatWasDoneUnderIt) {
  for (int round = 0; round < 2000; ++round) {
    FutexLock lock;
    std::atomic<bool> is_marked = false;
    int done = 0;
    std::thread holder([&] {
      const std::scoped_lock held(lock);
      is_marked.store(true, std::memory_order_release);
      done = 1;
    });
    while (!is_marked.load(std::memory_order_acquire)) std::this_thread::yield();
    lock.wait_until_released();
    EXPECT_EQ(done, 1);
    holder.join();
  }
}

TEST(FutexLock, MayGoAsSoonAsTheNextHolderHasIt) {
  struct Shared {
    FutexLock lock;
    bool is_first = true;
  };
  for (int round = 0; round < 2000; ++round) {
    auto* const shared = new Shared();
    on_threads(2, [shared](int) {
      shared->lock.lock();
      const bool is_last = !std::exchange(shared->is_first, false);
      shared->lock.unlock();
      if (is_last) delete shared;
    });
  }
}

TEST(FutexSharedLock, AWriterHasItAlone) {
  FutexSharedLock lock;
  int first = 0;
  int second = 0;
  std::atomic<bool> was_torn = false;
  on_threads(kThreads, [&](int index) {
    for (int round = 0; round < kRounds; ++round) {
      if (index % 2 == 0) {
        const std::scoped_lock held(lock);
        ++first;
        ++second;
      } else {
        const SharedHold held(lock);
        if (first != second) was_torn = true;
      }
    }
  });
  EXPECT_FALSE(was_torn);
  EXPECT_EQ(first, kThreads / 2 * kRounds);
}

TEST(FutexSharedLock, WhoReadsMayReadAgainWhileAWriterWaits) {
  for (int round = 0; round < 200; ++round) {
    FutexSharedLock lock;
    std::atomic<bool> is_about_to_write = false;
    SharedHold first(lock);
    std::thread writer([&] {
      is_about_to_write = true;
      const std::scoped_lock held(lock);
    });
    while (!is_about_to_write) std::this_thread::yield();
    {
      const SharedHold second(lock);
    }
    {
      const SharedHold dropped(std::move(first));
    }
    writer.join();
  }
}

TEST(FutexSharedLock, TriesFailOnlyWhileAWriterHasIt) {
  FutexSharedLock lock;
  EXPECT_TRUE(lock.try_lock_shared());
  EXPECT_TRUE(lock.try_lock_shared());
  lock.unlock_shared();
  lock.unlock_shared();
  lock.lock();
  EXPECT_FALSE(lock.try_lock_shared());
  lock.unlock();
  EXPECT_TRUE(lock.try_lock_shared());
  lock.unlock_shared();
}

}  // namespace
}  // namespace kaido::detail
