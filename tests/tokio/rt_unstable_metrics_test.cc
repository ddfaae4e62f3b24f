/// tokio's rt_unstable_metrics.rs: counters. The histograms are in the file beside this one.
#include <atomic>
#include <chrono>
#include <future>
#include <optional>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/coop.h>
#include <kaido/join.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/time.h>

#include "tests/tokio/poll_fn.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using namespace std::chrono_literals;

Task<void> nothing() { co_return; }

template <typename F>
void eventually(F condition) {
  while (!condition()) std::this_thread::yield();
}

/// The sum over the workers.
template <typename F>
std::uint64_t sum(const RuntimeMetrics& metrics, F count) {
  std::uint64_t total = 0;
  for (std::size_t worker = 0; worker < metrics.num_workers(); ++worker) total += count(worker);
  return total;
}

TEST(rt_unstable_metrics, num_workers) {
  EXPECT_EQ(current_thread().metrics().num_workers(), 1u);
  EXPECT_EQ(multi_thread(2).metrics().num_workers(), 2u);
}

TEST(rt_unstable_metrics, num_blocking_threads) {
  for (Flavour flavour : {Flavour::kCurrentThread, Flavour::kMultiThread4}) {
    Runtime rt = make_runtime(flavour);
    EXPECT_EQ(rt.metrics().num_blocking_threads(), 0u);
    auto handle = rt.spawn_blocking([] {});
    EXPECT_TRUE(rt.block_on(handle).has_value());
    EXPECT_EQ(rt.metrics().num_blocking_threads(), 1u);
  }
}

TEST(rt_unstable_metrics, num_idle_blocking_threads) {
  Runtime rt = current_thread();
  EXPECT_EQ(rt.metrics().num_idle_blocking_threads(), 0u);
  auto handle = rt.spawn_blocking([] {});
  EXPECT_TRUE(rt.block_on(handle).has_value());
  eventually([&] { return rt.metrics().num_idle_blocking_threads() == 1; });
}

TEST(rt_unstable_metrics, num_idle_blocking_threads_is_zero_after_shutdown) {
  std::optional<Runtime> rt(current_thread());
  const RuntimeMetrics metrics = rt->metrics();
  auto handle = rt->spawn_blocking([] {});
  EXPECT_TRUE(rt->block_on(handle).has_value());
  eventually([&] { return metrics.num_idle_blocking_threads() == 1; });
  rt.reset();
  EXPECT_EQ(metrics.num_idle_blocking_threads(), 0u);
  EXPECT_EQ(metrics.num_blocking_threads(), 0u);
  EXPECT_EQ(metrics.blocking_queue_depth(), 0u);
}

TEST(rt_unstable_metrics, blocking_queue_depth) {
  Runtime rt = RuntimeBuilder::new_current_thread().max_blocking_threads(1).build().value();
  std::promise<void> started;
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  auto first = rt.spawn_blocking([&started, released] {
    started.set_value();
    released.wait();
  });
  auto second = rt.spawn_blocking([] {});
  started.get_future().wait();
  EXPECT_EQ(rt.metrics().blocking_queue_depth(), 1u);
  release.set_value();
  EXPECT_TRUE(rt.block_on(first).has_value());
  EXPECT_TRUE(rt.block_on(second).has_value());
  EXPECT_EQ(rt.metrics().blocking_queue_depth(), 0u);
}

TEST(rt_unstable_metrics, spawned_tasks_count) {
  for (Flavour flavour : {Flavour::kCurrentThread, Flavour::kMultiThread4}) {
    Runtime rt = make_runtime(flavour);
    EXPECT_EQ(rt.metrics().spawned_tasks_count(), 0u);
    auto handle = rt.spawn(nothing());
    EXPECT_TRUE(rt.block_on(handle).has_value());
    EXPECT_EQ(rt.metrics().spawned_tasks_count(), 1u);
  }
}

TEST(rt_unstable_metrics, remote_schedule_count) {
  for (Flavour flavour : {Flavour::kCurrentThread, Flavour::kMultiThread4}) {
    Runtime rt = make_runtime(flavour);
    JoinHandle<void> handle;
    std::thread([&] { handle = rt.spawn(nothing()); }).join();
    EXPECT_TRUE(rt.block_on(handle).has_value());
    EXPECT_EQ(rt.metrics().remote_schedule_count(), 1u);
  }
}

