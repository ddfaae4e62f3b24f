// Runtimes that are local to a thread (tokio's LocalRuntime).
#include <optional>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

#include <kaido/spawn.h>

#include "tests/tokio/task_support.h"

namespace kaido::parity {
namespace {

Task<int> answer() {
  co_await yield_now();
  co_return 42;
}

TEST(rt_local, test_spawn_local_in_runtime) {
  const int value = local_runtime().block_on([]() -> Task<int> {
    auto result = co_await spawn_local(answer());
    co_return result.value();
  });
  EXPECT_EQ(value, 42);
}

TEST(rt_local, test_spawn_from_handle) {
  Runtime runtime = local_runtime();
  auto handle = runtime.handle().spawn(answer());
  EXPECT_EQ(runtime.block_on(handle).value(), 42);
}

TEST(rt_local, test_spawn_local_on_runtime_object) {
  Runtime runtime = local_runtime();
  auto handle = runtime.spawn_local(answer());
  EXPECT_EQ(runtime.block_on(handle).value(), 42);
}

TEST(rt_local, test_spawn_local_from_guard) {
  Runtime runtime = local_runtime();
  auto handle = [&] {
    const EnterGuard guard = runtime.enter();
    return spawn_local(answer());
  }();
  EXPECT_EQ(runtime.block_on(handle).value(), 42);
}

// A handle outlives its runtime, and another thread enters it.
TEST(rt_local, test_spawn_from_guard_other_thread) {
  std::optional<Handle> handle;
  std::thread([&] { handle = local_runtime().handle(); }).join();
  const EnterGuard guard = handle->enter();
  auto task = spawn(answer());
  EXPECT_TRUE(task.is_finished());
}

TEST(rt_local, test_spawn_local_from_guard_other_thread) {
  std::optional<Handle> handle;
  std::thread([&] { handle = local_runtime().handle(); }).join();
  const EnterGuard guard = handle->enter();
  EXPECT_THROW(static_cast<void>(spawn_local(answer())), std::logic_error);
}

TEST(rt_local, test_spawn_local_panic) { EXPECT_THROW(static_cast<void>(spawn_local(answer())), std::logic_error); }

TEST(rt_local, test_spawn_local_in_current_thread_runtime) {
  current_thread().block_on([]() -> Task<void> {
    EXPECT_THROW(static_cast<void>(spawn_local(answer())), std::logic_error);
    co_return;
  });
}

TEST(rt_local, test_spawn_local_in_multi_thread_runtime) {
  multi_thread(1).block_on([]() -> Task<void> {
    EXPECT_THROW(static_cast<void>(spawn_local(answer())), std::logic_error);
    co_return;
  });
}

// Ours: what Rust's types rule out is checked when it happens.
TEST(rt_local_threads, BlocksOnItsThreadOnly) {
  Runtime runtime = local_runtime();
  std::thread([&] { EXPECT_THROW(runtime.block_on(answer()), std::logic_error); }).join();
  EXPECT_EQ(runtime.block_on(answer()), 42);
}

TEST(rt_local_threads, AHandleSpawnsFromAnyThread) {
  Runtime runtime = local_runtime();
  std::optional<JoinHandle<std::thread::id>> task;
  std::thread([&] {
    task = runtime.handle().spawn([]() -> Task<std::thread::id> { co_return std::this_thread::get_id(); });
  }).join();
  EXPECT_EQ(runtime.block_on(*task).value(), std::this_thread::get_id());
}

TEST(rt_local_threads, AMultiThreadRuntimeIsNotLocal) {
  EXPECT_THROW(static_cast<void>(RuntimeBuilder::new_multi_thread().build_local()), std::invalid_argument);
}

}  // namespace
}  // namespace kaido::parity
