/// The free functions of a running task: spawn, spawn_blocking, yield_now. They act on the current runtime and throw
/// std::logic_error outside one.
#pragma once

#include <utility>

#include <kaido/handle.h>
#include <kaido/join_handle.h>
#include <kaido/task.h>

namespace kaido {

/// Starts a task of its own on the current runtime.
template <typename T>
JoinHandle<T> spawn(Task<T> task) {
  return detail::spawn_on(detail::current_core(), std::move(task));
}

/// The same for a callable that returns a Task, typically a lambda; the task keeps the callable, and so its captures.
template <detail::TaskFactory F>
auto spawn(F factory) {
  return detail::spawn_on(detail::current_core(), detail::run_factory(std::move(factory)));
}

/// Runs a closure that blocks or computes for long on the pool of blocking threads.
template <typename F>
auto spawn_blocking(F&& closure) {
  return detail::spawn_blocking_on(detail::current_core(), std::forward<F>(closure));
}

namespace detail {

class YieldNow {
 public:
  bool poll(Context& context) noexcept {
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

}  // namespace kaido
