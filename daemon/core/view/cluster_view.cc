#include "daemon/core/view/cluster_view.h"

#include <algorithm>

namespace kaido::daemon {

const NodeView* ClusterView::find(const base::NodeId& id) const {
  const auto it = std::find_if(nodes_.begin(), nodes_.end(), [&](const NodeView& node) { return node.info->id == id; });
  return it == nodes_.end() ? nullptr : &*it;
}

}  // namespace kaido::daemon
