/// Runtime: scheduler, timers, sockets and blocking pool of one program part. RuntimeBuilder: how it is set up.
///
///     auto runtime = kaido::Runtime::create().value();          // one worker per core
///     int n = runtime.block_on(answer());
///
///     auto single = kaido::RuntimeBuilder::new_current_thread().enable_all().build().value();
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <kaido/detail/chrono.h>
#include <kaido/detail/temporary.h>
#include <kaido/handle.h>
#include <kaido/join_handle.h>
#include <kaido/metrics.h>
#include <kaido/result.h>
#include <kaido/task.h>
#include <kaido/task_hooks.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// What a runtime does when an exception leaves a task.
enum class UnhandledPanic {
  kIgnore,           ///< Only the JoinHandle tells.
  kShutdownRuntime,  ///< Every block_on throws std::runtime_error and the runtime takes no more tasks. Current thread
                     ///< only.
};

/// Where the random choices of a runtime begin.
class RngSeed {
 public:
  constexpr explicit RngSeed(std::uint64_t value) noexcept : value_(value) {}
  [[nodiscard]] constexpr std::uint64_t value() const noexcept { return value_; }

 private:
  std::uint64_t value_;
};

namespace detail {

/// What a builder gathers. Zero and empty mean the default.
struct RuntimeOptions {
  RuntimeFlavor flavor = RuntimeFlavor::kMultiThread;
  std::optional<std::string> name;
  std::size_t worker_threads = 0;
  std::size_t max_blocking_threads = 512;
  std::chrono::nanoseconds thread_keep_alive = std::chrono::seconds(10);
  std::size_t thread_stack_size = 0;
  std::function<std::string()> thread_name;
  std::function<void()> on_thread_start;
  std::function<void()> on_thread_stop;
  std::function<void()> on_thread_park;
  std::function<void()> on_thread_unpark;
  TaskHook on_task_spawn;
  TaskHook on_task_terminate;
  TaskHook on_before_task_poll;
  TaskHook on_after_task_poll;
  std::uint32_t global_queue_interval = 0;
  std::uint32_t event_interval = 61;
  UnhandledPanic unhandled_panic = UnhandledPanic::kIgnore;
  std::optional<RngSeed> rng_seed;
  std::optional<HistogramConfiguration> poll_time_histogram;         // Set: enabled.
  std::optional<HistogramConfiguration> schedule_latency_histogram;  // Set: enabled.
  bool track_task_schedule_latency = false;
  bool enable_time = false;
  bool enable_io = false;
  bool disable_lifo_slot = false;
  bool start_paused = false;
  bool is_local = false;
  bool eager_driver_handoff = false;
};

/// Throws std::logic_error unless `core` is a local runtime of this thread.
void check_local(const RuntimeCore& core);

}  // namespace detail

/// Threading: thread-safe, except for move, destruction and the shutdowns. A current-thread runtime runs its tasks in
/// block_on only, on the calling thread.
/// Lifetime: the destructor stops the scheduler, destroys the frame of every task in the runtime's context, cancels the
/// handles still held, and waits without limit for running blocking closures. Since that blocks it must not run inside
/// a task: there use shutdown_background(). A breach ends the process; shutdown() reports it.
class Runtime {
 public:
  /// A multi-thread runtime with everything enabled and one worker per core (KAIDO_WORKER_THREADS overrides).
  /// Throws std::invalid_argument if KAIDO_WORKER_THREADS is not a number that worker_threads() takes.
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
  JoinHandle<T> spawn(Task<T> task, SourceLocation location = SourceLocation::current()) const {
    return detail::spawn_on(*core_, std::move(task), location);
  }
  template <typename F>
    requires detail::TaskFactory<std::decay_t<F>>
  auto spawn(F&& factory, SourceLocation location = SourceLocation::current()) const {
    static_assert(detail::check_temporaries<F>());
    return spawn(detail::run_factory<std::decay_t<F>>(std::forward<F>(factory)), location);
  }
  template <detail::TaskFactory F>
  auto spawn(Moved<F> factory, SourceLocation location = SourceLocation::current()) const {
    return spawn(detail::run_factory<F>(std::move(factory).take()), location);
  }
  template <typename F>
  auto spawn_blocking(F&& closure, SourceLocation location = SourceLocation::current()) const {
    return detail::spawn_blocking_on(*core_, std::forward<F>(closure), location);
  }

