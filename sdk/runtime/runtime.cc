#include <kaido/runtime.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include <kaido/detail/turn_hook.h>

#include "sdk/runtime/runtime_core.h"
#include "sdk/runtime/thread_state.h"

namespace kaido {

namespace detail {

constinit thread_local ThreadState thread_state;

RuntimeCore::RuntimeCore(RuntimeOptions runtime_options)
    : options(std::move(runtime_options)), driver(clock), blocking(*this) {
  if (options.start_paused) clock.pause();
}

void RuntimeCore::shut_down(std::optional<std::chrono::nanoseconds> limit) noexcept {
  stop_scheduler();
  blocking.shut_down(limit);
}

CoreRef::CoreRef(RuntimeCore* core) noexcept : core_(core) {
  if (core_ != nullptr) core_->add_ref();
}
CoreRef::~CoreRef() {
  if (core_ != nullptr) core_->drop_ref();
}

RuntimeCore* try_current_core() noexcept { return thread_state.core; }

RuntimeCore& current_core() {
  if (thread_state.core == nullptr) throw std::logic_error("kaido: no runtime on this thread: call it inside a runtime");
  return *thread_state.core;
}

void Context::defer() const noexcept {
  if (LocalScheduler* local = thread_state.local) {
    local->deferred.push_back(waker());
  } else {
    target_->wake_by_ref();
  }
}

void block_on_thread(RuntimeCore& core, Root& root) {
  auto* waker = new ThreadWaker();
  struct Release {
    ThreadWaker* waker;
    ~Release() { waker->drop_ref(); }
  } release{waker};
  Budget budget;
  for (;;) {
    if (waker->take_wake()) {
      budget.reset();
      Context context(*waker, budget);
      const bool is_ready = root.poll(context);
      core.hooks.end_of_turn();
      if (is_ready) return;
    } else {
      waker->wait();
    }
  }
}

void block_on_root(RuntimeCore& core, Root& root, bool with_drivers) {
  if (thread_state.is_driving) {
    throw std::logic_error("kaido: cannot start a runtime from within a runtime: this thread runs tasks already");
  }
  CoreScope scope(core);
  struct Driving {
    Driving() { thread_state.is_driving = true; }
    ~Driving() { thread_state.is_driving = false; }
  } driving;
  if (with_drivers) {
    core.block_on(root);
  } else {
    block_on_thread(core, root);
  }
}

void register_turn_hook(const Handle& handle, TurnHook& hook) { handle.core()->hooks.add(hook); }
void unregister_turn_hook(const Handle& handle, TurnHook& hook) noexcept { handle.core()->hooks.remove(hook); }

}  // namespace detail

namespace {

[[noreturn]] void misuse(const char* what) {
  std::fprintf(stderr, "kaido: %s\n", what);
  std::abort();
}

std::size_t default_workers() {
  if (const char* text = std::getenv("KAIDO_WORKER_THREADS")) {
    const long count = std::strtol(text, nullptr, 10);
    if (count > 0) return static_cast<std::size_t>(count);
  }
  const unsigned cores = std::thread::hardware_concurrency();
  return cores != 0 ? cores : 1;
}

}  // namespace

Handle Handle::current() { return Handle(detail::CoreRef(&detail::current_core())); }

std::optional<Handle> Handle::try_current() noexcept {
  if (detail::RuntimeCore* core = detail::try_current_core()) return Handle(detail::CoreRef(core));
  return std::nullopt;
}

RuntimeFlavor Handle::runtime_flavor() const noexcept { return core_->options.flavor; }

EnterGuard::EnterGuard(const detail::CoreRef& core) noexcept
    : core_(core), previous_(detail::thread_state.core), depth_(++detail::thread_state.enter_depth) {
  detail::thread_state.core = core_.get();
}

EnterGuard::~EnterGuard() {
  if (detail::thread_state.enter_depth != depth_) misuse("enter guards must end in the reverse order of their making");
  --detail::thread_state.enter_depth;
  detail::thread_state.core = previous_;
}

Result<Runtime> Runtime::create() { return RuntimeBuilder::new_multi_thread().enable_all().build(); }

Runtime& Runtime::operator=(Runtime&& other) noexcept {
  Runtime dropped(std::move(*this));
  core_ = std::move(other.core_);
  return *this;
}

Runtime::~Runtime() {
  if (!core_) return;
  if (detail::thread_state.is_driving) {
    misuse("a Runtime must not be destroyed inside a task, since that would block: use shutdown_background()");
  }
  core_->shut_down(std::nullopt);
}

void Runtime::shutdown_timeout(std::chrono::nanoseconds limit) && {
  const detail::CoreRef core = std::move(core_);
  if (core) core->shut_down(limit);
}

void Runtime::shutdown_background() && { std::move(*this).shutdown_timeout(std::chrono::nanoseconds(0)); }

RuntimeBuilder RuntimeBuilder::new_current_thread() {
  RuntimeBuilder builder;
  builder.options_.flavor = RuntimeFlavor::kCurrentThread;
  return builder;
}
RuntimeBuilder RuntimeBuilder::new_multi_thread() {
  RuntimeBuilder builder;
  builder.options_.worker_threads = default_workers();
  return builder;
}

RuntimeBuilder& RuntimeBuilder::worker_threads(std::size_t count) {
  options_.worker_threads = count;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::max_blocking_threads(std::size_t count) {
  options_.max_blocking_threads = count;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::thread_keep_alive(std::chrono::nanoseconds duration) {
  options_.thread_keep_alive = duration;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::thread_name(std::string name) {
  options_.thread_name = std::move(name);
  return *this;
}
RuntimeBuilder& RuntimeBuilder::on_thread_start(std::function<void()> hook) {
  options_.on_thread_start = std::move(hook);
  return *this;
}
RuntimeBuilder& RuntimeBuilder::on_thread_stop(std::function<void()> hook) {
  options_.on_thread_stop = std::move(hook);
  return *this;
}
RuntimeBuilder& RuntimeBuilder::global_queue_interval(std::uint32_t tasks) {
  options_.global_queue_interval = tasks;
  is_global_queue_interval_set_ = true;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::event_interval(std::uint32_t tasks) {
  options_.event_interval = tasks;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::disable_lifo_slot() {
  options_.disable_lifo_slot = true;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::enable_time() {
  options_.enable_time = true;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::enable_io() {
  options_.enable_io = true;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::enable_all() { return enable_time().enable_io(); }
RuntimeBuilder& RuntimeBuilder::start_paused() {
  options_.start_paused = true;
  return *this;
}

Result<Runtime> RuntimeBuilder::build() {
  const auto invalid = [](const char* what) { return Error(ErrorKind::kInvalidArgument, what); };
  const bool is_current_thread = options_.flavor == RuntimeFlavor::kCurrentThread;
  if (!is_current_thread && options_.worker_threads == 0) return invalid("worker_threads must be at least 1");
  if (options_.max_blocking_threads == 0) return invalid("max_blocking_threads must be at least 1");
  if (options_.event_interval == 0) return invalid("event_interval must be at least 1");
  if (is_global_queue_interval_set_ && options_.global_queue_interval == 0) {
    return invalid("global_queue_interval must be at least 1");
  }
  if (!is_current_thread && options_.start_paused) return invalid("only a current-thread runtime can start paused");
  try {
    detail::RuntimeCore* core =
        is_current_thread ? detail::new_current_thread(options_) : detail::new_multi_thread(options_);
    Runtime runtime{detail::CoreRef(core)};
    core->drop_ref();  // The creator's, now that the Runtime has one.
    return runtime;
  } catch (const std::exception& failure) {
    return Error(ErrorKind::kUnavailable, std::string("starting the runtime: ") + failure.what());
  }
}

}  // namespace kaido