TEST(rt_unstable_metrics, worker_thread_id_current_thread) {
  Runtime rt = current_thread();
  const RuntimeMetrics metrics = rt.metrics();
  EXPECT_EQ(metrics.worker_thread_id(0), std::nullopt);
  rt.block_on(nothing());
  EXPECT_EQ(metrics.worker_thread_id(0), std::this_thread::get_id());
  std::thread other([&rt] { rt.block_on(nothing()); });
  const std::thread::id other_id = other.get_id();
  other.join();
  EXPECT_EQ(metrics.worker_thread_id(0), other_id);
  rt.block_on(nothing());
  EXPECT_EQ(metrics.worker_thread_id(0), std::this_thread::get_id());
}

TEST(rt_unstable_metrics, worker_thread_id_threaded) {
  Runtime rt = multi_thread(1);
  const RuntimeMetrics metrics = rt.metrics();
  auto handle = rt.spawn([metrics]() -> Task<void> {
    const auto here = std::this_thread::get_id();
    EXPECT_EQ(metrics.worker_thread_id(0), here);
    // Another thread becomes the worker meanwhile.
    block_in_place([&] { eventually([&] { return metrics.worker_thread_id(0) != here; }); });
    co_return;
  });
  EXPECT_TRUE(rt.block_on(handle).has_value());
}

TEST(rt_unstable_metrics, worker_noop_count) {
  for (Flavour flavour : {Flavour::kCurrentThread, Flavour::kMultiThread4}) {
    Runtime rt = make_runtime(flavour);
    rt.block_on([]() -> Task<void> { co_await sleep(2ms); });
    const RuntimeMetrics metrics = rt.metrics();
    for (std::size_t worker = 0; worker < metrics.num_workers(); ++worker) {
      eventually([&] { return metrics.worker_noop_count(worker) > 0; });
      EXPECT_GT(metrics.worker_noop_count(worker), 0u);
    }
  }
}

TEST(rt_unstable_metrics, worker_steal_count) {
  // Without the slot a blocked parent's child can only run on the other worker, which steals it.
  std::optional<Runtime> rt(RuntimeBuilder::new_multi_thread().worker_threads(2).disable_lifo_slot().build().value());
  const RuntimeMetrics metrics = rt->metrics();
  auto parent = rt->spawn([]() -> Task<void> {
    std::promise<void> ran;
    auto child = spawn([&ran]() -> Task<void> {
      ran.set_value();
      co_return;
    });
    ran.get_future().wait();
    co_return;
  });
  EXPECT_TRUE(rt->block_on(parent).has_value());
  rt.reset();
  EXPECT_EQ(sum(metrics, [&](std::size_t worker) { return metrics.worker_steal_count(worker); }), 1u);
  EXPECT_EQ(sum(metrics, [&](std::size_t worker) { return metrics.worker_steal_operations(worker); }), 1u);
}

TEST(rt_unstable_metrics, worker_poll_count_and_time) {
  constexpr int kTasks = 5;
  for (Flavour flavour : {Flavour::kCurrentThread, Flavour::kMultiThread4}) {
    std::optional<Runtime> rt(make_runtime(flavour));
    const RuntimeMetrics metrics = rt->metrics();
    for (int i = 0; i < kTasks; ++i) {
      auto handle = rt->spawn(nothing());
      EXPECT_TRUE(rt->block_on(handle).has_value());
    }
    rt.reset();
    EXPECT_EQ(sum(metrics, [&](std::size_t worker) { return metrics.worker_poll_count(worker); }), 5u);
    EXPECT_FALSE(metrics.poll_time_histogram_enabled());
    EXPECT_EQ(metrics.poll_time_histogram_num_buckets(), 0u);
    EXPECT_THROW(static_cast<void>(metrics.poll_time_histogram_bucket_count(0, 0)), std::out_of_range);
    const auto mean = sum(metrics, [&](std::size_t worker) { return metrics.worker_mean_poll_time(worker).count(); });
    EXPECT_EQ(mean != 0, flavour != Flavour::kCurrentThread);
  }
}

