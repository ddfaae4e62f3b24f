/// The multi-thread scheduler: workers with a ring of tasks each, a slot for the task to run next, a global queue, and
/// stealing. See README.md for the rules and idle.h for who wakes whom.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "sdk/runtime/busy_time.h"
#include "sdk/runtime/idle.h"
#include "sdk/runtime/local_queue.h"
#include "sdk/runtime/parker.h"
#include "sdk/runtime/remote_wakes.h"
#include "sdk/runtime/runtime_core.h"
#include "sdk/runtime/task_queue.h"
#include "sdk/runtime/thread_state.h"

namespace kaido::inline abi0::detail {

namespace {

// Changes of the tuned interval smaller than this are not worth it.
constexpr std::uint32_t kIntervalTolerance = 2;
// How many tasks in a row may run from the slot before one of the queue has its turn.
constexpr int kSlotPollsMax = 3;

class MultiThread;
class Worker;

/// A thread while it runs a worker. block_in_place lets another thread go on with the worker.
///
/// Threading: confined.
class WorkerThread final : public LocalScheduler {
 public:
  WorkerThread(MultiThread& runtime, Worker& run) noexcept;

  bool give_away() override;
  void take_back() noexcept override;

  Worker& worker;  // Not to be touched unless is_active.
};

/// Threading: confined to the thread that runs it, but for `queue` (stealing), `parker` (unpark) and take_over().
class Worker final {
 public:
  Worker(MultiThread& runtime, std::size_t number, SharedDriver& driver);

  /// For a new thread: runs the worker, if it still is to be had.
  void take_over() noexcept;
  void schedule_local(TaskHeader& task, bool is_yield) noexcept;
  void drop_queued() noexcept;
  /// Offers the worker to whoever calls take_over().
  void offer() noexcept;
  /// Whether the offer still stood.
  [[nodiscard]] bool withdraw_offer() noexcept { return is_offered_.exchange(false, std::memory_order_acq_rel); }
  void note_thread() noexcept { metrics_.thread.store(std::this_thread::get_id(), std::memory_order_release); }
  /// For the last worker at shutdown.
  void drive_draining_tasks(WorkerThread& thread) noexcept;

  const std::size_t index;
  LocalQueue queue;
  Parker parker;

 private:
  void run(WorkerThread& thread) noexcept;
  [[nodiscard]] TaskHeader* next_task() noexcept;
  [[nodiscard]] TaskHeader* next_local_task() noexcept;
  [[nodiscard]] TaskHeader* take_from_global() noexcept;
  [[nodiscard]] TaskHeader* steal() noexcept;
  void run_task(TaskHeader& task, WorkerThread& thread) noexcept;
  void run_with_slot(TaskHeader& task, WorkerThread& thread) noexcept;
  void push_back(TaskHeader& task) noexcept;
  void maintain(WorkerThread& thread) noexcept;
  void wake_deferred(WorkerThread& thread) noexcept;
  void tune_interval() noexcept;
  void wait(WorkerThread& thread) noexcept;
  void park() noexcept;
  [[nodiscard]] bool leave_park() noexcept;
  void stop_searching() noexcept;
  [[nodiscard]] bool has_tasks() const noexcept { return slot_ != nullptr || !queue.is_empty(); }
  void end_turn() noexcept;

  MultiThread& core_;
  const std::uint64_t seed_;
  std::uint64_t searches_ = 0;
  WorkerMetrics& metrics_;
  BusyTime busy_;
  std::atomic<bool> is_offered_ = true;
  TaskHeader* slot_ = nullptr;
  bool slot_enabled_ = true;
  bool is_searching_ = false;
  bool announces_ = true;  // Each task that others could take; else whoever cleared it does, once.
  std::uint32_t tick_ = 0;
  std::uint32_t global_queue_interval_;
  std::uint32_t polls_in_turn_ = 0;
};

class MultiThread final : public RuntimeCore {
 public:
  explicit MultiThread(RuntimeOptions runtime_options)
      : RuntimeCore(std::move(runtime_options)), idle(options.worker_threads) {
    for (std::size_t index = 0; index < options.worker_threads; ++index) {
      workers.push_back(std::make_unique<Worker>(*this, index, shared_driver));
    }
  }

  void start() {
    for (auto& worker : workers) spawn_thread_for(*worker, true);
  }
  /// Throws std::system_error.
  void spawn_thread_for(Worker& worker, bool on_new_thread);

