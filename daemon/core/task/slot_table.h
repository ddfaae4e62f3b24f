/// Records by slot, with handles that never name a later record of the same slot.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "proto/base/time.h"

namespace kaido::daemon {

/// A handle is generation << 24 | slot: found without hashing, unique for 2^40 uses of each slot, and never 0. A task's
/// sequence and a worker's call id are such handles; others treat them as opaque. Where handles of two tables stand for
/// things of one kind, one of the tables has the mark: the highest bit of its handles' slots, so that they differ.
///
/// Threading: confined to its owner. References stay valid while the record lives: records are in chunks.
template <class Record, bool kMarked = false>
class SlotTable {
 public:
  static constexpr std::uint32_t kSlotBits = 24;
  static constexpr std::uint32_t kNone = 0xffffffff;
  static constexpr std::uint32_t kSlotsMax = 1U << (kSlotBits - 1);

  /// A slot whose record is as its last owner left it, or kNone when `max` are in use.
  [[nodiscard]] std::uint32_t acquire(std::uint32_t max) {
    std::uint32_t slot = free_head_;
    if (slot != kNone) {
      free_head_ = meta(slot).next_free;
    } else {
      if (high_water_ >= max || high_water_ >= kSlotsMax) return kNone;
      slot = high_water_++;
      if ((slot >> kChunkBits) == chunks_.size()) chunks_.push_back(std::make_unique<Chunk>());
    }
    Meta& m = meta(slot);
    m.live = true;
    ++m.generation;
    return slot;
  }

  /// Whether acquire() would find a slot.
  [[nodiscard]] bool has_room(std::uint32_t max) const {
    return free_head_ != kNone || (high_water_ < max && high_water_ < kSlotsMax);
  }

  void release(std::uint32_t slot) {
    Meta& m = meta(slot);
    m.live = false;
    m.next_free = free_head_;
    free_head_ = slot;
  }

  [[nodiscard]] Record& operator[](std::uint32_t slot) { return chunk(slot).records[slot & kChunkMask]; }
  [[nodiscard]] const Record& operator[](std::uint32_t slot) const { return chunk(slot).records[slot & kChunkMask]; }

  [[nodiscard]] std::uint64_t handle(std::uint32_t slot) const {
    return meta(slot).generation << kSlotBits | kMark | slot;
  }
  /// Whether the handle is of a table with the mark.
  [[nodiscard]] static bool is_marked(std::uint64_t handle) { return (handle & kSlotsMax) != 0; }

  /// kNone unless the handle's record lives; also of a handle of a table whose mark is not as this one's.
  [[nodiscard]] std::uint32_t find(std::uint64_t handle) const {
    const auto slot = static_cast<std::uint32_t>(handle & ((1U << kSlotBits) - 1)) ^ kMark;
    if (slot >= high_water_) return kNone;
    const Meta& m = meta(slot);
    return m.live && m.generation == handle >> kSlotBits ? slot : kNone;
  }

  [[nodiscard]] bool is_live(std::uint32_t slot) const { return meta(slot).live; }
  /// Slots below it have been used.
  [[nodiscard]] std::uint32_t high_water() const { return high_water_; }

  /// At most `limit` live records, the oldest, in no particular order: as `since(record)` says, nothing for those that
  /// are not asked for. O(slots).
  template <class Since>
  [[nodiscard]] std::vector<std::uint32_t> oldest(std::size_t limit, Since since) const {
    std::vector<std::pair<base::Instant, std::uint32_t>> found;
    for (std::uint32_t slot = 0; slot < high_water(); ++slot) {
      if (!is_live(slot)) continue;
      if (const std::optional<base::Instant> at = since((*this)[slot])) found.emplace_back(*at, slot);
    }
    if (found.size() > limit) {
      std::nth_element(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(limit), found.end());
      found.resize(limit);
    }
    std::vector<std::uint32_t> slots;
    slots.reserve(found.size());
    for (const auto& [at, slot] : found) slots.push_back(slot);
    return slots;
  }

 private:
  static constexpr std::uint32_t kMark = kMarked ? kSlotsMax : 0;
  static constexpr std::uint32_t kChunkBits = 8;
  static constexpr std::uint32_t kChunkMask = (1U << kChunkBits) - 1;
  struct Meta {
    std::uint64_t generation = 0;
    std::uint32_t next_free = kNone;
    bool live = false;
  };
  struct Chunk {
    Meta metas[1U << kChunkBits];
    Record records[1U << kChunkBits];
  };

  [[nodiscard]] Chunk& chunk(std::uint32_t slot) const { return *chunks_[slot >> kChunkBits]; }
  [[nodiscard]] Meta& meta(std::uint32_t slot) const { return chunk(slot).metas[slot & kChunkMask]; }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::uint32_t high_water_ = 0;
  std::uint32_t free_head_ = kNone;
};

}  // namespace kaido::daemon
