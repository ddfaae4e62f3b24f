#include "daemon/core/scheduling/chooser.h"

#include <gtest/gtest.h>

#include "daemon/core/view/cluster_table.h"

namespace kaido::daemon {
namespace {

constexpr wire::MemoryOwner kApp{7};
constexpr std::uint64_t kSeed = 42;

NodeInfo node(std::uint8_t id, std::string name, bool offers = true) {
  NodeInfo info;
  info.id.bytes[0] = id;
  info.name = std::move(name);
  info.life = {{std::uint64_t{id} * 100}, id};
  info.slots = 4;
  if (offers) info.functions = {{{7}, "f", 70, ""}};
  return info;
}

PlacementSpec wanted() {
  PlacementSpec spec;
  spec.function = {7};
  spec.function_name = "f";
  return spec;
}

// This node "a" and `others` further nodes, all of which offer f.
struct Cluster {
  explicit Cluster(int others, bool self_offers = true)
      : table(node(1, "a", self_offers)), chooser(kSeed, grow(others)) {}
  ClusterViewRef grow(int others) {
    for (int i = 0; i < others; ++i) {
      const auto id = static_cast<std::uint8_t>(i + 2);
      table.node_seen(node(id, std::string(1, static_cast<char>('a' + i + 1))));
    }
    return table.view();
  }
  void fill(NodeIndex index, int attempts) {
    for (int i = 0; i < attempts; ++i) chooser.attempt_sent(index);
  }
  ClusterTable table;
  Chooser chooser;
};

TEST(Chooser, TheLocalNodeComesFirstWhileItHasAFreeSlot) {
  Cluster cluster(3);
  const auto placement = cluster.chooser.prepare(wanted(), kApp);
  for (int i = 0; i < 4; ++i) {
    const auto choice = cluster.chooser.choose(*placement, {});
    EXPECT_EQ(choice.verdict, Placer::Verdict::kChosen);
    EXPECT_EQ(choice.node, kSelf);
    EXPECT_EQ(choice.life.epoch.value, 100U);
    cluster.chooser.attempt_sent(choice.node);
  }
  EXPECT_NE(cluster.chooser.choose(*placement, {}).node, kSelf) << "its four slots are taken";
}

TEST(Chooser, AFullLocalNodeIsStillChosenWhereTheOthersAreFuller) {
  Cluster cluster(2);
  const auto placement = cluster.chooser.prepare(wanted(), kApp);
  cluster.fill(kSelf, 5);
  cluster.fill(NodeIndex{1}, 9);
  cluster.chooser.load_reported(NodeIndex{2}, {.busy = 9, .slots = 4});
  EXPECT_EQ(cluster.chooser.choose(*placement, {}).node, kSelf);
}

TEST(Chooser, ThisNodesOwnLoadIsAskedForWhereItIsCompared) {
  Cluster cluster(2);
  const auto placement = cluster.chooser.prepare(wanted(), kApp);
  wire::Load here{.busy = 2, .slots = 4};
  cluster.chooser.set_room_here([](const PreparedPlacement&) { return false; });
  cluster.chooser.set_load_here([&] { return here; });
  cluster.fill(NodeIndex{1}, 3);
  cluster.fill(NodeIndex{2}, 3);
  EXPECT_EQ(cluster.chooser.choose(*placement, {}).node, kSelf);
  here.busy = 4;
  EXPECT_NE(cluster.chooser.choose(*placement, {}).node, kSelf);
}

TEST(Chooser, OfTwoTheLessLoadedRelativeToItsSlotsIsChosen) {
  Cluster cluster(2, false);
  const auto placement = cluster.chooser.prepare(wanted(), kApp);
  cluster.chooser.load_reported(NodeIndex{1}, {.busy = 6, .slots = 4});
  cluster.chooser.load_reported(NodeIndex{2}, {.busy = 8, .slots = 16});
  for (int i = 0; i < 20; ++i) EXPECT_EQ(cluster.chooser.choose(*placement, {}).node.value, 2U);
}

TEST(Chooser, EqualNodesShareTheWork) {
  Cluster cluster(8, false);
  const auto placement = cluster.chooser.prepare(wanted(), kApp);
  for (int i = 0; i < 800; ++i) cluster.chooser.attempt_sent(cluster.chooser.choose(*placement, {}).node);
  for (std::uint32_t i = 1; i <= 8; ++i) {
    EXPECT_GT(cluster.chooser.loads().in_flight(NodeIndex{i}), 90U) << "node " << i << ", seed " << kSeed;
    EXPECT_LT(cluster.chooser.loads().in_flight(NodeIndex{i}), 110U) << "node " << i << ", seed " << kSeed;
  }
}

TEST(Chooser, AvoidedNodesAreNeverChosen) {
  Cluster cluster(2);
  const auto placement = cluster.chooser.prepare(wanted(), kApp);
  const NodeIndex self_only[] = {kSelf};
  for (int i = 0; i < 10; ++i) EXPECT_NE(cluster.chooser.choose(*placement, self_only).node, kSelf);
  const NodeIndex two[] = {kSelf, NodeIndex{2}};
  for (int i = 0; i < 10; ++i) EXPECT_EQ(cluster.chooser.choose(*placement, two).node.value, 1U);
  const NodeIndex all[] = {kSelf, NodeIndex{1}, NodeIndex{2}};
  EXPECT_EQ(cluster.chooser.choose(*placement, all).verdict, Placer::Verdict::kUnschedulable);
  EXPECT_EQ(cluster.chooser.explain(*placement, all)[1].reason, "was tried already (fits)");
}

TEST(Chooser, SaysOfEveryNodeWhyItIsNotChosen) {
  Cluster cluster(2, false);
  cluster.table.node_lost(base::Instant{}, NodeIndex{1});
  cluster.chooser.set_view(cluster.table.view());
  PlacementSpec spec = wanted();
  spec.tags = {{"gpu", "a100"}};
  const auto placement = cluster.chooser.prepare(spec, kApp);
  EXPECT_EQ(cluster.chooser.choose(*placement, {}).verdict, Placer::Verdict::kUnschedulable);
  const std::vector<NodeReason> expected = {
      {"a", "tag gpu=a100 missing"}, {"b", "lost"}, {"c", "tag gpu=a100 missing"}};
  EXPECT_EQ(cluster.chooser.explain(*placement, {}), expected);
}

TEST(Chooser, ExplanationsAreBounded) {
  ClusterTable table(node(1, "a", false));
  for (std::uint8_t id = 2; id <= 20; ++id) table.node_seen(node(id, "n" + std::to_string(id), false));
  Chooser chooser(kSeed, table.view(), {.reasons_max = 5});
  const auto reasons = chooser.explain(*chooser.prepare(wanted(), kApp), {});
  ASSERT_EQ(reasons.size(), 6U);
  EXPECT_EQ(reasons.back().reason, "15 more nodes");
}

TEST(Chooser, OnlyAnotherSignatureIsAVerdictOfItsOwn) {
  Cluster cluster(1);
  PlacementSpec spec = wanted();
  spec.fingerprint = 71;
  const auto placement = cluster.chooser.prepare(spec, kApp);
  EXPECT_EQ(cluster.chooser.choose(*placement, {}).verdict, Placer::Verdict::kSignatureMismatch);
}

TEST(Chooser, EqualSpecsAreOnePlacementWhateverTheOrderOfTheirTags) {
  Cluster cluster(0);
  PlacementSpec one = wanted();
  one.tags = {{"a", "1"}, {"b", "2"}};
  PlacementSpec other = wanted();
  other.tags = {{"b", "2"}, {"a", "1"}};
  const auto first = cluster.chooser.prepare(one, kApp);
  EXPECT_EQ(first, cluster.chooser.prepare(other, kApp));
  EXPECT_NE(first, cluster.chooser.prepare(wanted(), kApp));
}

TEST(Chooser, PlacementsAreBoundedAndTheirIndicesReusedUnderAnotherSerial) {
  Cluster cluster(0);
  Chooser chooser(kSeed, cluster.table.view(), {.placements_max = 9});
  const auto numbered = [&](std::int32_t priority) {
    PlacementSpec spec = wanted();
    spec.priority = priority;
    return chooser.prepare(spec, kApp);
  };
  std::vector<PlacementRef> held = {numbered(1), numbered(2), numbered(3)};
  EXPECT_EQ(chooser.refused_count(), 0U);
  EXPECT_EQ(numbered(4), nullptr) << "three are alive, and a third is one app's";
  EXPECT_EQ(chooser.refused_count(), 1U);
  const auto index = held[1]->index();
  const auto serial = held[1]->serial();
  held[1].reset();
  const auto fourth = numbered(4);
  ASSERT_NE(fourth, nullptr);
  EXPECT_EQ(fourth->index(), index);
  EXPECT_GT(fourth->serial(), serial);
}

TEST(Chooser, SomeWhoTakeAllTheyMayLeavePlacementsAndSchemasForOthers) {
  Cluster cluster(0);
  Chooser chooser(kSeed, cluster.table.view(), {.placements_max = 300, .schema_bytes_max = 3000});
  std::int32_t number = 0;
  std::vector<PlacementRef> held;
  const auto prepare = [&](std::uint32_t owner, std::size_t schema_bytes) {
    PlacementSpec spec = wanted();
    spec.priority = ++number;
    if (schema_bytes > 0) spec.schema = Schema(std::to_string(number) + std::string(schema_bytes, 'x'));
    PlacementRef placement = chooser.prepare(spec, {owner});
    if (placement == nullptr) return false;
    held.push_back(std::move(placement));
    return true;
  };
  for (std::uint32_t owner = 1; owner <= 4; ++owner) {
    int with_schema = 0;
    while (prepare(owner, 100)) ++with_schema;
    EXPECT_LT(with_schema, 12) << "owner " << owner;
    while (prepare(owner, 0)) continue;
  }
  for (int i = 0; i < 15; ++i) EXPECT_TRUE(prepare(5, i == 0 ? 100 : 0)) << i;
  held.clear();
  EXPECT_TRUE(prepare(1, 900)) << "what nobody holds is nobody's";
}

TEST(Chooser, CallersSchemasAreSharedAndBounded) {
  Cluster cluster(0);
  Chooser chooser(kSeed, cluster.table.view(), {.schema_bytes_max = 600});
  const auto prepare = [&](std::uint64_t function, std::int32_t priority) {
    PlacementSpec spec = wanted();
    spec.function = {function};
    spec.priority = priority;
    spec.schema = Schema(std::string(100, static_cast<char>(function)));
    return chooser.prepare(spec, kApp);
  };
  const auto first = prepare(1, 1);
  const auto second = prepare(1, 2);
  const auto before_both = prepare(1, 0);
  EXPECT_EQ(first->spec().schema.bytes().data(), second->spec().schema.bytes().data());
  EXPECT_EQ(first->spec().schema.bytes().data(), before_both->spec().schema.bytes().data());
  auto other = prepare(2, 1);
  ASSERT_NE(other, nullptr);
  EXPECT_EQ(prepare(3, 1), nullptr) << "a third schema is more than one app may have";
  EXPECT_NE(prepare(2, 2), nullptr) << "a known one is not";
  other.reset();
  EXPECT_NE(prepare(3, 1), nullptr);
}

TEST(Chooser, SchemasAreCountedRightWhoeverStandsBetweenThem) {
  Cluster cluster(0);
  Chooser chooser(kSeed, cluster.table.view(), {.schema_bytes_max = 600});
  const auto prepare = [&](std::int32_t priority, char schema) {
    PlacementSpec spec = wanted();
    spec.priority = priority;
    spec.schema = Schema(std::string(100, schema));
    return chooser.prepare(spec, kApp);
  };
  for (int round = 0; round < 5; ++round) {
    auto first = prepare(1, 's');
    auto between = prepare(2, 't');
    auto last = prepare(3, 's');
    ASSERT_TRUE(first && between && last) << "round " << round;
    between.reset();
    first.reset();
    last.reset();
    first = prepare(1, 's');
    last = prepare(3, 's');
    between = prepare(2, 't');
    first.reset();
    between.reset();
  }
  const auto one = prepare(1, 'u');
  const auto two = prepare(2, 'v');
  EXPECT_TRUE(one && two);
  EXPECT_EQ(prepare(3, 'w'), nullptr) << "still bounded";
}

TEST(Chooser, APlacementThatNobodyHoldsIsForgottenAtOnce) {
  Cluster cluster(0);
  const auto prepare = [&](std::int32_t priority) {
    PlacementSpec spec = wanted();
    spec.priority = priority;
    spec.schema = Schema("schema of f");
    return cluster.chooser.prepare(spec, kApp);
  };
  auto first = prepare(1);
  auto second = prepare(2);
  EXPECT_EQ(cluster.chooser.placement_count(), 2U);
  first.reset();
  EXPECT_EQ(cluster.chooser.placement_count(), 1U);
  EXPECT_EQ(prepare(2), second);
  second.reset();
  EXPECT_EQ(cluster.chooser.placement_count(), 0U);
  EXPECT_NE(prepare(1), nullptr);
}

TEST(Chooser, APlacementOutlivesItsChooser) {
  PlacementRef held;
  {
    Cluster cluster(0);
    held = cluster.chooser.prepare(wanted(), kApp);
  }
  EXPECT_EQ(held->spec().function_name, "f");
}

TEST(Chooser, AnIdleNodeThatWasFullOnceIsSoonChosenAsOftenAsItsEqual) {
  Cluster cluster(2, false);
  const auto placement = cluster.chooser.prepare(wanted(), kApp);
  cluster.chooser.load_reported(NodeIndex{1}, {.busy = 50, .slots = 4});
  const auto share_of_the_other = [&](base::Duration later) {
    cluster.chooser.set_now(base::Instant{} + later);
    int chosen = 0;
    for (int i = 0; i < 200; ++i) {
      if (cluster.chooser.choose(*placement, {}).node == NodeIndex{1}) ++chosen;
    }
    return chosen;
  };
  EXPECT_EQ(share_of_the_other(base::Duration(0)), 0);
  const int soon = share_of_the_other(8 * LoadTable::kHalfLife);
  EXPECT_GT(soon, 70) << "seed " << kSeed;
  EXPECT_LT(soon, 130) << "seed " << kSeed;
}

TEST(Chooser, ALostNodesReportedLoadIsForgotten) {
  Cluster cluster(1, false);
  cluster.chooser.load_reported(NodeIndex{1}, {.busy = 50, .slots = 4});
  cluster.table.node_lost(base::Instant{}, NodeIndex{1});
  cluster.chooser.set_view(cluster.table.view());
  EXPECT_EQ(cluster.chooser.loads().busy(NodeIndex{1}), 0U);
}

}  // namespace
}  // namespace kaido::daemon