  void schedule(TaskHeader& task) noexcept override { schedule(task, false); }
  void schedule_yielded(TaskHeader& task) noexcept override { schedule(task, true); }
  void schedule_remote(TaskQueue& tasks) noexcept override;
  void block_on(Root& root) override { block_on_thread(*this, root); }
  [[nodiscard]] bool is_driven() noexcept override { return true; }
  [[nodiscard]] std::size_t global_queue_depth() const noexcept override { return inject.size(); }
  [[nodiscard]] std::uint64_t remote_schedules() const noexcept override { return inject.remote_pushes(); }
  [[nodiscard]] std::size_t local_queue_depth(std::size_t worker) const noexcept override {
    return workers[worker]->queue.size();
  }

  void notify_parked() noexcept {
    if (const auto worker = idle.worker_to_notify()) workers[*worker]->parker.unpark();
  }
  void notify_if_work_pending() noexcept {
    const bool pending = !inject.is_empty() || std::any_of(workers.begin(), workers.end(), [](const auto& worker) {
      return !worker->queue.is_empty();
    });
    if (pending) notify_parked();
  }
  [[nodiscard]] bool is_stopping() const noexcept { return is_stopping_.load(std::memory_order_seq_cst); }
  void worker_ended(Worker& worker, WorkerThread& thread) noexcept;

  Inject inject;
  Idle idle;
  std::vector<std::unique_ptr<Worker>> workers;

 private:
  void schedule(TaskHeader& task, bool is_yield) noexcept {
    note_scheduled(task);
    LocalScheduler* local = thread_state.local;
    if (local != nullptr && &local->core == this && local->is_active) {
      static_cast<WorkerThread*>(local)->worker.schedule_local(task, is_yield);
      return;
    }
    schedule_from_outside(*this, task);
  }
  void stop_scheduler() noexcept override {
    is_stopping_.store(true, std::memory_order_seq_cst);
    for (auto& worker : workers) worker->parker.unpark();
  }

