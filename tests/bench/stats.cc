#include "tests/bench/stats.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace kaido::bench {

double percentile(std::vector<double> sample, double share) {
  if (sample.empty()) return 0;
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sample.size())));
  const std::size_t index = std::min(sample.size(), std::max<std::size_t>(rank, 1)) - 1;
  std::nth_element(sample.begin(), sample.begin() + static_cast<std::ptrdiff_t>(index), sample.end());
  return sample[index];
}

Spread spread_of(const std::vector<double>& sample) {
  if (sample.empty()) return {};
  const auto [min, max] = std::minmax_element(sample.begin(), sample.end());
  return Spread{.median = percentile(sample, 0.5), .min = *min, .max = *max};
}

double ratio_of(const std::vector<double>& numerators, const std::vector<double>& denominators) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(numerators.size(), denominators.size()); ++i) {
    if (numerators[i] > 0 && denominators[i] > 0) ratios.push_back(numerators[i] / denominators[i]);
  }
  return percentile(ratios, 0.5);
}

std::string short_number(double value) {
  const char* suffix = "";
  if (value >= 999'500) {
    value /= 1e6;
    suffix = " M";
  } else if (value >= 9'995) {
    value /= 1e3;
    suffix = " k";
  }
  char text[32];
  const int decimals = value >= 100 || value == 0 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
  std::snprintf(text, sizeof text, "%.*f%s", decimals, value, suffix);
  return text;
}

}  // namespace kaido::bench
