/// RuntimeBuilder: checks each setting where it is made, and starts the runtime.
#include <algorithm>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>

#include <kaido/runtime.h>

#include "sdk/runtime/runtime_core.h"

namespace kaido::inline abi0 {

namespace {

void require(bool condition, const char* what) {
  if (!condition) throw std::invalid_argument(std::string("kaido: ") + what);
}

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

void require_workers(std::size_t count, const char* setting) {
  if (count != 0 && count <= RuntimeBuilder::kMaxWorkerThreads) return;
  throw std::invalid_argument(std::string("kaido: ") + setting + " must be a number from 1 to " +
                              std::to_string(RuntimeBuilder::kMaxWorkerThreads));
}

std::size_t default_workers() {
  if (const char* text = std::getenv("KAIDO_WORKER_THREADS")) {
    char* end = nullptr;
    const long count = std::strtol(text, &end, 10);
    const bool is_number = end != text && *end == '\0' && count > 0;
    require_workers(is_number ? static_cast<std::size_t>(count) : 0, "KAIDO_WORKER_THREADS");
    return static_cast<std::size_t>(count);
  }
  return std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, RuntimeBuilder::kMaxWorkerThreads);
}

}  // namespace

RuntimeBuilder RuntimeBuilder::new_current_thread() {
  RuntimeBuilder builder;
  builder.options_.flavor = RuntimeFlavor::kCurrentThread;
  return builder;
}
RuntimeBuilder RuntimeBuilder::new_multi_thread() { return {}; }

RuntimeBuilder& RuntimeBuilder::name(std::string name) {
  require(!is_blank(name), "the name of a runtime must not be blank");
  options_.name = std::move(name);
  return *this;
}
RuntimeBuilder& RuntimeBuilder::worker_threads(std::size_t count) {
  require_workers(count, "worker_threads");
  options_.worker_threads = count;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::max_blocking_threads(std::size_t count) {
  require(count != 0, "max_blocking_threads must be at least 1");
  options_.max_blocking_threads = count;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::thread_keep_alive(std::chrono::nanoseconds duration) {
  options_.thread_keep_alive = duration;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::thread_name(std::string name) {
  options_.thread_name = [name = std::move(name)] { return name; };
  return *this;
}
RuntimeBuilder& RuntimeBuilder::thread_name_fn(std::function<std::string()> make_name) {
  options_.thread_name = std::move(make_name);
  return *this;
}
RuntimeBuilder& RuntimeBuilder::thread_stack_size(std::size_t bytes) {
  options_.thread_stack_size = bytes;
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
RuntimeBuilder& RuntimeBuilder::on_thread_park(std::function<void()> hook) {
  options_.on_thread_park = std::move(hook);
  return *this;
}
RuntimeBuilder& RuntimeBuilder::on_thread_unpark(std::function<void()> hook) {
  options_.on_thread_unpark = std::move(hook);
  return *this;
}
RuntimeBuilder& RuntimeBuilder::on_task_spawn(TaskHook hook) {
  options_.on_task_spawn = std::move(hook);
  return *this;
}
RuntimeBuilder& RuntimeBuilder::on_task_terminate(TaskHook hook) {
  options_.on_task_terminate = std::move(hook);
  return *this;
}
RuntimeBuilder& RuntimeBuilder::on_before_task_poll(TaskHook hook) {
  options_.on_before_task_poll = std::move(hook);
  return *this;
}
RuntimeBuilder& RuntimeBuilder::on_after_task_poll(TaskHook hook) {
  options_.on_after_task_poll = std::move(hook);
  return *this;
}
RuntimeBuilder& RuntimeBuilder::global_queue_interval(std::uint32_t tasks) {
  require(tasks != 0, "global_queue_interval must be at least 1");
  options_.global_queue_interval = tasks;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::event_interval(std::uint32_t tasks) {
  require(tasks != 0, "event_interval must be at least 1");
  options_.event_interval = tasks;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::disable_lifo_slot() {
  options_.disable_lifo_slot = true;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::enable_eager_driver_handoff() {
  options_.eager_driver_handoff = true;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::unhandled_panic(UnhandledPanic behaviour) {
  require(behaviour == UnhandledPanic::kIgnore || options_.flavor == RuntimeFlavor::kCurrentThread,
          "only a current-thread runtime can shut down on an unhandled panic");
  options_.unhandled_panic = behaviour;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::rng_seed(RngSeed seed) {
  options_.rng_seed = seed;
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
RuntimeBuilder& RuntimeBuilder::enable_metrics_poll_time_histogram() {
  measures_poll_time_ = true;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::metrics_poll_time_histogram_configuration(const HistogramConfiguration& configuration) {
  poll_time_configuration_ = configuration;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::track_task_schedule_latency() {
  options_.track_task_schedule_latency = true;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::enable_metrics_schedule_latency_histogram() {
  measures_schedule_latency_ = true;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::metrics_schedule_latency_histogram_configuration(
    const HistogramConfiguration& configuration) {
  schedule_latency_configuration_ = configuration;
  return *this;
}

detail::RuntimeOptions RuntimeBuilder::complete_options() const {
  detail::RuntimeOptions options = options_;
  const bool is_current_thread = options.flavor == RuntimeFlavor::kCurrentThread;
  require(is_current_thread || !options.start_paused, "only a current-thread runtime can start paused");
  if (is_current_thread) {
    options.worker_threads = 1;
  } else if (options.worker_threads == 0) {
    options.worker_threads = default_workers();
  }
  if (measures_poll_time_) options.poll_time_histogram = poll_time_configuration_;
  if (measures_schedule_latency_) options.schedule_latency_histogram = schedule_latency_configuration_;
  return options;
}

Result<Runtime> RuntimeBuilder::build() {
  detail::RuntimeOptions options = complete_options();
  const bool is_current_thread = options.flavor == RuntimeFlavor::kCurrentThread;
  try {
    detail::RuntimeCore* core = is_current_thread ? detail::new_current_thread(std::move(options))
                                                  : detail::new_multi_thread(std::move(options));
    Runtime runtime{detail::CoreRef(core)};
    core->drop_ref();  // The creator's, now that the Runtime has one.
    return runtime;
  } catch (const std::exception& failure) {
    return Error(ErrorKind::kUnavailable, std::string("starting the runtime: ") + failure.what());
  }
}

Result<Runtime> RuntimeBuilder::build_local() {
  require(options_.flavor == RuntimeFlavor::kCurrentThread, "only a current-thread runtime can be local");
  RuntimeBuilder local = *this;
  local.options_.is_local = true;
  return local.build();
}

}  // namespace kaido::inline abi0
