// LocalPoolHandle: tasks that are made and run on one thread of a pool.
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/join.h>
#include <kaido/local_pool.h>
#include <kaido/spawn.h>
#include <kaido/sync/barrier.h>
#include <kaido/sync/oneshot.h>

#include "tests/tokio/task_support.h"

namespace kaido::parity {
namespace {

Task<std::thread::id> thread_of_task() { co_return std::this_thread::get_id(); }

TEST(spawn_pinned, can_spawn_not_send_future) {
  const LocalPoolHandle pool(1);
  current_thread().block_on([&]() -> Task<void> {
    auto result = co_await pool.spawn_pinned([]() -> Task<std::string> {
      // What only its thread may touch.
      auto text = std::make_unique<std::string>("test");
      const auto maker = std::this_thread::get_id();
      co_await yield_now();
      EXPECT_EQ(std::this_thread::get_id(), maker);
      co_return *text;
    });
    EXPECT_EQ(result.value(), "test");
  });
}

TEST(spawn_pinned, can_drop_future_and_still_get_output) {
  const LocalPoolHandle pool(1);
  current_thread().block_on([&]() -> Task<void> {
    auto [sender, receiver] = oneshot::channel<std::string>();
    auto send = [sender = std::move(sender)]() mutable -> Task<void> {
      static_cast<void>(sender.send("test"));
      co_return;
    };
    static_cast<void>(pool.spawn_pinned(std::move(send)));
    auto received = co_await receiver;
    EXPECT_EQ(received.value(), "test");
  });
}

TEST(spawn_pinned, cannot_create_zero_sized_pool) { EXPECT_THROW(LocalPoolHandle(0), std::invalid_argument); }

TEST(spawn_pinned, can_spawn_multiple_futures) {
  const LocalPoolHandle pool(2);
  current_thread().block_on([&]() -> Task<void> {
    auto first = pool.spawn_pinned([]() -> Task<std::string> { co_return "test1"; });
    auto second = pool.spawn_pinned([]() -> Task<std::string> { co_return "test2"; });
    auto one = co_await first;
    auto two = co_await second;
    EXPECT_EQ(one.value(), "test1");
    EXPECT_EQ(two.value(), "test2");
  });
}

TEST(spawn_pinned, task_panic_propagates) {
  const LocalPoolHandle pool(1);
  current_thread().block_on([&]() -> Task<void> {
    auto failed = co_await pool.spawn_pinned([]() -> Task<void> {
      throw std::runtime_error("Test panic");
      co_return;
    });
    EXPECT_TRUE(failed.error().is_panic());
    EXPECT_EQ(failed.error().message(), "Test panic");
    auto next = co_await pool.spawn_pinned([]() -> Task<int> { co_return 1; });
    EXPECT_EQ(next.value(), 1);
  });
}

TEST(spawn_pinned, callback_panic_does_not_kill_worker) {
  const LocalPoolHandle pool(1);
  current_thread().block_on([&]() -> Task<void> {
    auto failed = co_await pool.spawn_pinned([]() -> Task<int> { throw std::runtime_error("Test panic"); });
    EXPECT_TRUE(failed.error().is_panic());
    EXPECT_EQ(failed.error().message(), "Test panic");
    auto next = co_await pool.spawn_pinned([]() -> Task<int> { co_return 1; });
    EXPECT_EQ(next.value(), 1);
  });
}

TEST(spawn_pinned, task_cancellation_propagates) {
  const LocalPoolHandle pool(1);
  current_thread().block_on([&]() -> Task<void> {
    auto [started_sender, started] = oneshot::channel<int>();
    Token token = make_token();
    const Watch frame = token;
    auto wait = [token = std::move(token), sender = std::move(started_sender)]() mutable -> Task<void> {
      static_cast<void>(sender.send(1));
      co_await hold(std::move(token));
    };
    auto handle = pool.spawn_pinned(std::move(wait));
    auto begun = co_await started;
    EXPECT_TRUE(begun.has_value());
    EXPECT_FALSE(frame.expired());
    handle.abort();
    auto result = co_await handle;
    EXPECT_TRUE(result.error().is_cancelled());
    EXPECT_TRUE(frame.expired());
  });
}

TEST(spawn_pinned, tasks_are_balanced) {
  const LocalPoolHandle pool(2);
  current_thread().block_on([&]() -> Task<void> {
    // Each waits for the other: on one thread of its own they can still see different ones.
    auto barrier = std::make_shared<Barrier>(2);
    const auto meet = [barrier]() -> Task<std::thread::id> {
      co_await barrier->wait();
      co_return std::this_thread::get_id();
    };
    auto first = pool.spawn_pinned(meet);
    auto second = pool.spawn_pinned(meet);
    auto one = co_await first;
    auto two = co_await second;
    EXPECT_NE(one.value(), two.value());
  });
}

TEST(spawn_pinned, spawn_by_idx) {
  using Loads = std::vector<std::size_t>;
  const LocalPoolHandle pool(3);
  current_thread().block_on([&]() -> Task<void> {
    EXPECT_EQ(pool.num_threads(), 3u);
    EXPECT_EQ(pool.get_task_loads_for_each_worker(), Loads({0, 0, 0}));
    auto barrier = std::make_shared<Barrier>(4);
    const auto meet = [barrier]() -> Task<std::thread::id> {
      co_await barrier->wait();
      co_return std::this_thread::get_id();
    };
    auto first = pool.spawn_pinned_by_idx(meet, 0);
    auto second = pool.spawn_pinned_by_idx(meet, 0);
    auto third = pool.spawn_pinned_by_idx(meet, 1);
    EXPECT_EQ(pool.get_task_loads_for_each_worker(), Loads({2, 1, 0}));
    co_await barrier->wait();
    auto one = co_await first;
    auto two = co_await second;
    auto three = co_await third;
    EXPECT_EQ(one.value(), two.value());
    EXPECT_NE(one.value(), three.value());
    EXPECT_EQ(pool.get_task_loads_for_each_worker(), Loads({0, 0, 0}));
    EXPECT_THROW(static_cast<void>(pool.spawn_pinned_by_idx(&thread_of_task, 3)), std::out_of_range);
  });
}

}  // namespace
}  // namespace kaido::parity
