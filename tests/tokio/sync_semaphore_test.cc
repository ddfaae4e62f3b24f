// Semaphore with borrowed permits, and the blocking forms of both kinds: tokio's sync_semaphore.rs.
#include <kaido/sync/semaphore.h>

#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/join_handle.h>
#include <kaido/spawn.h>

#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using Shared = std::shared_ptr<Semaphore>;

Task<void> acquire_once(Shared semaphore) {
  auto permit = co_await semaphore->acquire();
  EXPECT_TRUE(permit.has_value());
}

TEST(sync_semaphore, no_permits) {
  const Semaphore semaphore(0);
  EXPECT_EQ(semaphore.available_permits(), 0U);
}

TEST(sync_semaphore, try_acquire) {
  Semaphore semaphore(1);
  {
    auto first = semaphore.try_acquire();
    EXPECT_TRUE(first.has_value());
    auto second = semaphore.try_acquire();
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error(), TryAcquireError::kNoPermits);
  }
  EXPECT_TRUE(semaphore.try_acquire().has_value());
}

TEST(sync_semaphore, acquire) {
  current_thread().block_on([]() -> Task<void> {
    auto semaphore = std::make_shared<Semaphore>(1);
    std::optional<SemaphorePermit> held(semaphore->try_acquire().value());
    auto waiter = spawn(acquire_once(semaphore));
    held.reset();
    EXPECT_TRUE((co_await waiter).has_value());
  });
}

TEST(sync_semaphore, add_permits) {
  current_thread().block_on([]() -> Task<void> {
    auto semaphore = std::make_shared<Semaphore>(0);
    auto waiter = spawn(acquire_once(semaphore));
    semaphore->add_permits(1);
    EXPECT_TRUE((co_await waiter).has_value());
  });
}

TEST(sync_semaphore, add_permits_open) {
  Semaphore semaphore(3);
  EXPECT_EQ(semaphore.available_permits(), 3U);
  semaphore.add_permits(4);
  EXPECT_EQ(semaphore.available_permits(), 7U);
}

TEST(sync_semaphore, add_permits_closed) {
  Semaphore semaphore(3);
  semaphore.close();
  EXPECT_TRUE(semaphore.is_closed());
  EXPECT_EQ(semaphore.available_permits(), 3U);
  semaphore.add_permits(4);
  EXPECT_TRUE(semaphore.is_closed());
  EXPECT_EQ(semaphore.available_permits(), 7U);
}

TEST(sync_semaphore, forget) {
  Semaphore semaphore(1);
  {
    auto permit = semaphore.try_acquire().value();
    EXPECT_EQ(semaphore.available_permits(), 0U);
    permit.forget();
  }
  EXPECT_EQ(semaphore.available_permits(), 0U);
  EXPECT_FALSE(semaphore.try_acquire().has_value());
}

void forget_up_to_what_is_there(Semaphore& semaphore) {
  EXPECT_EQ(semaphore.forget_permits(4), 4U);
  EXPECT_EQ(semaphore.available_permits(), 3U);
  EXPECT_EQ(semaphore.forget_permits(10), 3U);
  EXPECT_EQ(semaphore.available_permits(), 0U);
  EXPECT_EQ(semaphore.forget_permits(10), 0U);
}

TEST(sync_semaphore, forget_open) {
  Semaphore semaphore(7);
  forget_up_to_what_is_there(semaphore);
}

TEST(sync_semaphore, forget_closed) {
  Semaphore semaphore(7);
  semaphore.close();
  forget_up_to_what_is_there(semaphore);
  EXPECT_TRUE(semaphore.is_closed());
}

TEST(sync_semaphore, merge) {
  Semaphore semaphore(3);
  {
    auto one = semaphore.try_acquire().value();
    EXPECT_EQ(semaphore.available_permits(), 2U);
    auto two = semaphore.try_acquire_many(2).value();
    EXPECT_EQ(semaphore.available_permits(), 0U);
    one.merge(std::move(two));
    EXPECT_EQ(one.num_permits(), 3U);
    EXPECT_EQ(semaphore.available_permits(), 0U);
  }
  EXPECT_EQ(semaphore.available_permits(), 3U);
}

TEST(sync_semaphore, merge_unrelated_permits) {
  Semaphore first(3);
  Semaphore second(3);
  auto one = first.try_acquire().value();
  auto two = second.try_acquire_many(2).value();
  EXPECT_THROW(one.merge(std::move(two)), std::logic_error);
}

TEST(sync_semaphore, split) {
  Semaphore semaphore(5);
  auto permits = semaphore.try_acquire_many(3).value();
  EXPECT_EQ(semaphore.available_permits(), 2U);
  EXPECT_EQ(permits.num_permits(), 3U);
  {
    auto one = permits.split(1);
    ASSERT_TRUE(one.has_value());
    EXPECT_EQ(semaphore.available_permits(), 2U);
    EXPECT_EQ(permits.num_permits(), 2U);
    EXPECT_EQ(one->num_permits(), 1U);
  }
  EXPECT_EQ(semaphore.available_permits(), 3U);
  {
    auto none = permits.split(0);
    ASSERT_TRUE(none.has_value());
    EXPECT_EQ(permits.num_permits(), 2U);
    EXPECT_EQ(none->num_permits(), 0U);
  }
  EXPECT_EQ(semaphore.available_permits(), 3U);
  {
    auto all = permits.split(2);
    ASSERT_TRUE(all.has_value());
    EXPECT_EQ(permits.num_permits(), 0U);
    EXPECT_EQ(all->num_permits(), 2U);
  }
  EXPECT_EQ(semaphore.available_permits(), 5U);
  EXPECT_FALSE(permits.split(1).has_value());
}

