/// Medians and percentiles of small samples, as the report prints them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kaido::bench {

/// The value below which `share` of the sample lies (nearest rank); 0 for an empty sample. Sorts its own copy.
[[nodiscard]] double percentile(std::vector<double> sample, double share);

/// A median over rounds and what it moved between.
struct Spread {
  double median = 0;
  double min = 0;
  double max = 0;
};

[[nodiscard]] Spread spread_of(const std::vector<double>& sample);

/// The median over rounds of one quantity divided by another of the same round: what drifts between rounds cancels out.
/// Rounds where either is missing (zero) are left out; 0 where none is left.
[[nodiscard]] double ratio_of(const std::vector<double>& numerators, const std::vector<double>& denominators);

/// Three significant digits with k or M: 823 k, 1.32 M, 71.5.
[[nodiscard]] std::string short_number(double value);

}  // namespace kaido::bench
