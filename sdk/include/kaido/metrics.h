/// RuntimeMetrics: what a runtime counts about itself. HistogramConfiguration: the buckets of its histograms.
///
///     kaido::RuntimeMetrics metrics = kaido::Handle::current().metrics();
///     log(metrics.num_alive_tasks(), metrics.worker_park_count(0));
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <thread>
#include <utility>

#include <kaido/detail/chrono.h>
#include <kaido/handle.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// Buckets whose width grows with the value, so that the relative error is bounded (an H2 histogram).
///
/// Errors: settings that make no sense throw std::invalid_argument at the call.
class LogHistogram {
 public:
  /// 100 ns to 60 s with an error of 25 %: 119 buckets.
  LogHistogram() = default;

  /// What is shorter falls into the first bucket.
  LogHistogram& min_value(std::chrono::nanoseconds value);
  template <typename Rep, typename Period>
  LogHistogram& min_value(std::chrono::duration<Rep, Period> value) {
    return min_value(detail::saturate(value));
  }
  /// What is longer falls into the last bucket.
  LogHistogram& max_value(std::chrono::nanoseconds value);
  template <typename Rep, typename Period>
  LogHistogram& max_value(std::chrono::duration<Rep, Period> value) {
    return max_value(detail::saturate(value));
  }
  /// Between 0 and 1, both excluded; rounded down to a power of two, at least 2^-10.
  LogHistogram& max_error(double error);
  /// The error as the exponent of two: 0 (100 %) to 10.
  LogHistogram& precision_exact(std::uint32_t precision);

  [[nodiscard]] std::chrono::nanoseconds min_value() const noexcept { return min_value_; }
  [[nodiscard]] std::chrono::nanoseconds max_value() const noexcept { return max_value_; }
  [[nodiscard]] std::uint32_t precision() const noexcept { return precision_; }

 private:
  std::chrono::nanoseconds min_value_{100};
  std::chrono::nanoseconds max_value_ = std::chrono::seconds(60);
  std::uint32_t precision_ = 2;
};

/// Threading: a value.
class HistogramConfiguration {
 public:
  /// `count` buckets of the same width; the last has no upper end. Throws std::invalid_argument if one is not positive.
  [[nodiscard]] static HistogramConfiguration linear(std::chrono::nanoseconds width, std::size_t count);
  template <typename Rep, typename Period>
  [[nodiscard]] static HistogramConfiguration linear(std::chrono::duration<Rep, Period> width, std::size_t count) {
    return linear(detail::saturate(width), count);
  }
  [[nodiscard]] static HistogramConfiguration log(const LogHistogram& buckets = LogHistogram());

  /// Internal.
  [[nodiscard]] bool is_linear() const noexcept { return count_ != 0; }
  [[nodiscard]] std::chrono::nanoseconds width() const noexcept { return width_; }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] const LogHistogram& log_buckets() const noexcept { return log_; }

 private:
  std::chrono::nanoseconds width_ = std::chrono::microseconds(100);
  std::size_t count_ = 10;
  LogHistogram log_;
};

/// From (included) to (excluded); the last bucket ends at nanoseconds::max().
using HistogramRange = std::pair<std::chrono::nanoseconds, std::chrono::nanoseconds>;

/// A view of a runtime's counters, alive as long as somebody holds it, also after the runtime's end.
///
/// Workers are numbered from 0; a current-thread runtime has one. Counters are written by their worker without
/// synchronisation and may be a moment old when read from another thread.
///
/// Threading: thread-safe.
/// Errors: a worker or bucket that does not exist throws std::out_of_range.
class RuntimeMetrics {
 public:
  /// Internal: see Handle::metrics().
  explicit RuntimeMetrics(detail::CoreRef core) noexcept : core_(std::move(core)) {}

  [[nodiscard]] std::size_t num_workers() const noexcept;
  /// Spawned and not finished.
  [[nodiscard]] std::size_t num_alive_tasks() const noexcept;
  [[nodiscard]] std::uint64_t spawned_tasks_count() const noexcept;
  /// Tasks waiting in the queue that all workers share.
  [[nodiscard]] std::size_t global_queue_depth() const noexcept;
  /// Tasks spawned or woken from outside the scheduler's threads; the root of a multi-thread block_on is outside.
  [[nodiscard]] std::uint64_t remote_schedule_count() const noexcept;
  /// How often a poll used up its budget.
  [[nodiscard]] std::uint64_t budget_forced_yield_count() const noexcept;

  /// Threads for blocking closures, without workers. All three are 0 after shutdown.
  [[nodiscard]] std::size_t num_blocking_threads() const noexcept;
  [[nodiscard]] std::size_t num_idle_blocking_threads() const noexcept;
  [[nodiscard]] std::size_t blocking_queue_depth() const noexcept;

  /// Time not spent waiting.
  [[nodiscard]] std::chrono::nanoseconds worker_total_busy_duration(std::size_t worker) const;
  [[nodiscard]] std::uint64_t worker_park_count(std::size_t worker) const;
  /// Odd while the worker is parked, even while it is active; also after shutdown.
  [[nodiscard]] std::uint64_t worker_park_unpark_count(std::size_t worker) const;
  /// Parks without a poll since the park before.
  [[nodiscard]] std::uint64_t worker_noop_count(std::size_t worker) const;
  /// Tasks taken from other workers, and in how many thefts.
  [[nodiscard]] std::uint64_t worker_steal_count(std::size_t worker) const;
  [[nodiscard]] std::uint64_t worker_steal_operations(std::size_t worker) const;
  /// Polls of scheduled tasks; what runs next from the slot counts with the task that woke it.
  [[nodiscard]] std::uint64_t worker_poll_count(std::size_t worker) const;
  /// Tasks this worker queued for itself.
  [[nodiscard]] std::uint64_t worker_local_schedule_count(std::size_t worker) const;
  /// How often the worker's ring was full and half of it moved to the global queue.
  [[nodiscard]] std::uint64_t worker_overflow_count(std::size_t worker) const;
  /// Without the slot for the next task.
  [[nodiscard]] std::size_t worker_local_queue_depth(std::size_t worker) const;
  /// Weighted towards recent polls; 0 on a current-thread runtime.
  [[nodiscard]] std::chrono::nanoseconds worker_mean_poll_time(std::size_t worker) const;
  /// The thread that is the worker now: of the last block_on (current thread); another one after block_in_place.
  [[nodiscard]] std::optional<std::thread::id> worker_thread_id(std::size_t worker) const;

  /// Off unless enabled in the builder; then nothing is counted, and there are 0 buckets.
  [[nodiscard]] bool poll_time_histogram_enabled() const noexcept;
  [[nodiscard]] std::size_t poll_time_histogram_num_buckets() const noexcept;
  [[nodiscard]] HistogramRange poll_time_histogram_bucket_range(std::size_t bucket) const;
  [[nodiscard]] std::uint64_t poll_time_histogram_bucket_count(std::size_t worker, std::size_t bucket) const;

  /// How long tasks were ready before they were polled.
  [[nodiscard]] bool schedule_latency_histogram_enabled() const noexcept;
  [[nodiscard]] std::size_t schedule_latency_histogram_num_buckets() const noexcept;
  [[nodiscard]] HistogramRange schedule_latency_histogram_bucket_range(std::size_t bucket) const;
  [[nodiscard]] std::uint64_t schedule_latency_histogram_bucket_count(std::size_t worker, std::size_t bucket) const;

 private:
  detail::CoreRef core_;
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
