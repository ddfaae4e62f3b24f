// RwLock: tokio's sync_rwlock.rs.
#include <kaido/sync/rwlock.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/join_handle.h>
#include <kaido/spawn.h>

#include "sdk/testing/probe.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using testing::probe_of;

TEST(sync_rwlock, into_inner) {
  RwLock<int> lock(42);
  EXPECT_EQ(std::move(lock).into_inner(), 42);
}

TEST(sync_rwlock, read_shared) {
  RwLock<int> lock(100);
  auto first = probe_of(lock.read());
  ASSERT_TRUE(first.poll());
  const auto guard = first.take();
  auto second = probe_of(lock.read());
  EXPECT_TRUE(second.poll());
}

TEST(sync_rwlock, write_shared_pending) {
  RwLock<int> lock(100);
  auto reader = probe_of(lock.read());
  ASSERT_TRUE(reader.poll());
  const auto guard = reader.take();
  auto writer = probe_of(lock.write());
  EXPECT_FALSE(writer.poll());
}

TEST(sync_rwlock, read_exclusive_pending) {
  RwLock<int> lock(100);
  auto writer = probe_of(lock.write());
  ASSERT_TRUE(writer.poll());
  const auto guard = writer.take();
  auto reader = probe_of(lock.read());
  EXPECT_FALSE(reader.poll());
}

TEST(sync_rwlock, exhaust_reading) {
  constexpr std::uint32_t kReaders = 1024;
  auto lock = RwLock<int>::with_max_readers(100, kReaders);
  std::vector<RwLockReadGuard<int>> guards;
  for (std::uint32_t i = 0; i < kReaders; ++i) {
    auto reader = probe_of(lock.read());
    ASSERT_TRUE(reader.poll());
    guards.push_back(reader.take());
  }
  auto late = probe_of(lock.read());
  EXPECT_FALSE(late.poll());
  guards.pop_back();
  EXPECT_TRUE(late.is_woken());
  EXPECT_TRUE(late.poll());
}

TEST(sync_rwlock, zero_max_readers) {
  EXPECT_THROW(static_cast<void>(RwLock<int>::with_max_readers(3, 0)), std::logic_error);
}

TEST(sync_rwlock, write_exclusive_pending) {
  RwLock<int> lock(100);
  auto first = probe_of(lock.write());
  ASSERT_TRUE(first.poll());
  const auto guard = first.take();
  auto second = probe_of(lock.write());
  EXPECT_FALSE(second.poll());
}

TEST(sync_rwlock, write_shared_drop) {
  RwLock<int> lock(100);
  auto reader = probe_of(lock.read());
  ASSERT_TRUE(reader.poll());
  std::optional<RwLockReadGuard<int>> guard(reader.take());
  auto writer = probe_of(lock.write());
  EXPECT_FALSE(writer.poll());
  guard.reset();
  EXPECT_TRUE(writer.is_woken());
  EXPECT_TRUE(writer.poll());
}

TEST(sync_rwlock, write_read_shared_pending) {
  RwLock<int> lock(100);
  auto first = probe_of(lock.read());
  ASSERT_TRUE(first.poll());
  const auto guard = first.take();
  auto second = probe_of(lock.read());
  ASSERT_TRUE(second.poll());
  auto writer = probe_of(lock.write());
  EXPECT_FALSE(writer.poll());
  auto behind = probe_of(lock.read());
  EXPECT_FALSE(behind.poll());
}

TEST(sync_rwlock, write_read_shared_drop_pending) {
  RwLock<int> lock(100);
  auto first = probe_of(lock.read());
  ASSERT_TRUE(first.poll());
  const auto guard = first.take();
  using Writing = decltype(lock.write());
  std::optional<testing::Probe<testing::AwaitedValue<Writing>>> writer;
  writer.emplace(testing::await_owned(lock.write()));
  EXPECT_FALSE(writer->poll());
  auto reader = probe_of(lock.read());
  EXPECT_FALSE(reader.poll());
  writer.reset();
  EXPECT_TRUE(reader.is_woken());
  EXPECT_TRUE(reader.poll());
}

