/// RuntimeContext: a Task that sees another runtime than the one that polls it.
///
///     // `worker` has no timers; `timers` has.
///     worker.block_on(kaido::RuntimeContext(sleep_and_report(), timers.handle()));
#pragma once

#include <utility>

#include <kaido/detail/lazy_task.h>
#include <kaido/handle.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// Whenever the Task is polled, and when its frame is destroyed, the handle's runtime is the current one: spawn(),
/// timers and sockets inside are that one's. It must be running: a current-thread runtime somewhere in block_on.
///
/// Threading: like the Task in it.
/// Lifetime: movable until it is first polled.
/// Cancellation: as that of the Task.
template <typename T>
class [[nodiscard]] RuntimeContext {
 public:
  RuntimeContext(Task<T> task, Handle handle) noexcept : handle_(std::move(handle)), task_(std::move(task)) {}
  RuntimeContext(RuntimeContext&& other) noexcept : handle_(other.handle_), task_(std::move(other.task_)) {}
  RuntimeContext& operator=(RuntimeContext&&) = delete;
  ~RuntimeContext() {
    const EnterGuard guard = handle_.enter();
    task_.drop_frame();
  }

  [[nodiscard]] const Handle& handle() const noexcept { return handle_; }

  /// Internal, for co_await.
  bool poll(PollContext& context) {
    const EnterGuard guard = handle_.enter();
    return task_.poll(context);
  }
  detail::Dropped poll_drop(PollContext& context) noexcept {
    const EnterGuard guard = handle_.enter();
    return task_.poll_drop(context);
  }
  T take() { return task_.take(); }

 private:
  Handle handle_;
  detail::LazyTask<T> task_;
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
