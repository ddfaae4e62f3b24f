/// The multi-thread scheduler: workers with a ring of tasks each, a slot for the task to run next, a global queue, and
/// stealing. See README.md for the rules and idle.h for who wakes whom.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "sdk/runtime/idle.h"
#include "sdk/runtime/local_queue.h"
#include "sdk/runtime/parker.h"
#include "sdk/runtime/runtime_core.h"
#include "sdk/runtime/task_queue.h"
#include "sdk/runtime/thread_state.h"

namespace kaido::detail {

namespace {

constexpr std::uint32_t kDefaultGlobalQueueInterval = 61;
// How many tasks in a row may run from the slot before one of the queue has its turn.
constexpr int kSlotPollsMax = 3;

class MultiThread;

/// Threading: confined to its thread, but for `queue` (stealing) and `parker` (unpark).
class Worker final : public LocalScheduler {
 public:
  Worker(MultiThread& runtime, std::size_t index, SharedDriver& driver);

  void run() noexcept;
  void schedule_local(TaskHeader& task, bool is_yield) noexcept;
  void drop_queued() noexcept;

  LocalQueue queue;
  Parker parker;

 private:
  [[nodiscard]] TaskHeader* next_task() noexcept;
  [[nodiscard]] TaskHeader* next_local_task() noexcept;
  [[nodiscard]] TaskHeader* take_from_global() noexcept;
  [[nodiscard]] TaskHeader* steal() noexcept;
  void run_task(TaskHeader& task) noexcept;
  void push_back(TaskHeader& task) noexcept;
  void maintain() noexcept;
  void wait() noexcept;
  void park() noexcept;
  [[nodiscard]] bool leave_park() noexcept;
  void stop_searching() noexcept;
  [[nodiscard]] bool has_tasks() const noexcept { return slot_ != nullptr || !queue.is_empty(); }
  void end_turn() noexcept;
  std::uint32_t random() noexcept;

  MultiThread& core_;
  const std::size_t index_;
  TaskHeader* slot_ = nullptr;
  bool slot_enabled_ = true;
  bool is_searching_ = false;
  bool is_parking_ = false;
  std::uint32_t tick_ = 0;
  std::uint32_t polls_in_turn_ = 0;
  std::uint32_t random_state_;
  Budget budget_;
};

class MultiThread final : public RuntimeCore {
 public:
  explicit MultiThread(RuntimeOptions runtime_options)
      : RuntimeCore(std::move(runtime_options)),
        global_queue_interval(options.global_queue_interval != 0 ? options.global_queue_interval
                                                                 : kDefaultGlobalQueueInterval),
        idle(options.worker_threads),
        shared_driver_(driver) {
    for (std::size_t index = 0; index < options.worker_threads; ++index) {
      workers.push_back(std::make_unique<Worker>(*this, index, shared_driver_));
    }
  }

  void start() {
    for (auto& worker : workers) {
      blocking.spawn_worker([&worker = *worker] { worker.run(); });
      ++started_;
    }
  }

  void schedule(TaskHeader& task) noexcept override { schedule(task, false); }
  void schedule_yielded(TaskHeader& task) noexcept override { schedule(task, true); }
  void block_on(Root& root) override { block_on_thread(*this, root); }

  void notify_parked() noexcept {
    if (const auto worker = idle.worker_to_notify()) workers[*worker]->parker.unpark();
  }
  void notify_if_work_pending() noexcept {
    const bool pending =
        !inject.is_empty() ||
        std::any_of(workers.begin(), workers.end(), [](const auto& worker) { return !worker->queue.is_empty(); });
    if (pending) notify_parked();
  }
  [[nodiscard]] bool is_stopping() const noexcept { return is_stopping_.load(std::memory_order_seq_cst); }
  void worker_ended() noexcept;

  const std::uint32_t global_queue_interval;
  Inject inject;
  Idle idle;
  std::vector<std::unique_ptr<Worker>> workers;

 private:
  void schedule(TaskHeader& task, bool is_yield) noexcept {
    LocalScheduler* local = thread_state.local;
    if (local != nullptr && &local->core == this) {
      static_cast<Worker*>(local)->schedule_local(task, is_yield);
    } else if (inject.push(task)) {
      notify_parked();
    } else {
      task.drop_ref();
    }
  }
  void stop_scheduler() noexcept override {
    is_stopping_.store(true, std::memory_order_seq_cst);
    inject.close();
    for (auto& worker : workers) worker->parker.unpark();
  }

