/// The free functions of a running task: spawn, spawn_blocking, spawn_local, yield_now. They act on the current runtime
/// and throw std::logic_error outside one.
#pragma once

#include <type_traits>
#include <utility>

#include <kaido/detail/lazy_task.h>
#include <kaido/detail/temporary.h>
#include <kaido/handle.h>
#include <kaido/join_handle.h>
#include <kaido/source_location.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

namespace detail {

/// The LocalSet of this thread, or its runtime if that is local. Throws std::logic_error if there is neither.
[[nodiscard]] Scheduler& current_local_scheduler();

/// What can be spawned, as a Task: Tasks, callables that return one (the task keeps them), other awaitables.
template <typename T>
KAIDO_CORO_WRAPPER Task<T> to_task(Task<T> task) noexcept {
  return task;
}
template <TaskFactory F>
KAIDO_CORO_WRAPPER auto to_task(F factory) {
  return run_factory(std::move(factory));
}
template <SpawnablePollable A>
KAIDO_CORO_WRAPPER auto to_task(A awaitable) {
  return run_pollable(std::move(awaitable));
}

/// Starts a task of `owner`, a RuntimeCore or another Scheduler.
template <typename Owner, typename T>
JoinHandle<T> start_task(Owner& owner, Task<T> task, SourceLocation location) {
  auto* cell = new SpawnCell<T>(&owner, std::move(task));
  cell->set_spawned_at(location);
  JoinHandle<T> handle(*cell);
  spawn_task(owner, *cell);
  return handle;
}

}  // namespace detail

/// Starts a task of its own on the current runtime.
template <typename T>
JoinHandle<T> spawn(Task<T> task KAIDO_CORO_KEEPS, SourceLocation location = SourceLocation::current()) {
  return detail::start_task(detail::current_core(), std::move(task), location);
}

/// The same for a callable that returns a Task, typically a lambda; the task keeps the callable, and so its captures.
template <typename F>
  requires detail::TaskFactory<std::decay_t<F>>
auto spawn(F&& factory, SourceLocation location = SourceLocation::current()) {
  static_assert(detail::check_temporaries<F>());
  return spawn(detail::run_factory<std::decay_t<F>>(std::forward<F>(factory)), location);
}

/// The same for another awaitable that can be moved, such as a task-local scope, a timeout or a select.
template <typename A>
  requires detail::SpawnablePollable<std::decay_t<A>>
auto spawn(A&& awaitable, SourceLocation location = SourceLocation::current()) {
  static_assert(detail::check_temporaries<A>());
  return spawn(detail::run_pollable<std::decay_t<A>>(std::forward<A>(awaitable)), location);
}
/// `spawn(kaido::moved(work))` of a named one of either.
template <typename W>
auto spawn(Moved<W> work, SourceLocation location = SourceLocation::current()) {
  return spawn(detail::to_task(W(std::move(work).take())), location);
}

/// Starts a task that stays on this thread: in the current LocalSet, else on the current runtime if that is a local one
/// of this thread. Throws std::logic_error if there is neither. Takes what spawn() takes.
template <typename T>
JoinHandle<T> spawn_local(Task<T> task KAIDO_CORO_KEEPS, SourceLocation location = SourceLocation::current()) {
  return detail::start_task(detail::current_local_scheduler(), std::move(task), location);
}
template <typename F>
  requires detail::TaskFactory<std::decay_t<F>>
auto spawn_local(F&& factory, SourceLocation location = SourceLocation::current()) {
  static_assert(detail::check_temporaries<F>());
  return spawn_local(detail::run_factory<std::decay_t<F>>(std::forward<F>(factory)), location);
}
template <typename A>
  requires detail::SpawnablePollable<std::decay_t<A>>
auto spawn_local(A&& awaitable, SourceLocation location = SourceLocation::current()) {
  static_assert(detail::check_temporaries<A>());
  return spawn_local(detail::run_pollable<std::decay_t<A>>(std::forward<A>(awaitable)), location);
}
template <typename W>
auto spawn_local(Moved<W> work, SourceLocation location = SourceLocation::current()) {
  return spawn_local(detail::to_task(W(std::move(work).take())), location);
}

/// Runs a closure that blocks or computes for long on the pool of blocking threads.
template <typename F>
auto spawn_blocking(F&& closure) {
  return detail::spawn_blocking_on(detail::current_core(), std::forward<F>(closure));
}

namespace detail {

class YieldNow {
 public:
  bool poll(PollContext& context) noexcept {
    if (yielded_) return true;
    yielded_ = true;
    context.defer();
    return false;
  }
  void take() noexcept {}

 private:
  bool yielded_ = false;
};

}  // namespace detail

/// Lets everything else that is ready run first, and timers and sockets be looked at.
///
/// Cancellation: safe.
[[nodiscard]] inline detail::YieldNow yield_now() noexcept { return {}; }

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
