/// tokio's task_blocking.rs: closures that block, and blocking in place.
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/coop.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/sync/mpsc.h>
#include <kaido/time.h>

#include "tests/tokio/poll_fn.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using namespace std::chrono_literals;

Task<int> answer() { co_return 42; }

TEST(task_blocking, basic_blocking) {
  Runtime rt = multi_thread(2);
  for (int round = 0; round < 100; ++round) {
    const int out = rt.block_on([]() -> Task<int> {
      auto task = spawn([]() -> Task<int> {
        auto blocking = spawn_blocking([] { return 42; });
        co_return (co_await blocking).value();
      });
      co_return (co_await task).value();
    });
    ASSERT_EQ(out, 42);
  }
}

TEST(task_blocking, block_in_blocking) {
  Runtime rt = multi_thread(2);
  for (int round = 0; round < 100; ++round) {
    auto handle = rt.spawn_blocking([] { return block_in_place([] { return 42; }); });
    ASSERT_EQ(rt.block_on(handle).value(), 42);
  }
}

TEST(task_blocking, block_in_block) {
  Runtime rt = multi_thread(2);
  for (int round = 0; round < 100; ++round) {
    auto handle =
        rt.spawn([]() -> Task<int> { co_return block_in_place([] { return block_in_place([] { return 42; }); }); });
    ASSERT_EQ(rt.block_on(handle).value(), 42);
  }
}

Task<int> block_here() {
  co_return block_in_place([] { return 42; });
}

TEST(task_blocking, no_block_in_current_thread_scheduler) {
  Runtime rt = current_thread();
  auto handle = rt.spawn(block_here());
  EXPECT_TRUE(rt.block_on(handle).error().is_panic());
}

TEST(task_blocking, yes_block_in_threaded_block_on) {
  Runtime rt = multi_thread(1);
  EXPECT_EQ(rt.block_on(block_here()), 42);
}

TEST(task_blocking, no_block_in_current_thread_block_on) {
  Runtime rt = current_thread();
  EXPECT_THROW(rt.block_on(block_here()), std::logic_error);
}

TEST(task_blocking, can_enter_current_thread_rt_from_within_block_in_place) {
  Runtime outer = multi_thread(1);
  auto handle = outer.spawn([]() -> Task<int> {
    co_return block_in_place([] {
      Runtime inner = RuntimeBuilder::new_current_thread().build().value();
      return inner.block_on(answer());
    });
  });
  EXPECT_EQ(outer.block_on(handle).value(), 42);
}

void drop_inside(Runtime& outer) {
  auto inner = std::make_unique<Runtime>(current_thread());
  outer.block_on([&inner]() -> Task<void> {
    inner.reset();
    co_return;
  });
}

TEST(task_blocking, useful_panic_message_when_dropping_rt_in_rt) {
  Runtime outer = current_thread();
  std::string text;
  outer.block_on([&text]() -> Task<void> {
    Runtime inner = current_thread();
    try {
      std::move(inner).shutdown();
    } catch (const std::logic_error& failure) {
      text = failure.what();
    }
    std::move(inner).shutdown_background();
    co_return;
  });
  EXPECT_NE(text.find("cannot drop a runtime"), std::string::npos) << text;
  // In a destructor there is nobody to tell.
  EXPECT_DEATH(drop_inside(outer), "cannot drop a runtime");
}

TEST(task_blocking, can_shutdown_with_zero_timeout_in_runtime) {
  Runtime outer = current_thread();
  outer.block_on([]() -> Task<void> {
    Runtime inner = current_thread();
    std::move(inner).shutdown_timeout(0ns);
    co_return;
  });
}

TEST(task_blocking, can_shutdown_now_in_runtime) {
  Runtime outer = current_thread();
  outer.block_on([]() -> Task<void> {
    Runtime inner = current_thread();
    std::move(inner).shutdown_background();
    co_return;
  });
}

/// More receives than a budget allows, on an executor that knows no budget.
Task<int> receive_200_in_place() {
  auto [sender, receiver] = mpsc::unbounded_channel<int>();
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(sender.send(i).has_value());
  co_return block_in_place([&receiver = receiver] {
    return foreign_block_on([&receiver]() -> Task<int> {
      int count = 0;
      for (; count < 200; ++count) static_cast<void>(co_await receiver.recv());
      co_return count;
    });
  });
}

TEST(task_blocking, coop_disabled_in_block_in_place) {
  Runtime outer = multi_thread(1);
  auto handle = outer.spawn(receive_200_in_place());
  EXPECT_EQ(outer.block_on(handle).value(), 200);
}

TEST(task_blocking, coop_disabled_in_block_in_place_in_block_on) {
  Runtime outer = multi_thread(1);
  EXPECT_EQ(outer.block_on(receive_200_in_place()), 200);
}

/// Runs while a root sleeps on a paused clock; ends only once the root has told that it sleeps.
void stall_5ms() {
  const auto until = std::chrono::steady_clock::now() + 5ms;
  while (std::chrono::steady_clock::now() < until) std::this_thread::yield();
}

TEST(task_blocking, blocking_when_paused) {
  Runtime rt = paused();
  // The sleep would win if the clock jumped while the closure runs.
  const auto joined = rt.block_on([]() -> Task<Result<int>> {
    co_return co_await timeout(3s, spawn_blocking([] {
                                 stall_5ms();
                                 return 42;
                               }));
  });
  EXPECT_EQ(joined.value(), 42);
}

TEST(task_blocking, blocking_task_wakes_paused_runtime) {
  Runtime rt = paused();
  const auto begin = std::chrono::steady_clock::now();
  rt.block_on([]() -> Task<void> {
    auto joined = co_await timeout(15s, spawn_blocking(stall_5ms));
    EXPECT_TRUE(joined.has_value());
  });
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

TEST(task_blocking, unawaited_blocking_task_wakes_paused_runtime) {
  Runtime rt = paused();
  const auto begin = std::chrono::steady_clock::now();
  rt.block_on([]() -> Task<void> {
    static_cast<void>(spawn_blocking(stall_5ms));
    co_await sleep(15s);  // Jumps once the closure has ended.
  });
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

TEST(task_blocking, panicking_blocking_task_wakes_paused_runtime) {
  Runtime rt = paused();
  const auto begin = std::chrono::steady_clock::now();
  rt.block_on([]() -> Task<void> {
    auto joined = co_await timeout(15s, spawn_blocking([] {
                                     stall_5ms();
                                     throw std::runtime_error("boom");
                                   }));
    EXPECT_TRUE(!joined.has_value() && joined.error().is_panic());
  });
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

}  // namespace
}  // namespace kaido::parity
