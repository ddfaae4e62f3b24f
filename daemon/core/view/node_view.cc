#include "daemon/core/view/node_view.h"

#include <algorithm>

namespace kaido::daemon {

const std::shared_ptr<const NodeInfo>& NodeView::nobody() {
  static const auto kNobody = std::make_shared<const NodeInfo>();
  return kNobody;
}

const FunctionInfo* NodeView::find_function(base::FunctionId id) const {
  const auto& functions = info->functions;
  const auto it =
      std::lower_bound(functions.begin(), functions.end(), id,
                       [](const FunctionInfo& function, base::FunctionId wanted) { return function.id < wanted; });
  return it != functions.end() && it->id == id ? &*it : nullptr;
}

}  // namespace kaido::daemon