  std::atomic<bool> is_stopping_ = false;
  std::atomic<std::size_t> ended_ = 0;
};

void MultiThread::schedule_remote(TaskQueue& tasks) noexcept {
  // Once they are queued they may run, end, and be the last that keep the runtime.
  const CoreRef keep(this);
  if (inject.push_remote(tasks)) {
    notify_parked();
    // The last worker may wait for the end of foreign operations; it does not count as parked.
    if (is_stopping()) driver.unpark();
  } else {
    while (TaskHeader* task = tasks.pop()) task->refuse();
  }
}

void MultiThread::spawn_thread_for(Worker& worker, bool on_new_thread) {
  auto job = [&worker] { worker.take_over(); };
  const CurrentTaskScope nobody(nullptr);  // The worker is not the task's that blocks.
  auto* cell = new BlockingCell<void, decltype(job)>(this, job);
  const JoinHandle<void> handle(*cell);
  cell->drop_ref();  // In no list of tasks, as with every closure.
  if (on_new_thread) {
    blocking.spawn_on_new_thread(*cell);
  } else {
    blocking.spawn(*cell);
  }
}

WorkerThread::WorkerThread(MultiThread& runtime, Worker& run) noexcept : LocalScheduler(runtime, true), worker(run) {
  worker_index = run.index;
}

bool WorkerThread::give_away() {
  // Once the runtime ends, the thread that has the worker brings it to its end.
  if (!is_active || static_cast<MultiThread&>(core).is_stopping()) return false;
  // They would be woken by who polls the driver next, which is no longer this thread.
  wake_deferred();
  is_active = false;
  worker.offer();
  try {
    static_cast<MultiThread&>(core).spawn_thread_for(worker, false);
  } catch (...) {
    take_back();
    throw;
  }
  return true;
}

void WorkerThread::take_back() noexcept {
  if (!worker.withdraw_offer()) return;
  is_active = true;
  worker.note_thread();
}

Worker::Worker(MultiThread& runtime, std::size_t number, SharedDriver& driver)
    : index(number),
      parker(driver),
      core_(runtime),
      seed_(runtime.next_seed()),
      metrics_(*runtime.worker_metrics[number]),
      busy_(metrics_),
      global_queue_interval_(runtime.options.global_queue_interval) {
  tune_interval();
}

void Worker::take_over() noexcept {
  if (!withdraw_offer()) return;
  WorkerThread thread(core_, *this);
  run(thread);
}

void Worker::offer() noexcept {
  // All but the slot can be stolen while no thread is to be had.
  if (TaskHeader* task = std::exchange(slot_, nullptr)) {
    push_back(*task);
    core_.notify_parked();
  }
  is_offered_.store(true, std::memory_order_release);
}

void Worker::run(WorkerThread& thread) noexcept {
  DrivingScope scope(&thread, thread.budget, true);
  RandomScope random(seed_);
  thread_state.task = nullptr;  // And not the closure that runs the worker: between tasks there is none.
  note_thread();
  busy_.begin();
  while (thread.is_active && !core_.is_stopping()) {
    if (++tick_ % core_.options.event_interval == 0) maintain(thread);
    TaskHeader* task = next_task();
    if (task == nullptr) task = steal();
    if (task != nullptr) {
      run_task(*task, thread);
    } else {
      wait(thread);
    }
  }
  if (!thread.is_active) {
    core_.hooks.end_of_turn();  // For what this thread has gathered; another goes on, and may have nothing to do.
    return;
  }
  busy_.checkpoint_and_average();
  core_.owned.close_and_shut_down();
  thread.refuse_deferred();
  core_.worker_ended(*this, thread);
}

// The last worker to leave puts out the light: nobody polls the driver or pushes to a local queue any more.
void MultiThread::worker_ended(Worker& worker, WorkerThread& thread) noexcept {
  if (ended_.fetch_add(1, std::memory_order_acq_rel) + 1 == workers.size()) {
    worker.drive_draining_tasks(thread);
    inject.close();
    while (TaskHeader* task = inject.pop()) task->refuse();
    driver.shut_down();
  }
  thread.refuse_deferred();
  worker.drop_queued();
}

// Until each foreign operation that uses memory of a cancelled task has come to its end.
void Worker::drive_draining_tasks(WorkerThread& thread) noexcept {
  bool goes_on = true;
  while (goes_on) {
    for (;;) {
      TaskHeader* task = next_local_task();
      if (task == nullptr) task = core_.inject.pop();
      if (task == nullptr) break;
      thread.budget.reset();
      task->run(thread.budget);
    }
    thread.wake_deferred();
    if (!has_tasks()) goes_on = core_.wait_for_drain();
  }
}

void Worker::drop_queued() noexcept {
  // One that is refused may wake another.
  while (TaskHeader* task = next_local_task()) task->refuse();
}

void Worker::schedule_local(TaskHeader& task, bool is_yield) noexcept {
  metrics_.local_schedules.add();
  bool announce = true;
  if (is_yield || !slot_enabled_ || core_.options.disable_lifo_slot) {
    push_back(task);
  } else {
    TaskHeader* previous = std::exchange(slot_, &task);
    if (previous != nullptr) push_back(*previous);
    announce = previous != nullptr;  // The slot cannot be stolen from.
  }
  if (announce && announces_) core_.notify_parked();
}

void Worker::push_back(TaskHeader& task) noexcept {
  TaskQueue overflow;
  queue.push_back(task, overflow);
  if (overflow.empty()) return;
  metrics_.overflows.add();
  while (TaskHeader* extra = overflow.pop()) {
    if (!core_.inject.push(*extra)) extra->refuse();
  }
}

TaskHeader* Worker::next_local_task() noexcept {
  if (slot_ != nullptr) return std::exchange(slot_, nullptr);
  return queue.pop();
}

TaskHeader* Worker::next_task() noexcept {
  if (tick_ % global_queue_interval_ == 0) {
    tune_interval();
    if (TaskHeader* task = core_.inject.pop()) return task;
    return next_local_task();
  }
  if (TaskHeader* task = next_local_task()) return task;
  return take_from_global();
}

// Seldom enough for what is local to run fast, often enough for what is global not to starve.
void Worker::tune_interval() noexcept {
  if (core_.options.global_queue_interval != 0) return;
  const std::uint32_t tuned = busy_.global_queue_interval();
  const std::uint32_t change = std::max(tuned, global_queue_interval_) - std::min(tuned, global_queue_interval_);
  if (change > kIntervalTolerance) global_queue_interval_ = tuned;
}

// A fair share of the global queue: the first to run, the rest into the ring, which is empty.
TaskHeader* Worker::take_from_global() noexcept {
  const std::size_t available = core_.inject.size();
  if (available == 0) return nullptr;
  const std::size_t share = available / core_.workers.size() + 1;
  const std::size_t room = std::min<std::size_t>(queue.room(), LocalQueue::kCapacity / 2);
  TaskQueue batch;
  core_.inject.pop_some(std::min({share, room + 1, available}), batch);
  TaskHeader* first = batch.pop();
  while (TaskHeader* task = batch.pop()) push_back(*task);
  return first;
}

TaskHeader* Worker::steal() noexcept {
  if (!is_searching_) {
    is_searching_ = core_.idle.start_searching();
    if (!is_searching_) return nullptr;
  }
  const std::size_t count = core_.workers.size();
  // Not the thread's random numbers: what tasks draw from those shall not depend on how often a worker was idle.
  const std::size_t start = mix_seed(seed_ + ++searches_) % count;
  for (std::size_t offset = 0; offset < count; ++offset) {
    const std::size_t victim = (start + offset) % count;
    if (victim == index) continue;
    std::uint32_t stolen = 0;
    if (TaskHeader* task = core_.workers[victim]->queue.steal_into(queue, stolen)) {
      metrics_.stolen_tasks.add(stolen);
      metrics_.thefts.add();
      return task;
    }
  }
  return core_.inject.pop();
}

void Worker::stop_searching() noexcept {
  if (!std::exchange(is_searching_, false)) return;
  // The last searcher found something: there may be more, so the next one is woken.
  if (core_.idle.stop_searching()) core_.notify_parked();
}

void Worker::run_task(TaskHeader& task, WorkerThread& thread) noexcept {
  stop_searching();
  slot_enabled_ = true;
  metrics_.polls.add();
  if (!metrics_.poll_times.is_enabled()) {
    run_with_slot(task, thread);
    return;
  }
  const auto began = std::chrono::steady_clock::now();
  run_with_slot(task, thread);
  if (thread.is_active) metrics_.poll_times.record((std::chrono::steady_clock::now() - began).count());
}

// After each poll this thread may have lost the worker to another one.
void Worker::run_with_slot(TaskHeader& task, WorkerThread& thread) noexcept {
  thread.budget.reset();
  ++polls_in_turn_;
  core_.run_task(task, thread.budget, metrics_);
  // What it woke runs next, while the data are warm, on what is left of its budget.
  for (int polls = 0; thread.is_active && slot_ != nullptr; ++polls) {
    TaskHeader& next = *std::exchange(slot_, nullptr);
    if (thread.budget.exhausted()) {
      push_back(next);
      core_.notify_parked();
      return;
    }
    if (polls + 1 >= kSlotPollsMax) slot_enabled_ = false;
    ++polls_in_turn_;
    core_.run_task(next, thread.budget, metrics_);
  }
}

void Worker::end_turn() noexcept {
  polls_in_turn_ = 0;
  core_.hooks.end_of_turn();
}

// They are announced once, however many they are.
void Worker::wake_deferred(WorkerThread& thread) noexcept {
  if (thread.deferred.empty()) return;
  announces_ = false;
  thread.wake_deferred();
  announces_ = true;
  if (!queue.is_empty()) core_.notify_parked();
}

void Worker::maintain(WorkerThread& thread) noexcept {
  busy_.checkpoint_and_average();
  parker.poll();
  wake_deferred(thread);
  if (polls_in_turn_ + core_.options.event_interval > kPollsPerTurn) end_turn();
}

void Worker::wait(WorkerThread& thread) noexcept {
  end_turn();
  if (!thread.deferred.empty()) {
    parker.poll();
    wake_deferred(thread);
    return;
  }
  if (has_tasks()) return;
  const RuntimeOptions& options = core_.options;
  if (options.on_thread_park) options.on_thread_park();
  if (has_tasks()) {
    parker.poll();  // What the hook made ready must not keep timers and sockets waiting for ever.
  } else {
    park();
  }
  if (options.on_thread_unpark) options.on_thread_unpark();
}

void Worker::park() noexcept {
  const bool was_searching = std::exchange(is_searching_, false);
  if (core_.idle.park(index, was_searching)) core_.notify_if_work_pending();
  bool was_in_driver = false;
  while (!core_.is_stopping()) {
    metrics_.about_to_park();
    busy_.checkpoint_and_average();
    announces_ = false;
    was_in_driver = parker.park();
    announces_ = true;
    busy_.begin();
    metrics_.unparked();
    if (leave_park()) break;
    // Handlers ran that made no task ready, but they may have left output to the hooks.
    end_turn();
    if (leave_park()) break;
  }
  const bool has_more = queue.size() + (slot_ != nullptr ? 1 : 0) > 1;
  if (has_more || (was_in_driver && core_.options.eager_driver_handoff)) core_.notify_parked();
}

bool Worker::leave_park() noexcept {
  if (has_tasks()) {
    // The driver's handlers gave it work; if it was woken by another worker besides, it counts as searching.
    is_searching_ = !core_.idle.unpark(index);
    return true;
  }
  if (core_.idle.is_parked(index)) return false;
  is_searching_ = true;
  return true;
}

}  // namespace

RuntimeCore* new_multi_thread(RuntimeOptions options) {
  auto* core = new MultiThread(std::move(options));
  try {
    core->start();
  } catch (...) {
    core->shut_down(std::nullopt);
    core->drop_ref();
    throw;
  }
  return core;
}

}  // namespace kaido::inline abi0::detail