TEST(sync_semaphore, stress_test) {
  multi_thread(4).block_on([]() -> Task<void> {
    auto semaphore = std::make_shared<Semaphore>(5);
    std::vector<JoinHandle<void>> handles;
    for (int i = 0; i < 1000; ++i) {
      handles.push_back(spawn([](Shared shared) -> Task<void> {
        auto permit = (co_await shared->acquire()).value();
        permit.forget();
        shared->add_permits(1);
      }(semaphore)));
    }
    for (auto& handle : handles) EXPECT_TRUE((co_await handle).has_value());
    std::vector<SemaphorePermit> all;
    for (int i = 0; i < 5; ++i) all.push_back(semaphore->try_acquire().value());
    EXPECT_FALSE(semaphore->try_acquire().has_value());
  });
}

TEST(sync_semaphore, add_max_amount_permits) {
  Semaphore semaphore(0);
  semaphore.add_permits(Semaphore::kMaxPermits);
  EXPECT_EQ(semaphore.available_permits(), Semaphore::kMaxPermits);
}

TEST(sync_semaphore, add_more_than_max_amount_permits1) {
  Semaphore semaphore(1);
  EXPECT_THROW(semaphore.add_permits(Semaphore::kMaxPermits), std::logic_error);
}

TEST(sync_semaphore, add_more_than_max_amount_permits2) {
  Semaphore semaphore(Semaphore::kMaxPermits - 1);
  semaphore.add_permits(1);
  EXPECT_THROW(semaphore.add_permits(1), std::logic_error);
}

TEST(sync_semaphore, panic_when_exceeds_maxpermits) {
  EXPECT_THROW(Semaphore(Semaphore::kMaxPermits + 1), std::logic_error);
}

TEST(sync_semaphore, no_panic_at_maxpermits) {
  const Semaphore at_once(Semaphore::kMaxPermits);
  Semaphore stepwise(Semaphore::kMaxPermits - 1);
  stepwise.add_permits(1);
  EXPECT_EQ(at_once.available_permits(), stepwise.available_permits());
}

TEST(sync_semaphore, blocking_acquire) {
  Semaphore semaphore(1);
  {
    auto permit = semaphore.blocking_acquire();
    EXPECT_TRUE(permit.has_value());
    EXPECT_EQ(semaphore.available_permits(), 0U);
  }
  EXPECT_EQ(semaphore.available_permits(), 1U);
}

TEST(sync_semaphore, blocking_acquire_waits_for_permit) {
  Semaphore semaphore(0);
  std::thread waiter([&] { EXPECT_TRUE(semaphore.blocking_acquire().has_value()); });
  semaphore.add_permits(1);
  waiter.join();
  EXPECT_EQ(semaphore.available_permits(), 1U);
}

TEST(sync_semaphore, blocking_acquire_many) {
  Semaphore semaphore(5);
  {
    auto permits = semaphore.blocking_acquire_many(3).value();
    EXPECT_EQ(permits.num_permits(), 3U);
    EXPECT_EQ(semaphore.available_permits(), 2U);
  }
  EXPECT_EQ(semaphore.available_permits(), 5U);
}

TEST(sync_semaphore, blocking_acquire_owned) {
  auto semaphore = std::make_shared<Semaphore>(1);
  {
    auto permit = semaphore->blocking_acquire_owned().value();
    EXPECT_EQ(permit.semaphore(), semaphore);
    EXPECT_EQ(semaphore->available_permits(), 0U);
  }
  EXPECT_EQ(semaphore->available_permits(), 1U);
}

TEST(sync_semaphore, blocking_acquire_many_owned) {
  auto semaphore = std::make_shared<Semaphore>(5);
  {
    auto permits = semaphore->blocking_acquire_many_owned(3).value();
    EXPECT_EQ(permits.num_permits(), 3U);
    EXPECT_EQ(semaphore->available_permits(), 2U);
  }
  EXPECT_EQ(semaphore->available_permits(), 5U);
}

TEST(sync_semaphore, blocking_acquire_closed) {
  auto semaphore = std::make_shared<Semaphore>(3);
  semaphore->close();
  EXPECT_FALSE(semaphore->blocking_acquire().has_value());
  EXPECT_FALSE(semaphore->blocking_acquire_many(2).has_value());
  EXPECT_FALSE(semaphore->blocking_acquire_owned().has_value());
  EXPECT_FALSE(semaphore->blocking_acquire_many_owned(2).has_value());
}

template <typename F>
void expect_throws_in_async_context(F blocking) {
  auto semaphore = std::make_shared<Semaphore>(3);
  current_thread().block_on([&]() -> Task<void> {
    EXPECT_THROW(static_cast<void>(blocking(*semaphore)), std::logic_error);
    co_return;
  });
  EXPECT_EQ(semaphore->available_permits(), 3U);
}

TEST(sync_semaphore, blocking_acquire_in_async_context) {
  expect_throws_in_async_context([](Semaphore& semaphore) { return semaphore.blocking_acquire(); });
}
TEST(sync_semaphore, blocking_acquire_many_in_async_context) {
  expect_throws_in_async_context([](Semaphore& semaphore) { return semaphore.blocking_acquire_many(2); });
}
TEST(sync_semaphore, blocking_acquire_owned_in_async_context) {
  expect_throws_in_async_context([](Semaphore& semaphore) { return semaphore.blocking_acquire_owned(); });
}
TEST(sync_semaphore, blocking_acquire_many_owned_in_async_context) {
  expect_throws_in_async_context([](Semaphore& semaphore) { return semaphore.blocking_acquire_many_owned(2); });
}

}  // namespace
}  // namespace kaido::parity
