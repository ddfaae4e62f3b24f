#include "daemon/core/view/cluster_table.h"

#include <gtest/gtest.h>

namespace kaido::daemon {
namespace {

using namespace std::chrono_literals;

constexpr base::Instant kStart = base::Instant{} + 1h;

NodeInfo node(std::uint8_t id, std::string name, std::uint64_t epoch = 1) {
  NodeInfo info;
  info.id.bytes[0] = id;
  info.name = std::move(name);
  info.life = {{epoch}, epoch * 1000};
  info.slots = 4;
  return info;
}

TEST(ClusterTable, SelfIsIndexZeroAndAlive) {
  ClusterTable table(node(1, "a"));
  EXPECT_EQ(table.view()->self().info->name, "a");
  EXPECT_TRUE(table.view()->self().alive);
  EXPECT_EQ(table.index_of(node(1, "a").id), kSelf);
  EXPECT_EQ(table.index_of(node(9, "x").id), kNoNode);
}

TEST(ClusterTable, IndicesAreDenseAndSurviveLossAndNewLife) {
  ClusterTable table(node(1, "a"));
  const auto first = table.node_seen(node(2, "b"));
  EXPECT_EQ(first.index.value, 1U);
  EXPECT_FALSE(first.is_new_life);
  EXPECT_EQ(table.node_seen(node(3, "c")).index.value, 2U);

  const auto again = table.node_seen(node(2, "b", 5));
  EXPECT_EQ(again.index, first.index);
  EXPECT_TRUE(again.is_new_life);
  EXPECT_EQ(again.lost_life, node(2, "b").life);

  EXPECT_TRUE(table.node_lost(kStart, first.index));
  EXPECT_FALSE(table.view()->find(first.index)->alive);
  EXPECT_EQ(table.node_seen(node(2, "b", 6)).index, first.index);
  EXPECT_EQ(table.oldest_loss(), std::nullopt);
  EXPECT_TRUE(table.view()->find(first.index)->alive);
}

NodeInfo talkative(std::uint8_t id, std::size_t bytes) {
  NodeInfo info = node(id, "talkative");
  info.functions = {{{7}, std::string(bytes, 'f'), 70, ""}};
  return info;
}

TEST(ClusterTable, TakesWhatNodesSayOfThemselvesFromTheNodesMemory) {
  wire::MemoryBudget memory(600000);  // a quarter of it is for what lasts, and a third of that for one alone
  ClusterTable table(node(1, "a"), &memory);
  const auto kind = wire::MemoryKind::kNodeInfos;
  EXPECT_EQ(table.node_seen(talkative(2, 60000)).refusal, ClusterTable::Refusal::kNoMemory);
  EXPECT_EQ(memory.used(kind), 0U);
  EXPECT_FALSE(table.node(NodeIndex{1}).is_known) << "and its place is free";
  ASSERT_TRUE(table.node_seen(talkative(2, 40000)).accepted());
  EXPECT_GT(memory.used(kind), 40000U);
  EXPECT_FALSE(table.node_seen(talkative(2, 80000)).accepted()) << "an announcement";
  EXPECT_EQ(table.node(NodeIndex{1}).info->functions.begin()->name.size(), 40000U) << "it stays what it was known as";
  ASSERT_TRUE(table.node_seen(talkative(2, 10000)).accepted());
  EXPECT_LT(memory.used(kind), 12000U);
}

TEST(ClusterTable, ForgetsTheLostWhereTheLivingNeedTheirMemory) {
  wire::MemoryBudget memory(600000);  // of which 150 000 for what lasts
  ClusterTable table(node(1, "a"), &memory);
  const auto lost = [&](std::uint8_t id) {
    NodeInfo info = node(id, "lost");
    info.tags = {{"k", std::string(20000, 'v')}};
    return info;
  };
  for (std::uint8_t id = 2; id < 5; ++id) {
    ASSERT_TRUE(table.node_seen(lost(id)).accepted());
    table.node_lost(kStart + id * 1s, table.index_of(node(id, "").id));
  }
  ASSERT_TRUE(table.node_seen(talkative(9, 40000)).accepted());
  EXPECT_EQ(table.index_of(node(2, "").id), kNoNode) << "lost first";
  EXPECT_NE(table.index_of(node(4, "").id), kNoNode) << "lost last, and there is room for it";
  table.forget_lost_before(kStart + 1h);
  EXPECT_LT(memory.used(wire::MemoryKind::kNodeInfos), 42000U);
}

TEST(ClusterTable, RefusesAnOlderEpochAndItsOwnId) {
  ClusterTable table(node(1, "a"));
  ASSERT_TRUE(table.node_seen(node(2, "b", 5)).accepted());
  const auto version = table.view()->version();
  const auto stale = table.node_seen(node(2, "b", 4));
  EXPECT_FALSE(stale.accepted());
  EXPECT_EQ(stale.refusal, ClusterTable::Refusal::kStaleEpoch);
  EXPECT_EQ(table.node_seen(node(1, "a")).refusal, ClusterTable::Refusal::kIsSelf);
  EXPECT_EQ(table.view()->version(), version);
}

TEST(ClusterTable, ALostNodeMayComeBackInAnyLife) {
  ClusterTable table(node(1, "a"));
  const auto first = table.node_seen(node(2, "b", ~std::uint64_t{0}));
  ASSERT_TRUE(first.accepted());
  EXPECT_FALSE(table.node_seen(node(2, "b", 5)).accepted());
  ASSERT_TRUE(table.node_lost(kStart, first.index));
  const auto earlier = table.node_seen(node(2, "b", 5));
  EXPECT_EQ(earlier.index, first.index);
  EXPECT_EQ(table.view()->find(first.index)->info->life.epoch.value, 5U);
  EXPECT_TRUE(table.view()->find(first.index)->alive);
}

TEST(ClusterTable, EqualEpochsOfAnotherNonceAreAnotherLife) {
  ClusterTable table(node(1, "a"));
  ASSERT_TRUE(table.node_seen(node(2, "b", 5)).accepted());
  NodeInfo other = node(2, "b", 5);
  other.life.nonce += 1;
  EXPECT_TRUE(table.node_seen(other).is_new_life);
  EXPECT_FALSE(table.node_seen(other).is_new_life);
}

TEST(ClusterTable, TheEndOfALifeIsToldOnce) {
  ClusterTable table(node(1, "a"));
  const auto first = table.node_seen(node(2, "b", 5));
  ASSERT_TRUE(table.node_lost(kStart, first.index));
  const auto again = table.node_seen(node(2, "b", 3));
  ASSERT_TRUE(again.accepted());
  EXPECT_FALSE(again.is_new_life) << "whoever reported the loss has settled what belonged to it";
}

TEST(ClusterTable, LostNodesAreForgottenAndTheirPlacesGivenToOthers) {
  ClusterTable table(node(1, "a"));
  const NodeIndex b = table.node_seen(node(2, "b")).index;
  const NodeIndex c = table.node_seen(node(3, "c")).index;
  table.node_lost(kStart, b);
  table.node_lost(kStart + 10s, c);
  EXPECT_EQ(table.oldest_loss(), kStart);
  EXPECT_FALSE(table.forget_lost_before(kStart));
  const ClusterViewRef before = table.view();
  EXPECT_TRUE(table.forget_lost_before(kStart + 1s));
  EXPECT_EQ(table.oldest_loss(), kStart + 10s);
  EXPECT_EQ(table.index_of(node(2, "b").id), kNoNode);
  EXPECT_FALSE(table.view()->nodes()[b.value].is_known);
  EXPECT_FALSE(table.view()->nodes()[b.value].alive);
  EXPECT_EQ(before->nodes()[b.value].info->name, "b") << "a snapshot stays as it was";
  const auto d = table.node_seen(node(4, "d"));
  EXPECT_EQ(d.index, b);
  EXPECT_FALSE(d.is_new_life);
  EXPECT_EQ(table.view()->find(b)->info->name, "d");
  EXPECT_TRUE(table.view()->find(b)->is_known);
  const auto back = table.node_seen(node(2, "b", 0));
  EXPECT_TRUE(back.accepted()) << "nothing is held against who was forgotten";
  EXPECT_EQ(back.index.value, 3U);
}

TEST(ClusterTable, TwentyThousandNodesComeAndGoWithinTheBound) {
  ClusterTable table(node(1, "self"));
  const auto numbered = [](std::uint32_t number) {
    NodeInfo info = node(2, "n" + std::to_string(number));
    for (std::size_t i = 0; i < 4; ++i) info.id.bytes[i + 4] = static_cast<std::uint8_t>(number >> (8 * i));
    return info;
  };
  base::Instant now = kStart;
  for (std::uint32_t number = 0; number < 20'000; ++number) {
    const auto seen = table.node_seen(numbered(number));
    ASSERT_TRUE(seen.accepted()) << number;
    ASSERT_LT(seen.index.value, ClusterTable::kMaxNodes);
    ASSERT_EQ(table.index_of(numbered(number).id), seen.index);
    ASSERT_TRUE(table.node_lost(now += 1ms, seen.index));
  }
  EXPECT_LE(table.view()->nodes().size(), ClusterTable::kMaxNodes);
  EXPECT_EQ(table.index_of(numbered(0).id), kNoNode) << "lost longest ago";
  EXPECT_NE(table.index_of(numbered(19'999).id), kNoNode);
  EXPECT_TRUE(table.forget_lost_before(now + 1s));
  EXPECT_EQ(table.oldest_loss(), std::nullopt);
  EXPECT_EQ(table.node_seen(numbered(20'000)).index.value < ClusterTable::kMaxNodes, true);
}

TEST(ClusterTable, WhereNobodyWasLostANewNodeIsRefusedAtTheBound) {
  ClusterTable table(node(1, "self"));
  NodeInfo info = node(2, "n");
  for (std::uint32_t number = 1; number < ClusterTable::kMaxNodes; ++number) {
    for (std::size_t i = 0; i < 4; ++i) info.id.bytes[i + 4] = static_cast<std::uint8_t>(number >> (8 * i));
    ASSERT_TRUE(table.node_seen(info).accepted());
  }
  info.id.bytes[9] = 1;
  EXPECT_EQ(table.node_seen(info).refusal, ClusterTable::Refusal::kTooManyNodes);
  ASSERT_TRUE(table.node_lost(kStart, NodeIndex{77}));
  EXPECT_EQ(table.node_seen(info).index.value, 77U);
}

TEST(ClusterTable, VersionGrowsOnlyWithAChangeAndSnapshotsStayAsTheyWere) {
  ClusterTable table(node(1, "a"));
  ASSERT_TRUE(table.take_change().has_value());
  EXPECT_FALSE(table.take_change().has_value());
  const ClusterViewRef before = table.view();
  table.node_seen(node(2, "b"));
  const ClusterViewRef after = table.view();
  EXPECT_GT(after->version(), before->version());
  EXPECT_EQ(before->nodes().size(), 1U);
  EXPECT_EQ(after->nodes().size(), 2U);
  table.node_seen(node(2, "b"));
  EXPECT_EQ(table.view(), after) << "the same account is no change";
  EXPECT_TRUE(table.node_lost(kStart, NodeIndex{1}));
  EXPECT_FALSE(table.node_lost(kStart, NodeIndex{1})) << "lost already";
}

TEST(ClusterTable, FindsFunctionsHoweverTheyWereOrdered) {
  ClusterTable table(node(1, "a"));
  NodeInfo self = node(1, "a");
  self.functions = {{{30}, "h", 3, ""}, {{10}, "f", 1, ""}, {{20}, "g", 2, ""}};
  table.self_changed(self);
  EXPECT_EQ(table.view()->self().find_function({20})->name, "g");
  EXPECT_EQ(table.view()->self().find_function({10})->name, "f");
  EXPECT_EQ(table.view()->self().find_function({15}), nullptr);
  EXPECT_EQ(table.view()->self().find_function({40}), nullptr);
}

}  // namespace
}  // namespace kaido::daemon
