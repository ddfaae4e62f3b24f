/// The seam between the ledger, which needs nodes, and scheduling, which chooses them.
#pragma once

#include <span>
#include <vector>

#include "daemon/core/view/placement.h"

namespace kaido::daemon {

/// Consumed by core/task, implemented by core/scheduling's Chooser; it stands here because cores do not include each
/// other.
///
/// Threading: confined to the node's loop.
class Placer {
 public:
  enum class Verdict : std::uint8_t { kChosen, kUnschedulable, kSignatureMismatch };
  struct Choice {
    Verdict verdict = Verdict::kUnschedulable;
    NodeIndex node = kNoNode;
    base::Life life;  ///< the chosen node's
  };

  virtual ~Placer() = default;

  /// A node for one attempt, none of `avoid` (a handful at most).
  [[nodiscard]] virtual Choice choose(const PreparedPlacement& placement, std::span<const NodeIndex> avoid) = 0;

  /// Every known node and why it is not chosen now.
  [[nodiscard]] virtual std::vector<NodeReason> explain(const PreparedPlacement& placement,
                                                        std::span<const NodeIndex> avoid) const = 0;

  /// Which account of a node's is the last one: equal ones mean that nothing was said since. A node that counts no
  /// versions, as this one, has one for its life.
  struct Said {
    base::Life life;
    std::uint64_t version = 0;
    bool operator==(const Said&) const = default;
  };
  [[nodiscard]] virtual Said said(NodeIndex node) const = 0;

  /// Whether the node could be chosen, by what it says of itself now.
  [[nodiscard]] virtual bool fits(const PreparedPlacement& placement, NodeIndex node) const = 0;

  /// A node's name for an error; empty if unknown.
  [[nodiscard]] virtual std::string node_name(NodeIndex node) const = 0;

  /// An attempt is on its way to the node; it was answered, given up or lost. Calls pair up.
  virtual void attempt_sent(NodeIndex node) = 0;
  virtual void attempt_settled(NodeIndex node) = 0;
};

}  // namespace kaido::daemon