  SharedDriver shared_driver_;
  std::atomic<bool> is_stopping_ = false;
  std::size_t started_ = 0;
  std::atomic<std::size_t> ended_ = 0;
};

Worker::Worker(MultiThread& runtime, std::size_t index, SharedDriver& driver)
    : LocalScheduler(runtime),
      parker(driver),
      core_(runtime),
      index_(index),
      random_state_(static_cast<std::uint32_t>(index) * 0x9e3779b9u + 1) {}

void Worker::run() noexcept {
  SchedulerScope scope(*this);
  while (!core_.is_stopping()) {
    if (++tick_ % core_.options.event_interval == 0) maintain();
    TaskHeader* task = next_task();
    if (task == nullptr) task = steal();
    if (task != nullptr) {
      run_task(*task);
    } else {
      wait();
    }
  }
  core_.owned.close_and_shut_down();
  drop_queued();
  core_.worker_ended();
}

// The last worker to leave puts out the light: nobody polls the driver or pushes to a local queue any more.
void MultiThread::worker_ended() noexcept {
  if (ended_.fetch_add(1, std::memory_order_acq_rel) + 1 != workers.size()) return;
  while (TaskHeader* task = inject.pop()) task->drop_ref();
  driver.shut_down();
  static_cast<Worker*>(thread_state.local)->drop_queued();
}

void Worker::drop_queued() noexcept {
  deferred.clear();
  if (TaskHeader* task = std::exchange(slot_, nullptr)) task->drop_ref();
  while (TaskHeader* task = queue.pop()) task->drop_ref();
}

void Worker::schedule_local(TaskHeader& task, bool is_yield) noexcept {
  bool announce = true;
  if (is_yield || !slot_enabled_ || core_.options.disable_lifo_slot) {
    push_back(task);
  } else {
    TaskHeader* previous = std::exchange(slot_, &task);
    if (previous != nullptr) push_back(*previous);
    announce = previous != nullptr;  // The slot cannot be stolen from.
  }
  // While parking, what the driver's handlers woke is announced once, afterwards.
  if (announce && !is_parking_) core_.notify_parked();
}

void Worker::push_back(TaskHeader& task) noexcept {
  TaskQueue overflow;
  queue.push_back(task, overflow);
  while (TaskHeader* extra = overflow.pop()) {
    if (!core_.inject.push(*extra)) extra->drop_ref();
  }
}

TaskHeader* Worker::next_local_task() noexcept {
  if (slot_ != nullptr) return std::exchange(slot_, nullptr);
  return queue.pop();
}

TaskHeader* Worker::next_task() noexcept {
  if (tick_ % core_.global_queue_interval == 0) {
    if (TaskHeader* task = core_.inject.pop()) return task;
    return next_local_task();
  }
  if (TaskHeader* task = next_local_task()) return task;
  return take_from_global();
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
  const std::size_t start = random() % count;
  for (std::size_t offset = 0; offset < count; ++offset) {
    const std::size_t victim = (start + offset) % count;
    if (victim == index_) continue;
    if (TaskHeader* task = core_.workers[victim]->queue.steal_into(queue)) return task;
  }
  return core_.inject.pop();
}

void Worker::stop_searching() noexcept {
  if (!std::exchange(is_searching_, false)) return;
  // The last searcher found something: there may be more, so the next one is woken.
  if (core_.idle.stop_searching()) core_.notify_parked();
}

void Worker::run_task(TaskHeader& task) noexcept {
  stop_searching();
  slot_enabled_ = true;
  budget_.reset();
  ++polls_in_turn_;
  task.run(budget_);
  // What it woke runs next, while the data are warm, on what is left of its budget.
  for (int polls = 0; slot_ != nullptr; ++polls) {
    TaskHeader& next = *std::exchange(slot_, nullptr);
    if (budget_.exhausted()) {
      push_back(next);
      core_.notify_parked();
      return;
    }
    if (polls + 1 >= kSlotPollsMax) slot_enabled_ = false;
    ++polls_in_turn_;
    next.run(budget_);
  }
}

void Worker::end_turn() noexcept {
  polls_in_turn_ = 0;
  core_.hooks.end_of_turn();
}

void Worker::maintain() noexcept {
  parker.poll();
  wake_deferred();
  if (polls_in_turn_ + core_.options.event_interval > kPollsPerTurn) end_turn();
}

void Worker::wait() noexcept {
  end_turn();
  if (!deferred.empty()) {
    parker.poll();
    wake_deferred();
    return;
  }
  if (!has_tasks()) park();
}

void Worker::park() noexcept {
  const bool was_last_searcher = core_.idle.park(index_, std::exchange(is_searching_, false));
  if (was_last_searcher) core_.notify_if_work_pending();
  while (!core_.is_stopping()) {
    is_parking_ = true;
    parker.park();
    is_parking_ = false;
    if (leave_park()) break;
    // Handlers ran that made no task ready, but they may have left output to the hooks.
    end_turn();
    if (leave_park()) break;
  }
  if (queue.size() + (slot_ != nullptr ? 1 : 0) > 1) core_.notify_parked();
}

bool Worker::leave_park() noexcept {
  if (has_tasks()) {
    // The driver's handlers gave it work; if it was woken by another worker besides, it counts as searching.
    is_searching_ = !core_.idle.unpark(index_);
    return true;
  }
  if (core_.idle.is_parked(index_)) return false;
  is_searching_ = true;
  return true;
}

std::uint32_t Worker::random() noexcept {
  random_state_ ^= random_state_ << 13;
  random_state_ ^= random_state_ >> 17;
  random_state_ ^= random_state_ << 5;
  return random_state_;
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

}  // namespace kaido::detail
