// Which task is running: in tasks, their destructors, and outside of them.
#include <optional>
#include <stdexcept>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/coop.h>
#include <kaido/local_set.h>
#include <kaido/spawn.h>

#include "tests/tokio/task_support.h"

namespace kaido::parity {
namespace {

// Reports the id that its destructor sees.
class IdOnDrop {
 public:
  explicit IdOnDrop(std::optional<TaskId>* seen) noexcept : seen_(seen) {}
  IdOnDrop(IdOnDrop&& other) noexcept : seen_(std::exchange(other.seen_, nullptr)) {}
  IdOnDrop& operator=(IdOnDrop&&) = delete;
  ~IdOnDrop() {
    if (seen_ != nullptr) *seen_ = task::try_id();
  }

 private:
  std::optional<TaskId>* seen_;
};

Task<TaskId> current_id() { co_return task::id(); }

void expect_different_ids(const Runtime& runtime) {
  EXPECT_NE(runtime.spawn(current_id()).id(), runtime.spawn(current_id()).id());
}

void expect_same_id(Runtime runtime) {
  runtime.block_on([]() -> Task<void> {
    auto handle = spawn(current_id());
    const TaskId id = handle.id();
    auto seen = co_await handle;
    EXPECT_EQ(seen.value(), id);
  });
}

TEST(task_id, task_id_spawn) {
  current_thread().block_on([]() -> Task<void> {
    auto id = co_await spawn(current_id());
    EXPECT_NE(id.value(), TaskId());
  });
}

TEST(task_id, task_id_spawn_blocking) {
  current_thread().block_on([]() -> Task<void> {
    auto handle = spawn_blocking([] { return task::id(); });
    const TaskId id = handle.id();
    auto seen = co_await handle;
    EXPECT_EQ(seen.value(), id);
  });
}

TEST(task_id, task_id_collision_current_thread) { expect_different_ids(current_thread()); }
TEST(task_id, task_id_collision_multi_thread) { expect_different_ids(multi_thread(2)); }
TEST(task_id, task_ids_match_current_thread) { expect_same_id(current_thread()); }
TEST(task_id, task_ids_match_multi_thread) { expect_same_id(multi_thread(2)); }

TEST(task_id, task_id_future_destructor_completion) {
  current_thread().block_on([]() -> Task<void> {
    std::optional<TaskId> seen;
    auto handle = spawn([](IdOnDrop) -> Task<void> { co_return; }(IdOnDrop(&seen)));
    const TaskId id = handle.id();
    auto result = co_await handle;
    EXPECT_TRUE(result.ok());
    EXPECT_EQ(seen, id);
  });
}

TEST(task_id, task_id_future_destructor_abort) {
  current_thread().block_on([]() -> Task<void> {
    std::optional<TaskId> seen;
    auto waits_for_ever = [](IdOnDrop) -> Task<void> {
      Pending pending;
      co_await pending;
    };
    auto handle = spawn(waits_for_ever(IdOnDrop(&seen)));
    const TaskId id = handle.id();
    handle.abort();
    auto result = co_await handle;
    EXPECT_TRUE(result.error().is_cancelled());
    EXPECT_EQ(seen, id);
  });
}

TEST(task_id, task_id_output_destructor_handle_dropped_before_completion) {
  current_thread().block_on([]() -> Task<void> {
    std::optional<TaskId> seen;
    TaskId id;
    {
      auto handle = spawn([&]() -> Task<IdOnDrop> { co_return IdOnDrop(&seen); });
      id = handle.id();
    }
    while (!seen) co_await yield_now();
    EXPECT_EQ(seen, id);
  });
}

TEST(task_id, task_id_output_destructor_handle_dropped_after_completion) {
  current_thread().block_on([]() -> Task<void> {
    std::optional<TaskId> seen;
    TaskId id;
    {
      auto handle = spawn([&]() -> Task<IdOnDrop> { co_return IdOnDrop(&seen); });
      id = handle.id();
      while (!handle.is_finished()) co_await yield_now();
      EXPECT_FALSE(seen);
    }
    EXPECT_EQ(seen, id);
  });
}

TEST(task_id, task_try_id_outside_task) { EXPECT_EQ(task::try_id(), std::nullopt); }

TEST(task_id, task_try_id_inside_block_on) {
  current_thread().block_on([]() -> Task<void> {
    EXPECT_EQ(task::try_id(), std::nullopt);
    co_return;
  });
}

TEST(task_id, task_id_spawn_local) {
  const Runtime runtime = current_thread();
  LocalSet().block_on(runtime, []() -> Task<void> {
    auto handle = spawn_local(current_id());
    const TaskId id = handle.id();
    auto seen = co_await handle;
    EXPECT_EQ(seen.value(), id);
  });
}

TEST(task_id, task_id_nested_spawn_local) {
  const Runtime runtime = current_thread();
  LocalSet().block_on(runtime, []() -> Task<void> {
    auto outer = co_await spawn_local([]() -> Task<void> {
      const TaskId outer_id = task::id();
      // A set of its own, polled inside this task.
      const LocalSet inner_set;
      auto inner_id = co_await inner_set.run_until([]() -> Task<TaskId> {
        auto id = co_await spawn_local(current_id());
        co_return id.value();
      });
      EXPECT_NE(inner_id, outer_id);
      EXPECT_EQ(task::id(), outer_id);
    });
    EXPECT_TRUE(outer.ok());
  });
}

TEST(task_id, task_id_block_in_place_block_on_spawn) {
  multi_thread(1).block_on([]() -> Task<void> {
    auto outer = co_await spawn([]() -> Task<void> {
      const TaskId outer_id = task::id();
      const TaskId inner_id = block_in_place([] {
        Runtime inner = current_thread();
        return inner.block_on([]() -> Task<TaskId> {
          auto id = co_await spawn(current_id());
          co_return id.value();
        });
      });
      EXPECT_NE(inner_id, outer_id);
      EXPECT_EQ(task::id(), outer_id);
      co_return;
    });
    EXPECT_TRUE(outer.ok());
  });
}

TEST(task_id, task_id_outside_task_panic_caller) { EXPECT_THROW(static_cast<void>(task::id()), std::logic_error); }

TEST(task_id, task_id_inside_block_on_panic_caller) {
  current_thread().block_on([]() -> Task<void> {
    EXPECT_THROW(static_cast<void>(task::id()), std::logic_error);
    co_return;
  });
}

}  // namespace
}  // namespace kaido::parity
