// Semaphore with owned permits: tokio's sync_semaphore_owned.rs.
#include <kaido/sync/semaphore.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/join_handle.h>
#include <kaido/spawn.h>

#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using Shared = std::shared_ptr<Semaphore>;

Task<void> acquire_owned(Shared semaphore, std::size_t count) {
  auto permits = co_await semaphore->acquire_many_owned(count);
  EXPECT_TRUE(permits.has_value());
}

TEST(sync_semaphore_owned, try_acquire) {
  auto semaphore = std::make_shared<Semaphore>(1);
  {
    auto first = semaphore->try_acquire_owned();
    EXPECT_TRUE(first.has_value());
    EXPECT_FALSE(semaphore->try_acquire_owned().has_value());
  }
  EXPECT_TRUE(semaphore->try_acquire_owned().has_value());
}

TEST(sync_semaphore_owned, try_acquire_many) {
  auto semaphore = std::make_shared<Semaphore>(42);
  {
    auto most = semaphore->try_acquire_many_owned(32);
    EXPECT_TRUE(most.has_value());
    auto rest = semaphore->try_acquire_many_owned(10);
    EXPECT_TRUE(rest.has_value());
    EXPECT_FALSE(semaphore->try_acquire_owned().has_value());
  }
  EXPECT_TRUE(semaphore->try_acquire_owned().has_value());
}

TEST(sync_semaphore_owned, acquire) {
  current_thread().block_on([]() -> Task<void> {
    auto semaphore = std::make_shared<Semaphore>(1);
    std::optional<OwnedSemaphorePermit> held(semaphore->try_acquire_owned().value());
    auto waiter = spawn(acquire_owned(semaphore, 1));
    held.reset();
    EXPECT_TRUE((co_await waiter).has_value());
  });
}

TEST(sync_semaphore_owned, acquire_many) {
  current_thread().block_on([]() -> Task<void> {
    auto semaphore = std::make_shared<Semaphore>(42);
    std::optional<OwnedSemaphorePermit> most(semaphore->try_acquire_many_owned(32).value());
    auto small = (co_await semaphore->acquire_many_owned(10)).value();
    EXPECT_EQ(small.num_permits(), 10U);
    auto waiter = spawn(acquire_owned(semaphore, 32));
    co_await yield_now();
    EXPECT_FALSE(waiter.is_finished());
    most.reset();
    EXPECT_TRUE((co_await waiter).has_value());
  });
}

TEST(sync_semaphore_owned, add_permits) {
  current_thread().block_on([]() -> Task<void> {
    auto semaphore = std::make_shared<Semaphore>(0);
    auto waiter = spawn(acquire_owned(semaphore, 1));
    semaphore->add_permits(1);
    EXPECT_TRUE((co_await waiter).has_value());
  });
}

TEST(sync_semaphore_owned, forget) {
  auto semaphore = std::make_shared<Semaphore>(1);
  {
    auto permit = semaphore->try_acquire_owned().value();
    EXPECT_EQ(semaphore->available_permits(), 0U);
    permit.forget();
  }
  EXPECT_EQ(semaphore->available_permits(), 0U);
  EXPECT_FALSE(semaphore->try_acquire_owned().has_value());
}

TEST(sync_semaphore_owned, merge) {
  auto semaphore = std::make_shared<Semaphore>(3);
  {
    auto one = semaphore->try_acquire_owned().value();
    EXPECT_EQ(semaphore->available_permits(), 2U);
    auto two = semaphore->try_acquire_many_owned(2).value();
    EXPECT_EQ(semaphore->available_permits(), 0U);
    one.merge(std::move(two));
    EXPECT_EQ(one.num_permits(), 3U);
    EXPECT_EQ(semaphore->available_permits(), 0U);
  }
  EXPECT_EQ(semaphore->available_permits(), 3U);
}

TEST(sync_semaphore_owned, merge_unrelated_permits) {
  auto first = std::make_shared<Semaphore>(3);
  auto second = std::make_shared<Semaphore>(3);
  auto one = first->try_acquire_owned().value();
  auto two = second->try_acquire_many_owned(2).value();
  EXPECT_THROW(one.merge(std::move(two)), std::logic_error);
}

TEST(sync_semaphore_owned, split) {
  auto semaphore = std::make_shared<Semaphore>(5);
  auto permits = semaphore->try_acquire_many_owned(3).value();
  EXPECT_EQ(semaphore->available_permits(), 2U);
  {
    auto one = permits.split(1);
    ASSERT_TRUE(one.has_value());
    EXPECT_EQ(permits.num_permits(), 2U);
    EXPECT_EQ(one->num_permits(), 1U);
    EXPECT_EQ(one->semaphore(), semaphore);
  }
  EXPECT_EQ(semaphore->available_permits(), 3U);
  {
    auto none = permits.split(0);
    ASSERT_TRUE(none.has_value());
    EXPECT_EQ(none->num_permits(), 0U);
  }
  {
    auto all = permits.split(2);
    ASSERT_TRUE(all.has_value());
    EXPECT_EQ(permits.num_permits(), 0U);
  }
  EXPECT_EQ(semaphore->available_permits(), 5U);
  EXPECT_FALSE(permits.split(1).has_value());
}

TEST(sync_semaphore_owned, stress_test) {
  multi_thread(4).block_on([]() -> Task<void> {
    auto semaphore = std::make_shared<Semaphore>(5);
    std::vector<JoinHandle<void>> handles;
    for (int i = 0; i < 1000; ++i) {
      handles.push_back(spawn([](Shared shared) -> Task<void> {
        auto permit = (co_await shared->acquire_owned()).value();
        permit.forget();
        shared->add_permits(1);
      }(semaphore)));
    }
    for (auto& handle : handles) EXPECT_TRUE((co_await handle).has_value());
    std::vector<OwnedSemaphorePermit> all;
    for (int i = 0; i < 5; ++i) all.push_back(semaphore->try_acquire_owned().value());
    EXPECT_FALSE(semaphore->try_acquire_owned().has_value());
  });
}

}  // namespace
}  // namespace kaido::parity
