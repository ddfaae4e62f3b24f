/// tokio's rt_common.rs, on each flavour: what block_on and spawn do. Shutdown and I/O are in the files beside this
/// one.
#include <atomic>
#include <chrono>
#include <functional>
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
#include <kaido/sync/oneshot.h>
#include <kaido/time.h>

#include "tests/tokio/poll_fn.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using namespace std::chrono_literals;

class rt_common : public FlavourTest {};

Task<void> send_text(oneshot::Sender<std::string> sender, std::string text) {
  send(sender, std::move(text));
  co_return;
}

TEST_P(rt_common, block_on_sync) {
  Runtime rt = runtime();
  bool has_run = false;
  rt.block_on([&has_run]() -> Task<void> {
    has_run = true;
    co_return;
  });
  EXPECT_TRUE(has_run);
}

TEST_P(rt_common, block_on_async) {
  Runtime rt = runtime();
  std::thread thread;
  const std::string out = rt.block_on([&thread]() -> Task<std::string> {
    auto [sender, receiver] = oneshot::channel<std::string>();
    thread = std::thread([sender = std::move(sender)]() mutable { send(sender, "ZOMG"); });
    co_return (co_await receiver).value();
  });
  thread.join();
  EXPECT_EQ(out, "ZOMG");
}

TEST_P(rt_common, spawn_one_bg) {
  Runtime rt = runtime();
  const std::string out = rt.block_on([]() -> Task<std::string> {
    auto [sender, receiver] = oneshot::channel<std::string>();
    start(send_text(std::move(sender), "ZOMG"));
    co_return (co_await receiver).value();
  });
  EXPECT_EQ(out, "ZOMG");
}

TEST_P(rt_common, spawn_one_join) {
  Runtime rt = runtime();
  rt.block_on([]() -> Task<void> {
    auto [sender, receiver] = oneshot::channel<std::string>();
    auto handle = spawn([sender = std::move(sender)]() mutable -> Task<std::string> {
      send(sender, "ZOMG");
      co_return "DONE";
    });
    EXPECT_EQ((co_await receiver).value(), "ZOMG");
    EXPECT_EQ((co_await handle).value(), "DONE");
  });
}

TEST_P(rt_common, spawn_two) {
  Runtime rt = runtime();
  const std::string out = rt.block_on([]() -> Task<std::string> {
    auto [sender1, receiver1] = oneshot::channel<std::string>();
    auto [sender2, receiver2] = oneshot::channel<std::string>();
    start(send_text(std::move(sender1), "ZOMG"));
    start([receiver = std::move(receiver1), sender = std::move(sender2)]() mutable -> Task<void> {
      send(sender, (co_await receiver).value());
    });
    co_return (co_await receiver2).value();
  });
  EXPECT_EQ(out, "ZOMG");
}

TEST_P(rt_common, spawn_many_from_block_on) {
  constexpr int kTasks = 200;
  Runtime rt = runtime();
  std::thread thread;
  const int sum = rt.block_on([&thread]() -> Task<int> {
    auto [done_sender, done] = mpsc::unbounded_channel<int>();
    std::vector<oneshot::Sender<int>> senders;
    for (int i = 0; i < kTasks; ++i) {
      auto [sender, receiver] = oneshot::channel<int>();
      senders.push_back(std::move(sender));
      start([done_sender = done_sender, receiver = std::move(receiver)]() mutable -> Task<void> {
        send(done_sender, (co_await receiver).value());
      });
    }
    thread = std::thread([senders = std::move(senders)]() mutable {
      for (int i = 0; i < kTasks; ++i) send(senders[i], i);
    });
    int total = 0;
    for (int i = 0; i < kTasks; ++i) total += (co_await done.recv()).value();
    co_return total;
  });
  thread.join();
  EXPECT_EQ(sum, kTasks * (kTasks - 1) / 2);
}

Task<int> spawn_500() {
  constexpr int kTasks = 500;
  auto [done_sender, done] = mpsc::unbounded_channel<int>();
  for (int i = 0; i < kTasks; ++i) {
    start([done_sender = done_sender, i]() mutable -> Task<void> {
      send(done_sender, i);
      co_return;
    });
  }
  int total = 0;
  for (int i = 0; i < kTasks; ++i) total += (co_await done.recv()).value();
  co_return total;
}

TEST_P(rt_common, spawn_many_from_task) {
  Runtime rt = runtime();
  const int sum = rt.block_on([]() -> Task<int> {
    auto handle = spawn(spawn_500());
    co_return (co_await handle).value();
  });
  EXPECT_EQ(sum, 500 * 499 / 2);
}

Task<std::string> hello() { co_return "hello"; }

TEST_P(rt_common, spawn_one_from_block_on_called_on_handle) {
  Runtime rt = runtime();
  const auto spawn_one = []() -> Task<JoinHandle<std::string>> { co_return spawn(hello()); };
  auto handle = rt.handle().block_on(spawn_one);
  EXPECT_EQ(rt.block_on(handle).value(), "hello");
}

TEST_P(rt_common, spawn_await_chain) {
  Runtime rt = runtime();
  const std::string out = rt.block_on([]() -> Task<std::string> {
    auto outer = spawn([]() -> Task<std::string> {
      auto inner = spawn(hello());
      co_return (co_await inner).value();
    });
    co_return (co_await outer).value();
  });
  EXPECT_EQ(out, "hello");
}

TEST_P(rt_common, nested_rt) {
  Runtime rt = runtime();
  Runtime other = runtime();
  const auto run = [&] {
    rt.block_on([&other]() -> Task<void> {
      other.block_on(hello());
      co_return;
    });
  };
  EXPECT_THROW(run(), std::logic_error);
}

