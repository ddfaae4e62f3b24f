/// What this node says of itself: which version is current, and what changed since the one before.
#pragma once

#include <cstdint>

#include "daemon/core/view/node_delta.h"
#include "daemon/core/view/node_view.h"

namespace kaido::daemon {

/// Links are told of a new version all at once, so one step back is enough: who knows an older version, or none, is
/// told everything.
///
/// Threading: confined to its owner.
/// Cost: two accounts of the node, whatever the number of links.
class Announcements {
 public:
  /// What the node is now; a new version where that is news.
  void update(const NodeInfo& self);

  /// From 1; 0: update() was never called.
  [[nodiscard]] std::uint64_t version() const { return current_.version; }
  [[nodiscard]] const NodeInfo& all() const { return current_; }
  /// What changed since a version; null: not known, or no less than all().
  [[nodiscard]] const NodeInfoDelta* since(std::uint64_t version) const;

 private:
  NodeInfo current_;
  NodeInfoDelta last_;
};

}  // namespace kaido::daemon
