// Mutex with borrowed guards: tokio's sync_mutex.rs.
#include <kaido/sync/mutex.h>

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/spawn.h>
#include <kaido/time.h>

#include "sdk/testing/probe.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using namespace std::chrono_literals;
using testing::probe_of;

TEST(sync_mutex, straight_execution) {
  Mutex<int> mutex(100);
  for (int expected = 100; expected < 103; ++expected) {
    auto locking = probe_of(mutex.lock());
    ASSERT_TRUE(locking.poll());
    auto guard = locking.take();
    EXPECT_EQ(*guard, expected);
    ++*guard;
  }
}

TEST(sync_mutex, readiness) {
  Mutex<int> mutex(100);
  auto first = probe_of(mutex.lock());
  ASSERT_TRUE(first.poll());
  std::optional<MutexGuard<int>> guard(first.take());
  auto second = probe_of(mutex.lock());
  EXPECT_FALSE(second.poll());
  EXPECT_FALSE(second.is_woken());
  guard.reset();
  EXPECT_TRUE(second.is_woken());
  EXPECT_TRUE(second.poll());
}

Task<void> hold_for_ever(std::shared_ptr<Mutex<int>> mutex) {
  auto guard = co_await mutex->lock();
  co_await sleep(24h);
}

TEST(sync_mutex, aborted_future_1) {
  paused().block_on([]() -> Task<void> {
    auto mutex = std::make_shared<Mutex<int>>(0);
    EXPECT_FALSE((co_await timeout(1ms, hold_for_ever(mutex))).has_value());
    EXPECT_TRUE((co_await timeout(1ms, mutex->lock())).has_value());
  });
}

TEST(sync_mutex, aborted_future_2) {
  paused().block_on([]() -> Task<void> {
    auto mutex = std::make_shared<Mutex<int>>(0);
    {
      auto guard = co_await mutex->lock();
      EXPECT_FALSE((co_await timeout(1ms, mutex->lock())).has_value());
    }
    EXPECT_TRUE((co_await timeout(1ms, mutex->lock())).has_value());
  });
}

TEST(sync_mutex, try_lock) {
  Mutex<int> mutex(0);
  {
    auto guard = mutex.try_lock();
    EXPECT_TRUE(guard.has_value());
    EXPECT_FALSE(mutex.try_lock().has_value());
  }
  EXPECT_TRUE(mutex.try_lock().has_value());
}

}  // namespace
}  // namespace kaido::parity
