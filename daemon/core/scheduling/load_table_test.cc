#include "daemon/core/scheduling/load_table.h"

#include <gtest/gtest.h>

namespace kaido::daemon {
namespace {

constexpr NodeIndex kNode{3};

TEST(LoadTable, CountsOwnAttemptsAndWhatOthersHadWhenTheNodeLastAnswered) {
  LoadTable loads;
  EXPECT_EQ(loads.busy(kNode), 0U);
  loads.attempt_sent(kNode);
  loads.attempt_sent(kNode);
  loads.reported(kNode, {.busy = 5, .slots = 8});
  EXPECT_EQ(loads.busy(kNode), 5U) << "two of the five are ours";
  loads.attempt_sent(kNode);
  EXPECT_EQ(loads.busy(kNode), 6U);
  loads.attempt_settled(kNode);
  loads.attempt_settled(kNode);
  EXPECT_EQ(loads.busy(kNode), 4U);
  EXPECT_EQ(loads.slots(kNode), 8U);
}

TEST(LoadTable, AReportOlderThanOurOwnAttemptsNeverCountsBelowThem) {
  LoadTable loads;
  loads.attempt_sent(kNode);
  loads.attempt_sent(kNode);
  loads.reported(kNode, {.busy = 1, .slots = 8});
  EXPECT_EQ(loads.busy(kNode), 2U);
}

TEST(LoadTable, WhatAReportSaysOfOthersCountsHalfAsMuchWithEveryHalfLife) {
  LoadTable loads;
  loads.attempt_sent(kNode);
  loads.reported(kNode, {.busy = 9, .slots = 8});
  base::Instant now{};
  for (const std::uint32_t expected : {9U, 5U, 3U, 2U, 1U, 1U}) {
    EXPECT_EQ(loads.busy(kNode), expected);
    loads.set_now(now += LoadTable::kHalfLife);
  }
  loads.reported(kNode, {.busy = 9, .slots = 8});
  EXPECT_EQ(loads.busy(kNode), 9U) << "a new report is fresh";
  loads.set_now(now + 1000 * LoadTable::kHalfLife);
  EXPECT_EQ(loads.busy(kNode), 1U) << "our own attempts do not age";
  EXPECT_EQ(loads.slots(kNode), 8U);
}

TEST(LoadTable, ForgettingKeepsTheAttemptsInFlight) {
  LoadTable loads;
  loads.attempt_sent(kNode);
  loads.reported(kNode, {.busy = 9, .slots = 8});
  loads.forget(kNode);
  EXPECT_EQ(loads.busy(kNode), 1U);
  EXPECT_EQ(loads.slots(kNode), 0U);
  loads.attempt_settled(kNode);
  EXPECT_EQ(loads.in_flight(kNode), 0U);
}

}  // namespace
}  // namespace kaido::daemon
