/// Handle: a reference to a runtime, by which other threads spawn on it. EnterGuard: makes it this thread's current
/// one.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include <kaido/detail/temporary.h>
#include <kaido/join_handle.h>
#include <kaido/source_location.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

class Handle;
class RuntimeMetrics;

namespace detail {

/// An owning reference to the runtime's inner part, which outlives the Runtime object.
class CoreRef {
 public:
  CoreRef() noexcept = default;
  explicit CoreRef(RuntimeCore* core) noexcept;  // Adds a reference.
  CoreRef(const CoreRef& other) noexcept : CoreRef(other.core_) {}
  CoreRef(CoreRef&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  CoreRef& operator=(CoreRef other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~CoreRef();

  [[nodiscard]] RuntimeCore* get() const noexcept { return core_; }
  RuntimeCore& operator*() const noexcept { return *core_; }
  RuntimeCore* operator->() const noexcept { return core_; }
  explicit operator bool() const noexcept { return core_ != nullptr; }

 private:
  RuntimeCore* core_ = nullptr;
};

/// The runtime of this thread, or null.
[[nodiscard]] RuntimeCore* try_current_core() noexcept;
/// The runtime of this thread; throws std::logic_error outside one.
[[nodiscard]] RuntimeCore& current_core();

/// What block_on polls.
class Root {
 public:
  virtual bool poll(PollContext& context) = 0;
  /// Where the runtime gives up on it; see waker.h.
  virtual Dropped poll_drop(PollContext& context) noexcept = 0;
  /// After that, in the context of the runtime: destroys the frame if it owns one.
  virtual void drop_frame() noexcept = 0;

 protected:
  ~Root() = default;
};

/// Drives the runtime until `root` is ready. `with_drivers` is false for Handle::block_on.
void block_on_root(RuntimeCore& core, Root& root, bool with_drivers);

template <typename A>
class PollableRoot final : public Root {
 public:
  explicit PollableRoot(A& awaitable) noexcept : awaitable_(awaitable) {}
  bool poll(PollContext& context) override { return awaitable_.poll(context); }
  Dropped poll_drop(PollContext& context) noexcept override { return detail::poll_drop(awaitable_, context); }
  void drop_frame() noexcept override {}  // The caller's.

 private:
  A& awaitable_;
};

template <typename A>
decltype(auto) block_on_pollable(RuntimeCore& core, A& awaitable, bool with_drivers) {
  PollableRoot<A> root(awaitable);
  block_on_root(core, root, with_drivers);
  return awaitable.take();
}

template <typename T>
T block_on_task(RuntimeCore& core, Task<T> task, bool with_drivers) {
  // The frame must go inside the runtime's context, as a task's would: take() destroys it, so take inside the root.
  struct TaskRoot final : Root {
    explicit TaskRoot(Task<T> inner) : poller(std::move(inner)) {}
    bool poll(PollContext& context) override {
      if (!poller.poll(context)) return false;
      poller.drop_frame();
      return true;
    }
    Dropped poll_drop(PollContext& context) noexcept override { return poller.poll_drop(context); }
    void drop_frame() noexcept override { poller.drop_frame(); }
    TaskPoller<T> poller;
  };
  TaskRoot root(std::move(task));
  block_on_root(core, root, with_drivers);
  return root.poller.take();
}

template <typename T>
JoinHandle<T> spawn_on(RuntimeCore& core, Task<T> task, SourceLocation location = SourceLocation::current()) {
  auto* cell = new SpawnCell<T>(&core, std::move(task));
  cell->set_spawned_at(location);
  JoinHandle<T> handle(*cell);
  spawn_task(core, *cell);
  return handle;
}

template <typename F>
auto spawn_blocking_on(RuntimeCore& core, F&& closure, SourceLocation location = SourceLocation::current()) {
  static_assert(check_temporaries<F>());
  using Closure = Kept<F>;
  using T = std::invoke_result_t<Closure&&>;
  auto* cell = new BlockingCell<T, Closure>(&core, unmoved(std::forward<F>(closure)));
  cell->set_spawned_at(location);
  JoinHandle<T> handle(*cell);
  spawn_blocking_task(core, *cell);
  return handle;
}

}  // namespace detail

enum class RuntimeFlavor { kCurrentThread, kMultiThread };

/// Tells the runtimes of this process apart; never reused.
class RuntimeId {
 public:
  constexpr explicit RuntimeId(std::uint64_t value) noexcept : value_(value) {}
  [[nodiscard]] constexpr std::uint64_t value() const noexcept { return value_; }
  friend constexpr auto operator<=>(RuntimeId, RuntimeId) noexcept = default;