  /// Starts a task on a local runtime, for the next block_on. Throws std::logic_error if it is not one of this thread.
  template <typename T>
  JoinHandle<T> spawn_local(Task<T> task) const {
    detail::check_local(*core_);
    return detail::spawn_on(*core_, std::move(task));
  }
  template <typename F>
    requires detail::TaskFactory<std::decay_t<F>>
  auto spawn_local(F&& factory) const {
    static_assert(detail::check_temporaries<F>());
    return spawn_local(detail::run_factory<std::decay_t<F>>(std::forward<F>(factory)));
  }
  template <detail::TaskFactory F>
  auto spawn_local(Moved<F> factory) const {
    return spawn_local(detail::run_factory<F>(std::move(factory).take()));
  }

  [[nodiscard]] EnterGuard enter() const noexcept { return EnterGuard(core_); }
  [[nodiscard]] Handle handle() const noexcept { return Handle(core_); }
  [[nodiscard]] RuntimeMetrics metrics() const noexcept { return RuntimeMetrics(core_); }

  /// What the destructor does. Throws std::logic_error ("cannot drop a runtime ...") inside a task; then the runtime
  /// goes on.
  void shutdown() &&;
  /// Like the destructor, but waits at most `limit` for workers and blocking closures; what is left goes on alone. A
  /// local runtime still waits for its tasks' operations of Asio's, and throws std::logic_error on another thread.
  void shutdown_timeout(std::chrono::nanoseconds limit) &&;
  template <typename Rep, typename Period>
  void shutdown_timeout(std::chrono::duration<Rep, Period> limit) && {
    std::move(*this).shutdown_timeout(detail::saturate(limit));
  }
  /// shutdown_timeout(0): returns at once; allowed inside a task.
  void shutdown_background() &&;

 private:
  friend class RuntimeBuilder;
  explicit Runtime(detail::CoreRef core) noexcept : core_(std::move(core)) {}
  void check_local_thread() const;

  detail::CoreRef core_;
};

/// Sets up a Runtime. No driver is enabled by default: see enable_all().
///
/// Errors: settings that make no sense throw std::invalid_argument at the call.
class RuntimeBuilder {
 public:
  [[nodiscard]] static RuntimeBuilder new_current_thread();
  [[nodiscard]] static RuntimeBuilder new_multi_thread();

  /// The runtime's name, for Handle::name(); not blank.
  RuntimeBuilder& name(std::string name);

  /// More than that is a mistake: each worker has a thread with its stack, and looks at the queues of all others.
  static constexpr std::size_t kMaxWorkerThreads = 4096;
  /// 1 to kMaxWorkerThreads, else std::invalid_argument. Default: KAIDO_WORKER_THREADS, else the number of cores. No
  /// effect on a current-thread runtime.
  RuntimeBuilder& worker_threads(std::size_t count);
  /// At least 1, default 512. Closures beyond it wait in a queue.
  RuntimeBuilder& max_blocking_threads(std::size_t count);
  /// How long an idle blocking thread stays, default 10 s.
  RuntimeBuilder& thread_keep_alive(std::chrono::nanoseconds duration);
  template <typename Rep, typename Period>
  RuntimeBuilder& thread_keep_alive(std::chrono::duration<Rep, Period> duration) {
    return thread_keep_alive(detail::saturate(duration));
  }
  /// Of workers and blocking threads alike, default "kaido-worker". The system shows the first 15 characters.
  RuntimeBuilder& thread_name(std::string name);
  /// Called on each new thread for its name.
  RuntimeBuilder& thread_name_fn(std::function<std::string()> make_name);
  /// In bytes; default the system's.
  RuntimeBuilder& thread_stack_size(std::size_t bytes);

