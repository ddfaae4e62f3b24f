/// Task<T>: a lazily started coroutine, the unit that is awaited, spawned and aborted.
///
///     kaido::Task<int> answer() { co_return 42; }
///     kaido::Task<int> twice() { co_return 2 * co_await answer(); }
///
/// Nothing runs until the Task is awaited, spawned or given to block_on. Awaiting runs it as part of the awaiting task
/// (no scheduling); spawning makes it a task of its own.
///
/// Take parameters by value: an rvalue reference is refused, since what it refers to is gone when the coroutine goes on
/// after a wait. A coroutine lambda's captures live in the lambda and not in the coroutine: give the lambda itself to
/// `spawn` or `block_on`, which keep it, not its result. With KAIDO_CHECK_LIFETIMES defined, clang 17 and later find
/// what breaks these rules (docs/sdk/awaitables.md).
#pragma once

#include <coroutine>
#include <exception>
#include <type_traits>
#include <utility>

#include <kaido/detail/coroutine_attributes.h>
#include <kaido/detail/poll.h>
#include <kaido/detail/standard_awaiter.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

template <typename T = void>
class Task;

namespace detail {

template <typename T>
class TaskPromise;

template <typename A>
inline constexpr bool kIsTask = false;
template <typename T>
inline constexpr bool kIsTask<Task<T>> = true;

[[noreturn]] void throw_empty_task();

/// Awaits a Task inside another: shares the parent's slot and keeps the child's frame and outcome in the parent's
/// frame.
template <typename T>
class TaskAwaiter {
 public:
  TaskAwaiter(Task<T> task, PollSlot& slot) noexcept : task_(std::move(task)), slot_(slot) {}
  TaskAwaiter(const TaskAwaiter&) = delete;
  TaskAwaiter& operator=(const TaskAwaiter&) = delete;

  [[nodiscard]] bool await_ready() const {
    task_.require();
    return false;
  }
  void await_suspend(std::coroutine_handle<> parent) noexcept {
    slot_.resume_point = task_.prepare(slot_, outcome_, parent);
  }
  T await_resume() {
    task_ = Task<T>();
    return outcome_.take();
  }

 private:
  Task<T> task_;
  PollSlot& slot_;
  Outcome<T> outcome_;
};

class TaskPromiseBase {
 public:
  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { free_frame(frame, size); }

  struct FinalAwaiter {
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      TaskPromiseBase& promise = self.promise();
      if (promise.continuation_) {
        promise.slot_->resume_point = promise.continuation_;
      } else {
        promise.slot_->done = true;
      }
    }
    void await_resume() const noexcept {}
  };

  [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
  [[nodiscard]] FinalAwaiter final_suspend() const noexcept { return {}; }

  template <typename U>
  TaskAwaiter<U> await_transform(Task<U>&& task) const noexcept {
    return TaskAwaiter<U>(std::move(task), *slot_);
  }
  template <typename U>
  std::suspend_never await_transform(const Task<U>&) const noexcept {
    static_assert(kNeverTrue<U>, "kaido: a Task is awaited once: write `co_await std::move(task)`");
    return {};
  }

  template <typename A>
    requires Pollable<std::remove_reference_t<A>>
  PollAwaiter<std::remove_reference_t<A>> await_transform(A&& awaitable) const noexcept {
    return PollAwaiter<std::remove_reference_t<A>>(awaitable, *slot_);
  }

  template <typename A>
    requires(!Pollable<std::remove_reference_t<A>> && !kIsTask<std::remove_cvref_t<A>>)
  auto await_transform(A&& awaitable) const {
    if constexpr (StandardAwaitable<A>) {
      return StandardAwait<A&&>(std::forward<A>(awaitable), *slot_);
    } else {
      static_assert(kNeverTrue<A>,
                    "kaido: this cannot be awaited in a Task: it is no Task, handle, timer or operation, has no `bool "
                    "poll(kaido::PollContext&)` and `take()` (<kaido/awaitable.h>), and is no standard awaiter. A "
                    "callable is to be called first; an operation of Asio's wants kaido::use_task");
      return std::suspend_never();
    }
  }

  void prepare(PollSlot& slot, std::coroutine_handle<> continuation) noexcept {
    slot_ = &slot;
    continuation_ = continuation;
  }

 protected:
  TaskPromiseBase() noexcept = default;
  ~TaskPromiseBase() = default;

 private:
  PollSlot* slot_ = nullptr;
  std::coroutine_handle<> continuation_ = nullptr;
};

template <typename T>
class TaskPromise final : public TaskPromiseBase {
 public:
  Task<T> get_return_object() noexcept;
  template <typename U = T>
    requires std::is_constructible_v<T, U&&>
  void return_value(U&& value) {
    outcome_->set_value(std::forward<U>(value));
  }
  void unhandled_exception() noexcept { outcome_->set_exception(std::current_exception()); }
  void set_outcome(Outcome<T>& outcome) noexcept { outcome_ = &outcome; }

