/// A node's picture of the cluster at one moment: the immutable value that crosses between cores.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "daemon/core/view/node_view.h"

namespace kaido::daemon {

/// Every node known since this process started, by index; index 0 is this node.
///
/// Threading: immutable after construction; share it freely.
class ClusterView {
 public:
  ClusterView(std::uint64_t version, std::vector<NodeView> nodes) : version_(version), nodes_(std::move(nodes)) {}

  /// Grows with every change: a cache that remembers it knows whether it is stale. Never 0.
  [[nodiscard]] std::uint64_t version() const { return version_; }

  [[nodiscard]] std::span<const NodeView> nodes() const { return nodes_; }
  [[nodiscard]] const NodeView& self() const { return nodes_.front(); }

  /// Null for an index that this view does not know yet.
  [[nodiscard]] const NodeView* find(NodeIndex index) const {
    return index.value < nodes_.size() ? &nodes_[index.value] : nullptr;
  }
  [[nodiscard]] const NodeView* find(const base::NodeId& id) const;

 private:
  std::uint64_t version_;
  std::vector<NodeView> nodes_;
};

using ClusterViewRef = std::shared_ptr<const ClusterView>;

}  // namespace kaido::daemon
