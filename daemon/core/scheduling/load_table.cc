#include "daemon/core/scheduling/load_table.h"

namespace kaido::daemon {

void LoadTable::reported(NodeIndex node, wire::Load load) {
  Entry& entry = at(node);
  entry.others = load.busy > entry.in_flight ? load.busy - entry.in_flight : 0;
  entry.slots = load.slots;
  entry.reported = now_;
}

void LoadTable::forget(NodeIndex node) {
  Entry& entry = at(node);
  entry.others = 0;
  entry.slots = 0;
}

std::uint32_t LoadTable::busy(NodeIndex node) const {
  if (node.value >= entries_.size()) return 0;
  const Entry& entry = entries_[node.value];
  if (entry.others == 0) return entry.in_flight;
  const std::int64_t half_lives = (now_ - entry.reported) / kHalfLife;
  return entry.in_flight + (half_lives < 32 ? entry.others >> half_lives : 0);
}

std::uint32_t LoadTable::slots(NodeIndex node) const {
  return node.value < entries_.size() ? entries_[node.value].slots : 0;
}

std::uint32_t LoadTable::in_flight(NodeIndex node) const {
  return node.value < entries_.size() ? entries_[node.value].in_flight : 0;
}

}  // namespace kaido::daemon