TEST_P(rt_common, create_rt_in_block_on) {
  Runtime rt = runtime();
  auto inner =
      rt.block_on([this]() -> Task<std::unique_ptr<Runtime>> { co_return std::make_unique<Runtime>(runtime()); });
  EXPECT_EQ(inner->block_on(hello()), "hello");
}

Task<void> spin() {
  for (;;) co_await yield_now();
}

Task<std::string> from_thread_under_load(std::thread& thread) {
  start(spin());
  auto [sender, receiver] = oneshot::channel<std::string>();
  thread = std::thread([sender = std::move(sender)]() mutable { send(sender, "hello"); });
  co_return (co_await receiver).value();
}

TEST_P(rt_common, complete_block_on_under_load) {
  Runtime rt = runtime();
  std::thread thread;
  EXPECT_EQ(rt.block_on(from_thread_under_load(thread)), "hello");
  thread.join();
}

TEST_P(rt_common, complete_task_under_load) {
  Runtime rt = runtime();
  std::thread thread;
  rt.block_on([&thread]() -> Task<void> {
    auto handle = spawn(from_thread_under_load(thread));
    EXPECT_EQ((co_await handle).value(), "hello");
  });
  thread.join();
}

TEST_P(rt_common, spawn_from_other_thread_idle) {
  Runtime rt = runtime();
  auto [sender, receiver] = oneshot::channel<std::string>();
  std::thread thread([handle = rt.handle(), sender = std::move(sender)]() mutable {
    while (handle.metrics().worker_park_count(0) == 0) std::this_thread::yield();
    start_on(handle, send_text(std::move(sender), "hello"));
  });
  EXPECT_EQ(rt.block_on(receiver).value(), "hello");
  thread.join();
}

TEST_P(rt_common, spawn_from_other_thread_under_load) {
  Runtime rt = runtime();
  auto [sender, receiver] = oneshot::channel<std::string>();
  std::thread thread([handle = rt.handle(), sender = std::move(sender)]() mutable {
    start_on(handle, send_text(std::move(sender), "hello"));
  });
  rt.block_on([&receiver = receiver]() -> Task<void> {
    start(spin());
    EXPECT_EQ((co_await receiver).value(), "hello");
  });
  thread.join();
}

Task<void> sleep_50() {
  const auto begin = std::chrono::steady_clock::now();
  co_await sleep(50ms);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 50ms);
}

TEST_P(rt_common, sleep_at_root) {
  Runtime rt = runtime();
  rt.block_on(sleep_50());
}

TEST_P(rt_common, sleep_in_spawn) {
  Runtime rt = runtime();
  auto handle = rt.spawn(sleep_50());
  EXPECT_TRUE(rt.block_on(handle).has_value());
}

TEST_P(rt_common, spawn_from_blocking) {
  Runtime rt = runtime();
  const std::string out = rt.block_on([]() -> Task<std::string> {
    auto outer = spawn_blocking([] { return spawn(hello()); });
    auto inner = (co_await outer).value();
    co_return (co_await inner).value();
  });
  EXPECT_EQ(out, "hello");
}

TEST_P(rt_common, spawn_blocking_from_blocking) {
  Runtime rt = runtime();
  const std::string out = rt.block_on([]() -> Task<std::string> {
    auto outer = spawn_blocking([] { return spawn_blocking([] { return std::string("hello"); }); });
    auto inner = (co_await outer).value();
    co_return (co_await inner).value();
  });
  EXPECT_EQ(out, "hello");
}

TEST_P(rt_common, sleep_from_blocking) {
  Runtime rt = runtime();
  rt.block_on([]() -> Task<void> {
    auto handle = spawn_blocking([] {
      const auto begin = std::chrono::steady_clock::now();
      foreign_block_on([]() -> Task<void> { co_await sleep(10ms); });
      return std::chrono::steady_clock::now() - begin;
    });
    EXPECT_GE((co_await handle).value(), 10ms);
  });
}

TEST_P(rt_common, always_active_parker) {
  // Whoever of the two roots drives the timers must hand that on when it leaves.
  Runtime rt = runtime();
  const auto sleep_for = [&rt](std::chrono::milliseconds duration) {
    rt.block_on([duration]() -> Task<void> { co_await sleep(duration); });
  };
  for (int round = 0; round < 10; ++round) {
    std::thread other([&] { sleep_for(5ms); });
    sleep_for(2ms);
    other.join();
  }
}

TEST_P(rt_common, panic_in_task) {
  struct SendOnDrop {
    oneshot::Sender<int> sender;
    ~SendOnDrop() { send(sender, 1); }
  };
  Runtime rt = runtime();
  auto [sender, receiver] = oneshot::channel<int>();
  start_on(rt, [sender = std::move(sender)]() mutable -> Task<void> {
    SendOnDrop on_drop{std::move(sender)};
    co_await yield_now();
    throw std::runtime_error("boom");
  });
  EXPECT_TRUE(rt.block_on(receiver).has_value());
}

Task<void> throw_at_once() {
  throw std::runtime_error("boom");
  co_return;
}

TEST_P(rt_common, panic_in_block_on) {
  Runtime rt = runtime();
  EXPECT_THROW(rt.block_on(throw_at_once()), std::runtime_error);
  EXPECT_EQ(rt.block_on(hello()), "hello");
}

TEST_P(rt_common, enter_and_spawn) {
  Runtime rt = runtime();
  auto handle = [&rt] {
    const EnterGuard guard = rt.enter();
    return spawn(hello());
  }();
  EXPECT_EQ(rt.block_on(handle).value(), "hello");
}

KAIDO_FLAVOURS(rt_common);

}  // namespace
}  // namespace kaido::parity
