#include "daemon/core/view/node_view.h"

namespace kaido::daemon {

namespace {

/// Around each function: itself, what counts its holders, and its place in a chunk.
constexpr std::size_t kFunctionOverhead = sizeof(FunctionInfo) + 64;

std::size_t bytes_of(const std::string& text) {
  return text.capacity() > sizeof(std::string) / 2 ? text.capacity() : 0;
}

}  // namespace

std::size_t footprint(const Tag& tag) { return sizeof tag + bytes_of(tag.key) + bytes_of(tag.value); }

std::size_t footprint(const NodeInfo& info) {
  std::size_t sum = sizeof info + bytes_of(info.name) + bytes_of(info.address);
  for (const Tag& tag : info.tags) sum += footprint(tag);
  for (const Taint& taint : info.taints)
    sum += sizeof taint + bytes_of(taint.key) + bytes_of(taint.value) + bytes_of(taint.effect);
  return sum + info.functions.size() * kFunctionOverhead + info.functions.text_bytes();
}

const std::shared_ptr<const NodeInfo>& NodeView::nobody() {
  static const auto kNobody = std::make_shared<const NodeInfo>();
  return kNobody;
}

}  // namespace kaido::daemon
