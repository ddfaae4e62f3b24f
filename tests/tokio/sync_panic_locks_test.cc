// Misuse of locks, oneshot and mpsc, which throws here where tokio panics: cases of tokio's sync_panic.rs.
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/sync/mpsc.h>
#include <kaido/sync/mutex.h>
#include <kaido/sync/oneshot.h>
#include <kaido/sync/rwlock.h>
#include <kaido/sync/semaphore.h>

#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

/// Runs it where tasks run.
template <typename F>
void expect_throws_in_async_context(F blocking) {
  current_thread().block_on([&]() -> Task<void> {
    EXPECT_THROW(blocking(), std::logic_error);
    co_return;
  });
}

TEST(sync_panic, mutex_blocking_lock_panic_caller) {
  Mutex<int> mutex(5);
  expect_throws_in_async_context([&] { static_cast<void>(mutex.blocking_lock()); });
}

TEST(sync_panic, oneshot_blocking_recv_panic_caller) {
  auto both = oneshot::channel<int>();
  expect_throws_in_async_context([&] { static_cast<void>(both.second.blocking_recv()); });
}

TEST(sync_panic, rwlock_with_max_readers_panic_caller) {
  EXPECT_THROW(static_cast<void>(RwLock<int>::with_max_readers(0, RwLock<int>::kMaxReaders + 1)), std::logic_error);
}

TEST(sync_panic, rwlock_blocking_read_panic_caller) {
  RwLock<int> lock(0);
  expect_throws_in_async_context([&] { static_cast<void>(lock.blocking_read()); });
}

TEST(sync_panic, rwlock_blocking_write_panic_caller) {
  RwLock<int> lock(0);
  expect_throws_in_async_context([&] { static_cast<void>(lock.blocking_write()); });
}

TEST(sync_panic, mpsc_bounded_channel_panic_caller) {
  EXPECT_THROW(static_cast<void>(mpsc::channel<int>(0)), std::logic_error);
}

TEST(sync_panic, mpsc_bounded_receiver_blocking_recv_panic_caller) {
  auto both = mpsc::channel<int>(1);
  expect_throws_in_async_context([&] { static_cast<void>(both.second.blocking_recv()); });
}

TEST(sync_panic, mpsc_bounded_receiver_blocking_recv_many_panic_caller) {
  auto both = mpsc::channel<int>(1);
  std::vector<int> buffer;
  expect_throws_in_async_context([&] { static_cast<void>(both.second.blocking_recv_many(buffer, 1)); });
}

TEST(sync_panic, mpsc_bounded_sender_blocking_send_panic_caller) {
  auto both = mpsc::channel<int>(1);
  expect_throws_in_async_context([&] { static_cast<void>(both.first.blocking_send(3)); });
}

TEST(sync_panic, mpsc_unbounded_receiver_blocking_recv_panic_caller) {
  auto both = mpsc::unbounded_channel<int>();
  expect_throws_in_async_context([&] { static_cast<void>(both.second.blocking_recv()); });
}

TEST(sync_panic, mpsc_unbounded_receiver_blocking_recv_many_panic_caller) {
  auto both = mpsc::unbounded_channel<int>();
  std::vector<int> buffer;
  expect_throws_in_async_context([&] { static_cast<void>(both.second.blocking_recv_many(buffer, 1)); });
}

TEST(sync_panic, semaphore_merge_unrelated_owned_permits) {
  auto first = std::make_shared<Semaphore>(42);
  auto second = std::make_shared<Semaphore>(42);
  auto one = first->try_acquire_owned().value();
  auto two = second->try_acquire_owned().value();
  EXPECT_THROW(one.merge(std::move(two)), std::logic_error);
  EXPECT_EQ(second->available_permits(), 42U);
}

TEST(sync_panic, semaphore_merge_unrelated_permits) {
  Semaphore first(42);
  Semaphore second(42);
  auto one = first.try_acquire().value();
  auto two = second.try_acquire().value();
  EXPECT_THROW(one.merge(std::move(two)), std::logic_error);
  EXPECT_EQ(second.available_permits(), 42U);
}

}  // namespace
}  // namespace kaido::parity