TEST(sync_rwlock, read_uncontested) {
  RwLock<int> lock(100);
  current_thread().block_on([&]() -> Task<void> {
    const auto guard = co_await lock.read();
    EXPECT_EQ(*guard, 100);
  });
}

TEST(sync_rwlock, write_uncontested) {
  RwLock<int> lock(100);
  current_thread().block_on([&]() -> Task<void> {
    auto guard = co_await lock.write();
    *guard += 50;
    EXPECT_EQ(*guard, 150);
  });
}

TEST(sync_rwlock, write_order) {
  RwLock<std::string> lock{std::string()};
  current_thread().block_on([&]() -> Task<void> {
    auto second = lock.write();  // Asked for later than it was made.
    (co_await lock.write())->push_back('a');
    (co_await second)->push_back('b');
    const auto guard = co_await lock.read();
    EXPECT_EQ(*guard, "ab");
  });
}

TEST(sync_rwlock, multithreaded) {
  multi_thread(4).block_on([]() -> Task<void> {
    auto lock = std::make_shared<RwLock<std::uint32_t>>(0);
    std::vector<JoinHandle<void>> tasks;
    for (std::uint32_t amount : {2U, 3U, 5U, 7U}) {
      tasks.push_back(spawn([](std::shared_ptr<RwLock<std::uint32_t>> shared, std::uint32_t step) -> Task<void> {
        for (int i = 0; i < 1000; ++i) *(co_await shared->write()) += step;
      }(lock, amount)));
    }
    for (auto& task : tasks) EXPECT_TRUE((co_await task).has_value());
    EXPECT_EQ(*(co_await lock->read()), 17000U);
  });
}

TEST(sync_rwlock, try_write) {
  RwLock<int> lock(0);
  {
    const auto guard = lock.try_read();
    EXPECT_TRUE(guard.has_value());
    EXPECT_FALSE(lock.try_write().has_value());
  }
  EXPECT_TRUE(lock.try_write().has_value());
}

TEST(sync_rwlock, try_read_try_write) {
  RwLock<int> lock(1);
  {
    auto first = lock.try_read();
    auto second = lock.try_read();
    ASSERT_TRUE(first.has_value() && second.has_value());
    EXPECT_EQ(**first, 1);
    EXPECT_EQ(**second, 1);
    EXPECT_FALSE(lock.try_write().has_value());
  }
  {
    auto writer = lock.try_write();
    ASSERT_TRUE(writer.has_value());
    **writer = 2;
    EXPECT_FALSE(lock.try_read().has_value());
  }
  EXPECT_EQ(**lock.try_read(), 2);
}

struct Pair {
  int first;
  std::string second;
};

TEST(sync_rwlock, downgrade_map) {
  RwLock<Pair> lock(Pair{1, "one"});
  auto writer = *lock.try_write();
  auto reader = probe_of(lock.read());
  EXPECT_FALSE(reader.poll());
  writer->second = "two";
  const RwLockReadGuard<std::string> mapped =
      std::move(writer).downgrade_map([](const Pair& pair) -> const std::string& { return pair.second; });
  EXPECT_TRUE(reader.is_woken());
  ASSERT_TRUE(reader.poll());
  EXPECT_EQ(reader.take()->second, "two");
  EXPECT_EQ(*mapped, "two");
  EXPECT_FALSE(lock.try_write().has_value());
}

TEST(sync_rwlock, try_downgrade_map) {
  RwLock<Pair> lock(Pair{1, "one"});
  auto writer = *lock.try_write();
  auto reader = probe_of(lock.read());
  EXPECT_FALSE(reader.poll());

  auto refused = std::move(writer).try_downgrade_map([](const Pair&) -> const int* { return nullptr; });
  ASSERT_FALSE(refused.has_value());
  EXPECT_FALSE(reader.is_woken());
  EXPECT_FALSE(reader.poll());

  refused.error()->first = 2;
  auto mapped = std::move(refused.error()).try_downgrade_map([](const Pair& pair) { return &pair.first; });
  ASSERT_TRUE(mapped.has_value());
  EXPECT_EQ(**mapped, 2);
  EXPECT_TRUE(reader.is_woken());
  EXPECT_TRUE(reader.poll());
}

}  // namespace
}  // namespace kaido::parity
