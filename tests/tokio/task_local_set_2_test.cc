// LocalSet: how it ends, who wakes it, and what happens when a task throws.
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/coop.h>
#include <kaido/join.h>
#include <kaido/local_set.h>
#include <kaido/spawn.h>
#include <kaido/sync/mpsc.h>
#include <kaido/sync/oneshot.h>
#include <kaido/time.h>

#include "sdk/testing/probe.h"
#include "tests/tokio/task_support.h"

namespace kaido::parity {
namespace {

using std::chrono::milliseconds;

TEST(task_local_set, localset_in_thread_local) {
  Watch frame;
  std::thread([&frame] {
    static thread_local LocalSet local;
    Token token = make_token();
    frame = token;
    const Runtime runtime = current_thread();
    local.block_on(runtime, [&]() -> Task<void> {
      static_cast<void>(spawn_local(hold(std::move(token))));
      co_await yield_now();
    });
    EXPECT_FALSE(frame.expired());
  }).join();
  EXPECT_TRUE(frame.expired());
}

TEST(task_local_set, drop_cancels_tasks) {
  const Runtime runtime = current_thread();
  Watch frame;
  JoinHandle<void> handle;
  {
    const LocalSet local;
    Token token = make_token();
    frame = token;
    handle = local.spawn_local(hold(std::move(token)));
    local.block_on(runtime, []() -> Task<void> { co_await yield_now(); });
    EXPECT_FALSE(frame.expired());
  }
  EXPECT_TRUE(frame.expired());
  Runtime other = current_thread();
  EXPECT_TRUE(other.block_on(handle).error().is_cancelled());
}

TEST(task_local_set, drop_cancels_remote_tasks) {
  auto [sender, receiver] = mpsc::channel<int>(64);
  const Runtime runtime = current_thread();
  std::thread remote;
  {
    const LocalSet local;
    static_cast<void>(local.spawn_local([receiver = std::move(receiver)]() mutable -> Task<void> {
      while (co_await receiver.recv()) {
      }
    }));
    local.block_on(runtime, []() -> Task<void> { co_await yield_now(); });
    // Wakes the task without end until its receiver is gone.
    remote = std::thread([sender = std::move(sender)] {
      while (!sender.is_closed()) {
        static_cast<void>(sender.try_send(1));
        std::this_thread::yield();
      }
    });
  }
  remote.join();
}

// Sends when destroyed, which wakes a task that is being destroyed as well.
TEST(task_local_set, acquire_mutex_in_drop) {
  auto [first_sender, first_receiver] = oneshot::channel<int>();
  auto [second_sender, second_receiver] = oneshot::channel<int>();
  const Runtime runtime = current_thread();
  const LocalSet local;
  const auto wait_then_send = [](oneshot::Receiver<int> receiver, oneshot::Sender<int> sender) -> Task<void> {
    static_cast<void>(co_await receiver);
    static_cast<void>(sender.send(1));
  };
  // Each waits for the other; their destructors wake each other.
  static_cast<void>(local.spawn_local(wait_then_send(std::move(first_receiver), std::move(second_sender))));
  static_cast<void>(local.spawn_local(wait_then_send(std::move(second_receiver), std::move(first_sender))));
  local.block_on(runtime, []() -> Task<void> { co_await yield_now(); });
}

TEST(task_local_set, spawn_wakes_localset) {
  paused().block_on([]() -> Task<void> {
    const LocalSet local;
    // The first branch waits for ever, unless the set runs what the second one puts into it.
    auto [sender, receiver] = oneshot::channel<int>();
    auto drive = local.run_until([receiver = std::move(receiver)]() mutable -> Task<int> {
      auto value = co_await receiver;
      co_return value.value();
    });
    auto put = [&local, sender = std::move(sender)]() mutable -> Task<void> {
      co_await sleep(milliseconds(1));
      static_cast<void>(local.spawn_local([sender = std::move(sender)]() mutable -> Task<void> {
        static_cast<void>(sender.send(3));
        co_return;
      }));
    };
    auto [value, nothing] = co_await join(std::move(drive), std::move(put));
    EXPECT_EQ(value, 3);
    static_cast<void>(nothing);
  });
}

TEST(task_local_set, sleep_with_local_enter_guard) {
  const Runtime runtime = current_thread();
  const LocalSet local;
  bool done = false;
  local.block_on(runtime, [&]() -> Task<void> {
    const LocalSet inner;
    const LocalEnterGuard guard = inner.enter();
    co_await sleep(milliseconds(1));
    co_await yield_now();
    done = true;
  });
  EXPECT_TRUE(done);
}

TEST(task_local_set, store_local_set_in_thread_local_with_runtime) {
  struct Both {
    Runtime runtime = current_thread();
    LocalSet local;
  };
  Watch frame;
  std::thread([&frame] {
    static thread_local std::optional<Both> both;
    both.emplace();
    Token token = make_token();
    frame = token;
    both->local.block_on(both->runtime, [&]() -> Task<void> {
      static_cast<void>(spawn_local(hold(std::move(token))));
      co_await yield_now();
    });
  }).join();
  EXPECT_TRUE(frame.expired());
}

TEST(task_local_set, unstable__shutdown_on_panic) {
  const Runtime runtime = current_thread();
  LocalSet local;
  local.unhandled_panic(UnhandledPanic::kShutdownRuntime);
  Token token = make_token();
  const Watch other = token;
  static_cast<void>(local.spawn_local(hold(std::move(token))));
  static_cast<void>(local.spawn_local([]() -> Task<void> {
    throw std::runtime_error("boom");
    co_return;
  }));
  const auto wait = []() -> Task<void> {
    Pending pending;
    co_await pending;
  };
  EXPECT_THROW(local.block_on(runtime, wait), std::runtime_error);
  EXPECT_TRUE(other.expired());
  EXPECT_THROW(local.block_on(runtime, wait), std::runtime_error);
}

TEST(task_local_set, unstable__run_until_does_not_get_own_budget) {
  const Runtime runtime = current_thread();
  const EnterGuard guard = runtime.enter();
  const LocalSet local;
  // What the set uses of a poll's budget is missing around it.
  kaido::testing::Probe<int> counted([](const LocalSet& set) -> Task<int> {
    int units = 0;
    co_await set.run_until([&units]() -> Task<void> {
      for (; units < detail::Budget::kPerPoll; ++units) co_await consume_budget();
    });
    co_await consume_budget();
    co_return units;
  }(local));
  EXPECT_FALSE(counted.poll());
  EXPECT_TRUE(counted.is_woken());
  EXPECT_TRUE(counted.poll());
  EXPECT_EQ(counted.take(), detail::Budget::kPerPoll);
}

// Ours: a poll that ends before it has looked at the queue leaves its tasks to others who await the set.
TEST(local_set_polls, TasksSpawnedByAWorkThatEndsAreRunByAnotherAwait) {
  current_thread().block_on([]() -> Task<void> {
    const LocalSet local;
    auto [sender, receiver] = oneshot::channel<int>();
    auto waits = local.run_until([receiver = std::move(receiver)]() mutable -> Task<int> {
      auto value = co_await receiver;
      co_return value.value();
    });
    auto ends = local.run_until([sender = std::move(sender)]() mutable -> Task<void> {
      auto send = [sender = std::move(sender)]() mutable -> Task<void> {
        static_cast<void>(sender.send(3));
        co_return;
      };
      static_cast<void>(spawn_local(std::move(send)));
      co_return;
    });
    auto [value, nothing] = co_await join(biased, std::move(waits), std::move(ends));
    EXPECT_EQ(value, 3);
    static_cast<void>(nothing);
  });
}

}  // namespace
}  // namespace kaido::parity
