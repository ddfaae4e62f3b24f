#include <kaido/runtime.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <kaido/coop.h>
#include <kaido/detail/turn_hook.h>
#include <kaido/time.h>

#include "sdk/runtime/runtime_core.h"
#include "sdk/runtime/thread_state.h"

namespace kaido::inline abi0 {

namespace detail {

constinit thread_local ThreadState thread_state;

namespace {

std::uint64_t next_runtime_id() noexcept {
  static constinit std::atomic<std::uint64_t> next = 1;
  return next.fetch_add(1, std::memory_order_relaxed);
}

std::uint64_t first_seed(const RuntimeOptions& options, RuntimeId id) {
  if (options.rng_seed) return options.rng_seed->value();
  return mix_seed(id.value() ^ static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()));
}

std::optional<Histogram> make_histogram(const std::optional<HistogramConfiguration>& configuration) {
  if (!configuration) return std::nullopt;
  return Histogram(*configuration);
}

const Histogram* pointer_to(const std::optional<Histogram>& histogram) { return histogram ? &*histogram : nullptr; }

}  // namespace

RuntimeCore::RuntimeCore(RuntimeOptions runtime_options)
    : Scheduler(this),
      options(std::move(runtime_options)),
      id(next_runtime_id()),
      poll_time_histogram(make_histogram(options.poll_time_histogram)),
      schedule_latency_histogram(make_histogram(options.schedule_latency_histogram)),
      clock(options.start_paused),
      driver(clock),
      blocking(*this),
      measures_latency_(options.track_task_schedule_latency || schedule_latency_histogram.has_value()),
      observes_polls_(measures_latency_ || options.on_before_task_poll || options.on_after_task_poll),
      seed_(first_seed(options, id)) {
  for (std::size_t worker = 0; worker < options.worker_threads; ++worker) {
    worker_metrics.push_back(
        std::make_unique<WorkerMetrics>(pointer_to(poll_time_histogram), pointer_to(schedule_latency_histogram)));
  }
  if (options.on_task_terminate) observe_ends();
  link.make(*this, execution_context_of(driver));
}

std::uint64_t RuntimeCore::next_seed() noexcept {
  return mix_seed(seed_ + seeds_given_.fetch_add(1, std::memory_order_relaxed));
}

void RuntimeCore::task_ended(const TaskHeader& task) noexcept {
  options.on_task_terminate(TaskMeta(task.id(), task.spawned_at(), std::nullopt));
}

void RuntimeCore::run_observed(TaskHeader& task, Budget& budget, WorkerMetrics& metrics) noexcept {
  std::optional<std::chrono::nanoseconds> latency;
  if (measures_latency_) {
    const auto now = std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
    latency = std::chrono::nanoseconds(now - task.scheduled_at());
    if (metrics.schedule_latencies.is_enabled()) metrics.schedule_latencies.record(latency->count());
    if (!options.track_task_schedule_latency) latency.reset();
  }
  // The task may be gone after its poll.
  const TaskMeta meta(task.id(), task.spawned_at(), latency);
  if (options.on_before_task_poll) options.on_before_task_poll(meta);
  task.run(budget);
  if (options.on_after_task_poll) options.on_after_task_poll(meta);
}

bool RuntimeCore::wait_for_drain() noexcept {
  // Several threads may wait for the same end, of which one is woken; the others look for themselves.
  constexpr Duration kLook = std::chrono::milliseconds(10);
  if (draining.load(std::memory_order_acquire) == 0) return false;
  const Duration limit = drain_until_ ? *drain_until_ - std::chrono::steady_clock::now() : Duration::max();
  // Once even without time: what is cancelled is then usually done.
  driver.run_handlers(std::clamp(limit, Duration::zero(), kLook));
  return limit > Duration::zero();
}

void RuntimeCore::drain_after_workers() noexcept {
  if (options.flavor != RuntimeFlavor::kMultiThread || !driver.is_shut_down()) return;
  while (wait_for_drain()) {
  }
}

void RuntimeCore::start_standby() noexcept {
  const std::scoped_lock lock(standby_mutex_);
  if (standby_ != nullptr || is_shut_down_) return;
  try {
    standby_ = std::make_unique<StandBy>(*this);
  } catch (const std::system_error&) {
    // No more threads are to be had. Then busy threads delay what arrives, and all else goes on.
  }
}

std::unique_ptr<StandBy> RuntimeCore::take_standby() noexcept {
  const std::scoped_lock lock(standby_mutex_);
  is_shut_down_ = true;
  return std::move(standby_);
}

void RuntimeCore::shut_down(std::optional<std::chrono::nanoseconds> limit) noexcept {
  // Stopped outside of the lock: it may be in a hook that starts something.
  if (std::unique_ptr<StandBy> standby = take_standby()) {
    if (standby->is_here()) return StandBy::leave(std::move(standby), limit);
    standby->stop();
  }
  end(limit);
}

void RuntimeCore::end(std::optional<std::chrono::nanoseconds> limit) noexcept {
  // A multi-thread runtime's workers go on without whoever shuts it down; here it is this thread that waits. A local
  // runtime's waits to the end: what were left would be destroyed on whatever thread its operation ends.
  if (limit && options.flavor == RuntimeFlavor::kCurrentThread && !options.is_local) {
    drain_until_ = std::chrono::steady_clock::now() + saturate(*limit);
  }
  stop_scheduler();
  blocking.shut_down(limit);
}

CoreRef::CoreRef(RuntimeCore* core) noexcept : core_(core) {
  if (core_ != nullptr) add_scheduler_ref(*core_);
}
CoreRef::~CoreRef() {
  if (core_ != nullptr) drop_scheduler_ref(*core_);
}

RuntimeCore* try_current_core() noexcept { return thread_state.core; }

RuntimeCore& current_core() {
  if (thread_state.core == nullptr)
    throw std::logic_error("kaido: no runtime on this thread: call it inside a runtime");
  return *thread_state.core;
}

void ThreadWaker::wait() noexcept {
  for (int looks = 0; looks < kLooksBeforeSleep; ++looks) {
    if (wake_.load(std::memory_order_relaxed) != kIdle) return;
    pause_processor();
  }
  std::uint32_t state = kIdle;
  if (!wake_.compare_exchange_strong(state, kSleeps, std::memory_order_acq_rel)) return;
  while (wake_.load(std::memory_order_acquire) == kSleeps) futex_wait(wake_, kSleeps);
}

void block_on_thread(RuntimeCore& core, Root& root) {
  auto* waker = new ThreadWaker();
  struct Release {
    ThreadWaker* waker;
    ~Release() { waker->drop_ref(); }
  } release{waker};
  Budget budget;
  BudgetScope scope(&budget);
  for (;;) {
    if (waker->take_wake()) {
      budget.reset();
      PollContext context(*waker, budget);
      const bool is_ready = root.poll(context);
      core.hooks.end_of_turn();
      if (is_ready) return;
    } else {
      waker->wait();
    }
  }
}

void check_local(const RuntimeCore& core) {
  if (!core.is_local_here()) throw std::logic_error("kaido: spawn_local on a runtime that is not local to this thread");
}

namespace {

/// A block_on inside a task (under block_in_place): what the root does is that task's doing. What handlers, hooks and
/// other tasks do meanwhile on this thread is not.
class RootOfTask final : public Root {
 public:
  RootOfTask(Root& root, TaskHeader* task) noexcept : root_(root), task_(task) {}
  bool poll(PollContext& context) override {
    const CurrentTaskScope scope(task_);
    return root_.poll(context);
  }
  Dropped poll_drop(PollContext& context) noexcept override {
    const CurrentTaskScope scope(task_);
    return root_.poll_drop(context);
  }
  void drop_frame() noexcept override {
    const CurrentTaskScope scope(task_);
    root_.drop_frame();
  }

