/// When each connection wants to be looked at next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/core/node/connection_table.h"
#include "daemon/core/task/indexed_heap.h"
#include "proto/base/time.h"

namespace kaido::daemon {

/// A node that comes to look at its deadlines later than by this part of its ping interval was away: it may not have
/// read what came meanwhile, so that the time does not count as the others' silence. Less is not worth visiting every
/// connection, and is far less than the time from a ping to the moment when its answer is missed.
inline constexpr int kAwayDivisor = 8;

/// An alarm for each connection slot. What is heard of a connection only postpones its deadlines, so an alarm is set
/// when it has rung, and not with every frame: it may ring early, and never late.
///
/// Threading: confined to its owner.
/// Cost: nothing on the way of a frame; O(log connections) when an alarm rings.
class Deadlines {
 public:
  void set(ConnectionId connection, std::optional<base::Instant> at) {
    const std::uint32_t slot = slot_of(connection);
    if (slot >= ids_.size()) ids_.resize(slot + std::size_t{1});
    ids_[slot] = connection;
    heap_.erase(slot);
    if (at) heap_.push(slot, *at);
  }

  [[nodiscard]] std::optional<base::Instant> next() const {
    if (heap_.empty()) return std::nullopt;
    return heap_.top_key();
  }

  /// A connection whose alarm rings at `now`; it is silent until it is set again.
  [[nodiscard]] std::optional<ConnectionId> take_due(base::Instant now) {
    if (heap_.empty() || heap_.top_key() > now) return std::nullopt;
    return ids_[heap_.pop()];
  }

 private:
  std::vector<ConnectionId> ids_;
  HeapPositions positions_;
  IndexedHeap<base::Instant> heap_{positions_};
};

}  // namespace kaido::daemon
