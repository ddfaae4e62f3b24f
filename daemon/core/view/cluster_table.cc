#include "daemon/core/view/cluster_table.h"

#include <algorithm>

#include "proto/base/check.h"

namespace kaido::daemon {
namespace {

// NodeView::find_function searches by halves.
std::shared_ptr<const NodeInfo> sorted(NodeInfo info) {
  std::sort(info.functions.begin(), info.functions.end(),
            [](const FunctionInfo& a, const FunctionInfo& b) { return a.id < b.id; });
  return std::make_shared<const NodeInfo>(std::move(info));
}

}  // namespace

ClusterTable::ClusterTable(NodeInfo self) {
  indices_.emplace(self.id, kSelf);
  nodes_.push_back({.index = kSelf, .alive = true, .info = sorted(std::move(self))});
}

ClusterTable::Seen ClusterTable::node_seen(NodeInfo info) {
  const auto it = indices_.find(info.id);
  if (it == indices_.end()) {
    if (nodes_.size() >= kMaxNodes) return {.refusal = Refusal::kTooManyNodes};
    const NodeIndex index{static_cast<std::uint32_t>(nodes_.size())};
    indices_.emplace(info.id, index);
    nodes_.push_back({.index = index, .alive = true, .info = sorted(std::move(info))});
    changed();
    return {.index = index};
  }
  const NodeIndex index = it->second;
  if (index == kSelf) return {.refusal = Refusal::kIsSelf};
  NodeView& node = nodes_[index.value];
  if (info.epoch < node.info->epoch) return {.refusal = Refusal::kStaleEpoch};
  const Seen seen{.index = index, .is_new_epoch = info.epoch > node.info->epoch, .lost_epoch = node.info->epoch};
  auto next = sorted(std::move(info));
  if (node.alive && *next == *node.info) return seen;
  node.info = std::move(next);
  node.alive = true;
  changed();
  return seen;
}

bool ClusterTable::node_lost(NodeIndex index) {
  KAIDO_CHECK(index != kSelf && index.value < nodes_.size());
  if (!nodes_[index.value].alive) return false;
  nodes_[index.value].alive = false;
  changed();
  return true;
}

void ClusterTable::self_changed(NodeInfo info) {
  NodeView& self = nodes_.front();
  KAIDO_CHECK(info.id == self.info->id);
  auto next = sorted(std::move(info));
  if (*next == *self.info) return;
  self.info = std::move(next);
  changed();
}

ClusterViewRef ClusterTable::view() {
  if (!view_ || view_->version() != version_) view_ = std::make_shared<const ClusterView>(version_, nodes_);
  return view_;
}

std::optional<ClusterViewRef> ClusterTable::take_change() {
  if (taken_version_ == version_) return std::nullopt;
  taken_version_ = version_;
  return view();
}

NodeIndex ClusterTable::index_of(const base::NodeId& id) const {
  const auto it = indices_.find(id);
  return it == indices_.end() ? kNoNode : it->second;
}

}  // namespace kaido::daemon