 private:
  Outcome<T>* outcome_ = nullptr;
};

template <>
class TaskPromise<void> final : public TaskPromiseBase {
 public:
  Task<void> get_return_object() noexcept;
  void return_void() { outcome_->set_value(); }
  void unhandled_exception() noexcept { outcome_->set_exception(std::current_exception()); }
  void set_outcome(Outcome<void>& outcome) noexcept { outcome_ = &outcome; }

 private:
  Outcome<void>* outcome_ = nullptr;
};

}  // namespace detail

/// A coroutine that has not been started.
///
/// Lifetime: owns the frame until it is awaited or spawned; dropping an unstarted Task destroys the frame (and the
/// arguments in it) without running it.
/// Cancellation: dropping or aborting the task that awaits it destroys the frame where it is suspended: destructors
/// run, no exception is raised in it, and it is not resumed. If it is suspended in an operation of Asio's, that is
/// cancelled and the frame destroyed when it has completed; if it was done all the same, the frame first goes on with
/// its outcome as far as its next wait. Errors: an exception leaves through the `co_await`, or through the JoinHandle
/// as kPanicked. Awaiting or spawning a Task that was moved from throws std::logic_error.
template <typename T>
class [[nodiscard]] KAIDO_CORO_TASK KAIDO_CORO_ELIDABLE Task {
  static_assert(!std::is_reference_v<T>, "Task<T> gives an object: use a pointer or std::reference_wrapper instead");

 public:
  using value_type = T;
  using promise_type = detail::TaskPromise<T>;

  Task() noexcept = default;
  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    Task dropped(std::move(other));
    std::swap(frame_, dropped.frame_);
    return *this;
  }
  ~Task() {
    if (frame_) frame_.destroy();
  }

  /// False once it was moved from, awaited or spawned.
  explicit operator bool() const noexcept { return frame_ != nullptr; }

  /// Internal: throws std::logic_error if there is no coroutine.
  void require() const {
    if (!frame_) detail::throw_empty_task();
  }
  /// Internal: binds the coroutine to where it runs and where its outcome goes; returns what to resume.
  std::coroutine_handle<> prepare(detail::PollSlot& slot, detail::Outcome<T>& outcome,
                                  std::coroutine_handle<> continuation) noexcept {
    frame_.promise().prepare(slot, continuation);
    frame_.promise().set_outcome(outcome);
    return frame_;
  }
  /// Internal: gives up the frame to who will destroy it.
  [[nodiscard]] std::coroutine_handle<> release() noexcept { return std::exchange(frame_, nullptr); }

 private:
  friend promise_type;
  explicit Task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

  std::coroutine_handle<promise_type> frame_ = nullptr;
};

namespace detail {

template <typename T>
Task<T> TaskPromise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

/// A Task as a Pollable: what combinators and block_on hold.
template <typename T>
class TaskPoller {
 public:
  explicit TaskPoller(Task<T> task) : task_(std::move(task)) {
    task_.require();
    slot_.resume_point = task_.prepare(slot_, outcome_, nullptr);
  }
  TaskPoller(const TaskPoller&) = delete;
  TaskPoller& operator=(const TaskPoller&) = delete;

  bool poll(PollContext& context) noexcept { return slot_.poll(context); }
  Dropped poll_drop(PollContext& context) noexcept { return slot_.poll_drop(context); }
  void drop_frame() noexcept { task_ = Task<T>(); }
  T take() {
    drop_frame();
    return outcome_.take();
  }

 private:
  Outcome<T> outcome_;
  PollSlot slot_;
  Task<T> task_;  // Last: its frame refers to the two above.
};

template <typename T>
struct TaskValue;
template <typename T>
struct TaskValue<Task<T>> {
  using type = T;
};

/// A callable that returns a Task: kept alive by what runs the Task.
template <typename F>
concept TaskFactory = std::is_invocable_v<F&> && requires { typename TaskValue<std::invoke_result_t<F&>>::type; };

template <typename F>
using FactoryValue = typename TaskValue<std::invoke_result_t<F&>>::type;

template <typename F>
Task<FactoryValue<F>> run_factory(F factory) {
  co_return co_await factory();
}

}  // namespace detail
}  // namespace kaido::inline abi0
#pragma GCC visibility pop

/// What a coroutine's declaration shows of it.
template <typename T, typename... Parameters>
struct std::coroutine_traits<kaido::Task<T>, Parameters...> {
  static_assert(
      !(std::is_rvalue_reference_v<Parameters> || ...),
      "kaido: a coroutine that gives a Task takes no `T&&`: what that refers to is gone when the coroutine goes "
      "on after a wait. Take it by value, and move it in");
  using promise_type = kaido::detail::TaskPromise<T>;
};
