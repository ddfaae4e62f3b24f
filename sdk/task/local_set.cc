#include <kaido/local_set.h>

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include <kaido/coop.h>
#include <kaido/detail/futex_lock.h>

#include "sdk/runtime/owned_tasks.h"
#include "sdk/runtime/runtime_core.h"
#include "sdk/runtime/scheduler.h"
#include "sdk/runtime/task_queue.h"
#include "sdk/runtime/thread_state.h"

namespace kaido::inline abi0 {

namespace detail {

/// The scheduler of a LocalSet. What the owner thread wakes goes to a queue of its own, what others wake to a shared
/// one; a wake-up also wakes who last polled the set.
///
/// Threading: schedule() from any thread; the rest, and what is not marked shared, on the owner thread.
class LocalSetState final : public Scheduler {
 public:
  LocalSetState() noexcept : owner_(this_thread_number()) {}

  [[nodiscard]] bool is_owner_thread() const noexcept { return this_thread_number() == owner_; }
  [[nodiscard]] bool is_finished() const noexcept { return owned_.is_empty(); }

  void schedule(TaskHeader& task) noexcept override;
  void schedule_yielded(TaskHeader& task) noexcept override { schedule(task); }
  [[nodiscard]] bool bind(TaskHeader& task) noexcept override {
    if (is_closed_) return false;
    owned_.insert(task);
    return true;
  }
  [[nodiscard]] bool release(TaskHeader& task) noexcept override {
    // A task that waited for a foreign operation may end elsewhere, after the set; it is in no list then.
    return is_owner_thread() && owned_.remove(task);
  }
  // After its end the runtime that polled it waits for its tasks' foreign operations, as for those of its own tasks;
  // before, the set waits itself.
  void drain_started() noexcept override {
    if (!is_closed_.load(std::memory_order_relaxed)) {
      ++draining_;
    } else if (polled_on_) {
      polled_on_->drain_started();
    }
  }
  void drain_ended() noexcept override {
    if (!is_closed_.load(std::memory_order_relaxed)) {
      --draining_;
    } else if (polled_on_) {
      polled_on_->drain_ended();
    }
  }
  void task_panicked() noexcept override {
    has_panicked_ = true;
    shut_down_tasks();
  }

  /// Before the queues are looked at, so that no wake-up is lost.
  void begin_poll(PollContext& context);
  void end_poll(bool was_polled) noexcept {
    is_polled_ = was_polled;
    // A poll that ended early has left tasks: for the next one, or for another who awaits the set.
    if (!was_polled && !local_.empty()) wake_poller();
  }
  [[nodiscard]] bool is_polled() const noexcept { return is_polled_; }
  void run_tasks(PollContext& context);
  void check_panic() const;
  void close() noexcept;

 private:
  static constexpr std::uint32_t kTasksPerPoll = 61;
  static constexpr std::uint32_t kRemoteInterval = 31;

  [[nodiscard]] TaskHeader* next_task() noexcept;
  void shut_down_tasks() noexcept;
  void wake_poller() noexcept;

  const std::uint64_t owner_;
  OwnedList owned_;
  TaskQueue local_;
  std::uint32_t tick_ = 0;
  std::atomic<bool> is_closed_ = false;  // Written on the owner thread.
  std::size_t draining_ = 0;
  CoreRef polled_on_;  // Constant once closed.
  bool is_polled_ = false;
  bool has_panicked_ = false;

