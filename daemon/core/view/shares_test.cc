#include "daemon/core/view/shares.h"

#include <gtest/gtest.h>

namespace kaido::daemon {
namespace {

std::size_t take_all(Shares& shares, wire::MemoryOwner owner) {
  std::size_t taken = 0;
  for (; shares.has_room(owner); ++taken) shares.take(owner);
  return taken;
}

TEST(Shares, OneAloneGetsAThirdAndLeavesTheNextOneHalfOfTheRest) {
  Shares shares(9000);
  EXPECT_EQ(take_all(shares, {1}), 3000U);
  EXPECT_EQ(take_all(shares, {5}), 2000U);
  EXPECT_EQ(take_all(shares, {1}), 0U);
  shares.give_back({5});
  EXPECT_TRUE(shares.has_room({5}));
  EXPECT_FALSE(shares.has_room({1})) << "it has more than half of what is left";
  EXPECT_EQ(shares.owned({1}), 3000U);
  EXPECT_EQ(shares.used(), 4999U);
}

TEST(Shares, WhoHasNothingGetsOneAsLongAsThereIsAny) {
  for (std::uint32_t max = 0; max < 9; ++max) {
    Shares shares(max);
    for (std::uint32_t owner = 0; owner < max; ++owner) {
      ASSERT_TRUE(shares.has_room({owner})) << owner << " of " << max;
      shares.take({owner});
    }
    EXPECT_FALSE(shares.has_room({max}));
    EXPECT_FALSE(shares.has_room({0}));
  }
}

TEST(Shares, WhatComesTogetherFitsTogetherOrNotAtAll) {
  Shares shares(600);
  EXPECT_FALSE(shares.has_room({1}, 201));
  ASSERT_TRUE(shares.has_room({1}, 200));
  shares.take({1}, 200);
  EXPECT_FALSE(shares.has_room({1}));
  EXPECT_FALSE(shares.has_room({2}, 401));
  EXPECT_FALSE(shares.has_room({2}, ~std::size_t{0}));
  shares.take({2}, 500);
  EXPECT_FALSE(shares.has_room({3})) << "more is taken than there is";
  shares.give_back({2}, 500);
  shares.give_back({1}, 150);
  EXPECT_EQ(shares.owned({1}), 50U);
}

TEST(Shares, ManyWhoTakeWhatTheyMayLeaveOneFor) {
  Shares shares(65536);
  for (std::uint32_t owner = 1; owner <= 8; ++owner) take_all(shares, {owner});
  EXPECT_GE(take_all(shares, {100}), 800U);
}

}  // namespace
}  // namespace kaido::daemon
