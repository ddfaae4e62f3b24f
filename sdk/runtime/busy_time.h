/// BusyTime: how long a worker works between two waits, how long a poll takes on average, and from that how often it
/// looks at the global queue.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <utility>

#include "sdk/runtime/worker_metrics.h"

namespace kaido::inline abi0::detail {

/// The clock is read once per wait and once per event interval, not per poll.
///
/// Threading: confined to the worker.
class BusyTime {
 public:
  explicit BusyTime(WorkerMetrics& metrics) noexcept : metrics_(metrics) {}

  void begin() noexcept {
    began_ = std::chrono::steady_clock::now();
    polls_at_begin_ = metrics_.polls.get();
  }
  /// Adds what has passed to the worker's count, and begins anew.
  std::chrono::nanoseconds checkpoint() noexcept {
    const auto now = std::chrono::steady_clock::now();
    const std::chrono::nanoseconds elapsed = now - std::exchange(began_, now);
    metrics_.busy_nanoseconds.add(static_cast<std::uint64_t>(elapsed.count()));
    return elapsed;
  }
  /// The same, and takes the polls into the average.
  void checkpoint_and_average() noexcept {
    const auto elapsed = static_cast<double>(checkpoint().count());
    const std::uint64_t polls = metrics_.polls.get() - std::exchange(polls_at_begin_, metrics_.polls.get());
    if (polls == 0) return;
    average_in(elapsed, static_cast<double>(polls));
    metrics_.mean_poll_nanoseconds.set(static_cast<std::uint64_t>(mean_));
  }
  /// In polls: about once per 200 us.
  [[nodiscard]] std::uint32_t global_queue_interval() const noexcept {
    return static_cast<std::uint32_t>(std::clamp(kTarget / std::max(mean_, 1.0), kIntervalMin, kIntervalMax));
  }

 private:
  static constexpr double kTarget = 200'000;
  static constexpr double kIntervalAtStart = 61;
  static constexpr double kIntervalMin = 2;
  static constexpr double kIntervalMax = 127;
  static constexpr double kAlpha = 0.1;  // Weight of one poll in the moving average.

  void average_in(double elapsed, double polls) noexcept {
    const double weight = 1.0 - std::pow(1.0 - kAlpha, polls);
    mean_ = weight * (elapsed / polls) + (1.0 - weight) * mean_;
  }

  WorkerMetrics& metrics_;
  std::chrono::steady_clock::time_point began_;
  std::uint64_t polls_at_begin_ = 0;
  double mean_ = kTarget / kIntervalAtStart;
};

}  // namespace kaido::inline abi0::detail
