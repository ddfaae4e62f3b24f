/// The current-thread scheduler: tasks run in block_on, on the calling thread.
///
/// One turn: poll the root if it was woken; run up to `event_interval` tasks; look at the driver. When nothing is left,
/// end the turn (flush what hooks have gathered) and park in the driver. Several threads may be in block_on at once:
/// one drives, the others wait for their root's wake-up or for the driving seat.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include <kaido/coop.h>

#include "sdk/runtime/busy_time.h"
#include "sdk/runtime/remote_wakes.h"
#include "sdk/runtime/runtime_core.h"
#include "sdk/runtime/task_queue.h"
#include "sdk/runtime/thread_state.h"

namespace kaido::inline abi0::detail {

namespace {

constexpr std::uint32_t kDefaultGlobalQueueInterval = 31;

class CurrentThread final : public RuntimeCore {
 public:
  explicit CurrentThread(RuntimeOptions runtime_options)
      : RuntimeCore(std::move(runtime_options)),
        global_queue_interval_(options.global_queue_interval != 0 ? options.global_queue_interval
                                                                  : kDefaultGlobalQueueInterval),
        metrics_(*worker_metrics.front()),
        busy_(metrics_),
        local_(*this, false) {
    if (options.unhandled_panic == UnhandledPanic::kShutdownRuntime) observe_panics();
  }

  void schedule(TaskHeader& task) noexcept override {
    note_scheduled(task);
    if (thread_state.local == &local_) {
      metrics_.local_schedules.add();
      local_.queue.push(task);
      return;
    }
    schedule_from_outside(*this, task);
  }
  void schedule_yielded(TaskHeader& task) noexcept override { schedule(task); }
  void schedule_remote(TaskQueue& tasks) noexcept override {
    // Once they are queued they may run, end, and be the last that keep the runtime.
    const CoreRef keep(this);
    if (inject_.push_remote(tasks)) {
      unpark();
    } else {
      while (TaskHeader* task = tasks.pop()) task->refuse();
    }
  }
  void block_on(Root& root) override;
  [[nodiscard]] bool is_driven() noexcept override {
    std::scoped_lock lock(mutex_);
    return is_driven_;
  }
  void task_panicked() noexcept override;
  [[nodiscard]] std::size_t global_queue_depth() const noexcept override { return inject_.size(); }
  [[nodiscard]] std::uint64_t remote_schedules() const noexcept override { return inject_.remote_pushes(); }
  [[nodiscard]] std::size_t local_queue_depth(std::size_t) const noexcept override { return local_.queue.size(); }

 private:
  struct Local final : LocalScheduler {
    using LocalScheduler::LocalScheduler;
    TaskQueue queue;
    std::uint32_t tick = 0;
    std::uint32_t polls_in_turn = 0;
    bool has_panicked = false;  // And every task was shut down for that.
  };

  class RootWaker final : public WakeTarget {
   public:
    explicit RootWaker(CurrentThread& core) noexcept : WakeTarget(kOneRef), core_(&core) {}
    void wake_by_ref() noexcept override {
      if (!is_woken_.exchange(true, std::memory_order_seq_cst)) core_->root_woken();
    }
    [[nodiscard]] bool is_woken() const noexcept { return is_woken_.load(std::memory_order_seq_cst); }
    [[nodiscard]] bool take_wake() noexcept {
      return is_woken() && is_woken_.exchange(false, std::memory_order_seq_cst);
    }

   private:
    ~RootWaker() override = default;
    void destroy() noexcept override {
      CurrentThread* core = core_;
      delete this;
      core->drop_ref();
    }
    CurrentThread* core_;
    std::atomic<bool> is_woken_ = true;
  };

  /// Gives the seat back, whether the root ended or threw.
  class Seat {
   public:
    explicit Seat(CurrentThread& core) noexcept : core_(core) {}
    Seat(const Seat&) = delete;
    Seat& operator=(const Seat&) = delete;
    ~Seat() {
      std::scoped_lock lock(core_.mutex_);
      core_.is_driven_ = false;
      core_.changed_.notify_all();
    }

   private:
    CurrentThread& core_;
  };