 private:
  Root& root_;
  TaskHeader* task_;
};

}  // namespace

void block_on_root(RuntimeCore& core, Root& given, bool with_drivers) {
  RootOfTask root(given, thread_state.task);
  const CurrentTaskScope nobody(nullptr);
  if (thread_state.is_driving) {
    throw std::logic_error(
        "kaido: cannot start a runtime from within a runtime: this thread runs tasks already; "
        "co_await it, or call it in spawn_blocking or block_in_place");
  }
  if (with_drivers && core.is_local_elsewhere()) {
    throw std::logic_error("kaido: a local runtime's block_on is for the thread that made it");
  }
  const CoreRef keep(&core);  // The Runtime may be shut down inside, and go.
  CoreScope scope(core);
  RandomScope random(core.next_seed());
  struct Driving {
    explicit Driving(bool may_block_in_place) {
      thread_state.is_driving = true;
      thread_state.may_block_in_place = may_block_in_place;
    }
    ~Driving() { thread_state.is_driving = thread_state.may_block_in_place = false; }
  } driving(!with_drivers || core.options.flavor == RuntimeFlavor::kMultiThread);
  if (with_drivers) {
    core.block_on(root);
  } else {
    struct Rooted {
      explicit Rooted(RuntimeCore& core) { thread_state.rooted = &core; }
      ~Rooted() { thread_state.rooted = nullptr; }
    } rooted(core);
    block_on_thread(core, root);
  }
}

void register_turn_hook(const Handle& handle, const std::shared_ptr<TurnHook>& hook) {
  handle.core()->hooks.add(hook);
  handle.core()->start_standby();
}
bool is_in_turn_of(const Handle& handle) noexcept {
  const LocalScheduler* const local = thread_state.local;
  const RuntimeCore* const turns = local != nullptr ? &local->core : thread_state.rooted;
  return turns == handle.core().get() && thread_state.core == turns;
}
void unregister_turn_hook(const Handle& handle, const TurnHook& hook) noexcept { handle.core()->hooks.remove(hook); }

}  // namespace detail

