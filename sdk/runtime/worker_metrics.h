/// WorkerMetrics: what one worker counts about itself. See <kaido/metrics.h> for what the numbers mean.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "sdk/runtime/histogram.h"

namespace kaido::inline abi0::detail {

/// Written by one thread at a time, so that counting is a plain addition.
class Counter {
 public:
  void add(std::uint64_t count = 1) noexcept { value_.store(get() + count, std::memory_order_relaxed); }
  void set(std::uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_ = 0;
};

/// A Histogram's counts; empty where it is off.
class HistogramCounts {
 public:
  explicit HistogramCounts(const Histogram* histogram) : histogram_(histogram) {
    if (histogram != nullptr) counts_ = std::vector<Counter>(histogram->size());
  }
  [[nodiscard]] bool is_enabled() const noexcept { return histogram_ != nullptr; }
  void record(std::int64_t nanoseconds) noexcept {
    counts_[histogram_->bucket_of(nanoseconds > 0 ? static_cast<std::uint64_t>(nanoseconds) : 0)].add();
  }
  [[nodiscard]] std::uint64_t at(std::size_t bucket) const { return counts_.at(bucket).get(); }

 private:
  const Histogram* histogram_;
  std::vector<Counter> counts_;
};

/// Threading: written by whoever is the worker, read by anyone. On a cache line of its own.
struct alignas(64) WorkerMetrics {
  WorkerMetrics(const Histogram* poll_time, const Histogram* schedule_latency)
      : poll_times(poll_time), schedule_latencies(schedule_latency) {}

  Counter polls;
  Counter local_schedules;
  Counter overflows;
  Counter parks;
  Counter parks_and_unparks;
  Counter noops;
  Counter stolen_tasks;
  Counter thefts;
  Counter busy_nanoseconds;
  Counter mean_poll_nanoseconds;
  std::atomic<std::thread::id> thread = std::thread::id();
  HistogramCounts poll_times;  // By tasks taken from a queue, with what ran next from the slot.
  HistogramCounts schedule_latencies;

  void about_to_park() noexcept {
    parks.add();
    parks_and_unparks.add();
    if (polls.get() == polls_at_park_) noops.add();
    polls_at_park_ = polls.get();
  }
  void unparked() noexcept { parks_and_unparks.add(); }

 private:
  std::uint64_t polls_at_park_ = 0;
};

}  // namespace kaido::inline abi0::detail
