/// RuntimeCore: the inner part of a Runtime, shared by the Runtime object, handles, threads and tasks.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <kaido/detail/task_header.h>
#include <kaido/handle.h>
#include <kaido/runtime.h>

#include "sdk/runtime/blocking_pool.h"
#include "sdk/runtime/core_link.h"
#include "sdk/runtime/driver.h"
#include "sdk/runtime/futex.h"
#include "sdk/runtime/histogram.h"
#include "sdk/runtime/owned_tasks.h"
#include "sdk/runtime/scheduler.h"
#include "sdk/runtime/shared_driver.h"
#include "sdk/runtime/standby.h"
#include "sdk/runtime/task_queue.h"
#include "sdk/runtime/thread_state.h"
#include "sdk/runtime/turn_hooks.h"
#include "sdk/runtime/worker_metrics.h"
#include "sdk/time/clock.h"

namespace kaido::inline abi0::detail {

/// The flavours implement scheduling; what they share is here.
///
/// Threading: thread-safe.
/// Lifetime: counted references. Tasks and wakers may outlive the Runtime; after shut_down() nothing runs any more.
class RuntimeCore : public Scheduler {
 public:
  explicit RuntimeCore(RuntimeOptions runtime_options);

  [[nodiscard]] bool bind(TaskHeader& task) noexcept final { return owned.insert(task); }
  [[nodiscard]] bool release(TaskHeader& task) noexcept final { return owned.remove(task); }
  void drain_started() noexcept final { draining.fetch_add(1, std::memory_order_relaxed); }
  void drain_ended() noexcept final {
    // Whoever ends the scheduler waits for the last one.
    if (draining.fetch_sub(1, std::memory_order_acq_rel) == 1) driver.unpark();
  }
  void task_ended(const TaskHeader& task) noexcept final;
  /// Queues tasks from another thread, with the queue's references, and empties `tasks`.
  virtual void schedule_remote(TaskQueue& tasks) noexcept = 0;
  /// Drives `root` on this thread.
  virtual void block_on(Root& root) = 0;
  void shut_down(std::optional<std::chrono::nanoseconds> limit) noexcept;
  /// What shut_down() does once the stand-by no longer uses the driver.
  void end(std::optional<std::chrono::nanoseconds> limit) noexcept;
  /// For whoever ends the scheduler: runs handlers until a frame that waits for a foreign operation may be free of it.
  /// False when none waits, or when shutdown has waited as long as it may.
  [[nodiscard]] bool wait_for_drain() noexcept;
  /// For the last thread of the pool: a task that blocked in place while the workers ended may wait for a foreign
  /// operation since, and no worker is left to complete it.
  void drain_after_workers() noexcept;

  /// Whether any thread runs its tasks now: a current-thread runtime's stand still outside of block_on.
  [[nodiscard]] virtual bool is_driven() noexcept = 0;
  /// From now on sockets and timers are looked after although every thread is busy. Only for those who need it, since
  /// it costs a thread.
  void start_standby() noexcept;

  /// Tasks in the queue that all workers share.
  [[nodiscard]] virtual std::size_t global_queue_depth() const noexcept = 0;
  [[nodiscard]] virtual std::uint64_t remote_schedules() const noexcept = 0;
  [[nodiscard]] virtual std::size_t local_queue_depth(std::size_t worker) const noexcept = 0;

  /// A local runtime (RuntimeBuilder::build_local) on the thread that made it.
  [[nodiscard]] bool is_local_here() const noexcept { return options.is_local && owner_ == this_thread_number(); }
  /// A local runtime on another thread.
  [[nodiscard]] bool is_local_elsewhere() const noexcept { return options.is_local && owner_ != this_thread_number(); }