  bool take_seat(RootWaker& waker);
  void drive(Root& root, RootWaker& waker);
  bool run_tasks();
  void park(const RootWaker& waker);
  void wait(const RootWaker& waker);
  void run_task(TaskHeader& task);
  void poll_driver() noexcept {
    {
      std::scoped_lock lock(shared_driver.holder);
      driver.poll();
    }
    shared_driver.note_use();
  }
  [[nodiscard]] TaskHeader* next_task() noexcept;
  [[nodiscard]] bool has_work(const RootWaker& waker) const noexcept {
    return waker.is_woken() || !local_.queue.empty() || !inject_.is_empty();
  }
  void end_turn() noexcept {
    local_.polls_in_turn = 0;
    hooks.end_of_turn();
  }
  void unpark() noexcept {
    if (is_parked_.load(std::memory_order_seq_cst) && is_parked_.exchange(false, std::memory_order_seq_cst)) {
      driver.unpark();
    }
  }
  void root_woken() noexcept;
  void stop_scheduler() noexcept override;
  void drop_root(Root& root, RootWaker& waker) noexcept;
  void drive_draining_tasks() noexcept;
  void drain() noexcept;

  const std::uint32_t global_queue_interval_;
  WorkerMetrics& metrics_;
  BusyTime busy_;
  Local local_;  // Of the thread in the seat.
  Inject inject_;
  std::atomic<bool> is_parked_ = false;
  std::atomic<bool> has_ended_elsewhere_ = false;  // The Runtime object went inside its own block_on.

  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint32_t root_polls_ = 0;  // Of the thread in the seat: polls of the root with nothing else to run.
  bool is_driven_ = false;        // Under mutex_: somebody has the seat.
  std::atomic<std::size_t> waiting_ = 0;
};

void CurrentThread::block_on(Root& root) {
  add_ref();
  auto* waker = new RootWaker(*this);
  struct Release {
    RootWaker* waker;
    ~Release() { waker->drop_ref(); }
  } release{waker};
  Budget budget;
  while (!take_seat(*waker)) {
    // Somebody else drives, and the root was woken: it is polled here without the seat.
    budget.reset();
    BudgetScope scope(&budget);
    PollContext context(*waker, budget);
    if (waker->take_wake() && root.poll(context)) {
      hooks.end_of_turn();
      return;
    }
    hooks.end_of_turn();
  }
  Seat seat(*this);
  DrivingScope scope(&local_, local_.budget, false);
  metrics_.thread.store(std::this_thread::get_id(), std::memory_order_release);
  busy_.begin();
  shared_driver.note_use();
  drive(root, *waker);
  local_.wake_deferred();  // Among them those of a LocalSet, which may go on in another runtime.
  if (has_ended_elsewhere_.load(std::memory_order_acquire)) drive_draining_tasks();
  busy_.checkpoint();
  end_turn();
}

bool CurrentThread::take_seat(RootWaker& waker) {
  std::unique_lock lock(mutex_);
  waiting_.fetch_add(1, std::memory_order_seq_cst);
  changed_.wait(lock, [&] { return !is_driven_ || waker.is_woken(); });
  waiting_.fetch_sub(1, std::memory_order_seq_cst);
  if (is_driven_) return false;
  is_driven_ = true;
  return true;
}

void CurrentThread::root_woken() noexcept {
  if (waiting_.load(std::memory_order_seq_cst) != 0) {
    std::scoped_lock lock(mutex_);
    changed_.notify_all();
  }
  if (thread_state.local != &local_) unpark();
}

void CurrentThread::drive(Root& root, RootWaker& waker) {
  for (;;) {
    if (waker.take_wake()) {
      local_.budget.reset();
      PollContext context(waker, local_.budget);
      if (root.poll(context)) return;
    }
    const bool had_enough = run_tasks();
    if (local_.has_panicked) {
      drop_root(root, waker);
      throw std::runtime_error("kaido: a spawned task panicked, and the runtime is to shut down when that happens");
    }
    if (had_enough) {
      poll_driver();
      local_.wake_deferred();
      if (local_.polls_in_turn + options.event_interval > kPollsPerTurn) {
        busy_.checkpoint();
        end_turn();
      }
    } else {
      park(waker);
    }
  }
}

// True after a full interval; false when there was nothing left to run.
bool CurrentThread::run_tasks() {
  for (std::uint32_t count = 0; count < options.event_interval && !local_.has_panicked; ++count) {
    TaskHeader* task = next_task();
    if (task == nullptr) return false;
    run_task(*task);
  }
  return true;
}

void CurrentThread::run_task(TaskHeader& task) {
  ++local_.polls_in_turn;
  local_.budget.reset();
  metrics_.polls.add();
  if (!metrics_.poll_times.is_enabled()) {
    RuntimeCore::run_task(task, local_.budget, metrics_);
    return;
  }
  const auto began = std::chrono::steady_clock::now();
  RuntimeCore::run_task(task, local_.budget, metrics_);
  metrics_.poll_times.record((std::chrono::steady_clock::now() - began).count());
}

// On the thread in the seat, while the task ends. What blocking closures throw is their handles' matter only.
void CurrentThread::task_panicked() noexcept {
  if (thread_state.local != &local_ || local_.has_panicked) return;
  local_.has_panicked = true;
  owned.close_and_shut_down();
}

TaskHeader* CurrentThread::next_task() noexcept {
  if (++local_.tick % global_queue_interval_ == 0) {
    if (TaskHeader* task = inject_.pop()) return task;
  }
  if (TaskHeader* task = local_.queue.pop()) return task;
  return inject_.pop();
}

void CurrentThread::park(const RootWaker& waker) {
  if (waker.is_woken()) {
    // A root that always has something to do does not keep timers, sockets and output waiting for ever.
    if (++root_polls_ % options.event_interval == 0) {
      end_turn();
      poll_driver();
    }
    return;
  }
  end_turn();
  if (!local_.deferred.empty()) {
    poll_driver();
    local_.wake_deferred();
    return;
  }
  if (has_work(waker)) return;
  if (options.on_thread_park) options.on_thread_park();
  if (has_work(waker)) {
    poll_driver();  // What the hook made ready must not keep timers and sockets waiting for ever.
  } else {
    metrics_.about_to_park();
    busy_.checkpoint();
    wait(waker);
    busy_.begin();
    metrics_.unparked();
  }
  if (options.on_thread_unpark) options.on_thread_unpark();
}

void CurrentThread::wait(const RootWaker& waker) {
  is_parked_.store(true, std::memory_order_seq_cst);
  // Whoever queues work from outside first queues, then looks whether we are parked: one of us sees the other.
  if (!has_work(waker)) {
    const bool may_advance = !clock.is_paused() || blocking.is_idle();
    {
      std::scoped_lock lock(shared_driver.holder);
      driver.park(may_advance);
    }
    shared_driver.note_use();
  }
  is_parked_.store(false, std::memory_order_seq_cst);
}

void CurrentThread::stop_scheduler() noexcept {
  CoreScope core_scope(*this);
  bool driven_elsewhere = false;
  {
    std::scoped_lock lock(mutex_);
    driven_elsewhere = std::exchange(is_driven_, true);
  }
  if (driven_elsewhere) {
    // Shut down from inside its own block_on: what is queued is dropped by who drives.
    inject_.close();
    owned.close_and_shut_down();
    driver.shut_down();
    has_ended_elsewhere_.store(true, std::memory_order_release);
    return;
  }
  Seat seat(*this);
  DrivingScope scope(&local_, local_.budget, false);
  owned.close_and_shut_down();
  drive_draining_tasks();
  inject_.close();
  drain();
  driver.shut_down();
  drain();
}

// Until the root's frame lends nothing to a foreign operation any more.
void CurrentThread::drop_root(Root& root, RootWaker& waker) noexcept {
  constexpr Duration kLong = std::chrono::hours(1);
  PollContext context(waker, local_.budget);
  for (;;) {
    is_parked_.store(true, std::memory_order_seq_cst);
    const bool is_free = root.poll_drop(context) != Dropped::kWaits;
    if (!is_free && !waker.take_wake()) {
      const std::scoped_lock lock(shared_driver.holder);  // The stand-by serves sockets while it is free.
      driver.run_handlers(kLong);
    }
    is_parked_.store(false, std::memory_order_seq_cst);
    if (is_free) break;
  }
  root.drop_frame();
}

// Until each foreign operation that uses memory of a cancelled task has come to its end.
void CurrentThread::drive_draining_tasks() noexcept {
  bool goes_on = true;
  while (goes_on) {
    while (TaskHeader* task = next_task()) {
      local_.budget.reset();
      task->run(local_.budget);
    }
    local_.wake_deferred();
    // With the flag set, whoever queues work from outside ends the wait.
    is_parked_.store(true, std::memory_order_seq_cst);
    if (local_.queue.empty() && inject_.is_empty()) goes_on = wait_for_drain();
    is_parked_.store(false, std::memory_order_seq_cst);
  }
}

void CurrentThread::drain() noexcept {
  local_.refuse_deferred();
  while (TaskHeader* task = local_.queue.pop()) task->refuse();
  while (TaskHeader* task = inject_.pop()) task->refuse();
}

}  // namespace

RuntimeCore* new_current_thread(RuntimeOptions options) { return new CurrentThread(std::move(options)); }

}  // namespace kaido::inline abi0::detail
