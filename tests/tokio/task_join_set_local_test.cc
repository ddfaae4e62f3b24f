// JoinSet with tasks that stay on one thread: on a local runtime, in a LocalSet, and put on a LocalSet from outside.
#include <stdexcept>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/join_set.h>
#include <kaido/local_set.h>
#include <kaido/spawn.h>

#include "tests/tokio/task_support.h"

namespace kaido::parity {
namespace {

constexpr std::size_t kTasks = 8;

Task<int> value_after_turn(int value) {
  co_await yield_now();
  co_return value;
}

Task<void> join_eight(JoinSet<int>& set) {
  EXPECT_EQ(set.len(), kTasks);
  int sum = 0;
  while (auto next = co_await set.join_next()) sum += next->value();
  EXPECT_EQ(sum, 28);
  EXPECT_TRUE(set.is_empty());
}

// Tasks that never end, and whether their frames exist.
struct Held {
  JoinSet<void> set;
  std::vector<Watch> frames;

  [[nodiscard]] std::size_t alive() const {
    std::size_t count = 0;
    for (const Watch& frame : frames) count += frame.expired() ? 0 : 1;
    return count;
  }
  Task<void> next() {
    Token token = make_token();
    frames.emplace_back(token);
    return hold(std::move(token));
  }
};

Task<void> shut_down_eight(Held& held) {
  co_await yield_now();
  EXPECT_EQ(held.alive(), kTasks);
  co_await held.set.shutdown();
  EXPECT_TRUE(held.set.is_empty());
  EXPECT_EQ(held.alive(), 0u);
}

Task<void> drop_eight(Held& held) {
  co_await yield_now();
  EXPECT_EQ(held.alive(), kTasks);
  held.set = JoinSet<void>();
  co_await yield_now();
  EXPECT_EQ(held.alive(), 0u);
}

Task<void> spawn_and_join_eight() {
  JoinSet<int> set;
  for (int i = 0; i < static_cast<int>(kTasks); ++i) set.spawn_local(value_after_turn(i));
  co_await join_eight(set);
}

Task<void> spawn_and_shut_down_eight() {
  Held held;
  for (std::size_t i = 0; i < kTasks; ++i) held.set.spawn_local(held.next());
  co_await shut_down_eight(held);
}

Task<void> spawn_and_drop_eight() {
  Held held;
  for (std::size_t i = 0; i < kTasks; ++i) held.set.spawn_local(held.next());
  co_await drop_eight(held);
}

TEST(task_join_set, spawn_local__panic_outside_any_runtime) {
  JoinSet<int> set;
  EXPECT_THROW(set.spawn_local(value_after_turn(1)), std::logic_error);
}

TEST(task_join_set, spawn_local__panic_in_multi_thread_runtime) {
  multi_thread(1).block_on([]() -> Task<void> {
    JoinSet<int> set;
    EXPECT_THROW(set.spawn_local(value_after_turn(1)), std::logic_error);
    co_return;
  });
}

TEST(task_join_set, spawn_local__local_runtime__spawn_then_join_next) {
  local_runtime().block_on(spawn_and_join_eight());
}
TEST(task_join_set, spawn_local__local_runtime__spawn_then_shutdown) {
  local_runtime().block_on(spawn_and_shut_down_eight());
}
TEST(task_join_set, spawn_local__local_runtime__spawn_then_drop) { local_runtime().block_on(spawn_and_drop_eight()); }
TEST(task_join_set, spawn_local__local_set__spawn_then_join_next) {
  const Runtime runtime = current_thread();
  LocalSet().block_on(runtime, spawn_and_join_eight());
}
TEST(task_join_set, spawn_local__local_set__spawn_then_shutdown) {
  const Runtime runtime = current_thread();
  LocalSet().block_on(runtime, spawn_and_shut_down_eight());
}
TEST(task_join_set, spawn_local__local_set__spawn_then_drop) {
  const Runtime runtime = current_thread();
  LocalSet().block_on(runtime, spawn_and_drop_eight());
}

void spawn_on_idle_set_then_join(const Runtime& runtime) {
  const LocalSet local;
  JoinSet<int> set;
  for (int i = 0; i < static_cast<int>(kTasks); ++i) set.spawn_local_on(value_after_turn(i), local);
  // Nothing has run: the set is driven from here on.
  EXPECT_FALSE(set.try_join_next());
  local.block_on(runtime, join_eight(set));
}

TEST(task_join_set, spawn_local_on__local_runtime__spawn_then_join_next) {
  spawn_on_idle_set_then_join(local_runtime());
}
TEST(task_join_set, spawn_local_on__local_set__spawn_then_join_next) { spawn_on_idle_set_then_join(current_thread()); }

TEST(task_join_set, spawn_local_on__local_set__spawn_then_shutdown) {
  const Runtime runtime = current_thread();
  const LocalSet local;
  Held held;
  for (std::size_t i = 0; i < kTasks; ++i) held.set.spawn_local_on(held.next(), local);
  local.block_on(runtime, shut_down_eight(held));
}

TEST(task_join_set, spawn_local_on__local_set__spawn_then_drop) {
  const Runtime runtime = current_thread();
  const LocalSet local;
  // While nobody drives the set: the frames go when somebody does.
  {
    Held held;
    for (std::size_t i = 0; i < kTasks; ++i) held.set.spawn_local_on(held.next(), local);
    held.set = JoinSet<void>();
    EXPECT_EQ(held.alive(), kTasks);
    local.block_on(runtime, []() -> Task<void> { co_await yield_now(); });
    EXPECT_EQ(held.alive(), 0u);
  }
  // While it is driven.
  Held held;
  for (std::size_t i = 0; i < kTasks; ++i) held.set.spawn_local_on(held.next(), local);
  local.block_on(runtime, drop_eight(held));
}

}  // namespace
}  // namespace kaido::parity
