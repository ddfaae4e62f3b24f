#include "daemon/core/view/node_delta.h"

#include <algorithm>
#include <map>
#include <utility>

namespace kaido::daemon {
namespace {

// Sorts by key; of those with equal keys the last stays.
void put_in_order(std::vector<Tag>& tags) {
  const auto out_of_order =
      std::adjacent_find(tags.begin(), tags.end(), [](const Tag& a, const Tag& b) { return !(a.key < b.key); });
  if (out_of_order == tags.end()) return;
  std::map<std::string, Tag> last;
  for (Tag& tag : tags) {
    const std::string key = tag.key;
    last.insert_or_assign(key, std::move(tag));
  }
  tags.clear();
  for (auto& entry : last) tags.push_back(std::move(entry.second));
}

// Of two ordered lists: what is new or different in `to`, and the keys that are only in `from`.
void compare(const std::vector<Tag>& from, const std::vector<Tag>& to, std::vector<Tag>& changed,
             std::vector<std::string>& gone) {
  auto old = from.begin();
  for (const Tag& tag : to) {
    for (; old != from.end() && old->key < tag.key; ++old) gone.push_back(old->key);
    const bool is_known = old != from.end() && old->key == tag.key;
    if (!is_known || *old != tag) changed.push_back(tag);
    if (is_known) ++old;
  }
  for (; old != from.end(); ++old) gone.push_back(old->key);
}

void merge(std::vector<Tag>& tags, const std::vector<Tag>& changed, std::vector<std::string> gone) {
  std::sort(gone.begin(), gone.end());
  std::erase_if(tags, [&](const Tag& tag) { return std::binary_search(gone.begin(), gone.end(), tag.key); });
  tags.insert(tags.end(), changed.begin(), changed.end());
  put_in_order(tags);
}

template <class Value>
std::optional<Value> if_changed(const Value& from, const Value& to) {
  return from == to ? std::nullopt : std::optional(to);
}

}  // namespace

bool NodeInfoDelta::is_empty() const {
  return offered.empty() && withdrawn.empty() && tags.empty() && tags_removed.empty() && !taints && !slots &&
         !draining && !address;
}

NodeInfo in_order(NodeInfo info) {
  put_in_order(info.tags);
  return info;
}

NodeInfoDelta difference(const NodeInfo& of_from, const NodeInfo& of_to) {
  const NodeInfo from = in_order(of_from);
  const NodeInfo to = in_order(of_to);
  NodeInfoDelta delta;
  delta.base_version = from.version;
  delta.version = to.version;
  from.functions.compare(to.functions, delta.offered, delta.withdrawn);
  compare(from.tags, to.tags, delta.tags, delta.tags_removed);
  delta.taints = if_changed(from.taints, to.taints);
  delta.slots = if_changed(from.slots, to.slots);
  delta.draining = if_changed(from.draining, to.draining);
  delta.address = if_changed(from.address, to.address);
  return delta;
}

NodeInfo apply(NodeInfo to, const NodeInfoDelta& delta) {
  to.version = delta.version;
  for (const base::FunctionId id : delta.withdrawn) to.functions.erase(id);
  for (const FunctionInfo& function : delta.offered) to.functions.put(function);
  merge(to.tags, delta.tags, delta.tags_removed);
  if (delta.taints) to.taints = *delta.taints;
  if (delta.slots) to.slots = *delta.slots;
  if (delta.draining) to.draining = *delta.draining;
  if (delta.address) to.address = *delta.address;
  return to;
}

}  // namespace kaido::daemon