 private:
  std::uint64_t value_;
};

/// Makes a runtime the current one of this thread while it lives, for spawn and timers, without running anything.
///
/// Lifetime: guards end in reverse order of their making, on the thread that made them. exit() reports a breach, the
/// destructor ends the process.
class [[nodiscard]] EnterGuard {
 public:
  explicit EnterGuard(const detail::CoreRef& core) noexcept;
  EnterGuard(const EnterGuard&) = delete;
  EnterGuard& operator=(const EnterGuard&) = delete;
  ~EnterGuard();

  /// Ends it now; the destructor does nothing then. Throws std::logic_error if a guard made later is still there; this
  /// one has ended nevertheless, and the runtime of the later one stays this thread's.
  void exit();

 private:
  detail::CoreRef core_;
  detail::RuntimeCore* previous_;
  EnterGuard* below_;  // The guard made before it, on this thread.
  bool has_ended_ = false;
};

/// A cheap, copyable reference to a runtime.
///
/// Threading: thread-safe.
/// Lifetime: does not keep the runtime running. After its end spawn gives a handle that is already cancelled.
class Handle {
 public:
  explicit Handle(detail::CoreRef core) noexcept : core_(std::move(core)) {}

  /// The runtime of this thread: set in tasks, their destructors, blocking closures, block_on and under enter().
  /// Throws std::logic_error elsewhere.
  [[nodiscard]] static Handle current();
  [[nodiscard]] static std::optional<Handle> try_current() noexcept;

  /// Starts a task on the runtime; whether the handle is kept does not matter to it.
  template <typename T>
  JoinHandle<T> spawn(Task<T> task KAIDO_CORO_KEEPS, SourceLocation location = SourceLocation::current()) const {
    return detail::spawn_on(*core_, std::move(task), location);
  }
  /// The same for a callable that returns a Task; the task keeps the callable.
  template <typename F>
    requires detail::TaskFactory<std::decay_t<F>>
  auto spawn(F&& factory, SourceLocation location = SourceLocation::current()) const {
    static_assert(detail::check_temporaries<F>());
    return spawn(detail::run_factory<std::decay_t<F>>(std::forward<F>(factory)), location);
  }
  /// `spawn(kaido::moved(factory))` of a named one.
  template <detail::TaskFactory F>
  auto spawn(Moved<F> factory, SourceLocation location = SourceLocation::current()) const {
    return spawn(detail::run_factory<F>(std::move(factory).take()), location);
  }
  /// Runs a closure that may block on the runtime's pool of blocking threads. abort() has an effect only before it
  /// starts.
  template <typename F>
  auto spawn_blocking(F&& closure, SourceLocation location = SourceLocation::current()) const {
    return detail::spawn_blocking_on(*core_, std::forward<F>(closure), location);
  }
  /// Runs the task on this thread until it ends. On a current-thread runtime this drives neither tasks nor timers: that
  /// is left to a thread in Runtime::block_on. Allowed on blocking threads and in block_in_place(); throws
  /// std::logic_error in a task or another block_on.
  template <typename T>
  T block_on(Task<T> task) const {
    return detail::block_on_task(*core_, std::move(task), false);
  }
  template <detail::TaskFactory F>
  auto block_on(F factory) const {
    return block_on(detail::run_factory(std::move(factory)));
  }
  /// For handles and other awaitables.
  template <typename A>
    requires detail::Pollable<A>
  auto block_on(A& awaitable) const {
    return detail::block_on_pollable(*core_, awaitable, false);
  }

  [[nodiscard]] EnterGuard enter() const noexcept { return EnterGuard(core_); }
  [[nodiscard]] RuntimeFlavor runtime_flavor() const noexcept;
  [[nodiscard]] RuntimeId id() const noexcept;
  /// What RuntimeBuilder::name() said; valid as long as a Handle of the runtime.
  [[nodiscard]] std::optional<std::string_view> name() const noexcept;
  /// See <kaido/metrics.h>.
  [[nodiscard]] RuntimeMetrics metrics() const noexcept;

  /// Internal.
  [[nodiscard]] const detail::CoreRef& core() const noexcept { return core_; }

 private:
  detail::CoreRef core_;
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
