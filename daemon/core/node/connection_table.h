/// Connections by slot, with ids that never name a later connection of the same slot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "daemon/core/node/connection_id.h"
#include "daemon/core/view/memory_owner.h"
#include "proto/base/check.h"

namespace kaido::daemon {

/// Owns one Link per connection that is open. The id is generation << kSlotBits | slot; a generation comes back after
/// 16 383 uses of its slot. Two tables share the slots half and half, so that an id says which of them it belongs to.
///
/// Threading: confined to the node strand.
/// Lifetime: a link stays where it is until release().
enum class Half : std::uint8_t { kApps, kPeers };

inline constexpr std::uint32_t kConnectionSlotBits = kConnectionPlaceBits;
/// Connections of one half at one time. The shell's own bounds are far below.
inline constexpr std::uint32_t kConnectionsMax = 1U << (kConnectionSlotBits - 1);
inline constexpr std::uint32_t kHalfBit = kConnectionsMax;
/// A connection's place within its half.
[[nodiscard]] inline std::uint32_t slot_of(ConnectionId id) { return id.value & (kConnectionsMax - 1); }

template <class Link>
class ConnectionTable {
 public:
  explicit ConnectionTable(Half half) : half_bit_(half == Half::kApps ? 0 : kHalfBit) {}

  /// An id for a link that is set next.
  [[nodiscard]] ConnectionId reserve() {
    if (free_.empty()) {
      KAIDO_CHECK(slots_.size() < kConnectionsMax);
      free_.push_back(static_cast<std::uint32_t>(slots_.size()));
      slots_.emplace_back();
    }
    const std::uint32_t index = free_.back();
    free_.pop_back();
    ++live_;
    return {static_cast<std::uint32_t>(slots_[index].generation) << kConnectionSlotBits | half_bit_ | index};
  }

  Link& set(ConnectionId id, std::unique_ptr<Link> link) {
    Slot& slot = slots_[slot_of(id)];
    slot.link = std::move(link);
    return *slot.link;
  }

  /// Null for an id whose connection is gone.
  [[nodiscard]] Link* find(ConnectionId id) const {
    const std::uint32_t index = slot_of(id);
    const bool is_ours = (id.value & kHalfBit) == half_bit_ && index < slots_.size();
    if (!is_ours || slots_[index].generation != id.value >> kConnectionSlotBits) return nullptr;
    return slots_[index].link.get();
  }

  void release(ConnectionId id) {
    Slot& slot = slots_[slot_of(id)];
    if (++slot.generation == kGenerations) slot.generation = 1;
    --live_;
    free_.push_back(slot_of(id));
    slot.link.reset();
  }

  /// Calls `visit` with each link. It may not open or release any.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const Slot& slot : slots_) {
      if (slot.link != nullptr) visit(*slot.link);
    }
  }

  [[nodiscard]] std::uint32_t size() const { return live_; }

 private:
  static constexpr std::uint16_t kGenerations = 1U << (32 - kConnectionSlotBits);
  struct Slot {
    std::unique_ptr<Link> link;
    std::uint16_t generation = 1;
  };

  const std::uint32_t half_bit_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::uint32_t live_ = 0;
};

}  // namespace kaido::daemon
