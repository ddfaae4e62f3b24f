#include "daemon/core/view/node_view.h"

#include <algorithm>

namespace kaido::daemon {

namespace {

std::size_t bytes_of(const std::string& text) {
  return text.capacity() > sizeof(std::string) / 2 ? text.capacity() : 0;
}

}  // namespace

std::size_t footprint(const Tag& tag) { return sizeof tag + bytes_of(tag.key) + bytes_of(tag.value); }

std::size_t footprint(const FunctionInfo& function) {
  return sizeof function + bytes_of(function.name) + bytes_of(function.signature) + function.schema.bytes().size();
}

std::size_t footprint(const NodeInfo& info) {
  std::size_t sum = sizeof info + bytes_of(info.name) + bytes_of(info.address);
  for (const Tag& tag : info.tags) sum += footprint(tag);
  for (const Taint& taint : info.taints)
    sum += sizeof taint + bytes_of(taint.key) + bytes_of(taint.value) + bytes_of(taint.effect);
  for (const FunctionInfo& function : info.functions) sum += footprint(function);
  return sum;
}

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
