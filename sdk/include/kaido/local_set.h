/// LocalSet: tasks that stay on one thread, on whatever runtime that thread polls them. spawn_local: starts one.
///
///     kaido::LocalSet local;
///     local.block_on(runtime, [&]() -> kaido::Task<void> {
///       auto handle = kaido::spawn_local(render(&window));   // `window` belongs to this thread
///       co_await handle;
///     });
///
/// What needs no thread of its own is easier on a runtime that is local as a whole: RuntimeBuilder::build_local().
#pragma once

#include <type_traits>
#include <utility>

#include <kaido/detail/lazy_task.h>
#include <kaido/detail/task_header.h>
#include <kaido/detail/temporary.h>
#include <kaido/handle.h>
#include <kaido/join_handle.h>
#include <kaido/runtime.h>
#include <kaido/source_location.h>
#include <kaido/spawn.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

class LocalSet;

namespace detail {

class LocalSetState;

/// A counted reference to the inner part of a LocalSet, which its tasks share.
class LocalSetRef {
 public:
  explicit LocalSetRef(LocalSetState& state) noexcept;
  LocalSetRef(LocalSetRef&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  LocalSetRef& operator=(LocalSetRef&&) = delete;
  ~LocalSetRef();
  [[nodiscard]] LocalSetState& operator*() const noexcept { return *state_; }
  [[nodiscard]] LocalSetState* get() const noexcept { return state_; }

 private:
  LocalSetState* state_;
};

/// One poll of a LocalSet: makes it this thread's current one, and the poller of `context` its waker. Throws
/// std::logic_error on another thread than the set's, std::runtime_error after a panic with kShutdownRuntime.
class LocalSetPoll {
 public:
  LocalSetPoll(LocalSetState& state, PollContext& context);
  LocalSetPoll(const LocalSetPoll&) = delete;
  LocalSetPoll& operator=(const LocalSetPoll&) = delete;
  ~LocalSetPoll();

  /// Runs up to 61 tasks; true if none is left unfinished.
  bool run_tasks();

 private:
  LocalSetState& state_;
  PollContext& context_;
  Scheduler* previous_ = nullptr;
  bool was_in_local_set_ = false;
  bool was_polled_;
};

/// Makes the set this thread's current one for a scope, without polling it. On another thread than the set's: nothing.
class LocalSetScope {
 public:
  explicit LocalSetScope(LocalSetState& state) noexcept;
  LocalSetScope(const LocalSetScope&) = delete;
  LocalSetScope& operator=(const LocalSetScope&) = delete;
  ~LocalSetScope();

 private:
  Scheduler* previous_;
};

/// The set as a scheduler. Throws std::logic_error on another thread than the set's.
Scheduler* check_owner_thread(LocalSetState& state);

/// The awaitable of LocalSet::run_until().
template <typename T>
class [[nodiscard]] RunUntil {
 public:
  RunUntil(LocalSetState& state, Task<T> task) noexcept : state_(state), task_(std::move(task)) {}

  bool poll(PollContext& context) {
    LocalSetPoll scope(*state_, context);
    if (task_.poll(context)) return true;
    scope.run_tasks();
    return false;
  }
  Dropped poll_drop(PollContext& context) noexcept {
    const LocalSetScope scope(*state_);  // It may go on as far as its next wait.
    return task_.poll_drop(context);
  }
  T take() { return task_.take(); }

 private:
  LocalSetRef state_;
  LazyTask<T> task_;
};

}  // namespace detail

/// Makes a LocalSet the one of this thread's spawn_local() while it lives, without running anything.
///
/// Lifetime: guards end in reverse order of their making, on the set's thread.
class [[nodiscard]] LocalEnterGuard {
 public:
  explicit LocalEnterGuard(detail::LocalSetState& state);
  LocalEnterGuard(const LocalEnterGuard&) = delete;
  LocalEnterGuard& operator=(const LocalEnterGuard&) = delete;
  ~LocalEnterGuard();

