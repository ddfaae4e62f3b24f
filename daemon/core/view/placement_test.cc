#include "daemon/core/view/placement.h"

#include <gtest/gtest.h>

#include "daemon/core/schema/schema_text.h"
#include "daemon/core/view/cluster_table.h"

namespace kaido::daemon {
namespace {

NodeInfo worker(std::uint8_t id, std::string name) {
  NodeInfo info;
  info.id.bytes[0] = id;
  info.name = std::move(name);
  info.tags = {{"gpu", "a100"}, {"zone", "north"}};
  info.functions = {{{7}, "count_words", 70, "(string) -> int64", schema_of("string a1 = 1;", "int64 value = 1;")}};
  return info;
}

NodeView view_of(NodeInfo info) {
  return {.index = NodeIndex{1}, .alive = true, .info = std::make_shared<const NodeInfo>(std::move(info))};
}

PlacementSpec wanted() {
  PlacementSpec spec;
  spec.function = {7};
  spec.function_name = "count_words";
  spec.fingerprint = 70;
  return spec;
}

PreparedPlacement prepared(const PlacementSpec& spec) { return PreparedPlacement(spec, 0, 1); }

TEST(Placement, ANodeThatOffersTheFunctionFits) {
  EXPECT_EQ(prepared(wanted()).find_mismatch(view_of(worker(1, "a"))), Mismatch::kNone);
  EXPECT_EQ(prepared(wanted()).describe_mismatch(view_of(worker(1, "a"))), "fits");
}

TEST(Placement, EveryRuleExcludesAndSaysWhy) {
  struct Case {
    Mismatch mismatch;
    std::string words;
    void (*change)(PlacementSpec&, NodeInfo&);
  };
  const Case cases[] = {
      {Mismatch::kDraining, "draining", [](PlacementSpec&, NodeInfo& node) { node.draining = true; }},
      {Mismatch::kNodeName, "not the node named b", [](PlacementSpec& spec, NodeInfo&) { spec.node_name = "b"; }},
      {Mismatch::kTag, "tag gpu=h100 missing (has gpu=a100)",
       [](PlacementSpec& spec, NodeInfo&) { spec.tags = {{"zone", "north"}, {"gpu", "h100"}}; }},
      {Mismatch::kTag, "tag disk=ssd missing", [](PlacementSpec& spec, NodeInfo&) { spec.tags = {{"disk", "ssd"}}; }},
      {Mismatch::kTaint, "taint team=red:NoSchedule not tolerated",
       [](PlacementSpec&, NodeInfo& node) { node.taints = {{"team", "red", "NoSchedule"}}; }},
      {Mismatch::kNotOffered, "no app offers count_words", [](PlacementSpec&, NodeInfo& node) { node.functions = {}; }},
      {Mismatch::kSignature,
       "signature mismatch of count_words: the caller has fingerprint 0000000000000047, the node offers (string) -> "
       "int64; "
       "the caller states no schema to compare",
       [](PlacementSpec& spec, NodeInfo&) { spec.fingerprint = 71; }},
      {Mismatch::kSignature,
       "signature mismatch of count_words: the caller has (int32) -> int64, the node offers (string) -> int64; "
       "argument 1 "
       "(a1): int32 for the caller, string for the worker",
       [](PlacementSpec& spec, NodeInfo&) {
         spec.fingerprint = 71;
         spec.signature = "(int32) -> int64";
         spec.schema = schema_of("int32 a1 = 1;", "int64 value = 1;");
       }},
  };
  for (const Case& c : cases) {
    PlacementSpec spec = wanted();
    NodeInfo node = worker(1, "a");
    c.change(spec, node);
    const NodeView view = view_of(node);
    EXPECT_EQ(prepared(spec).find_mismatch(view), c.mismatch) << c.words;
    EXPECT_EQ(prepared(spec).describe_mismatch(view), c.words);
  }
  NodeView lost = view_of(worker(1, "a"));
  lost.alive = false;
  EXPECT_EQ(prepared(wanted()).describe_mismatch(lost), "lost");
}

TEST(Placement, ANodeIsNamedByItsIdToo) {
  const NodeView a = view_of(worker(1, "same"));
  const NodeView b = view_of(worker(2, "same"));
  PlacementSpec spec = wanted();
  spec.node_name = "same";
  EXPECT_EQ(prepared(spec).find_mismatch(a), Mismatch::kNone);
  EXPECT_EQ(prepared(spec).find_mismatch(b), Mismatch::kNone);
  spec.node_name = to_string(b.info->id);
  EXPECT_EQ(prepared(spec).find_mismatch(a), Mismatch::kNodeName) << "an id tells two of one name apart";
  EXPECT_EQ(prepared(spec).find_mismatch(b), Mismatch::kNone);
  EXPECT_EQ(prepared(spec).describe_mismatch(a), "not the node with the id " + spec.node_name);
}

TEST(Placement, AFingerprintOfZeroIsNotCompared) {
  PlacementSpec spec = wanted();
  spec.fingerprint = 0;
  EXPECT_EQ(prepared(spec).find_mismatch(view_of(worker(1, "a"))), Mismatch::kNone);
}

TEST(Placement, ANodeOfACompatibleVersionFits) {
  PlacementSpec spec = wanted();
  spec.fingerprint = 71;
  spec.signature = "(string, optional int32) -> int64";
  spec.schema = schema_of("string a1 = 1; optional int32 a2 = 2;", "int64 value = 1;");
  const PreparedPlacement placement = prepared(spec);
  EXPECT_EQ(placement.describe_mismatch(view_of(worker(1, "a"))), "fits");

  NodeInfo other = worker(2, "b");
  FunctionInfo offered = *other.functions.begin();
  const auto mismatch = [&](Schema schema) {
    offered.fingerprint = 72;
    offered.schema = std::move(schema);
    other.functions.put(offered);
    return placement.find_mismatch(view_of(other));
  };
  EXPECT_EQ(mismatch(schema_of("bytes a1 = 1; optional int64 a2 = 2;", "int32 value = 1;")), Mismatch::kNone);
  EXPECT_EQ(mismatch(schema_of("bytes a1 = 1; int64 a2 = 2;", "int32 value = 1;")), Mismatch::kSignature)
      << "of one fingerprint, but another schema";
  EXPECT_EQ(mismatch({}), Mismatch::kSignature);
}

TEST(Placement, MoreVersionsThanAreRememberedAreStillToldApart) {
  PlacementSpec spec = wanted();
  spec.schema = schema_of("string a1 = 1;", "int64 value = 1;");
  const PreparedPlacement placement = prepared(spec);
  for (int round = 0; round < 2; ++round) {
    for (std::uint64_t version = 100; version < 150; ++version) {
      NodeInfo info = worker(1, "a");
      FunctionInfo offered = *info.functions.begin();
      offered.fingerprint = version;
      if (version % 2 == 0) offered.schema = schema_of("bool a1 = 1;", "int64 value = 1;");
      info.functions.put(std::move(offered));
      EXPECT_EQ(placement.find_mismatch(view_of(info)), version % 2 == 0 ? Mismatch::kSignature : Mismatch::kNone);
    }
  }
}

TEST(Placement, TolerationsMatchByKeyValueAndEffectAsInKubernetes) {
  const Taint taint{"team", "red", "NoSchedule"};
  const auto tolerated = [&](Toleration toleration) { return tolerates(std::span(&toleration, 1), taint); };
  EXPECT_TRUE(tolerated({"team", "red", "NoSchedule", false}));
  EXPECT_TRUE(tolerated({"team", "red", "", false})) << "an empty effect matches every effect";
  EXPECT_TRUE(tolerated({"team", "", "", true})) << "exists: any value";
  EXPECT_TRUE(tolerated({"", "", "", true})) << "an empty key that exists tolerates everything";
  EXPECT_FALSE(tolerated({"team", "blue", "", false}));
  EXPECT_FALSE(tolerated({"team", "red", "NoExecute", false}));
  EXPECT_FALSE(tolerated({"squad", "red", "", false}));
  EXPECT_FALSE(tolerates({}, taint));
  EXPECT_TRUE(tolerates({}, Taint{"team", "red", "PreferNoSchedule"})) << "a preference excludes nobody";
}

TEST(PreparedPlacement, CandidatesFollowTheView) {
  ClusterTable table(worker(1, "a"));
  table.node_seen(worker(2, "b"));
  const PreparedPlacement placement(wanted(), 0, 1);
  EXPECT_EQ(placement.candidates(*table.view()).nodes, (std::vector<NodeIndex>{kSelf, NodeIndex{1}}));
  EXPECT_TRUE(placement.candidates(*table.view()).self_fits);

  table.self_changed([] {
    NodeInfo info = worker(1, "a");
    info.functions = {};
    return info;
  }());
  EXPECT_EQ(placement.candidates(*table.view()).nodes, std::vector<NodeIndex>{NodeIndex{1}});
  EXPECT_FALSE(placement.candidates(*table.view()).self_fits);

  table.node_lost(base::Instant{}, NodeIndex{1});
  EXPECT_TRUE(placement.candidates(*table.view()).nodes.empty());
  EXPECT_FALSE(placement.candidates(*table.view()).signature_mismatch_only);
}

TEST(PreparedPlacement, TellsWhenOnlyTheSignatureIsInTheWay) {
  ClusterTable table(worker(1, "a"));
  PlacementSpec spec = wanted();
  spec.fingerprint = 99;
  const PreparedPlacement placement(spec, 0, 1);
  EXPECT_TRUE(placement.candidates(*table.view()).nodes.empty());
  EXPECT_TRUE(placement.candidates(*table.view()).signature_mismatch_only);
}

}  // namespace
}  // namespace kaido::daemon
