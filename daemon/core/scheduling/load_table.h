/// What this node believes each node has to do.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "daemon/core/view/node_view.h"
#include "proto/base/check.h"
#include "proto/base/time.h"
#include "proto/wire/frame.h"

namespace kaido::daemon {

/// A node's load is this node's own attempts in flight there, which it knows exactly, plus what others had there when
/// the node last answered (its reported load less our share of it at that moment). No gossip: a reply brings the report
/// for free and is as fresh as the last task, and pongs bring one where there are no tasks. A report ages: what it says
/// of others counts half as much with every kHalfLife, so that a node which was full once is tried again.
///
/// Threading: confined to the node's loop.
class LoadTable {
 public:
  /// How fast a report of others' load loses its weight. Shorter trusts it less, and lets two origins that flood one
  /// node find out later; longer leaves a node idle for longer that was full when it spoke last.
  static constexpr base::Duration kHalfLife = std::chrono::milliseconds(250);

  void set_now(base::Instant now) { now_ = now; }

  void attempt_sent(NodeIndex node) { ++at(node).in_flight; }
  void attempt_settled(NodeIndex node) {
    Entry& entry = at(node);
    KAIDO_CHECK(entry.in_flight > 0);
    --entry.in_flight;
  }

  /// The load that rode on a frame of the node.
  void reported(NodeIndex node, wire::Load load);

  /// The node was lost or came back in a new epoch: nothing is known of it. Attempts in flight stay counted until
  /// they are settled.
  void forget(NodeIndex node);

  [[nodiscard]] std::uint32_t busy(NodeIndex node) const;
  /// As reported; 0: never reported.
  [[nodiscard]] std::uint32_t slots(NodeIndex node) const;
  [[nodiscard]] std::uint32_t in_flight(NodeIndex node) const;

 private:
  struct Entry {
    std::uint32_t in_flight = 0;
    std::uint32_t others = 0;
    std::uint32_t slots = 0;
    base::Instant reported;
  };
  Entry& at(NodeIndex node) {
    if (node.value >= entries_.size()) entries_.resize(node.value + 1);
    return entries_[node.value];
  }

  base::Instant now_;
  std::vector<Entry> entries_;
};

}  // namespace kaido::daemon
