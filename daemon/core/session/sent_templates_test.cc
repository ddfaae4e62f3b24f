#include "daemon/core/session/sent_templates.h"

#include <map>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "proto/base/random.h"

namespace kaido::daemon {
namespace {

constexpr std::uint64_t kSeed = 20261129;

TEST(SentTemplates, APlacementIsPreparedOnceAndKeepsItsId) {
  SentTemplates sent(4);
  const auto first = sent.use(7, 100);
  EXPECT_EQ(first.id, 1U);
  EXPECT_TRUE(first.is_new);
  EXPECT_EQ(sent.use(7, 100).id, 1U);
  EXPECT_FALSE(sent.use(7, 100).is_new);
  EXPECT_EQ(sent.use(3, 101).id, 2U);
}

TEST(SentTemplates, AnotherPlacementAtTheSameIndexTakesOverTheId) {
  SentTemplates sent(4);
  EXPECT_EQ(sent.use(7, 100).id, 1U);
  const auto other = sent.use(7, 200);
  EXPECT_EQ(other.id, 1U);
  EXPECT_TRUE(other.is_new) << "the peer has the former one under it";
  EXPECT_EQ(sent.size(), 1U);
}

TEST(SentTemplates, WhereNoneMayBeGivenNoneIs) {
  SentTemplates sent(0);
  EXPECT_EQ(sent.use(7, 100).id, 0U);
  EXPECT_EQ(sent.size(), 0U);
}

TEST(SentTemplates, AnIdThatWasNotPreparedAfterAllIsGivenAgainFirst) {
  SentTemplates sent(2);
  const auto first = sent.use(1, 100);
  const auto second = sent.use(2, 101);
  sent.forget(first.id);
  EXPECT_TRUE(sent.use(1, 100).is_new) << "it is not known there";
  sent.forget(second.id);
  const auto third = sent.use(3, 102);
  EXPECT_EQ(third.id, second.id) << "rather than one that is of use";
  EXPECT_FALSE(sent.use(1, 100).is_new);
}

TEST(SentTemplates, AFewAreReplacedInTheOrderOfTheirUse) {
  SentTemplates sent(3);
  for (std::uint32_t index = 0; index < 3; ++index) EXPECT_TRUE(sent.use(index, index + 1).is_new);
  EXPECT_FALSE(sent.use(0, 1).is_new);
  EXPECT_EQ(sent.use(3, 4).id, 2U) << "index 1 was used longest ago";
  EXPECT_FALSE(sent.use(0, 1).is_new);
  EXPECT_FALSE(sent.use(2, 3).is_new);
  EXPECT_EQ(sent.use(1, 2).id, 2U) << "and now index 3 was";
}

// What the peer would know if each new id were prepared, compared at every step.
TEST(SentTemplates, ThePeerAlwaysKnowsWhatAnIdStandsFor) {
  base::Random random(kSeed);
  for (const std::uint32_t bound : {1U, 2U, 16U, 17U, 100U, 1000U}) {
    SentTemplates sent(bound);
    std::map<std::uint32_t, std::uint64_t> peer;    // id → serial
    std::map<std::uint32_t, std::uint64_t> serial;  // index → serial of the placement that has it now
    std::uint64_t next_serial = 1;
    for (int step = 0; step < 20000; ++step) {
      const std::uint32_t index = random.below(300);
      if (!serial.contains(index) || random.below(10) == 0) serial[index] = next_serial++;
      const auto use = sent.use(index, serial[index]);
      ASSERT_GE(use.id, 1U);
      ASSERT_LE(use.id, bound);
      if (use.is_new && random.below(20) == 0) {
        sent.forget(use.id);  // the prepare was too large; the peer goes on knowing what it knew
        continue;
      }
      if (use.is_new) peer[use.id] = serial[index];
      ASSERT_EQ(peer[use.id], serial[index]) << "bound " << bound << ", step " << step << ", seed " << kSeed;
    }
    EXPECT_LE(sent.size(), bound);
  }
}

// Who is used all the time stays, whatever else comes and goes.
TEST(SentTemplates, WhatIsUsedAllTheTimeIsNotReplaced) {
  SentTemplates sent(64);
  EXPECT_TRUE(sent.use(0, 1).is_new);
  for (std::uint32_t index = 1; index < 5000; ++index) {
    ASSERT_TRUE(sent.use(index, index + 1).is_new);
    ASSERT_FALSE(sent.use(0, 1).is_new) << index;
  }
}

}  // namespace
}  // namespace kaido::daemon
