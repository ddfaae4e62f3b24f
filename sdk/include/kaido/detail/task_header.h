/// TaskHeader: what the scheduler, wakers and join handles know of a spawned task. JoinCell adds the outcome, SpawnCell
/// the coroutine. sdk/runtime/README.md explains the states.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include <kaido/detail/poll.h>
#include <kaido/detail/waker.h>
#include <kaido/result.h>
#include <kaido/source_location.h>
#include <kaido/task.h>
#include <kaido/task_id.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

class CallScope;
class RuntimeCore;
class Scheduler;

/// One allocation per spawned task, counted by references: one of the scheduler's list of tasks, one of the queue or
/// the worker that runs it, one per JoinHandle, AbortHandle and Waker.
///
/// Threading: every member may be called from any thread, except run(), which belongs to the scheduler.
class TaskHeader : public WakeTarget {
 public:
  [[nodiscard]] TaskId id() const noexcept { return id_; }
  [[nodiscard]] SourceLocation spawned_at() const noexcept { return spawned_at_; }
  /// Before the task is handed to its scheduler.
  void set_spawned_at(SourceLocation location) noexcept { spawned_at_ = location; }
  /// Empty if it has none. Valid as long as the task.
  [[nodiscard]] std::string_view name() const noexcept;
  /// Before the task is handed to its scheduler, once.
  void set_name(const std::string& name);
  /// When it was last queued, if its runtime measures that: nanoseconds of the steady clock.
  [[nodiscard]] std::int64_t scheduled_at() const noexcept { return scheduled_at_; }
  void note_scheduled() noexcept;
  /// The function of this program for which it runs, at first that of the task that spawned it; null if there is none.
  [[nodiscard]] CallScope* scope() const noexcept { return scope_; }

  void wake_by_ref() noexcept override;
  void wake_by_value() noexcept override;

  /// True once the frame is destroyed and the outcome can be taken.
  [[nodiscard]] bool is_finished() const noexcept;
  /// is_finished(), or stores the waker of `context` to be woken then. For one waiter: the owner of the JoinHandle.
  bool poll_join(PollContext& context) noexcept;
  /// Asks for cancellation: the scheduler destroys the frame at the task's next suspension.
  void abort() noexcept;
  /// Gives up the JoinHandle's interest and reference; an outcome already there is destroyed.
  void detach() noexcept;

  /// For PollContext::defer(), while it is polled or dropped: has it queued once the drivers have been polled. False if
  /// it is not `core`'s to queue.
  [[nodiscard]] bool yield_after_poll(RuntimeCore& core) noexcept;

  /// Polls once, consuming the queue's reference. For the scheduler.
  void run(Budget& budget) noexcept;
  /// Destroys the frame now if nobody runs it, else at its suspension; consumes a reference. For shutdown.
  void shut_down() noexcept;
  /// For a scheduler that runs nothing any more: consumes the reference of a task that was queued. One that waits for a
  /// foreign operation before its frame can go is dealt with here, on whatever thread that ended.
  void refuse() noexcept;

 protected:
  explicit TaskHeader(Scheduler* scheduler) noexcept;
  explicit TaskHeader(RuntimeCore* core) noexcept;
  ~TaskHeader() override;

  /// Before the task is handed to its scheduler: it is the function's own, and counts no reference of its own scope.
  void set_own_scope(CallScope& scope) noexcept;
  /// In the destructor of such a task, before the scope goes.
  void leave_own_scope() noexcept { scope_ = nullptr; }

  /// True when finished and the outcome stands.
  virtual bool poll(PollContext& context) noexcept = 0;
  /// Whether drop_frame() may be called on an unfinished coroutine; kOutcome: it has finished, and the outcome stands.
  virtual Dropped poll_drop(PollContext& context) noexcept;
  /// Destroys the coroutine or closure, whether finished or not.
  virtual void drop_frame() noexcept = 0;
  /// What left the task and was not taken; null if there is nothing of the kind.
  [[nodiscard]] virtual std::exception_ptr drop_outcome() noexcept = 0;
  /// The outcome is an exception.
  [[nodiscard]] virtual bool has_panicked() const noexcept = 0;

 private:
  friend class OwnedList;
  friend class TaskQueue;