  /// The seed of the next root or worker.
  [[nodiscard]] std::uint64_t next_seed() noexcept;
  /// How many of the pool's threads are workers.
  [[nodiscard]] std::size_t workers_in_pool() const noexcept {
    return options.flavor == RuntimeFlavor::kMultiThread ? options.worker_threads : 0;
  }
  /// Polls the task. Hooks and measurements cost one branch where there are none.
  void run_task(TaskHeader& task, Budget& budget, WorkerMetrics& metrics) noexcept {
    if (observes_polls_) {
      run_observed(task, budget, metrics);
    } else {
      task.run(budget);
    }
  }
  /// To be called when a task is queued.
  void note_scheduled(TaskHeader& task) const noexcept {
    if (measures_latency_) task.note_scheduled();
  }

  const RuntimeOptions options;
  const RuntimeId id;
  const std::optional<Histogram> poll_time_histogram;
  const std::optional<Histogram> schedule_latency_histogram;
  std::vector<std::unique_ptr<WorkerMetrics>> worker_metrics;
  std::atomic<std::uint64_t> forced_yields = 0;
  /// Cancelled tasks whose frame cannot go yet, because a foreign operation uses its memory: each is queued when it may
  /// be asked again, and shutdown drives queues and driver until none is left.
  std::atomic<std::size_t> draining = 0;
  RuntimeClock clock;
  CoreLinkEnd link;  // Before the driver, whose context it names until that is gone.
  Driver driver;
  SharedDriver shared_driver{driver};
  OwnedTasks owned;
  TurnHooks hooks;
  BlockingPool blocking;

 protected:
  ~RuntimeCore() override { link.get()->forget_core(); }
  /// Ends scheduling: destroys every task, or tells the workers to.
  virtual void stop_scheduler() noexcept = 0;

 private:
  [[nodiscard]] std::unique_ptr<StandBy> take_standby() noexcept;
  void run_observed(TaskHeader& task, Budget& budget, WorkerMetrics& metrics) noexcept;

  const std::uint64_t owner_ = this_thread_number();
  std::optional<std::chrono::steady_clock::time_point> drain_until_;  // Set by shut_down(); nothing: for ever.
  const bool measures_latency_;
  const bool observes_polls_;
  const std::uint64_t seed_;
  std::atomic<std::uint64_t> seeds_given_ = 0;

  std::mutex standby_mutex_;  // Guards the next two.
  std::unique_ptr<StandBy> standby_;
  bool is_shut_down_ = false;
};

/// How often a turn must end even if there is always work, in polls of tasks.
inline constexpr std::uint32_t kPollsPerTurn = 256;

/// The root of a block_on that drives nothing: waits on its thread.
class ThreadWaker final : public WakeTarget {
 public:
  ThreadWaker() noexcept : WakeTarget(kOneRef) {}
  void wake_by_ref() noexcept override {
    if (wake_.exchange(kWoken, std::memory_order_acq_rel) == kSleeps) futex_wake_one(&wake_);
  }
  /// True once per wake; true at first.
  [[nodiscard]] bool take_wake() noexcept { return wake_.exchange(kIdle, std::memory_order_acq_rel) == kWoken; }
  /// Looks a while, since who sends one message mostly sends another; then sleeps. std::atomic::wait() would give the
  /// processor away several times in between, and on a busy machine get it back late.
  void wait() noexcept;

 private:
  static constexpr std::uint32_t kIdle = 0;
  static constexpr std::uint32_t kWoken = 1;
  static constexpr std::uint32_t kSleeps = 2;

  void destroy() noexcept override { delete this; }
  ~ThreadWaker() override = default;
  std::atomic<std::uint32_t> wake_ = kWoken;
};

/// Polls `root` on this thread, parking it in between and driving nothing.
void block_on_thread(RuntimeCore& core, Root& root);

[[nodiscard]] RuntimeCore* new_current_thread(RuntimeOptions options);
/// Starts the workers. Throws std::system_error.
[[nodiscard]] RuntimeCore* new_multi_thread(RuntimeOptions options);

}  // namespace kaido::inline abi0::detail
