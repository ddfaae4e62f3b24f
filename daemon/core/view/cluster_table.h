/// The mutable side of the view: what the shell that knows peers feeds, and where snapshots come from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "daemon/core/view/cluster_view.h"
#include "proto/base/time.h"
#include "proto/wire/memory_budget.h"

namespace kaido::daemon {

/// Example:
///     ClusterTable table(self_info);
///     NodeIndex b = table.node_seen(info).index;  // a peer's NodeInfo arrived, for the first time or again
///     if (auto changed = table.take_change()) chooser.set_view(*changed);
///
/// Threading: confined to the node's loop; the snapshots are not.
/// Errors: node_seen refuses (nothing is changed) what is older than what is known, more than kMaxNodes nodes, and more
/// bytes than there is memory for when all that were lost are forgotten.
class ClusterTable {
 public:
  /// How many nodes are remembered, lost ones included. Raising it costs memory (about 300 bytes a node) and the time
  /// of explanations; at the bound the node that was lost longest ago is forgotten, and where none was lost a new one
  /// is refused.
  static constexpr std::uint32_t kMaxNodes = 16384;

  /// What node_seen found out.
  enum class Refusal : std::uint8_t {
    kStaleEpoch,    ///< a later life of this node is known
    kTooManyNodes,  ///< kMaxNodes
    kNoMemory,      ///< what it says takes more than its share of the node's memory
    kIsSelf,        ///< this node's own id: use self_changed()
  };
  struct Seen {
    NodeIndex index = kNoNode;  ///< kNoNode: refused
    Refusal refusal{};          ///< meaningful only if refused
    bool is_new_life = false;   ///< of a node that was not lost before; attempts of `lost_life` are gone
    base::Life lost_life;       ///< meaningful only if is_new_life
    [[nodiscard]] bool accepted() const { return index != kNoNode; }
  };

  /// `memory`: what others say of themselves is taken from it; null: it is not counted. Outlives the table.
  explicit ClusterTable(NodeInfo self, wire::MemoryBudget* memory = nullptr);

  /// A node told about itself: new, changed, or back in a new epoch. Marks it alive.
  Seen node_seen(NodeInfo info);

  /// The node cannot be reached or was declared dead. Its entry stays, not alive. False if nothing changed.
  bool node_lost(base::Instant now, NodeIndex index);

  /// Nodes that were lost before `then` are forgotten, and their places may be given to others. False if there is none.
  bool forget_lost_before(base::Instant then);
  /// When the node that was lost longest ago was lost.
  [[nodiscard]] std::optional<base::Instant> oldest_loss() const;

  /// This node's own account changed: functions, slots, draining.
  void self_changed(NodeInfo info);

  /// The current snapshot; rebuilt only after a change.
  [[nodiscard]] ClusterViewRef view();

  /// The current snapshot if it changed since the last call.
  [[nodiscard]] std::optional<ClusterViewRef> take_change();

  [[nodiscard]] NodeIndex index_of(const base::NodeId& id) const;  ///< kNoNode if unknown
  [[nodiscard]] const NodeView& node(NodeIndex index) const { return nodes_[index.value]; }

 private:
  void changed() { ++version_; }
  [[nodiscard]] bool charge(NodeIndex index, std::size_t bytes);
  void forget_oldest_loss();

  std::uint64_t version_ = 1;
  std::uint64_t taken_version_ = 0;
  std::vector<NodeView> nodes_;
  std::vector<NodeIndex> free_;
  std::set<std::pair<base::Instant, NodeIndex>> lost_;  ///< those that are, the longest ago first
  std::vector<base::Instant> lost_at_;                  ///< by index: when last
  std::map<base::NodeId, NodeIndex> indices_;
  wire::MemoryBudget* const memory_;
  std::vector<wire::Charge> charges_;  ///< by index
  ClusterViewRef view_;
};

}  // namespace kaido::daemon