TEST(rt_unstable_metrics, worker_local_schedule_count) {
  {
    std::optional<Runtime> rt(current_thread());
    const RuntimeMetrics metrics = rt->metrics();
    rt->block_on([]() -> Task<void> {
      auto handle = spawn(nothing());
      static_cast<void>(co_await handle);
    });
    rt.reset();
    EXPECT_EQ(metrics.worker_local_schedule_count(0), 1u);
    EXPECT_EQ(metrics.remote_schedule_count(), 0u);
  }
  std::optional<Runtime> rt(multi_thread(2));
  const RuntimeMetrics metrics = rt->metrics();
  auto outer = rt->spawn([]() -> Task<void> {
    auto inner = spawn(nothing());
    static_cast<void>(co_await inner);
  });
  EXPECT_TRUE(rt->block_on(outer).has_value());
  rt.reset();
  EXPECT_EQ(metrics.remote_schedule_count(), 1u);
  // The inner task; and the outer one, unless it was joined before it waited.
  const auto local = sum(metrics, [&](std::size_t worker) { return metrics.worker_local_schedule_count(worker); });
  EXPECT_GE(local, 1u);
  EXPECT_LE(local, 2u);
}

TEST(rt_unstable_metrics, worker_overflow_count) {
  std::optional<Runtime> rt(RuntimeBuilder::new_multi_thread().worker_threads(2).build().value());
  const RuntimeMetrics metrics = rt->metrics();
  std::promise<void> blocks;
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  // One worker is blocked, so that nobody steals from the other.
  start_on(*rt, [&blocks, released]() -> Task<void> {
    blocks.set_value();
    released.wait();
    co_return;
  });
  blocks.get_future().wait();
  auto handle = rt->spawn([]() -> Task<void> {
    for (int i = 0; i < 300; ++i) start(nothing());
    co_return;
  });
  EXPECT_TRUE(rt->block_on(handle).has_value());
  release.set_value();
  rt.reset();
  EXPECT_EQ(sum(metrics, [&](std::size_t worker) { return metrics.worker_overflow_count(worker); }), 1u);
}

TEST(rt_unstable_metrics, worker_local_queue_depth) {
  constexpr std::size_t kTasks = 100;
  {
    Runtime rt = current_thread();
    rt.block_on([metrics = rt.metrics()]() -> Task<void> {
      for (std::size_t i = 0; i < 100; ++i) start(nothing());
      EXPECT_EQ(metrics.worker_local_queue_depth(0), 100u);
      co_return;
    });
  }
  Runtime rt = multi_thread(2);
  const RuntimeMetrics metrics = rt.metrics();
  std::promise<void> blocks;
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  auto blocker = rt.spawn([&blocks, released]() -> Task<void> {
    blocks.set_value();
    released.wait();
    co_return;
  });
  blocks.get_future().wait();
  auto handle = rt.spawn([metrics, count = kTasks]() -> Task<void> {
    for (std::size_t i = 0; i < count; ++i) start(nothing());
    start(nothing());  // Takes the slot, which does not count.
    const std::size_t worker = worker_index().value();
    EXPECT_EQ(metrics.worker_local_queue_depth(worker), count);
    co_return;
  });
  EXPECT_TRUE(rt.block_on(handle).has_value());
  release.set_value();
  EXPECT_TRUE(rt.block_on(blocker).has_value());
}

/// Uses up the budget of one poll, then is ready at the next.
auto exhaust_once(bool& was_exhausted) {
  return poll_fn([&was_exhausted](PollContext& context) {
    if (was_exhausted) return true;
    for (;;) {
      auto progress = poll_proceed(context);
      if (!progress) {
        was_exhausted = true;
        return false;
      }
      progress->made_progress();
    }
  });
}

TEST(rt_unstable_metrics, budget_exhaustion_yield) {
  Runtime rt = current_thread();
  EXPECT_EQ(rt.metrics().budget_forced_yield_count(), 0u);
  rt.block_on([]() -> Task<void> {
    bool was_exhausted = false;
    co_await exhaust_once(was_exhausted);
  });
  EXPECT_EQ(rt.metrics().budget_forced_yield_count(), 1u);
}

TEST(rt_unstable_metrics, budget_exhaustion_yield_with_joins) {
  Runtime rt = current_thread();
  rt.block_on([]() -> Task<void> {
    bool first = false;
    bool second = false;
    co_await join(exhaust_once(first), exhaust_once(second));
  });
  EXPECT_EQ(rt.metrics().budget_forced_yield_count(), 1u);
}

}  // namespace
}  // namespace kaido::parity
