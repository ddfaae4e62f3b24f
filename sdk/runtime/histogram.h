/// Histogram: which bucket a duration falls into, as configured by HistogramConfiguration.
///
/// The logarithmic one is an H2 histogram (iop.systems): each power of two is cut into 2^p buckets of the same width,
/// so that the bucket is found by shifts.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include <kaido/metrics.h>

namespace kaido::inline abi0::detail {

/// Threading: immutable.
class Histogram {
 public:
  explicit Histogram(const HistogramConfiguration& configuration);

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t bucket_of(std::uint64_t nanoseconds) const noexcept;
  /// Throws std::out_of_range.
  [[nodiscard]] HistogramRange range(std::size_t bucket) const;

 private:
  [[nodiscard]] std::uint64_t lower_end(std::size_t bucket) const noexcept;

  std::uint64_t width_ = 0;      // Linear; else 0.
  std::uint32_t precision_ = 0;  // p.
  std::size_t skipped_ = 0;      // Buckets below the smallest value.
  std::size_t size_ = 0;
};

}  // namespace kaido::inline abi0::detail
