/// tokio's rt_threaded.rs: block_in_place on the multi-thread runtime.
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/coop.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/sync/mpsc.h>
#include <kaido/sync/mutex.h>
#include <kaido/sync/oneshot.h>
#include <kaido/time.h>

#include "sdk/testing/probe.h"
#include "tests/tokio/poll_fn.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using namespace std::chrono_literals;

TEST(rt_threaded, blocking) {
  constexpr int kTasks = 1000;
  // Outlive the runtime, whose threads may still be leaving the waits.
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  std::atomic<int> blocked = 0;
  Runtime rt = multi_thread(4);
  for (int i = 0; i < 4; ++i) {
    start_on(rt, [&blocked, released]() -> Task<void> {
      block_in_place([&] {
        ++blocked;
        released.wait();
      });
      co_return;
    });
  }
  while (blocked != 4) std::this_thread::yield();
  std::atomic<int> count = 0;
  std::promise<void> done;
  for (int i = 0; i < kTasks; ++i) {
    start_on(rt, [&]() -> Task<void> {
      if (++count == kTasks) done.set_value();
      co_return;
    });
  }
  done.get_future().wait();
  release.set_value();
}

TEST(rt_threaded, coop_and_block_in_place) {
  Runtime rt = multi_thread(1);
  const int received = rt.block_on([]() -> Task<int> {
    auto [sender, receiver] = mpsc::channel<int>(1024);
    for (int i = 0; i < 1024; ++i) EXPECT_TRUE(sender.try_send(i).has_value());
    auto handle = spawn([receiver = std::move(receiver)]() mutable -> Task<int> {
      block_in_place([] {});
      // Within one poll: what is ready must come to an end, with the budget.
      int count = 0;
      co_await poll_fn([&](PollContext& context) {
        for (;;) {
          auto receive = receiver.recv();
          if (!receive.poll(context)) return true;
          static_cast<void>(receive.take());
          if (++count == 1024) return true;
        }
      });
      co_return count;
    });
    co_return (co_await handle).value();
  });
  EXPECT_EQ(received, 128);
}

TEST(rt_threaded, yield_after_block_in_place) {
  Runtime rt = multi_thread(1);
  auto handle = rt.spawn([]() -> Task<void> {
    block_in_place([] {
      Runtime inner = current_thread();
      inner.block_on([]() -> Task<void> { co_await yield_now(); });
    });
    co_await yield_now();
  });
  EXPECT_TRUE(rt.block_on(handle).has_value());
}

TEST(rt_threaded, hang_on_shutdown) {
  std::promise<void> never;
  const std::shared_future<void> broken = never.get_future().share();
  auto keeper = std::make_unique<std::promise<void>>(std::move(never));
  std::atomic<int> running = 0;
  {
    Runtime rt = multi_thread(4);
    start_on(rt, [&running, broken]() -> Task<void> {
      block_in_place([&] {
        ++running;
        broken.wait();  // Ends when the sleeper, who has the promise, is destroyed.
      });
      co_return;
    });
    start_on(rt, [&running, keeper = std::move(keeper)]() -> Task<void> {
      ++running;
      co_await pending();
    });
    while (running != 2) std::this_thread::yield();
  }
}

Task<void> block_here() {
  block_in_place([] {});
  co_return;
}

TEST(rt_threaded, test_block_in_place1) {
  Runtime rt = current_thread();
  auto handle = rt.spawn(block_here());
  EXPECT_TRUE(rt.block_on(handle).error().is_panic());
}

TEST(rt_threaded, test_block_in_place2) {
  Runtime rt = multi_thread(1);
  auto handle = rt.spawn(block_here());
  EXPECT_TRUE(rt.block_on(handle).has_value());
}

TEST(rt_threaded, test_block_in_place3) {
  Runtime rt = current_thread();
  EXPECT_THROW(rt.block_on(block_here()), std::logic_error);
}

TEST(rt_threaded, test_block_in_place4) {
  Runtime rt = multi_thread(1);
  EXPECT_NO_THROW(rt.block_on(block_here()));
}

TEST(rt_threaded, test_nested_block_in_place_with_block_on_between) {
  Runtime rt = RuntimeBuilder::new_multi_thread().worker_threads(1).max_blocking_threads(1).build().value();
  for (int round = 0; round < 100; ++round) {
    auto handle = rt.spawn([]() -> Task<void> {
      block_in_place([] { Handle::current().block_on(block_here()); });
      co_return;
    });
    EXPECT_TRUE(rt.block_on(handle).has_value());
  }
}

TEST(rt_threaded, yield_now_in_block_in_place) {
  Runtime rt = multi_thread(1);
  auto handle = rt.spawn([]() -> Task<void> {
    block_in_place([] { Handle::current().block_on([]() -> Task<void> { co_await yield_now(); }); });
    co_return;
  });
  EXPECT_TRUE(rt.block_on(handle).has_value());
}

TEST(rt_threaded, mutex_in_block_in_place) {
  constexpr int kLocks = 129;  // More than one poll's budget.
  Runtime rt = multi_thread(1);
  auto handle = rt.spawn([]() -> Task<int> {
    co_return block_in_place([] {
      return Handle::current().block_on([]() -> Task<int> {
        Mutex<int> mutex(0);
        for (int i = 0; i < kLocks; ++i) {
          auto guard = co_await mutex.lock();
          ++*guard;
        }
        auto guard = co_await mutex.lock();
        co_return *guard;
      });
    });
  });
  EXPECT_EQ(rt.block_on(handle).value(), kLocks);
}

}  // namespace
}  // namespace kaido::parity
