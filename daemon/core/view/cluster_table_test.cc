#include "daemon/core/view/cluster_table.h"

#include <gtest/gtest.h>

namespace kaido::daemon {
namespace {

NodeInfo node(std::uint8_t id, std::string name, std::uint64_t epoch = 1) {
  NodeInfo info;
  info.id.bytes[0] = id;
  info.name = std::move(name);
  info.epoch = {epoch};
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

TEST(ClusterTable, IndicesAreDenseAndSurviveLossAndNewEpoch) {
  ClusterTable table(node(1, "a"));
  const auto first = table.node_seen(node(2, "b"));
  EXPECT_EQ(first.index.value, 1U);
  EXPECT_FALSE(first.is_new_epoch);
  EXPECT_EQ(table.node_seen(node(3, "c")).index.value, 2U);
  EXPECT_TRUE(table.node_lost(first.index));
  EXPECT_FALSE(table.view()->find(first.index)->alive);

  const auto again = table.node_seen(node(2, "b", 5));
  EXPECT_EQ(again.index, first.index);
  EXPECT_TRUE(again.is_new_epoch);
  EXPECT_EQ(again.lost_epoch.value, 1U);
  EXPECT_TRUE(table.view()->find(first.index)->alive);
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
  EXPECT_TRUE(table.node_lost(NodeIndex{1}));
  EXPECT_FALSE(table.node_lost(NodeIndex{1})) << "lost already";
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
