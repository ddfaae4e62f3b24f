/// TaskTracker: waits until every task of a kind is gone, for an orderly end; unlike a JoinSet it keeps no results.
///
///     kaido::TaskTracker connections;
///     connections.spawn(serve(std::move(socket)));          // for each connection
///     ...
///     connections.close();
///     co_await connections.wait();
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include <kaido/detail/wait_list.h>
#include <kaido/detail/waker.h>
#include <kaido/handle.h>
#include <kaido/join_handle.h>
#include <kaido/source_location.h>
#include <kaido/spawn.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

namespace detail {

class TaskTrackerState;
using TaskTrackerRef = std::shared_ptr<TaskTrackerState>;

}  // namespace detail

/// Counts as a task of its tracker while it lives.
///
/// Threading: confined to one thread at a time.
class TaskTrackerToken {
 public:
  explicit TaskTrackerToken(detail::TaskTrackerRef state) noexcept;
  TaskTrackerToken(const TaskTrackerToken& other) noexcept : TaskTrackerToken(other.state_) {}
  TaskTrackerToken(TaskTrackerToken&& other) noexcept = default;
  TaskTrackerToken& operator=(TaskTrackerToken other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~TaskTrackerToken();

 private:
  detail::TaskTrackerRef state_;
};

/// What TaskTracker::wait() gives.
///
/// Threading: like any awaitable, of one task; movable until it is first polled.
class [[nodiscard]] TaskTrackerWait {
 public:
  explicit TaskTrackerWait(detail::TaskTrackerRef state) noexcept;
  TaskTrackerWait(TaskTrackerWait&& other) noexcept
      : state_(std::move(other.state_)), seen_(other.seen_), is_ready_(other.is_ready_) {}
  TaskTrackerWait& operator=(TaskTrackerWait&&) = delete;
  ~TaskTrackerWait();

  /// Internal, for co_await.
  bool poll(PollContext& context) noexcept;
  void take() noexcept {}

 private:
  detail::TaskTrackerRef state_;
  std::uint64_t seen_;
  bool is_ready_;
  detail::WaitNode node_;
};

/// Copies are the same tracker. Dropping it aborts nothing; closing it forbids nothing.
///
/// Threading: thread-safe.
class TaskTracker {
 public:
  TaskTracker();

  /// Spawns a tracked task; takes what kaido::spawn takes. _on: on a runtime's handle or a LocalSet.
  template <typename W>
  auto spawn(W work, SourceLocation location = SourceLocation::current()) const {
    return kaido::spawn(track_future(detail::to_task(std::move(work))), location);
  }
  template <typename W>
  auto spawn_on(W work, const Handle& handle) const {
    return handle.spawn(track_future(detail::to_task(std::move(work))));
  }
  template <typename W>
  auto spawn_local(W work, SourceLocation location = SourceLocation::current()) const {
    return kaido::spawn_local(track_future(detail::to_task(std::move(work))), location);
  }
  template <typename W, typename Set>
  auto spawn_local_on(W work, const Set& local_set, SourceLocation location = SourceLocation::current()) const {
    return local_set.spawn_local(track_future(detail::to_task(std::move(work))), location);
  }
  template <typename F>
  auto spawn_blocking(F closure) const {
    return kaido::spawn_blocking(track_closure(std::move(closure)));
  }
  template <typename F>
  auto spawn_blocking_on(F closure, const Handle& handle) const {
    return handle.spawn_blocking(track_closure(std::move(closure)));
  }
  /// The same Task, tracked from now until its frame is destroyed.
  template <typename T>
  Task<T> track_future(Task<T> task) const {
    return run_tracked(token(), std::move(task));
  }
  [[nodiscard]] TaskTrackerToken token() const noexcept { return TaskTrackerToken(state_); }

  /// Awaiting it waits until the tracker is closed and has no tasks; if it was both at once at any time since wait()
  /// was called, that is enough. Then the frames of all tasks are destroyed, though is_finished() of their handles may
  /// still be false.
  ///
  /// Cancellation: safe.
  [[nodiscard]] TaskTrackerWait wait() const noexcept { return TaskTrackerWait(state_); }
  /// Lets wait() return when the last task is gone; new tasks are tracked nevertheless. True if it was open.
  bool close() const noexcept;
  /// True if it was closed.
  bool reopen() const noexcept;
  [[nodiscard]] bool is_closed() const noexcept;
  /// Tasks and tokens alive.
  [[nodiscard]] std::size_t len() const noexcept;
  [[nodiscard]] bool is_empty() const noexcept { return len() == 0; }
  /// Copies of each other?
  friend bool operator==(const TaskTracker& left, const TaskTracker& right) noexcept {
    return left.state_ == right.state_;
  }

 private:
  // Parameters go last, after everything the coroutine awaits: the token outlives the frame of `task`.
  template <typename T>
  static Task<T> run_tracked(TaskTrackerToken, Task<T> task) {
    co_return co_await std::move(task);
  }
  template <typename F>
  auto track_closure(F closure) const {
    return [tracked = std::pair(token(), std::move(closure))]() mutable { return std::move(tracked.second)(); };
  }

  detail::TaskTrackerRef state_;
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
