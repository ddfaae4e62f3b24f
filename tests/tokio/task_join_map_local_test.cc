// JoinMap with tasks that stay on one thread: on a local runtime, in a LocalSet, and put on a LocalSet from outside.
#include <stdexcept>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/join_map.h>
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

Task<void> join_eight(JoinMap<int, int>& map) {
  EXPECT_EQ(map.len(), kTasks);
  int sum = 0;
  while (auto next = co_await map.join_next()) {
    EXPECT_EQ(next->first, next->second.value());
    sum += next->first;
  }
  EXPECT_EQ(sum, 28);
  EXPECT_TRUE(map.is_empty());
}

// Tasks that never end, and whether their frames exist.
struct Held {
  JoinMap<int, void> map;
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
  co_await held.map.shutdown();
  EXPECT_TRUE(held.map.is_empty());
  EXPECT_EQ(held.alive(), 0u);
}

Task<void> drop_eight(Held& held) {
  co_await yield_now();
  EXPECT_EQ(held.alive(), kTasks);
  held.map = JoinMap<int, void>();
  co_await yield_now();
  EXPECT_EQ(held.alive(), 0u);
}

Task<void> spawn_and_join_eight() {
  JoinMap<int, int> map;
  for (int i = 0; i < static_cast<int>(kTasks); ++i) map.spawn_local(i, value_after_turn(i));
  co_await join_eight(map);
}

Task<void> spawn_and_shut_down_eight() {
  Held held;
  for (int i = 0; i < static_cast<int>(kTasks); ++i) held.map.spawn_local(i, held.next());
  co_await shut_down_eight(held);
}

Task<void> spawn_and_drop_eight() {
  Held held;
  for (int i = 0; i < static_cast<int>(kTasks); ++i) held.map.spawn_local(i, held.next());
  co_await drop_eight(held);
}

TEST(task_join_map, spawn_local__panic_outside_any_runtime) {
  JoinMap<int, int> map;
  EXPECT_THROW(map.spawn_local(1, value_after_turn(1)), std::logic_error);
}

TEST(task_join_map, spawn_local__panic_in_multi_thread_runtime) {
  multi_thread(1).block_on([]() -> Task<void> {
    JoinMap<int, int> map;
    EXPECT_THROW(map.spawn_local(1, value_after_turn(1)), std::logic_error);
    co_return;
  });
}

TEST(task_join_map, spawn_local__local_runtime__spawn_then_join_next) {
  local_runtime().block_on(spawn_and_join_eight());
}
TEST(task_join_map, spawn_local__local_runtime__spawn_then_shutdown) {
  local_runtime().block_on(spawn_and_shut_down_eight());
}
TEST(task_join_map, spawn_local__local_runtime__spawn_then_drop) { local_runtime().block_on(spawn_and_drop_eight()); }
TEST(task_join_map, spawn_local__local_set__spawn_then_join_next) {
  const Runtime runtime = current_thread();
  LocalSet().block_on(runtime, spawn_and_join_eight());
}
TEST(task_join_map, spawn_local__local_set__spawn_then_shutdown) {
  const Runtime runtime = current_thread();
  LocalSet().block_on(runtime, spawn_and_shut_down_eight());
}
TEST(task_join_map, spawn_local__local_set__spawn_then_drop) {
  const Runtime runtime = current_thread();
  LocalSet().block_on(runtime, spawn_and_drop_eight());
}

void spawn_on_idle_set_then_join(const Runtime& runtime) {
  const LocalSet local;
  JoinMap<int, int> map;
  for (int i = 0; i < static_cast<int>(kTasks); ++i) map.spawn_local_on(i, value_after_turn(i), local);
  // Nothing has run: the set is driven from here on.
  EXPECT_FALSE(map.try_join_next());
  local.block_on(runtime, join_eight(map));
}

TEST(task_join_map, spawn_local_on__local_runtime__spawn_then_join_next) {
  spawn_on_idle_set_then_join(local_runtime());
}
TEST(task_join_map, spawn_local_on__local_set__spawn_then_join_next) { spawn_on_idle_set_then_join(current_thread()); }

TEST(task_join_map, spawn_local_on__local_set__spawn_then_shutdown) {
  const Runtime runtime = current_thread();
  const LocalSet local;
  Held held;
  for (int i = 0; i < static_cast<int>(kTasks); ++i) held.map.spawn_local_on(i, held.next(), local);
  local.block_on(runtime, shut_down_eight(held));
}

TEST(task_join_map, spawn_local_on__local_set__spawn_then_drop) {
  const Runtime runtime = current_thread();
  const LocalSet local;
  // While nobody drives the set: the frames go when somebody does.
  {
    Held held;
    for (int i = 0; i < static_cast<int>(kTasks); ++i) held.map.spawn_local_on(i, held.next(), local);
    held.map = JoinMap<int, void>();
    EXPECT_EQ(held.alive(), kTasks);
    local.block_on(runtime, []() -> Task<void> { co_await yield_now(); });
    EXPECT_EQ(held.alive(), 0u);
  }
  // While it is driven.
  Held held;
  for (int i = 0; i < static_cast<int>(kTasks); ++i) held.map.spawn_local_on(i, held.next(), local);
  local.block_on(runtime, drop_eight(held));
}

}  // namespace
}  // namespace kaido::parity
