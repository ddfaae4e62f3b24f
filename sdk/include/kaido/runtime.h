/// Runtime: scheduler, timers, sockets and blocking pool of one program part. RuntimeBuilder: how it is set up.
///
///     auto runtime = kaido::Runtime::create().value();          // one worker per core
///     int n = runtime.block_on(answer());
///
///     auto single = kaido::RuntimeBuilder::new_current_thread().enable_all().build().value();
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <kaido/handle.h>
#include <kaido/join_handle.h>
#include <kaido/result.h>
#include <kaido/task.h>

namespace kaido {

namespace detail {

/// What a builder gathers. Zero and empty mean the default.
struct RuntimeOptions {
  RuntimeFlavor flavor = RuntimeFlavor::kMultiThread;
  std::size_t worker_threads = 0;
  std::size_t max_blocking_threads = 512;
  std::chrono::nanoseconds thread_keep_alive = std::chrono::seconds(10);
  std::string thread_name = "kaido-worker";
  std::function<void()> on_thread_start;
  std::function<void()> on_thread_stop;
  std::uint32_t global_queue_interval = 0;
  std::uint32_t event_interval = 61;
  bool enable_time = false;
  bool enable_io = false;
  bool disable_lifo_slot = false;
  bool start_paused = false;
};

}  // namespace detail

/// Threading: thread-safe, except for move, destruction and the shutdowns. A current-thread runtime runs its tasks in
/// block_on only, on the calling thread.
/// Lifetime: the destructor stops the scheduler, destroys the frame of every task in the runtime's context, cancels the
/// handles still held, and waits without limit for running blocking closures. It must not run inside a task: there use
/// shutdown_background().
class Runtime {
 public:
  /// A multi-thread runtime with everything enabled and one worker per core (KAIDO_WORKER_THREADS overrides).
  [[nodiscard]] static Result<Runtime> create();

  Runtime(Runtime&& other) noexcept = default;
  Runtime& operator=(Runtime&& other) noexcept;
  ~Runtime();

  /// Runs a task on the calling thread until it ends and gives its value. An exception of the task propagates.
  /// Throws std::logic_error inside a runtime ("cannot start a runtime from within a runtime").
  template <typename T>
  T block_on(Task<T> task) {
    return detail::block_on_task(*core_, std::move(task), true);
  }
  template <detail::TaskFactory F>
  auto block_on(F factory) {
    return block_on(detail::run_factory(std::move(factory)));
  }
  /// For handles and other awaitables.
  template <typename A>
    requires detail::Pollable<A>
  auto block_on(A& awaitable) {
    return detail::block_on_pollable(*core_, awaitable, true);
  }

  template <typename T>
  JoinHandle<T> spawn(Task<T> task) const {
    return detail::spawn_on(*core_, std::move(task));
  }
  template <detail::TaskFactory F>
  auto spawn(F factory) const {
    return spawn(detail::run_factory(std::move(factory)));
  }
  template <typename F>
  auto spawn_blocking(F&& closure) const {
    return detail::spawn_blocking_on(*core_, std::forward<F>(closure));
  }

  [[nodiscard]] EnterGuard enter() const noexcept { return EnterGuard(core_); }
  [[nodiscard]] Handle handle() const noexcept { return Handle(core_); }

  /// Like the destructor, but waits at most `limit` for workers and blocking closures; what is left goes on alone.
  void shutdown_timeout(std::chrono::nanoseconds limit) &&;
  /// shutdown_timeout(0): returns at once; allowed inside a task.
  void shutdown_background() &&;

 private:
  friend class RuntimeBuilder;
  explicit Runtime(detail::CoreRef core) noexcept : core_(std::move(core)) {}

  detail::CoreRef core_;
};

/// Sets up a Runtime. No driver is enabled by default: see enable_all().
class RuntimeBuilder {
 public:
  [[nodiscard]] static RuntimeBuilder new_current_thread();
  [[nodiscard]] static RuntimeBuilder new_multi_thread();

  /// At least 1. Default: KAIDO_WORKER_THREADS, else the number of cores. No effect on a current-thread runtime.
  RuntimeBuilder& worker_threads(std::size_t count);
  /// At least 1, default 512. Closures beyond it wait in a queue.
  RuntimeBuilder& max_blocking_threads(std::size_t count);
  /// How long an idle blocking thread stays, default 10 s.
  RuntimeBuilder& thread_keep_alive(std::chrono::nanoseconds duration);
  RuntimeBuilder& thread_name(std::string name);
  RuntimeBuilder& on_thread_start(std::function<void()> hook);
  RuntimeBuilder& on_thread_stop(std::function<void()> hook);
  /// Every how many tasks the global queue is looked at first. Raising it favours tasks that are already local.
  RuntimeBuilder& global_queue_interval(std::uint32_t tasks);
  /// After how many tasks timers and sockets are looked at, default 61.
  RuntimeBuilder& event_interval(std::uint32_t tasks);
  RuntimeBuilder& disable_lifo_slot();
  RuntimeBuilder& enable_time();
  RuntimeBuilder& enable_io();
  RuntimeBuilder& enable_all();
  /// Starts with a clock that stands still and jumps to the next timer when nothing else can run: for tests. Current-thread
  /// runtimes only.
  RuntimeBuilder& start_paused();

  /// kInvalidArgument for settings that make no sense, kUnavailable if threads or descriptors cannot be had.
  [[nodiscard]] Result<Runtime> build();

 private:
  RuntimeBuilder() = default;
  detail::RuntimeOptions options_;
  bool is_global_queue_interval_set_ = false;
};

}  // namespace kaido
