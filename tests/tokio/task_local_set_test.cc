// LocalSet: where its tasks run, and who drives them. Its end, wake-ups and errors: task_local_set_2_test.cc.
#include <algorithm>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/coop.h>
#include <kaido/local_set.h>
#include <kaido/spawn.h>
#include <kaido/sync/mpsc.h>
#include <kaido/time.h>

#include "tests/tokio/task_support.h"

namespace kaido::parity {
namespace {

using std::chrono::milliseconds;

std::thread::id here() { return std::this_thread::get_id(); }

// What runs on a worker, and is to see another thread than `local`.
Task<void> run_elsewhere(std::thread::id local) {
  auto elsewhere = co_await spawn([]() -> Task<std::thread::id> { co_return here(); });
  EXPECT_NE(elsewhere.value(), local);
}

TEST(task_local_set, local_current_thread_scheduler) {
  current_thread().block_on([]() -> Task<void> {
    const LocalSet local;
    co_await local.run_until([]() -> Task<void> {
      auto result = co_await spawn_local([]() -> Task<int> { co_return 1; });
      EXPECT_EQ(result.value(), 1);
    });
  });
}

TEST(task_local_set, local_threadpool) {
  const std::thread::id thread = here();
  multi_thread(2).block_on([thread]() -> Task<void> {
    const LocalSet local;
    co_await local.run_until([thread]() -> Task<void> {
      co_await run_elsewhere(thread);
      auto result = co_await spawn_local([thread]() -> Task<void> {
        EXPECT_EQ(here(), thread);
        co_await yield_now();
        EXPECT_EQ(here(), thread);
      });
      EXPECT_TRUE(result.ok());
    });
  });
}

TEST(task_local_set, localset_future_threadpool) {
  const std::thread::id thread = here();
  int ran = 0;
  multi_thread(2).block_on([&]() -> Task<void> {
    LocalSet local;
    static_cast<void>(local.spawn_local([&]() -> Task<void> {
      EXPECT_EQ(here(), thread);
      co_await run_elsewhere(thread);
      EXPECT_EQ(here(), thread);
      ++ran;
    }));
    co_await local;
  });
  EXPECT_EQ(ran, 1);
}

TEST(task_local_set, localset_future_timers) {
  int ran = 0;
  current_thread().block_on([&]() -> Task<void> {
    LocalSet local;
    for (int i = 5; i <= 10; i += 5) {
      static_cast<void>(local.spawn_local([&ran, i]() -> Task<void> {
        co_await sleep(milliseconds(i));
        ++ran;
      }));
    }
    co_await local;
  });
  EXPECT_EQ(ran, 2);
}

TEST(task_local_set, localset_future_drives_all_local_futs) {
  int ran = 0;
  current_thread().block_on([&]() -> Task<void> {
    LocalSet local;
    static_cast<void>(local.spawn_local([&]() -> Task<void> {
      static_cast<void>(spawn_local([&]() -> Task<void> {
        co_await yield_now();
        ++ran;
      }));
      ++ran;
      co_return;
    }));
    static_cast<void>(local.spawn_local([&]() -> Task<void> {
      co_await yield_now();
      ++ran;
    }));
    co_await local;
  });
  EXPECT_EQ(ran, 3);
}

TEST(task_local_set, local_threadpool_timer) {
  const std::thread::id thread = here();
  multi_thread(2).block_on([thread]() -> Task<void> {
    const LocalSet local;
    co_await local.run_until([thread]() -> Task<void> {
      auto result = co_await spawn_local([thread]() -> Task<void> {
        EXPECT_EQ(here(), thread);
        co_await sleep(milliseconds(5));
        EXPECT_EQ(here(), thread);
      });
      EXPECT_TRUE(result.ok());
    });
  });
}

TEST(task_local_set, enter_guard_spawn) {
  LocalSet local;
  auto handle = [&] {
    const LocalEnterGuard guard = local.enter();
    return spawn_local([]() -> Task<bool> { co_return true; });
  }();
  const Runtime runtime = current_thread();
  local.block_on(runtime, [&]() -> Task<void> {
    auto result = co_await handle;
    EXPECT_TRUE(result.value());
  });
}

void expect_no_blocking_in_place() {
  EXPECT_THROW(block_in_place([] {}), std::logic_error);
}

Task<void> block_in_place_in_task() {
  auto result = co_await spawn_local([]() -> Task<void> {
    expect_no_blocking_in_place();
    co_return;
  });
  EXPECT_TRUE(result.ok());
}

Task<void> block_in_place_in_root() {
  expect_no_blocking_in_place();
  co_return;
}

TEST(task_local_set, block_in_place_cases__local_threadpool_blocking_in_place) {
  const Runtime runtime = current_thread();
  LocalSet().block_on(runtime, block_in_place_in_task());
}
TEST(task_local_set, block_in_place_cases__block_in_place_in_run_until_mt) {
  multi_thread(1).block_on([]() -> Task<void> {
    const LocalSet local;
    co_await local.run_until(block_in_place_in_root());
    // Outside of the set it is allowed, as ever.
    block_in_place([] {});
  });
}
TEST(task_local_set, block_in_place_cases__block_in_place_in_spawn_local_mt) {
  multi_thread(1).block_on([]() -> Task<void> {
    const LocalSet local;
    co_await local.run_until(block_in_place_in_task());
  });
}
TEST(task_local_set, block_in_place_cases__block_in_place_in_run_until_ct) {
  current_thread().block_on([]() -> Task<void> {
    const LocalSet local;
    co_await local.run_until(block_in_place_in_root());
  });
}
TEST(task_local_set, block_in_place_cases__block_in_place_in_spawn_local_ct) {
  current_thread().block_on([]() -> Task<void> {
    const LocalSet local;
    co_await local.run_until(block_in_place_in_task());
  });
}

TEST(task_local_set, local_threadpool_blocking_run) {
  const std::thread::id thread = here();
  multi_thread(2).block_on([thread]() -> Task<void> {
    const LocalSet local;
    co_await local.run_until([thread]() -> Task<void> {
      auto result = co_await spawn_local([thread]() -> Task<void> {
        EXPECT_EQ(here(), thread);
        auto elsewhere = co_await spawn_blocking(&here);
        EXPECT_NE(elsewhere.value(), thread);
        EXPECT_EQ(here(), thread);
      });
      EXPECT_TRUE(result.ok());
    });
  });
}

TEST(task_local_set, all_spawns_are_local) {
  const std::thread::id thread = here();
  multi_thread(2).block_on([thread]() -> Task<void> {
    const LocalSet local;
    co_await local.run_until([thread]() -> Task<void> {
      std::vector<JoinHandle<void>> handles;
      for (int i = 0; i < 128; ++i) {
        handles.push_back(spawn_local([thread]() -> Task<void> {
          EXPECT_EQ(here(), thread);
          co_return;
        }));
      }
      for (auto& handle : handles) {
        auto result = co_await handle;
        EXPECT_TRUE(result.ok());
      }
    });
  });
}

Task<void> nest(std::thread::id thread, int depth) {
  EXPECT_EQ(here(), thread);
  if (depth == 0) co_return;
  auto inner = co_await spawn_local(nest(thread, depth - 1));
  EXPECT_TRUE(inner.ok());
}

TEST(task_local_set, nested_spawn_is_local) {
  const std::thread::id thread = here();
  multi_thread(2).block_on([thread]() -> Task<void> {
    const LocalSet local;
    co_await local.run_until(nest(thread, 4));
  });
}

TEST(task_local_set, join_local_future_elsewhere) {
  const std::thread::id thread = here();
  multi_thread(2).block_on([thread]() -> Task<void> {
    const LocalSet local;
    co_await local.run_until([thread]() -> Task<void> {
      auto [sender, receiver] = mpsc::channel<int>(1);
      auto local_handle = spawn_local([thread, receiver = std::move(receiver)]() mutable -> Task<int> {
        auto received = co_await receiver.recv();
        EXPECT_EQ(here(), thread);
        co_return received.value_or(0);
      });
      auto elsewhere = spawn([local_handle = std::move(local_handle)]() mutable -> Task<int> {
        auto result = co_await local_handle;
        co_return result.value();
      });
      auto sent = co_await sender.send(7);
      EXPECT_TRUE(sent.has_value());
      auto result = co_await elsewhere;
      EXPECT_EQ(result.value(), 7);
    });
  });
}

TEST(task_local_set, local_tasks_wake_join_all) {
  const std::thread::id thread = here();
  const Runtime runtime = current_thread();
  LocalSet().block_on(runtime, [thread]() -> Task<void> {
    auto outer = co_await spawn_local([thread]() -> Task<int> {
      std::vector<JoinHandle<int>> handles;
      for (int i = 0; i < 128; ++i) {
        handles.push_back(spawn_local([thread, i]() -> Task<int> {
          EXPECT_EQ(here(), thread);
          co_await yield_now();
          co_return i;
        }));
      }
      int sum = 0;
      for (auto& handle : handles) {
        auto result = co_await handle;
        sum += result.value();
      }
      co_return sum;
    });
    EXPECT_EQ(outer.value(), 127 * 64);
  });
}

TEST(task_local_set, local_tasks_are_polled_after_tick) {
  // More tasks than a tick runs, which ordinary tasks wake in two rounds.
  static constexpr int kTasks = 500;
  int received = 0;
  const Runtime runtime = current_thread();
  LocalSet().block_on(runtime, [&received]() -> Task<void> {
    auto [done_sender, done] = mpsc::unbounded_channel<int>();
    std::vector<mpsc::UnboundedSender<int>> senders;
    for (int i = 0; i < kTasks; ++i) {
      auto [to_task, from_test] = mpsc::unbounded_channel<int>();
      senders.push_back(to_task);
      static_cast<void>(
          spawn_local([&received, from_test = std::move(from_test), done_sender = done_sender]() mutable -> Task<void> {
            for (int round = 0; round < 2; ++round) {
              auto message = co_await from_test.recv();
              if (message) ++received;
            }
            static_cast<void>(done_sender.send(1));
          }));
    }
    const auto send_all = [&senders]() -> Task<void> {
      for (const auto& to_task : senders) static_cast<void>(to_task.send(1));
      co_return;
    };
    auto sent = co_await spawn(send_all);
    EXPECT_TRUE(sent.ok());
    for (const auto& to_task : senders) static_cast<void>(to_task.send(2));
    for (int i = 0; i < kTasks; ++i) static_cast<void>(co_await done.recv());
  });
  EXPECT_EQ(received, 2 * kTasks);
}

}  // namespace
}  // namespace kaido::parity
