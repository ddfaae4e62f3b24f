/// tokio's rt_metrics.rs: the counters that are part of the stable interface.
#include <atomic>
#include <chrono>
#include <future>
#include <optional>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/time.h>

#include "tests/tokio/poll_fn.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using namespace std::chrono_literals;

Task<void> nothing() { co_return; }
Task<void> sleep_1ms() { co_await sleep(1ms); }

/// Counters are read from outside: they get there, but when is the worker's matter.
template <typename F>
void eventually(F condition) {
  while (!condition()) std::this_thread::yield();
}

TEST(rt_metrics, num_workers) {
  EXPECT_EQ(current_thread().metrics().num_workers(), 1u);
  EXPECT_EQ(multi_thread(2).metrics().num_workers(), 2u);
}

void check_num_alive_tasks(Runtime rt) {
  const RuntimeMetrics metrics = rt.metrics();
  EXPECT_EQ(metrics.num_alive_tasks(), 0u);
  auto handle = rt.spawn([&metrics]() -> Task<void> {
    EXPECT_EQ(metrics.num_alive_tasks(), 1u);
    co_return;
  });
  EXPECT_TRUE(rt.block_on(handle).has_value());
  eventually([&] { return metrics.num_alive_tasks() == 0; });
}

TEST(rt_metrics, num_alive_tasks) {
  check_num_alive_tasks(current_thread());
  check_num_alive_tasks(multi_thread(2));
}

TEST(rt_metrics, global_queue_depth_current_thread) {
  Runtime rt = current_thread();
  std::thread([&rt] { start_on(rt, nothing()); }).join();
  EXPECT_EQ(rt.metrics().global_queue_depth(), 1u);
}

TEST(rt_metrics, global_queue_depth_multi_thread) {
  Runtime rt = multi_thread(2);
  std::atomic<int> blocked = 0;
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  for (int i = 0; i < 2; ++i) {
    start_on(rt, [&blocked, released]() -> Task<void> {
      ++blocked;
      released.wait();
      co_return;
    });
  }
  eventually([&] { return blocked == 2; });
  for (std::size_t depth = 1; depth <= 5; ++depth) {
    start_on(rt, nothing());
    EXPECT_EQ(rt.metrics().global_queue_depth(), depth);
  }
  release.set_value();
}

TEST(rt_metrics, worker_total_busy_duration) {
  for (Flavour flavour : {Flavour::kCurrentThread, Flavour::kMultiThread4}) {
    std::optional<Runtime> rt(make_runtime(flavour));
    const RuntimeMetrics metrics = rt->metrics();
    rt->block_on([]() -> Task<void> {
      for (int i = 0; i < 10; ++i) {
        auto handle = spawn(nothing());
        static_cast<void>(co_await handle);
      }
    });
    rt.reset();
    for (std::size_t worker = 0; worker < metrics.num_workers(); ++worker) {
      EXPECT_GT(metrics.worker_total_busy_duration(worker), 0ns);
    }
  }
}

TEST(rt_metrics, worker_park_count) {
  for (Flavour flavour : {Flavour::kCurrentThread, Flavour::kMultiThread4}) {
    Runtime rt = make_runtime(flavour);
    const RuntimeMetrics metrics = rt.metrics();
    rt.block_on(sleep_1ms());
    for (std::size_t worker = 0; worker < metrics.num_workers(); ++worker) {
      eventually([&] { return metrics.worker_park_count(worker) >= 1; });
      EXPECT_GE(metrics.worker_park_count(worker), 1u);
    }
    EXPECT_THROW(static_cast<void>(metrics.worker_park_count(metrics.num_workers())), std::out_of_range);
  }
}

TEST(rt_metrics, worker_park_unpark_count) {
  {
    std::optional<Runtime> rt(current_thread());
    const RuntimeMetrics metrics = rt->metrics();
    rt->block_on(sleep_1ms());
    rt.reset();
    EXPECT_GE(metrics.worker_park_unpark_count(0), 2u);
    EXPECT_EQ(metrics.worker_park_unpark_count(0) % 2, 0u);
  }
  std::optional<Runtime> rt(multi_thread(2));
  const RuntimeMetrics metrics = rt->metrics();
  eventually([&] { return metrics.worker_park_unpark_count(0) == 1 && metrics.worker_park_unpark_count(1) == 1; });
  auto handle = rt->spawn(nothing());
  EXPECT_TRUE(rt->block_on(handle).has_value());
  // One of them was woken, and parks again.
  eventually([&] { return metrics.worker_park_unpark_count(0) + metrics.worker_park_unpark_count(1) >= 4; });
  rt.reset();
  EXPECT_EQ(metrics.worker_park_unpark_count(0) % 2, 0u);
  EXPECT_EQ(metrics.worker_park_unpark_count(1) % 2, 0u);
}

}  // namespace
}  // namespace kaido::parity
