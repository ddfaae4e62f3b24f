/// What tests of the ledger have for a scheduler.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "daemon/core/view/placer.h"

namespace kaido::daemon {

inline constexpr NodeIndex kB{1};
inline constexpr NodeIndex kC{2};

/// Chooses the first of its nodes that is not avoided; counts attempts in flight.
class FakePlacer final : public Placer {
 public:
  std::vector<NodeIndex> nodes = {kB, kC};
  std::map<NodeIndex, int> in_flight;
  std::uint64_t version = 0;  ///< of what its nodes say

  Choice choose(const PreparedPlacement&, std::span<const NodeIndex> avoid) override {
    for (const NodeIndex node : nodes) {
      if (std::find(avoid.begin(), avoid.end(), node) == avoid.end()) return {Verdict::kChosen, node, life(node)};
    }
    return {};
  }
  std::vector<NodeReason> explain(const PreparedPlacement&, std::span<const NodeIndex>) const override {
    return {{"node-1", "a reason"}};
  }
  Said said(NodeIndex node) const override { return {life(node), version}; }
  bool fits(const PreparedPlacement&, NodeIndex node) const override {
    return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
  }
  std::string node_name(NodeIndex node) const override { return "node-" + std::to_string(node.value); }
  void attempt_sent(NodeIndex node) override { ++in_flight[node]; }
  void attempt_settled(NodeIndex node) override { --in_flight[node]; }
  static base::Life life(NodeIndex node) { return {{node.value * 10}, node.value}; }
};

}  // namespace kaido::daemon
