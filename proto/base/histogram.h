/// How values are spread: fixed buckets that double, in a plain array.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "proto/base/time.h"

namespace kaido::base {

/// Bucket n counts values up to first · 2^n; what is larger is in none of them, only in the count. Recording is an
/// increment and an addition: no lock, no allocation, no search.
///
/// Threading: confined to its owner, who also reads it.
class Histogram {
 public:
  static constexpr std::size_t kBuckets = 26;

  /// For durations, in seconds: 1 µs to 33 s.
  [[nodiscard]] static Histogram of_seconds() { return Histogram(1000, 1e9); }
  /// For sizes, in bytes: 64 B to 2 GiB.
  [[nodiscard]] static Histogram of_bytes() { return Histogram(64, 1); }

  void record(Duration value) { record(value.count() < 0 ? 0 : static_cast<std::uint64_t>(value.count())); }

  void record(std::uint64_t value) {
    const std::uint64_t steps = value == 0 ? 0 : (value - 1) / first_;
    const auto index = static_cast<std::size_t>(std::bit_width(steps));
    if (index < kBuckets) ++buckets_[index];
    ++count_;
    sum_ += value;
  }

  [[nodiscard]] std::uint64_t count() const { return count_; }
  /// In seconds or bytes.
  [[nodiscard]] double sum() const { return static_cast<double>(sum_) / divisor_; }
  /// The upper bound of a bucket, inclusive, in seconds or bytes.
  [[nodiscard]] double upper_bound(std::size_t bucket) const {
    return static_cast<double>(first_ << bucket) / divisor_;
  }
  /// Values per bucket, not cumulated.
  [[nodiscard]] std::span<const std::uint64_t> buckets() const { return buckets_; }

 private:
  Histogram(std::uint64_t first, double divisor) : first_(first), divisor_(divisor) {}

  std::uint64_t first_;
  double divisor_;  // what is recorded → what is published; dividing rounds bounds better than multiplying
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::array<std::uint64_t, kBuckets> buckets_{};
};

}  // namespace kaido::base
