#include "proto/wire/memory_budget.h"

#include <gtest/gtest.h>

namespace kaido::wire {
namespace {

constexpr MemoryOwner kA{1};
constexpr MemoryOwner kB{2};
constexpr MemoryKind kOutput = MemoryKind::kOutput;
constexpr MemoryKind kTemplates = MemoryKind::kTemplates;

TEST(MemoryBudget, LetsOneOwnerAloneHaveAThirdOfAPool) {
  MemoryBudget budget(1600);  // 1200 pass through, 400 last
  EXPECT_FALSE(budget.take(kA, kOutput, 401));
  EXPECT_TRUE(budget.take(kA, kOutput, 400));
  EXPECT_FALSE(budget.take(kA, kOutput, 1));
  EXPECT_EQ(budget.used(), 400u);
}

TEST(MemoryBudget, ServesWhoHasLittleWhileTheGreedyAreRefused) {
  MemoryBudget budget(1600);
  for (std::uint32_t greedy = 10; greedy < 16; ++greedy) {
    while (budget.take({greedy}, kOutput, 4)) {
    }
  }
  for (std::uint32_t greedy = 10; greedy < 16; ++greedy) EXPECT_FALSE(budget.take({greedy}, kOutput, 10));
  EXPECT_TRUE(budget.take(kA, kOutput, 4)) << "a seventh, who has nothing yet";
}

TEST(MemoryBudget, GivesTheGreedyTheirShareBackWhenOthersGo) {
  MemoryBudget budget(1600);
  EXPECT_TRUE(budget.take(kA, kOutput, 400));
  EXPECT_FALSE(budget.is_tight());
  EXPECT_FALSE(budget.take(kB, kOutput, 400));
  budget.give_back(kA, kOutput, 400);
  EXPECT_TRUE(budget.take(kB, kOutput, 400));
}

TEST(MemoryBudget, KeepsWhatLastsApartFromWhatPassesThrough) {
  MemoryBudget budget(1600);
  EXPECT_TRUE(budget.take(kA, kOutput, 400));
  EXPECT_TRUE(budget.take(kA, kTemplates, 130)) << "the other pool";
  EXPECT_FALSE(budget.take(kB, MemoryKind::kNodeInfos, 91)) << "which node infos share";
  EXPECT_EQ(budget.used(kTemplates), 130u);
  EXPECT_EQ(budget.used(kOutput), 400u);
}

TEST(MemoryBudget, CountsWhatItRefuses) {
  MemoryBudget budget(16);
  EXPECT_FALSE(budget.take(kA, kOutput, 100));
  EXPECT_FALSE(budget.has_room(kA, kOutput, 100));
  EXPECT_EQ(budget.refused(kOutput), 1u);
  EXPECT_EQ(budget.refused(kTemplates), 0u);
  EXPECT_EQ(budget.used(), 0u);
}

TEST(MemoryBudget, RefusesEverybodyWhileMoreIsTakenThanThereIs) {
  MemoryBudget budget(16);
  budget.take_anyway(kA, kOutput, 100);
  EXPECT_TRUE(budget.is_tight());
  EXPECT_FALSE(budget.take(kB, kOutput, 1));
  budget.give_back(kA, kOutput, 100);
  EXPECT_TRUE(budget.take(kB, kOutput, 1));
}

TEST(Charge, GivesBackWhatItHoldsWhenItGoes) {
  MemoryBudget budget(1600);
  {
    Charge charge(&budget, kA, kOutput);
    EXPECT_TRUE(charge.grow(100));
    EXPECT_FALSE(charge.grow(500));
    EXPECT_EQ(charge.bytes(), 100u);
    charge.set(2000);
    EXPECT_EQ(budget.used(), 2000u);
    const Charge moved = std::move(charge);
    EXPECT_EQ(budget.used(), 2000u);
  }
  EXPECT_EQ(budget.used(), 0u);
}

TEST(Charge, WithoutABudgetIsNeverRefused) {
  Charge charge;
  EXPECT_TRUE(charge.grow(SIZE_MAX / 2));
  EXPECT_TRUE(charge.has_room(SIZE_MAX));
}

TEST(MemoryBudget, EveryKindHasAName) {
  for (std::size_t kind = 0; kind < kMemoryKinds; ++kind) EXPECT_FALSE(name(static_cast<MemoryKind>(kind)).empty());
}

}  // namespace
}  // namespace kaido::wire
