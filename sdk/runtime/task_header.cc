/// The states of a task. One word holds them and the reference count:
///
///   running    somebody polls it or destroys its frame: the only one who may touch the frame
///   complete   final; the frame is gone, the outcome belongs to the JoinHandle if it is still interested
///   notified   it is in a queue, or will be put into one by whoever runs it
///   cancelled  its frame is to be destroyed at the next opportunity
///   interest   a JoinHandle exists
///   waker      the JoinHandle has left a waker, which belongs to whoever completes the task
///   stale      shutdown claimed it while it was queued, and the queue still has it: it must not be queued again
#include <kaido/detail/call_scope.h>
#include <kaido/detail/task_header.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <utility>

#include "sdk/runtime/panic_report.h"
#include "sdk/runtime/runtime_core.h"
#include "sdk/runtime/scheduler.h"
#include "sdk/runtime/thread_state.h"

namespace kaido::inline abi0::detail {

namespace {

constexpr std::uint64_t kRunning = 1;
constexpr std::uint64_t kComplete = 2;
constexpr std::uint64_t kNotified = 4;
constexpr std::uint64_t kCancelled = 8;
constexpr std::uint64_t kInterest = 16;
constexpr std::uint64_t kWaker = 32;
constexpr std::uint64_t kStale = 64;

// Ids are handed to threads in blocks, so that a spawn touches no shared counter.
TaskId next_task_id() noexcept {
  constexpr std::uint64_t kBlock = 256;
  static constinit std::atomic<std::uint64_t> next_block = 1;
  static constinit thread_local std::uint64_t next = 0;
  if (next % kBlock == 0) next = next_block.fetch_add(1, std::memory_order_relaxed) * kBlock;
  return TaskId(next++);
}

}  // namespace

// Three references: the list of tasks, the queue, the JoinHandle.
TaskHeader::TaskHeader(Scheduler* scheduler) noexcept
    : WakeTarget(kNotified | kInterest | 3 * kOneRef), scheduler_(scheduler), id_(next_task_id()) {
  add_scheduler_ref(*scheduler_);
  if (const TaskHeader* const spawner = thread_state.task; spawner != nullptr && spawner->scope_ != nullptr) {
    scope_ = spawner->scope_;
    scope_->add_ref();
  }
}
TaskHeader::TaskHeader(RuntimeCore* core) noexcept : TaskHeader(static_cast<Scheduler*>(core)) {}

void throw_empty_task() {
  throw std::logic_error("kaido: a Task was awaited or spawned that was moved from, or never was a coroutine");
}

std::uint64_t this_thread_number() noexcept {
  static constinit std::atomic<std::uint64_t> next = 1;
  if (thread_state.thread_number == 0) thread_state.thread_number = next.fetch_add(1, std::memory_order_relaxed);
  return thread_state.thread_number;
}

TaskHeader::~TaskHeader() {
  if (scope_ != nullptr) scope_->drop_ref();
  delete name_;
  drop_scheduler_ref(*scheduler_);
}

std::string_view TaskHeader::name() const noexcept { return name_ != nullptr ? *name_ : std::string_view(); }
void TaskHeader::set_name(const std::string& name) { name_ = new std::string(name); }

void TaskHeader::set_own_scope(CallScope& scope) noexcept {
  if (scope_ != nullptr) scope_->drop_ref();
  scope_ = &scope;
}

void TaskHeader::note_scheduled() noexcept {
  scheduled_at_ = std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

bool TaskHeader::is_finished() const noexcept { return (state_.load(std::memory_order_acquire) & kComplete) != 0; }

void TaskHeader::wake_by_ref() noexcept {
  std::uint64_t state = state_.load(std::memory_order_relaxed);
  std::uint64_t next = 0;
  bool submit = false;
  do {
    next = state;
    submit = false;
    if ((state & (kComplete | kNotified)) == 0) {
      next |= kNotified;
      if ((state & (kRunning | kStale)) == 0) {
        next += kOneRef;
        submit = true;
      }
    }
    // Also where nothing changes: the exchange orders what the waker did before the poll that is to see it.
  } while (!state_.compare_exchange_weak(state, next, std::memory_order_acq_rel, std::memory_order_relaxed));
  if (submit) scheduler_->schedule(*this);
}

void TaskHeader::wake_by_value() noexcept {
  std::uint64_t state = state_.load(std::memory_order_relaxed);
  std::uint64_t next = 0;
  bool submit = false;
  do {
    submit = false;
    if ((state & (kComplete | kNotified | kRunning | kStale)) == 0) {
      next = state | kNotified;  // The waker's reference becomes the queue's.
      submit = true;
    } else {
      next = state - kOneRef;
      if ((state & kComplete) == 0) next |= kNotified;
    }
  } while (!state_.compare_exchange_weak(state, next, std::memory_order_acq_rel, std::memory_order_relaxed));
  if (submit) {
    scheduler_->schedule(*this);
  } else if (next < kOneRef) {
    destroy();
  }
}

void TaskHeader::abort() noexcept {
  std::uint64_t state = state_.load(std::memory_order_relaxed);
  std::uint64_t next = 0;
  bool submit = false;
  do {
    if ((state & (kComplete | kCancelled)) != 0) return;
    next = state | kCancelled | kNotified;
    submit = (state & (kRunning | kNotified)) == 0;
    if (submit) next += kOneRef;
  } while (!state_.compare_exchange_weak(state, next, std::memory_order_acq_rel, std::memory_order_relaxed));
  if (submit) scheduler_->schedule(*this);
}

bool TaskHeader::poll_join(PollContext& context) noexcept {
  std::uint64_t state = state_.load(std::memory_order_acquire);
  if ((state & kComplete) != 0) return true;
  if ((state & kWaker) != 0) {
    // The waker is the completer's as long as the bit is set: take it back, even to look at it.
    do {
      if ((state & kComplete) != 0) return true;
    } while (
        !state_.compare_exchange_weak(state, state & ~kWaker, std::memory_order_acq_rel, std::memory_order_acquire));
  }
  if (!context.will_wake(join_waker_)) join_waker_ = context.waker();
  state = state_.load(std::memory_order_acquire);
  do {
    if ((state & kComplete) != 0) return true;
  } while (!state_.compare_exchange_weak(state, state | kWaker, std::memory_order_acq_rel, std::memory_order_acquire));
  return false;
}

// In the scope of the task. An exception that nobody will see any more is at least told.
void TaskHeader::discard_outcome() noexcept {
  if (std::exception_ptr lost = drop_outcome(); lost != nullptr) report_lost_panic(*this, std::move(lost));
}

void TaskHeader::detach() noexcept {
  std::uint64_t state = state_.load(std::memory_order_acquire);
  for (;;) {
    if ((state & kComplete) != 0) {
      CurrentTaskScope scope(this);
      discard_outcome();
      break;
    }
    if (state_.compare_exchange_weak(state, state & ~(kInterest | kWaker), std::memory_order_acq_rel,
                                     std::memory_order_acquire)) {
      join_waker_.reset();
      break;
    }
  }
  drop_ref();
}

TaskHeader::Start TaskHeader::start_running() noexcept {
  std::uint64_t state = state_.load(std::memory_order_relaxed);
  std::uint64_t next = 0;
  Start start = Start::kNothing;
  do {
    if ((state & (kRunning | kComplete)) != 0) {
      // Shutdown has claimed it while it was queued.
      next = (state & ~kStale) - kOneRef;
      start = Start::kNothing;
    } else {
      next = (state & ~(kNotified | kStale)) | kRunning;
      start = (state & kCancelled) != 0 ? Start::kCancel : Start::kPoll;
    }
  } while (!state_.compare_exchange_weak(state, next, std::memory_order_acq_rel, std::memory_order_relaxed));
  if (next < kOneRef) destroy();
  return start;
}

bool TaskHeader::yield_after_poll(RuntimeCore& core) noexcept {
  if (scheduler_ != &core) return false;
  has_yielded_ = true;
  return true;
}

// It yielded, and counts as queued.
void TaskHeader::defer() noexcept {
  LocalScheduler* const local = thread_state.local;
  if (local != nullptr && local->is_active && &local->core == scheduler_) {
    local->deferred.push_back({.task = this});
  } else {
    scheduler_->schedule_yielded(*this);  // The poll has given its worker away.
  }
}

// After a poll that did not finish. False: it was cancelled meanwhile and is still ours.
bool TaskHeader::finish_running() noexcept {
  const bool has_yielded = std::exchange(has_yielded_, false);
  std::uint64_t state = state_.load(std::memory_order_relaxed);
  std::uint64_t next = 0;
  do {
    if ((state & kCancelled) != 0) return false;
    next = state & ~kRunning;
    if (has_yielded) {
      next |= kNotified;
    } else if ((state & kNotified) == 0) {
      next -= kOneRef;
    }
  } while (!state_.compare_exchange_weak(state, next, std::memory_order_acq_rel, std::memory_order_relaxed));
  if ((state & kNotified) != 0) {
    scheduler_->schedule_yielded(*this);
  } else if (has_yielded) {
    defer();
  } else if (next < kOneRef) {
    destroy();
  }
  return true;
}

void TaskHeader::run(Budget& budget) noexcept {
  const Start start = start_running();
  if (start == Start::kNothing) return;
  CurrentTaskScope scope(this);
  PollContext context(*this, budget);
  if (start == Start::kPoll) {
    if (poll(context)) {
      complete();
      return;
    }
    if (finish_running()) return;
  }
  drop_unfinished(context);
}

void TaskHeader::shut_down() noexcept {
  std::uint64_t state = state_.load(std::memory_order_relaxed);
  std::uint64_t next = 0;
  bool claimed = false;
  do {
    claimed = (state & (kRunning | kComplete)) == 0;
    next = state | kCancelled;
    if (claimed) {
      next |= kRunning;
      if ((state & kNotified) != 0) next = (next & ~kNotified) | kStale;
    }
  } while (!state_.compare_exchange_weak(state, next, std::memory_order_acq_rel, std::memory_order_relaxed));
  if (!claimed) {
    drop_ref();
    return;
  }
  CurrentTaskScope scope(this);
  Budget budget;
  PollContext context(*this, budget);
  drop_unfinished(context);
}

Dropped TaskHeader::poll_drop(PollContext&) noexcept { return Dropped::kGone; }

// A frame that lends memory to a foreign operation goes when that has completed: the task is then woken and comes here
// again.
void TaskHeader::drop_unfinished(PollContext& context) noexcept {
  if (poll_drop(context) == Dropped::kWaits) {
    wait_for_drop();
  } else {
    complete();
  }
}

void TaskHeader::wait_for_drop() noexcept {
  if (!is_draining_.exchange(true, std::memory_order_relaxed)) scheduler_->drain_started();
  const bool has_yielded = std::exchange(has_yielded_, false);
  std::uint64_t state = state_.load(std::memory_order_relaxed);
  std::uint64_t next = 0;
  bool submit = false;
  do {
    next = state & ~kRunning;
    if (has_yielded) next |= kNotified;
    // A queue that still has it will give it its next turn.
    submit = (next & (kNotified | kStale)) == kNotified;
    if (!submit) next -= kOneRef;
  } while (!state_.compare_exchange_weak(state, next, std::memory_order_acq_rel, std::memory_order_relaxed));
  if (submit) {
    scheduler_->schedule_yielded(*this);
  } else if (next < kOneRef) {
    destroy();
  }
}

void TaskHeader::refuse() noexcept {
  std::uint64_t state = state_.load(std::memory_order_acquire);
  std::uint64_t next = 0;
  do {
    // If it runs elsewhere, it sees there that it was notified. is_draining_ is stored before the running bit goes.
    if ((state & (kRunning | kComplete)) == 0 && is_draining_.load(std::memory_order_relaxed)) {
      Budget budget;
      run(budget);
      return;
    }
    next = (state & ~kStale) - kOneRef;
    // No queue has it any more. Of one that runs, the bit says that it was woken meanwhile.
    if ((state & (kRunning | kComplete)) == 0) next &= ~kNotified;
  } while (!state_.compare_exchange_weak(state, next, std::memory_order_acq_rel, std::memory_order_acquire));
  if (next < kOneRef) destroy();
}

// The frame goes first, so that whoever sees the task complete sees its destructors' effects. The caller's reference
// is consumed, and that of the list of tasks. The function's memory goes too if this was its last task: the handle of
// one that has ended may be kept for long.
void TaskHeader::complete() noexcept {
  drop_frame();
  if (scope_ != nullptr) std::exchange(scope_, nullptr)->drop_ref();
  if (scheduler_->observes_panics() && has_panicked()) scheduler_->task_panicked();
  const std::uint64_t state = state_.fetch_xor(kRunning | kComplete, std::memory_order_acq_rel);
  if ((state & kInterest) == 0) {
    discard_outcome();
  } else if ((state & kWaker) != 0) {
    join_waker_.wake();
  }
  if (is_draining_.load(std::memory_order_relaxed)) scheduler_->drain_ended();
  if (scheduler_->observes_ends()) scheduler_->task_ended(*this);
  const std::uint64_t references = scheduler_->release(*this) ? 2 : 1;
  if (state_.fetch_sub(references * kOneRef, std::memory_order_acq_rel) < (references + 1) * kOneRef) destroy();
}

void spawn_task(Scheduler& scheduler, TaskHeader& task) noexcept {
  if (scheduler.bind(task)) {
    if (const RuntimeCore* core = scheduler.runtime(); core != nullptr && core->options.on_task_spawn) {
      core->options.on_task_spawn(TaskMeta(task.id(), task.spawned_at(), std::nullopt));
    }
    scheduler.schedule(task);
    return;
  }
  // Its frame is destroyed here, in the context of the runtime that refused it.
  RuntimeCore* const previous = thread_state.core;
  if (scheduler.runtime() != nullptr) thread_state.core = scheduler.runtime();
  task.shut_down();
  thread_state.core = previous;
  task.drop_ref();
}

void spawn_task(RuntimeCore& core, TaskHeader& task) noexcept { spawn_task(static_cast<Scheduler&>(core), task); }

void spawn_blocking_task(RuntimeCore& core, TaskHeader& task) {
  task.drop_ref();  // Blocking closures are in no list: shutdown waits for them.
  core.blocking.spawn(task);
}

}  // namespace kaido::inline abi0::detail

namespace kaido::inline abi0::task {

TaskId id() {
  if (const auto current = try_id()) return *current;
  throw std::logic_error("kaido: task::id() outside of a task");
}

std::optional<TaskId> try_id() noexcept {
  const detail::TaskHeader* current = detail::thread_state.task;
  if (current == nullptr) return std::nullopt;
  return current->id();
}

std::string_view name() noexcept {
  const detail::TaskHeader* current = detail::thread_state.task;
  return current != nullptr ? current->name() : std::string_view();
}

}  // namespace kaido::inline abi0::task