void PollContext::defer() const noexcept {
  detail::LocalScheduler* local = detail::thread_state.local;
  if (local == nullptr || !local->is_active) {
    target_->wake_by_ref();
  } else if (target_ != detail::thread_state.task || !detail::thread_state.task->yield_after_poll(local->core)) {
    local->deferred.push_back({.waker = waker()});
  }
}

namespace {

[[noreturn]] void misuse(const char* what) {
  std::fprintf(stderr, "kaido: %s\n", what);
  std::abort();
}

constexpr const char* kGuardOrder = "enter guards must end in the reverse order of their making";
constexpr const char* kDropInside =
    "cannot drop a runtime where blocking is not allowed (inside a task or block_on): use shutdown_background()";

}  // namespace

Handle Handle::current() { return Handle(detail::CoreRef(&detail::current_core())); }

std::optional<Handle> Handle::try_current() noexcept {
  if (detail::RuntimeCore* core = detail::try_current_core()) return Handle(detail::CoreRef(core));
  return std::nullopt;
}

RuntimeFlavor Handle::runtime_flavor() const noexcept { return core_->options.flavor; }
RuntimeId Handle::id() const noexcept { return core_->id; }
std::optional<std::string_view> Handle::name() const noexcept { return core_->options.name; }

std::optional<std::size_t> worker_index() noexcept {
  const detail::LocalScheduler* local = detail::thread_state.local;
  if (local == nullptr || !local->is_active) return std::nullopt;
  return local->worker_index;
}

EnterGuard::EnterGuard(const detail::CoreRef& core) noexcept
    : core_(core), previous_(detail::thread_state.core), below_(detail::thread_state.guard) {
  detail::thread_state.core = core_.get();
  detail::thread_state.guard = this;
}

EnterGuard::~EnterGuard() {
  if (has_ended_) return;
  if (detail::thread_state.guard != this) misuse(kGuardOrder);
  exit();
}

void EnterGuard::exit() {
  if (std::exchange(has_ended_, true)) return;
  if (detail::thread_state.guard == this) {
    detail::thread_state.guard = below_;
    detail::thread_state.core = previous_;
    return;
  }
  // The one above must not bring back what has ended.
  EnterGuard* above = detail::thread_state.guard;
  while (above->below_ != this) above = above->below_;
  above->below_ = below_;
  above->previous_ = previous_;
  throw std::logic_error(std::string("kaido: ") + kGuardOrder);
}

Result<Runtime> Runtime::create() { return RuntimeBuilder::new_multi_thread().enable_all().build(); }

Runtime& Runtime::operator=(Runtime&& other) noexcept {
  Runtime dropped(std::move(*this));
  core_ = std::move(other.core_);
  return *this;
}

Runtime::~Runtime() {
  if (!core_) return;
  if (detail::thread_state.is_driving) misuse(kDropInside);
  if (core_->is_local_elsewhere()) misuse("a local runtime must be destroyed on the thread that made it");
  core_->shut_down(std::nullopt);
}

void Runtime::shutdown() && {
  check_local_thread();
  if (detail::thread_state.is_driving) throw std::logic_error(std::string("kaido: ") + kDropInside);
  const detail::CoreRef core = std::move(core_);
  if (core) core->shut_down(std::nullopt);
}

void Runtime::check_local_thread() const {
  if (!core_ || !core_->is_local_elsewhere()) return;
  throw std::logic_error("kaido: a local runtime is shut down on the thread that made it");
}

void Runtime::shutdown_timeout(std::chrono::nanoseconds limit) && {
  check_local_thread();
  const detail::CoreRef core = std::move(core_);
  if (core) core->shut_down(limit);
}

void Runtime::shutdown_background() && { std::move(*this).shutdown_timeout(std::chrono::nanoseconds(0)); }

}  // namespace kaido::inline abi0
