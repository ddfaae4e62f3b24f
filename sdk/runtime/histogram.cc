#include "sdk/runtime/histogram.h"

#include <algorithm>
#include <bit>
#include <stdexcept>

namespace kaido::inline abi0 {

namespace {

void require(bool condition, const char* what) {
  if (!condition) throw std::invalid_argument(std::string("kaido: ") + what);
}

constexpr std::uint32_t kMaxPrecision = 10;

}  // namespace

LogHistogram& LogHistogram::min_value(std::chrono::nanoseconds value) {
  require(value.count() > 0, "the smallest value of a histogram must be positive");
  min_value_ = value;
  return *this;
}
LogHistogram& LogHistogram::max_value(std::chrono::nanoseconds value) {
  require(value.count() > 0, "the largest value of a histogram must be positive");
  max_value_ = value;
  return *this;
}
LogHistogram& LogHistogram::max_error(double error) {
  require(error > 0 && error < 1, "the error of a histogram must be between 0 and 1");
  precision_ = 2;
  while (1.0 / (1u << precision_) > error && precision_ < kMaxPrecision) ++precision_;
  return *this;
}
LogHistogram& LogHistogram::precision_exact(std::uint32_t precision) {
  require(precision <= kMaxPrecision, "the precision of a histogram must be at most 10");
  precision_ = precision;
  return *this;
}

HistogramConfiguration HistogramConfiguration::linear(std::chrono::nanoseconds width, std::size_t count) {
  require(width.count() > 0 && count > 0, "a histogram needs buckets of positive width");
  HistogramConfiguration configuration;
  configuration.width_ = width;
  configuration.count_ = count;
  return configuration;
}

HistogramConfiguration HistogramConfiguration::log(const LogHistogram& buckets) {
  require(buckets.min_value() <= buckets.max_value(), "the smallest value of a histogram is above the largest");
  HistogramConfiguration configuration;
  configuration.count_ = 0;
  configuration.log_ = buckets;
  return configuration;
}

namespace detail {

namespace {

// In the histogram that begins at 0.
std::uint64_t log_bucket_of(std::uint64_t value, std::uint32_t precision) noexcept {
  const auto highest = static_cast<std::uint32_t>(std::bit_width(value | 1) - 1);
  if (highest <= precision) return value;
  const std::uint32_t shift = highest - precision;
  return ((std::uint64_t{shift} + 1) << precision) + ((value - (std::uint64_t{1} << highest)) >> shift);
}

std::uint64_t log_lower_end(std::uint64_t bucket, std::uint32_t precision) noexcept {
  if (bucket < (std::uint64_t{1} << precision)) return bucket;
  const std::uint64_t shift = (bucket >> precision) - 1;
  const std::uint64_t offset = bucket - ((shift + 1) << precision);
  return (std::uint64_t{1} << (shift + precision)) + (offset << shift);
}

}  // namespace

Histogram::Histogram(const HistogramConfiguration& configuration) {
  if (configuration.is_linear()) {
    width_ = static_cast<std::uint64_t>(configuration.width().count());
    size_ = configuration.count();
    return;
  }
  const LogHistogram& log = configuration.log_buckets();
  precision_ = log.precision();
  const auto smallest = static_cast<std::uint64_t>(log.min_value().count());
  const auto largest = static_cast<std::uint64_t>(log.max_value().count());
  // One bucket below the smallest value's, so that it is at least as fine as asked for there.
  skipped_ = static_cast<std::size_t>(std::max<std::uint64_t>(log_bucket_of(smallest, precision_), 1) - 1);
  // The last bucket begins at or above the largest value, or holds it.
  std::size_t last = 1;
  while (log_lower_end(skipped_ + last, precision_) < largest) ++last;
  size_ = last + 1;
}

std::size_t Histogram::bucket_of(std::uint64_t nanoseconds) const noexcept {
  if (width_ != 0) return static_cast<std::size_t>(std::min<std::uint64_t>(nanoseconds / width_, size_ - 1));
  const auto bucket = static_cast<std::size_t>(log_bucket_of(nanoseconds, precision_));
  return std::min(bucket < skipped_ ? 0 : bucket - skipped_, size_ - 1);
}

std::uint64_t Histogram::lower_end(std::size_t bucket) const noexcept {
  if (bucket == 0) return 0;
  return width_ != 0 ? bucket * width_ : log_lower_end(bucket + skipped_, precision_);
}

HistogramRange Histogram::range(std::size_t bucket) const {
  if (bucket >= size_) throw std::out_of_range("kaido: the histogram has no such bucket");
  const auto at = [this](std::size_t index) {
    return std::chrono::nanoseconds(static_cast<std::chrono::nanoseconds::rep>(lower_end(index)));
  };
  return {at(bucket), bucket + 1 == size_ ? std::chrono::nanoseconds::max() : at(bucket + 1)};
}

}  // namespace detail
}  // namespace kaido::inline abi0
