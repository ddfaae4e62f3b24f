#include "tests/bench/stats.h"

#include <gtest/gtest.h>

namespace kaido::bench {
namespace {

TEST(Stats, PercentileIsANearestRank) {
  EXPECT_EQ(percentile({}, 0.5), 0);
  EXPECT_EQ(percentile({7}, 0.99), 7);
  EXPECT_EQ(percentile({4, 1, 3, 2, 5}, 0.5), 3);
  EXPECT_EQ(percentile({4, 1, 3, 2, 5}, 0.99), 5);
  EXPECT_EQ(percentile({4, 1, 3, 2}, 0.0), 1);
}

TEST(Stats, SpreadHoldsMedianAndBothEnds) {
  const Spread spread = spread_of({3, 9, 1});
  EXPECT_EQ(spread.median, 3);
  EXPECT_EQ(spread.min, 1);
  EXPECT_EQ(spread.max, 9);
}

TEST(Stats, RatioIsTakenWithinARoundAndIgnoresMissingOnes) {
  // The machine doubles its speed in the second round: the ratio does not notice.
  EXPECT_DOUBLE_EQ(ratio_of({10, 20, 11}, {20, 40, 0}), 0.5);
  EXPECT_EQ(ratio_of({0}, {1}), 0);
}

TEST(Stats, ShortNumbersKeepThreeDigits) {
  EXPECT_EQ(short_number(71.54), "71.5");
  EXPECT_EQ(short_number(823'400), "823 k");
  EXPECT_EQ(short_number(1'324'000), "1.32 M");
  EXPECT_EQ(short_number(0.1234), "0.123");
}

}  // namespace
}  // namespace kaido::bench
