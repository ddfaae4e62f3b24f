// Handles whose end aborts the task.
#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/abort_on_drop.h>
#include <kaido/spawn.h>

#include "tests/tokio/task_support.h"

namespace kaido::parity {
namespace {

// A running task that never ends.
struct Held {
  Token token = make_token();
  Watch frame = token;
  JoinHandle<void> handle = spawn(hold(std::move(token)));
};

TEST(abort_on_drop, aborts_task_on_drop) {
  current_thread().block_on([]() -> Task<void> {
    Held held;
    {
      const AbortOnDropHandle<void> guard(std::move(held.handle));
    }
    co_await yield_now();
    EXPECT_TRUE(held.frame.expired());
  });
}

TEST(abort_on_drop, aborts_task_directly) {
  current_thread().block_on([]() -> Task<void> {
    Held held;
    AbortOnDropHandle<void> guard(std::move(held.handle));
    EXPECT_FALSE(guard.is_finished());
    guard.abort();
    co_await yield_now();
    EXPECT_TRUE(held.frame.expired());
    EXPECT_TRUE(guard.is_finished());
    auto result = co_await guard;
    EXPECT_TRUE(result.error().is_cancelled());
  });
}

TEST(abort_on_drop, does_not_abort_after_detach) {
  current_thread().block_on([]() -> Task<void> {
    Held held;
    AbortOnDropHandle<void> guard(std::move(held.handle));
    {
      const JoinHandle<void> plain = guard.detach();
    }
    co_await yield_now();
    EXPECT_FALSE(held.frame.expired());
  });
}

TEST(abort_on_drop, handle_aborts_task_on_drop) {
  current_thread().block_on([]() -> Task<void> {
    Held held;
    {
      const AbortOnDrop guard(held.handle.abort_handle());
    }
    co_await yield_now();
    EXPECT_TRUE(held.frame.expired());
  });
}

TEST(abort_on_drop, handle_aborts_task_directly) {
  current_thread().block_on([]() -> Task<void> {
    Held held;
    const AbortOnDrop guard(held.handle.abort_handle());
    EXPECT_FALSE(guard.is_finished());
    guard.abort();
    co_await yield_now();
    EXPECT_TRUE(held.frame.expired());
    EXPECT_TRUE(guard.is_finished());
  });
}

TEST(abort_on_drop, handle_does_not_abort_after_detach) {
  current_thread().block_on([]() -> Task<void> {
    Held held;
    AbortOnDrop guard(held.handle.abort_handle());
    {
      const AbortHandle plain = guard.detach();
    }
    co_await yield_now();
    EXPECT_FALSE(held.frame.expired());
  });
}

}  // namespace
}  // namespace kaido::parity
