#include "daemon/core/view/cluster_table.h"

#include <utility>

#include "daemon/core/view/memory_owner.h"
#include "proto/base/check.h"

namespace kaido::daemon {
ClusterTable::ClusterTable(NodeInfo self, wire::MemoryBudget* memory) : memory_(memory) {
  indices_.emplace(self.id, kSelf);
  nodes_.push_back({.index = kSelf, .alive = true, .info = std::make_shared<const NodeInfo>(std::move(self))});
}

ClusterTable::Seen ClusterTable::node_seen(NodeInfo info) {
  const auto it = indices_.find(info.id);
  if (it == indices_.end()) {
    if (free_.empty() && nodes_.size() >= kMaxNodes) {
      if (lost_.empty()) return {.refusal = Refusal::kTooManyNodes};
      forget_oldest_loss();
    }
    NodeIndex index{static_cast<std::uint32_t>(nodes_.size())};
    if (free_.empty()) {
      nodes_.emplace_back();
    } else {
      index = free_.back();
      free_.pop_back();
    }
    if (!charge(index, footprint(info))) {
      nodes_[index.value] = {.index = index, .is_known = false, .info = NodeView::nobody()};
      free_.push_back(index);
      return {.refusal = Refusal::kNoMemory};
    }
    indices_.emplace(info.id, index);
    nodes_[index.value] = {.index = index, .alive = true, .info = std::make_shared<const NodeInfo>(std::move(info))};
    changed();
    return {.index = index};
  }
  const NodeIndex index = it->second;
  if (index == kSelf) return {.refusal = Refusal::kIsSelf};
  NodeView& node = nodes_[index.value];
  // Of a node that is lost any other life is news: nobody can tell which of two that are gone was the later one.
  if (node.alive && info.life.epoch < node.info->life.epoch) return {.refusal = Refusal::kStaleEpoch};
  const bool ends_a_life = node.alive && info.life != node.info->life;
  const Seen seen{.index = index, .is_new_life = ends_a_life, .lost_life = node.info->life};
  auto next = std::make_shared<const NodeInfo>(std::move(info));
  if (node.alive && *next == *node.info) return seen;
  if (!charge(index, footprint(*next))) return {.refusal = Refusal::kNoMemory};
  node.info = std::move(next);
  if (!node.alive) lost_.erase({lost_at_[index.value], index});
  node.alive = true;
  changed();
  return seen;
}

bool ClusterTable::node_lost(base::Instant now, NodeIndex index) {
  KAIDO_CHECK(index != kSelf && index.value < nodes_.size());
  if (!nodes_[index.value].alive) return false;
  nodes_[index.value].alive = false;
  // What it offered is of no use to anybody, and may be megabytes.
  NodeInfo rest = *nodes_[index.value].info;
  rest.functions = {};
  if (index.value < charges_.size()) charges_[index.value].set(footprint(rest));
  nodes_[index.value].info = std::make_shared<const NodeInfo>(std::move(rest));
  if (index.value >= lost_at_.size()) lost_at_.resize(index.value + std::size_t{1});
  lost_at_[index.value] = now;
  lost_.insert({now, index});
  changed();
  return true;
}

// Those that are lost give way to what is alive, the longest lost first.
bool ClusterTable::charge(NodeIndex index, std::size_t bytes) {
  if (memory_ == nullptr) return true;
  while (charges_.size() <= index.value) {
    const NodeIndex next{static_cast<std::uint32_t>(charges_.size())};
    charges_.emplace_back(memory_, memory_owner_of(next), wire::MemoryKind::kNodeInfos);
  }
  wire::Charge& charge = charges_[index.value];
  if (bytes <= charge.bytes()) {
    charge.set(bytes);
    return true;
  }
  while (!charge.has_room(bytes - charge.bytes()) && !lost_.empty() && lost_.begin()->second != index)
    forget_oldest_loss();
  return charge.grow(bytes - charge.bytes());
}

std::optional<base::Instant> ClusterTable::oldest_loss() const {
  if (lost_.empty()) return std::nullopt;
  return lost_.begin()->first;
}

// One: those that were lost at the same moment may be coming back just now.
void ClusterTable::forget_oldest_loss() {
  const NodeIndex index = lost_.begin()->second;
  lost_.erase(lost_.begin());
  NodeView& node = nodes_[index.value];
  indices_.erase(node.info->id);
  node.info = NodeView::nobody();
  if (index.value < charges_.size()) charges_[index.value].set(0);
  node.is_known = false;
  free_.push_back(index);
  changed();
}

bool ClusterTable::forget_lost_before(base::Instant then) {
  bool any = false;
  for (; !lost_.empty() && lost_.begin()->first < then; any = true) forget_oldest_loss();
  return any;
}

void ClusterTable::self_changed(NodeInfo info) {
  NodeView& self = nodes_.front();
  KAIDO_CHECK(info.id == self.info->id);
  auto next = std::make_shared<const NodeInfo>(std::move(info));
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
