#include "daemon/core/view/node_delta.h"

#include <algorithm>
#include <map>
#include <type_traits>
#include <utility>

namespace kaido::daemon {
namespace {

// Sorts by a key; of those with equal keys the last stays.
template <class Item, class Key>
void put_in_order(std::vector<Item>& items, Key key) {
  const auto out_of_order =
      std::adjacent_find(items.begin(), items.end(), [&](const Item& a, const Item& b) { return !(key(a) < key(b)); });
  if (out_of_order == items.end()) return;
  std::map<std::decay_t<decltype(key(*out_of_order))>, Item> last;
  for (Item& item : items) last.insert_or_assign(key(item), std::move(item));
  items.clear();
  for (auto& entry : last) items.push_back(std::move(entry.second));
}

base::FunctionId id_of(const FunctionInfo& function) { return function.id; }
const std::string& key_of(const Tag& tag) { return tag.key; }

// Of two ordered lists: what is new or different in `to`, and the keys that are only in `from`.
template <class Item, class Key, class Name>
void compare(const std::vector<Item>& from, const std::vector<Item>& to, Key key, std::vector<Item>& changed,
             std::vector<Name>& gone) {
  auto old = from.begin();
  for (const Item& item : to) {
    for (; old != from.end() && key(*old) < key(item); ++old) gone.push_back(key(*old));
    const bool is_known = old != from.end() && key(*old) == key(item);
    if (!is_known || *old != item) changed.push_back(item);
    if (is_known) ++old;
  }
  for (; old != from.end(); ++old) gone.push_back(key(*old));
}

template <class Item, class Key, class Name>
void merge(std::vector<Item>& items, const std::vector<Item>& changed, std::vector<Name> gone, Key key) {
  std::sort(gone.begin(), gone.end());
  std::erase_if(items, [&](const Item& item) { return std::binary_search(gone.begin(), gone.end(), key(item)); });
  items.insert(items.end(), changed.begin(), changed.end());
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
  put_in_order(info.functions, id_of);
  put_in_order(info.tags, key_of);
  return info;
}

NodeInfoDelta difference(const NodeInfo& of_from, const NodeInfo& of_to) {
  const NodeInfo from = in_order(of_from);
  const NodeInfo to = in_order(of_to);
  NodeInfoDelta delta;
  delta.base_version = from.version;
  delta.version = to.version;
  compare(from.functions, to.functions, id_of, delta.offered, delta.withdrawn);
  compare(from.tags, to.tags, key_of, delta.tags, delta.tags_removed);
  delta.taints = if_changed(from.taints, to.taints);
  delta.slots = if_changed(from.slots, to.slots);
  delta.draining = if_changed(from.draining, to.draining);
  delta.address = if_changed(from.address, to.address);
  return delta;
}

NodeInfo apply(const NodeInfo& from, const NodeInfoDelta& delta) {
  NodeInfo to = from;
  to.version = delta.version;
  merge(to.functions, delta.offered, delta.withdrawn, id_of);
  merge(to.tags, delta.tags, delta.tags_removed, key_of);
  if (delta.taints) to.taints = *delta.taints;
  if (delta.slots) to.slots = *delta.slots;
  if (delta.draining) to.draining = *delta.draining;
  if (delta.address) to.address = *delta.address;
  return in_order(std::move(to));
}

}  // namespace kaido::daemon
