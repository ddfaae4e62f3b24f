#include <kaido/metrics.h>

#include <stdexcept>

#include <kaido/runtime.h>

#include "sdk/runtime/runtime_core.h"

namespace kaido::inline abi0 {

namespace {

using std::chrono::nanoseconds;

const detail::WorkerMetrics& worker_of(const detail::CoreRef& core, std::size_t worker) {
  if (worker >= core->worker_metrics.size()) throw std::out_of_range("kaido: the runtime has no such worker");
  return *core->worker_metrics[worker];
}

nanoseconds as_duration(std::uint64_t count) { return nanoseconds(static_cast<nanoseconds::rep>(count)); }

std::size_t size_of(const std::optional<detail::Histogram>& histogram) { return histogram ? histogram->size() : 0; }

HistogramRange range_of(const std::optional<detail::Histogram>& histogram, std::size_t bucket) {
  if (!histogram) throw std::out_of_range("kaido: the histogram is not enabled");
  return histogram->range(bucket);
}

}  // namespace

RuntimeMetrics Handle::metrics() const noexcept { return RuntimeMetrics(core_); }

std::size_t RuntimeMetrics::num_workers() const noexcept { return core_->worker_metrics.size(); }
std::size_t RuntimeMetrics::num_alive_tasks() const noexcept { return core_->owned.size(); }
std::uint64_t RuntimeMetrics::spawned_tasks_count() const noexcept { return core_->owned.inserted(); }
std::size_t RuntimeMetrics::global_queue_depth() const noexcept { return core_->global_queue_depth(); }
std::uint64_t RuntimeMetrics::remote_schedule_count() const noexcept { return core_->remote_schedules(); }
std::uint64_t RuntimeMetrics::budget_forced_yield_count() const noexcept {
  return core_->forced_yields.load(std::memory_order_relaxed);
}

std::size_t RuntimeMetrics::num_blocking_threads() const noexcept {
  const std::size_t threads = core_->blocking.threads();
  const std::size_t workers = core_->workers_in_pool();
  return threads > workers ? threads - workers : 0;
}
std::size_t RuntimeMetrics::num_idle_blocking_threads() const noexcept { return core_->blocking.idle_threads(); }
std::size_t RuntimeMetrics::blocking_queue_depth() const noexcept { return core_->blocking.queued(); }

nanoseconds RuntimeMetrics::worker_total_busy_duration(std::size_t worker) const {
  return as_duration(worker_of(core_, worker).busy_nanoseconds.get());
}
std::uint64_t RuntimeMetrics::worker_park_count(std::size_t worker) const {
  return worker_of(core_, worker).parks.get();
}
std::uint64_t RuntimeMetrics::worker_park_unpark_count(std::size_t worker) const {
  return worker_of(core_, worker).parks_and_unparks.get();
}
std::uint64_t RuntimeMetrics::worker_noop_count(std::size_t worker) const {
  return worker_of(core_, worker).noops.get();
}
std::uint64_t RuntimeMetrics::worker_steal_count(std::size_t worker) const {
  return worker_of(core_, worker).stolen_tasks.get();
}
std::uint64_t RuntimeMetrics::worker_steal_operations(std::size_t worker) const {
  return worker_of(core_, worker).thefts.get();
}
std::uint64_t RuntimeMetrics::worker_poll_count(std::size_t worker) const {
  return worker_of(core_, worker).polls.get();
}
std::uint64_t RuntimeMetrics::worker_local_schedule_count(std::size_t worker) const {
  return worker_of(core_, worker).local_schedules.get();
}
std::uint64_t RuntimeMetrics::worker_overflow_count(std::size_t worker) const {
  return worker_of(core_, worker).overflows.get();
}
std::size_t RuntimeMetrics::worker_local_queue_depth(std::size_t worker) const {
  static_cast<void>(worker_of(core_, worker));
  return core_->local_queue_depth(worker);
}
nanoseconds RuntimeMetrics::worker_mean_poll_time(std::size_t worker) const {
  return as_duration(worker_of(core_, worker).mean_poll_nanoseconds.get());
}
std::optional<std::thread::id> RuntimeMetrics::worker_thread_id(std::size_t worker) const {
  const std::thread::id id = worker_of(core_, worker).thread.load(std::memory_order_acquire);
  if (id == std::thread::id()) return std::nullopt;
  return id;
}

bool RuntimeMetrics::poll_time_histogram_enabled() const noexcept { return core_->poll_time_histogram.has_value(); }
std::size_t RuntimeMetrics::poll_time_histogram_num_buckets() const noexcept {
  return size_of(core_->poll_time_histogram);
}
HistogramRange RuntimeMetrics::poll_time_histogram_bucket_range(std::size_t bucket) const {
  return range_of(core_->poll_time_histogram, bucket);
}
std::uint64_t RuntimeMetrics::poll_time_histogram_bucket_count(std::size_t worker, std::size_t bucket) const {
  return worker_of(core_, worker).poll_times.at(bucket);
}

bool RuntimeMetrics::schedule_latency_histogram_enabled() const noexcept {
  return core_->schedule_latency_histogram.has_value();
}
std::size_t RuntimeMetrics::schedule_latency_histogram_num_buckets() const noexcept {
  return size_of(core_->schedule_latency_histogram);
}
HistogramRange RuntimeMetrics::schedule_latency_histogram_bucket_range(std::size_t bucket) const {
  return range_of(core_->schedule_latency_histogram, bucket);
}
std::uint64_t RuntimeMetrics::schedule_latency_histogram_bucket_count(std::size_t worker, std::size_t bucket) const {
  return worker_of(core_, worker).schedule_latencies.at(bucket);
}

}  // namespace kaido::inline abi0