  /// On each worker and blocking thread; never on the thread of a current-thread block_on.
  RuntimeBuilder& on_thread_start(std::function<void()> hook);
  RuntimeBuilder& on_thread_stop(std::function<void()> hook);
  /// Before and after a scheduler's thread waits, also in a current-thread block_on. What the hook makes ready is run
  /// instead of waiting, after timers and sockets have been looked at.
  RuntimeBuilder& on_thread_park(std::function<void()> hook);
  RuntimeBuilder& on_thread_unpark(std::function<void()> hook);
  /// Before a task (not a blocking closure) is queued for the first time.
  RuntimeBuilder& on_task_spawn(TaskHook hook);
  /// After a task or blocking closure has ended in whatever way, once.
  RuntimeBuilder& on_task_terminate(TaskHook hook);
  /// Around every poll of a spawned task.
  RuntimeBuilder& on_before_task_poll(TaskHook hook);
  RuntimeBuilder& on_after_task_poll(TaskHook hook);

  /// At least 1: every how many tasks the global queue is looked at first. Raising it favours tasks that are already
  /// local. Default 31 (current thread); workers tune it themselves to about once per 200 us, between 2 and 127.
  RuntimeBuilder& global_queue_interval(std::uint32_t tasks);
  /// At least 1: after how many tasks timers and sockets are looked at, default 61.
  RuntimeBuilder& event_interval(std::uint32_t tasks);
  /// What a task wakes or spawns no longer runs next on the same worker, but goes to the end of its queue.
  RuntimeBuilder& disable_lifo_slot();
  /// A worker that leaves the driver with work wakes another to hold it in its place. For tasks that block; costs a
  /// wake-up across threads each time.
  RuntimeBuilder& enable_eager_driver_handoff();
  /// kShutdownRuntime: on a current-thread runtime only.
  RuntimeBuilder& unhandled_panic(UnhandledPanic behaviour);
  /// Makes `select`'s choices and the order of stealing the same in each run.
  RuntimeBuilder& rng_seed(RngSeed seed);

  RuntimeBuilder& enable_time();
  RuntimeBuilder& enable_io();
  RuntimeBuilder& enable_all();
  /// Starts with a clock that stands still and jumps to the next timer when nothing else can run: for tests.
  /// Current-thread runtimes only: build() throws otherwise.
  RuntimeBuilder& start_paused();

  /// Measures each poll: two readings of the clock.
  RuntimeBuilder& enable_metrics_poll_time_histogram();
  /// Its buckets, default linear(100 us, 10). Enables nothing.
  RuntimeBuilder& metrics_poll_time_histogram_configuration(const HistogramConfiguration& configuration);
  /// Tells the hooks around polls how long a task was ready (TaskMeta::schedule_latency).
  RuntimeBuilder& track_task_schedule_latency();
  RuntimeBuilder& enable_metrics_schedule_latency_histogram();
  RuntimeBuilder& metrics_schedule_latency_histogram_configuration(const HistogramConfiguration& configuration);

  /// kUnavailable if threads or descriptors cannot be had. Throws std::invalid_argument for settings that do not go
  /// together, or if KAIDO_WORKER_THREADS is used and not a number that worker_threads() takes.
  [[nodiscard]] Result<Runtime> build();
  /// A current-thread runtime that belongs to this thread (tokio's LocalRuntime): spawn_local() works in it without a
  /// LocalSet, and block_on, spawn_local and destruction are this thread's alone. Its Handle may spawn from any thread.
  /// Throws std::invalid_argument for a multi-thread runtime.
  [[nodiscard]] Result<Runtime> build_local();

 private:
  RuntimeBuilder() = default;
  [[nodiscard]] detail::RuntimeOptions complete_options() const;

  detail::RuntimeOptions options_;
  bool measures_poll_time_ = false;
  bool measures_schedule_latency_ = false;
  HistogramConfiguration poll_time_configuration_;
  HistogramConfiguration schedule_latency_configuration_;
};

/// The number of the worker that runs this code: 0 in a current-thread runtime, its root included; none on other
/// threads.
[[nodiscard]] std::optional<std::size_t> worker_index() noexcept;

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
