/// tokio's task_hooks.rs: what hooks learn of the tasks of a runtime.
#include <algorithm>
#include <chrono>
#include <future>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/spawn.h>

#include "tests/tokio/poll_fn.h"

namespace kaido::parity {
namespace {

using namespace std::chrono_literals;
using Latency = std::optional<std::chrono::nanoseconds>;

constexpr int kTasks = 8;

Task<void> nothing() { co_return; }

/// What hooks saw.
class Seen {
 public:
  void add(const TaskMeta& meta) {
    std::scoped_lock lock(mutex_);
    ids_.insert(meta.id().value());
    files_.push_back(meta.spawned_at().file_name());
    latencies_.push_back(meta.schedule_latency());
  }
  [[nodiscard]] TaskHook hook() {
    return [this](const TaskMeta& meta) { add(meta); };
  }
  std::size_t count() {
    std::scoped_lock lock(mutex_);
    return files_.size();
  }
  std::size_t distinct_ids() {
    std::scoped_lock lock(mutex_);
    return ids_.size();
  }
  std::vector<std::string> files() {
    std::scoped_lock lock(mutex_);
    return files_;
  }
  std::vector<Latency> latencies() {
    std::scoped_lock lock(mutex_);
    return latencies_;
  }

 private:
  std::mutex mutex_;
  std::set<std::uint64_t> ids_;
  std::vector<std::string> files_;
  std::vector<Latency> latencies_;
};

TEST(task_hooks, spawn_task_hook_fires) {
  Seen seen;
  Runtime rt = RuntimeBuilder::new_current_thread().on_task_spawn(seen.hook()).build().value();
  for (int i = 0; i < kTasks; ++i) start_on(rt, nothing());
  EXPECT_EQ(seen.count(), 8u);  // Nothing has run yet.
  EXPECT_EQ(seen.distinct_ids(), 8u);
}

TEST(task_hooks, terminate_task_hook_fires) {
  Seen seen;
  Runtime rt = RuntimeBuilder::new_current_thread().on_task_terminate(seen.hook()).build().value();
  for (int i = 0; i < kTasks; ++i) start_on(rt, nothing());
  rt.block_on([]() -> Task<void> { co_await yield_now(); });
  EXPECT_EQ(seen.count(), 8u);
  EXPECT_EQ(seen.distinct_ids(), 8u);
}

void check_location(RuntimeBuilder builder) {
  Seen spawned;
  Seen before;
  Seen after;
  Seen ended;
  {
    Runtime rt = builder.on_task_spawn(spawned.hook())
                     .on_before_task_poll(before.hook())
                     .on_after_task_poll(after.hook())
                     .on_task_terminate(ended.hook())
                     .build()
                     .value();
    auto on_runtime = rt.spawn(nothing());
    auto in_task = rt.spawn([]() -> Task<void> {
      auto inner = spawn(nothing());
      static_cast<void>(co_await inner);
    });
    EXPECT_TRUE(rt.block_on(on_runtime).has_value());
    EXPECT_TRUE(rt.block_on(in_task).has_value());
  }
  EXPECT_EQ(spawned.count(), 3u);
  EXPECT_EQ(before.count(), after.count());
  EXPECT_GE(before.count(), 3u);
  for (Seen* seen : {&spawned, &before, &after}) {
    for (const std::string& file : seen->files()) EXPECT_NE(file.find("task_hooks_test.cc"), std::string::npos) << file;
  }
  const auto files = ended.files();
  EXPECT_EQ(std::count_if(files.begin(), files.end(),
                          [](const std::string& file) { return file.find("task_hooks_test.cc") != std::string::npos; }),
            3);
}

TEST(task_hooks, task_hook_spawn_location_current_thread) { check_location(RuntimeBuilder::new_current_thread()); }

TEST(task_hooks, task_hook_spawn_location_multi_thread) {
  check_location(RuntimeBuilder::new_multi_thread().worker_threads(2));
}

TEST(task_hooks, task_hook_schedule_latency_non_poll_callbacks) {
  Seen seen;
  {
    Runtime rt = RuntimeBuilder::new_current_thread()
                     .track_task_schedule_latency()
                     .on_task_spawn(seen.hook())
                     .on_task_terminate(seen.hook())
                     .build()
                     .value();
    auto handle = rt.spawn(nothing());
    EXPECT_TRUE(rt.block_on(handle).has_value());
  }
  EXPECT_EQ(seen.count(), 2u);
  for (const Latency& latency : seen.latencies()) EXPECT_EQ(latency, std::nullopt);
}

TEST(task_hooks, task_hook_schedule_latency_disabled) {
  Seen seen;
  Runtime rt = RuntimeBuilder::new_current_thread()
                   .on_before_task_poll(seen.hook())
                   .on_after_task_poll(seen.hook())
                   .build()
                   .value();
  auto handle = rt.spawn(nothing());
  EXPECT_TRUE(rt.block_on(handle).has_value());
  EXPECT_EQ(seen.count(), 2u);
  for (const Latency& latency : seen.latencies()) EXPECT_EQ(latency, std::nullopt);
}

/// Occupies the thread.
void stall_30ms() { std::this_thread::sleep_for(30ms); }

void expect_latency_above_25ms(Seen& before, Seen& after) {
  const auto measured = before.latencies();
  EXPECT_EQ(measured, after.latencies());
  EXPECT_TRUE(
      std::all_of(measured.begin(), measured.end(), [](const Latency& latency) { return latency.has_value(); }));
  EXPECT_TRUE(std::any_of(measured.begin(), measured.end(), [](const Latency& latency) { return *latency >= 25ms; }));
}

TEST(task_hooks, task_hook_schedule_latency_current_thread) {
  Seen before;
  Seen after;
  Runtime rt = RuntimeBuilder::new_current_thread()
                   .track_task_schedule_latency()
                   .on_before_task_poll(before.hook())
                   .on_after_task_poll(after.hook())
                   .build()
                   .value();
  rt.block_on([]() -> Task<void> {
    auto handle = spawn(nothing());
    stall_30ms();
    static_cast<void>(co_await handle);
  });
  expect_latency_above_25ms(before, after);
}

void check_latency_multi_thread(bool from_slot) {
  Seen before;
  Seen after;
  {
    Runtime rt = RuntimeBuilder::new_multi_thread()
                     .worker_threads(1)
                     .track_task_schedule_latency()
                     .on_before_task_poll(before.hook())
                     .on_after_task_poll(after.hook())
                     .build()
                     .value();
    // Behind a task that blocks: queued from outside, or in the slot.
    std::promise<void> runs;
    std::promise<void> queued;
    auto blocker = rt.spawn([from_slot, &runs, &queued]() -> Task<void> {
      if (from_slot) start(nothing());
      runs.set_value();
      queued.get_future().wait();
      stall_30ms();
      co_return;
    });
    runs.get_future().wait();
    std::optional<JoinHandle<void>> behind;
    if (!from_slot) behind.emplace(rt.spawn(nothing()));
    queued.set_value();
    if (behind) {
      EXPECT_TRUE(rt.block_on(*behind).has_value());
    }
    EXPECT_TRUE(rt.block_on(blocker).has_value());
  }
  expect_latency_above_25ms(before, after);
}

TEST(task_hooks, task_hook_schedule_latency_multi_thread) { check_latency_multi_thread(false); }

TEST(task_hooks, task_hook_schedule_latency_multi_thread_lifo) { check_latency_multi_thread(true); }

}  // namespace
}  // namespace kaido::parity
