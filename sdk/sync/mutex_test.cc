// Mutex and RwLock beyond tokio's cases: mapped and owned guards, exclusion on several threads.
#include <kaido/sync/mutex.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/join_handle.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/sync/rwlock.h>

#include "sdk/testing/probe.h"

namespace kaido {
namespace {

using testing::probe_of;
using testing::ready;

struct Pair {
  int number;
  std::string text;
};

TEST(Mutex, MappedGuardsHoldTheLock) {
  Mutex<Pair> mutex(Pair{1, "one"});
  {
    MappedMutexGuard<std::string> text = (*mutex.try_lock()).map([](Pair& pair) -> std::string& { return pair.text; });
    EXPECT_FALSE(mutex.try_lock().has_value());
    text->append("!");
    auto refused = std::move(text).try_map([](std::string&) -> char* { return nullptr; });
    ASSERT_FALSE(refused.has_value());
    auto letter = std::move(refused.error()).try_map([](std::string& string) { return &string.front(); });
    ASSERT_TRUE(letter.has_value());
    **letter = 'O';
    EXPECT_FALSE(mutex.try_lock().has_value());
  }
  EXPECT_EQ((*mutex.try_lock())->text, "One!");
  EXPECT_EQ(std::move(mutex).into_inner().number, 1);
}

TEST(Mutex, OwnedGuardsKeepTheirMutexAlive) {
  auto mutex = std::make_shared<Mutex<std::shared_ptr<int>>>(std::make_shared<int>(1));
  const std::weak_ptr<int> value = mutex->get_mut();
  auto guard = *mutex->try_lock_owned();
  auto number = std::move(guard).map([](std::shared_ptr<int>& pointer) -> int& { return *pointer; });
  mutex.reset();
  EXPECT_EQ(*number, 1);
  EXPECT_FALSE(value.expired());
  {
    const auto dropped = std::move(number);
  }
  EXPECT_TRUE(value.expired());
}

TEST(Mutex, NobodyOvertakesAfterAnUnlock) {
  Mutex<int> mutex(0);
  auto guard = std::make_unique<MutexGuard<int>>(*mutex.try_lock());
  auto waiting = probe_of(mutex.lock());
  EXPECT_FALSE(waiting.poll());
  guard.reset();
  EXPECT_FALSE(mutex.try_lock().has_value());
  EXPECT_TRUE(waiting.poll());
}

TEST(Mutex, AnAssignedGuardUnlocksWhatItHeld) {
  Mutex<int> first(1);
  Mutex<int> second(2);
  auto guard = *first.try_lock();
  guard = *second.try_lock();
  EXPECT_EQ(*guard, 2);
  EXPECT_TRUE(first.try_lock().has_value());
  EXPECT_FALSE(second.try_lock().has_value());
}

TEST(Mutex, ExcludesOnSeveralThreads) {
  auto runtime = RuntimeBuilder::new_multi_thread().worker_threads(4).enable_all().build().value();
  auto mutex = std::make_shared<Mutex<int>>(0);  // TSan sees who gets at it without the lock.
  runtime.block_on([&]() -> Task<void> {
    std::vector<JoinHandle<void>> tasks;
    for (int task = 0; task < 8; ++task) {
      tasks.push_back(spawn([](std::shared_ptr<Mutex<int>> shared) -> Task<void> {
        for (int i = 0; i < 500; ++i) {
          auto guard = co_await shared->lock();
          const int before = *guard;
          if (i % 16 == 0) co_await yield_now();
          *guard = before + 1;
        }
      }(mutex)));
    }
    for (auto& task : tasks) EXPECT_TRUE((co_await task).has_value());
  });
  EXPECT_EQ(mutex->get_mut(), 8 * 500);
}

TEST(RwLock, MapsReadersAndWriters) {
  RwLock<Pair> lock(Pair{1, "one"});
  {
    auto text = (*lock.try_write()).map([](Pair& pair) -> std::string& { return pair.text; });
    *text = "two";
    EXPECT_FALSE(lock.try_read().has_value());
    const auto reading = std::move(text).downgrade();
    EXPECT_EQ(*reading, "two");
    EXPECT_TRUE(lock.try_read().has_value());
  }
  auto number = (*lock.try_read()).try_map([](const Pair& pair) { return &pair.number; });
  ASSERT_TRUE(number.has_value());
  EXPECT_EQ(**number, 1);
  EXPECT_FALSE(lock.try_write().has_value());
}

TEST(RwLock, OwnedGuardsKeepTheirLockAlive) {
  auto lock = std::make_shared<RwLock<int>>(7);
  auto writer = ready(lock->write_owned());
  *writer = 8;
  auto reader = std::move(writer).downgrade();
  auto other = *lock->try_read_owned();
  const std::weak_ptr<RwLock<int>> alive = lock;
  lock.reset();
  EXPECT_EQ(*reader + *other, 16);
  EXPECT_FALSE(alive.expired());
}

TEST(RwLock, WaitsOnPlainThreads) {
  RwLock<int> lock(1);
  {
    *lock.blocking_write() = 2;
  }
  EXPECT_EQ(*lock.blocking_read(), 2);
}

}  // namespace
}  // namespace kaido