  Inject remote_;  // Shared.
  FutexLock waker_lock_;
  Waker waker_;  // Shared, under waker_lock_.
};

void LocalSetState::schedule(TaskHeader& task) noexcept {
  if (is_owner_thread()) {
    if (is_closed_) {
      task.refuse();
      return;
    }
    local_.push(task);
    // A poll under way looks at the queue before it ends.
    if (is_polled_) return;
    wake_poller();
    return;
  }
  // Once it is queued the owner may run it, end the set, and be the last that keeps this.
  add_ref();
  if (remote_.push(task)) {
    wake_poller();
  } else {
    task.refuse();
  }
  drop_ref();
}

void LocalSetState::wake_poller() noexcept {
  Waker woken;
  {
    std::scoped_lock lock(waker_lock_);
    woken = std::move(waker_);
  }
  woken.wake();
}

void LocalSetState::begin_poll(PollContext& context) {
  if (!is_owner_thread()) throw std::logic_error("kaido: a LocalSet can be polled only on the thread that made it");
  check_panic();
  if (polled_on_.get() != thread_state.core) polled_on_ = CoreRef(thread_state.core);
  Waker replaced;
  {
    std::scoped_lock lock(waker_lock_);
    if (!context.will_wake(waker_)) replaced = std::exchange(waker_, context.waker());
  }
  is_polled_ = true;
}

void LocalSetState::check_panic() const {
  if (!has_panicked_) return;
  throw std::runtime_error("kaido: an exception left a task of a LocalSet that shuts down on unhandled panics");
}

TaskHeader* LocalSetState::next_task() noexcept {
  if (++tick_ % kRemoteInterval == 0) {
    if (TaskHeader* task = remote_.pop()) return task;
  }
  if (TaskHeader* task = local_.pop()) return task;
  return remote_.pop();
}

void LocalSetState::run_tasks(PollContext& context) {
  Budget budget;
  BudgetScope scope(&budget);
  for (std::uint32_t count = 0; count < kTasksPerPoll; ++count) {
    check_panic();
    TaskHeader* task = next_task();
    if (task == nullptr) return;
    budget.reset();
    task->run(budget);
  }
  check_panic();
  // There may be more: the others of the runtime have their turn first.
  context.target().wake_by_ref();
}

void LocalSetState::shut_down_tasks() noexcept {
  if (!is_closed_.exchange(true, std::memory_order_relaxed) && polled_on_) {
    for (; draining_ != 0; --draining_) polled_on_->drain_started();
  }
  while (TaskHeader* task = owned_.pop()) task->shut_down();
}

void LocalSetState::close() noexcept {
  shut_down_tasks();
  while (TaskHeader* task = local_.pop()) task->refuse();
  remote_.close();
  while (TaskHeader* task = remote_.pop()) task->refuse();
  if (polled_on_ && polled_on_->driver.is_shut_down()) {
    // That runtime has ended before: nobody else completes what tasks still wait for.
    while (polled_on_->wait_for_drain()) {
    }
  }
  Waker dropped;
  std::scoped_lock lock(waker_lock_);
  dropped = std::move(waker_);
}

LocalSetRef::LocalSetRef(LocalSetState& state) noexcept : state_(&state) { state.add_ref(); }
LocalSetRef::~LocalSetRef() {
  if (state_ != nullptr) state_->drop_ref();
}

LocalSetPoll::LocalSetPoll(LocalSetState& state, PollContext& context)
    : state_(state), context_(context), was_polled_(state.is_polled()) {
  state.begin_poll(context);
  previous_ = std::exchange(thread_state.local_set, &state);
  was_in_local_set_ = std::exchange(thread_state.is_in_local_set, true);
}
LocalSetPoll::~LocalSetPoll() {
  thread_state.local_set = previous_;
  thread_state.is_in_local_set = was_in_local_set_;
  state_.end_poll(was_polled_);
}

LocalSetScope::LocalSetScope(LocalSetState& state) noexcept : previous_(thread_state.local_set) {
  if (state.is_owner_thread()) thread_state.local_set = &state;
}
LocalSetScope::~LocalSetScope() { thread_state.local_set = previous_; }

bool LocalSetPoll::run_tasks() {
  state_.run_tasks(context_);
  return state_.is_finished();
}

Scheduler* check_owner_thread(LocalSetState& state) {
  if (!state.is_owner_thread()) throw std::logic_error("kaido: spawn_local on a LocalSet of another thread");
  return &state;
}

Scheduler& current_local_scheduler() {
  if (thread_state.local_set != nullptr) return *thread_state.local_set;
  RuntimeCore* const core = thread_state.core;
  if (core == nullptr || !core->is_local_here()) {
    throw std::logic_error("kaido: spawn_local outside of a LocalSet and of a runtime that is local to this thread");
  }
  return *core;
}

}  // namespace detail

LocalEnterGuard::LocalEnterGuard(detail::LocalSetState& state) : state_(state) {
  detail::check_owner_thread(state);
  previous_ = std::exchange(detail::thread_state.local_set, &state);
}
LocalEnterGuard::~LocalEnterGuard() { detail::thread_state.local_set = previous_; }

LocalSet::LocalSet() : state_(new detail::LocalSetState()) {}

LocalSet::~LocalSet() {
  if (state_ == nullptr) return;
  if (!state_->is_owner_thread()) {
    std::fputs("kaido: a LocalSet must be destroyed on the thread that made it\n", stderr);
    std::abort();
  }
  {
    // Destructors of its tasks may still call spawn_local: into the set, which refuses.
    detail::Scheduler* const previous = std::exchange(detail::thread_state.local_set, state_);
    state_->close();
    detail::thread_state.local_set = previous;
  }
  state_->drop_ref();
}

LocalSet& LocalSet::unhandled_panic(UnhandledPanic behaviour) {
  if (behaviour == UnhandledPanic::kShutdownRuntime) state_->observe_panics();
  return *this;
}

bool LocalSet::poll(PollContext& context) {
  detail::LocalSetPoll scope(*state_, context);
  return scope.run_tasks();
}

}  // namespace kaido::inline abi0