 private:
  detail::LocalSetRef state_;
  detail::Scheduler* previous_;
};

/// Its tasks run only while it is awaited (`co_await local`, until all have ended), in run_until() or in block_on();
/// each time up to 61 of them in turn with everything else of the runtime. They may use what belongs to the thread;
/// spawn() inside them starts ordinary tasks of the runtime, spawn_blocking() runs elsewhere as usual, block_in_place()
/// throws.
///
/// Threading: confined to the thread that made it: spawning and polling elsewhere throw std::logic_error, so it is
/// awaited in block_on, not in a spawned task of a multi-thread runtime. Wakers, JoinHandles and AbortHandles of its
/// tasks may be used from any thread; their frames are always destroyed on the set's (but one that still waits in an
/// operation of Asio's when the set ends, where that completes). Lifetime: the destructor destroys every task in it,
/// and cancels their handles; on the set's thread only, a breach ends the process. Cancellation: awaiting it, and
/// run_until(), are safe as far as its tasks go: they stay in the set and go on with the next await. The Task given to
/// run_until() is destroyed with the await.
class LocalSet {
 public:
  LocalSet();
  LocalSet(LocalSet&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  LocalSet& operator=(LocalSet&&) = delete;
  ~LocalSet();

  /// Starts a task in the set; it first runs when the set is next polled.
  template <typename T>
  JoinHandle<T> spawn_local(Task<T> task, SourceLocation location = SourceLocation::current()) const {
    return detail::start_task(*detail::check_owner_thread(*state_), std::move(task), location);
  }
  /// The same for a callable that returns a Task; the task keeps the callable.
  template <typename F>
    requires detail::TaskFactory<std::decay_t<F>>
  auto spawn_local(F&& factory, SourceLocation location = SourceLocation::current()) const {
    static_assert(detail::check_temporaries<F>());
    return spawn_local(detail::run_factory<std::decay_t<F>>(std::forward<F>(factory)), location);
  }
  template <typename A>
    requires detail::SpawnablePollable<std::decay_t<A>>
  auto spawn_local(A&& awaitable, SourceLocation location = SourceLocation::current()) const {
    static_assert(detail::check_temporaries<A>());
    return spawn_local(detail::run_pollable<std::decay_t<A>>(std::forward<A>(awaitable)), location);
  }
  /// `set.spawn_local(kaido::moved(work))` of a named one of either.
  template <typename W>
  auto spawn_local(Moved<W> work, SourceLocation location = SourceLocation::current()) const {
    return spawn_local(detail::to_task(W(std::move(work).take())), location);
  }

  /// Runs a Task on the caller's budget, and the set's tasks beside it, until the Task is done.
  template <typename T>
  detail::RunUntil<T> run_until(Task<T> task) const {
    return detail::RunUntil<T>(*state_, std::move(task));
  }
  template <typename F>
    requires detail::TaskFactory<std::decay_t<F>>
  auto run_until(F&& factory) const {
    static_assert(detail::check_temporaries<F>());
    return run_until(detail::run_factory<std::decay_t<F>>(std::forward<F>(factory)));
  }
  template <typename A>
    requires detail::SpawnablePollable<std::decay_t<A>>
  auto run_until(A&& awaitable) const {
    static_assert(detail::check_temporaries<A>());
    return run_until(detail::run_pollable<std::decay_t<A>>(std::forward<A>(awaitable)));
  }
  template <typename W>
  auto run_until(Moved<W> work) const {
    return run_until(detail::to_task(W(std::move(work).take())));
  }

  /// `runtime.block_on(run_until(task))`. Throws std::logic_error inside a runtime.
  template <typename F>
  auto block_on(const Runtime& runtime, F work) const {
    auto until = run_until(detail::give(work));
    return detail::block_on_pollable(*runtime.handle().core(), until, true);
  }

  /// Makes it the set of spawn_local() on this thread for a scope.
  [[nodiscard]] LocalEnterGuard enter() const { return LocalEnterGuard(*state_); }

  /// kShutdownRuntime: when an exception leaves a task, the other tasks are destroyed and awaiting the set throws
  /// std::runtime_error. Before the first spawn.
  LocalSet& unhandled_panic(UnhandledPanic behaviour);

  /// Internal, for co_await: until every task in it has ended.
  bool poll(PollContext& context);
  void take() noexcept {}
  [[nodiscard]] detail::LocalSetState& state() const noexcept { return *state_; }

 private:
  detail::LocalSetState* state_;
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