  enum class Start { kPoll, kCancel, kNothing };
  Start start_running() noexcept;
  bool finish_running() noexcept;
  void defer() noexcept;
  void drop_unfinished(PollContext& context) noexcept;
  void wait_for_drop() noexcept;
  void discard_outcome() noexcept;
  void complete() noexcept;

  Scheduler* scheduler_;
  TaskHeader* queue_next_ = nullptr;
  TaskHeader* owned_previous_ = nullptr;
  TaskHeader* owned_next_ = nullptr;
  TaskId id_;
  SourceLocation spawned_at_;
  std::int64_t scheduled_at_ = 0;
  const std::string* name_ = nullptr;  // Most have none.
  CallScope* scope_ = nullptr;
  Waker join_waker_;
  bool is_owned_ = false;
  bool has_yielded_ = false;               // In the poll under way.
  std::atomic<bool> is_draining_ = false;  // Cancelled, but its frame waits for a foreign operation.
};

/// A task whose outcome is a T.
template <typename T>
class JoinCell : public TaskHeader {
 public:
  /// Once, after is_finished(). No outcome means that it was cancelled.
  Result<T> take_result() {
    if (outcome_.has_exception()) return Error::from_exception(outcome_.take_exception(), id().value());
    if (!outcome_.has_value()) return Error::cancelled(id().value());
    if constexpr (std::is_void_v<T>) {
      return Result<T>();
    } else {
      Result<T> result(std::move(outcome_.value()));
      outcome_.reset();
      return result;
    }
  }

 protected:
  using TaskHeader::TaskHeader;
  ~JoinCell() override = default;
  [[nodiscard]] std::exception_ptr drop_outcome() noexcept final {
    std::exception_ptr lost = outcome_.has_exception() ? outcome_.take_exception() : nullptr;
    outcome_.reset();
    return lost;
  }
  [[nodiscard]] bool has_panicked() const noexcept final { return outcome_.has_exception(); }

  Outcome<T> outcome_;
};

/// A spawned coroutine.
template <typename T>
class SpawnCell final : public JoinCell<T> {
 public:
  /// `owner` is the Scheduler, or the RuntimeCore, to which the task belongs.
  template <typename Owner>
  SpawnCell(Owner* owner, Task<T> task) : JoinCell<T>(owner) {
    task.require();
    slot_.resume_point = task.prepare(slot_, this->outcome_, nullptr);
    frame_ = task.release();
  }
  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* cell, std::size_t size) noexcept { free_frame(cell, size); }

 protected:
  bool poll(PollContext& context) noexcept override { return slot_.poll(context); }
  Dropped poll_drop(PollContext& context) noexcept override { return slot_.poll_drop(context); }
  void drop_frame() noexcept override {
    if (frame_) std::exchange(frame_, nullptr).destroy();
  }
  void destroy() noexcept override { delete this; }

 private:
  ~SpawnCell() override = default;

  PollSlot slot_;
  std::coroutine_handle<> frame_;
};

/// A closure for the blocking pool.
template <typename T, typename F>
class BlockingCell final : public JoinCell<T> {
 public:
  BlockingCell(RuntimeCore* core, F closure) : JoinCell<T>(core) { new (&closure_) F(std::move(closure)); }

 protected:
  bool poll(PollContext&) noexcept override {
    try {
      if constexpr (std::is_void_v<T>) {
        std::move(closure_)();
        this->outcome_.set_value();
      } else {
        this->outcome_.set_value(std::move(closure_)());
      }
    } catch (...) {
      this->outcome_.set_exception(std::current_exception());
    }
    return true;
  }
  void drop_frame() noexcept override {
    if (std::exchange(holds_closure_, false)) closure_.~F();
  }
  void destroy() noexcept override { delete this; }

 private:
  ~BlockingCell() override { drop_frame(); }

  union {
    F closure_;
  };
  bool holds_closure_ = true;
};

/// Hands a new task, with its first three references, to the runtime. After shutdown it is cancelled at once.
void spawn_task(RuntimeCore& core, TaskHeader& task) noexcept;
void spawn_task(Scheduler& scheduler, TaskHeader& task) noexcept;
void spawn_blocking_task(RuntimeCore& core, TaskHeader& task);

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
