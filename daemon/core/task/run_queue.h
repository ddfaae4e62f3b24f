/// Attempts that were admitted and wait for a worker's slot.
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <vector>

#include "daemon/core/task/indexed_heap.h"
#include "proto/base/time.h"

namespace kaido::daemon {

/// One heap per lane (function), by priority, then deadline, then arrival; a worker with a free slot takes the first of
/// all lanes it offers. One heap for all would make it search past what it does not offer.
///
/// Threading: confined to its owner. The bound is its owner's.
class RunQueue {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  struct Key {
    std::int64_t negative_priority = 0;
    base::Instant deadline;  ///< Instant::max(): none
    std::uint64_t arrival = 0;
    auto operator<=>(const Key&) const = default;
  };

  void push(std::uint32_t lane, std::uint32_t slot, std::int32_t priority, base::Instant deadline);
  void erase(std::uint32_t lane, std::uint32_t slot);

  /// The first slot of the lanes for which `offers(lane)` holds, taken out; kNone if there is none. O(lanes in use).
  template <class Offers>
  [[nodiscard]] std::uint32_t pop_first(Offers offers) {
    std::uint32_t best = kNone;
    for (const std::uint32_t lane : in_use_) {
      if (!offers(lane)) continue;
      if (best == kNone || lanes_[lane].heap.top_key() < lanes_[best].heap.top_key()) best = lane;
    }
    if (best == kNone) return kNone;
    const std::uint32_t slot = lanes_[best].heap.top();
    erase(best, slot);
    return slot;
  }
  /// The first slot of one lane, taken out; kNone if it is empty.
  [[nodiscard]] std::uint32_t pop(std::uint32_t lane);

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] bool lane_empty(std::uint32_t lane) const { return lane >= lanes_.size() || lanes_[lane].heap.empty(); }

 private:
  struct Lane {
    explicit Lane(HeapPositions& positions) : heap(positions) {}
    IndexedHeap<Key> heap;
    std::uint32_t in_use_at = kNone;
  };

  HeapPositions positions_;
  std::deque<Lane> lanes_;
  std::vector<std::uint32_t> in_use_;  // lanes that are not empty
  std::uint64_t arrivals_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace kaido::daemon
