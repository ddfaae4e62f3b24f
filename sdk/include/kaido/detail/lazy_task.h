/// LazyTask: a Task held by an awaitable of its own; movable until it is first polled.
#pragma once

#include <optional>
#include <utility>

#include <kaido/detail/poll.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// Unlike TaskPoller it destroys the frame as soon as the Task is done, so that this happens in the context of the
/// poll.
template <typename T>
class LazyTask {
 public:
  explicit LazyTask(Task<T> task) noexcept : task_(std::move(task)) {}
  LazyTask(LazyTask&& other) noexcept : task_(std::move(other.task_)) {}
  LazyTask& operator=(LazyTask&&) = delete;

  bool poll(PollContext& context) {
    if (!poller_) poller_.emplace(std::move(task_));
    if (!poller_->poll(context)) return false;
    poller_->drop_frame();
    return true;
  }
  Dropped poll_drop(PollContext& context) noexcept {
    if (!poller_) return Dropped::kGone;
    const Dropped dropped = poller_->poll_drop(context);
    if (dropped == Dropped::kOutcome) poller_->drop_frame();
    return dropped;
  }
  T take() { return poller_->take(); }
  /// Destroys the frame, started or not.
  void drop_frame() noexcept {
    task_ = Task<T>();
    if (poller_) poller_->drop_frame();
  }

 private:
  Task<T> task_;
  std::optional<TaskPoller<T>> poller_;
};

/// Awaitables other than Tasks that can be spawned: they are moved into a Task.
template <typename A>
concept SpawnablePollable = Pollable<A> && std::move_constructible<A> && !TaskFactory<A>;

template <typename A>
using PollableValue = std::remove_cvref_t<decltype(std::declval<A&>().take())>;

template <typename A>
Task<PollableValue<A>> run_pollable(A awaitable) {
  co_return co_await awaitable;
}

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
