/// From a key to the slot of its record, where the key is not the slot's own handle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "proto/base/random.h"

namespace kaido::daemon {

/// What hashes depend on beside what is hashed. Apps and peers choose the numbers that are hashed here: who knew the
/// key could choose thousands of one hash, and make each frame that names one of them cost a search through all.
struct HashKey {
  /// `seed` is told to nobody; equal ones give equal keys.
  explicit HashKey(std::uint64_t seed) {
    base::Random random(seed);
    a = random.next();
    b = random.next();
  }
  std::uint64_t a = 0;
  std::uint64_t b = 0;
};

/// Mixes two words into a hash: wyhash64 (Wang Yi), two multiplications to 128 bits. Without the key it cannot be
/// turned round, as the finalisers of MurmurHash3 and SplitMix64 can.
[[nodiscard]] inline std::uint32_t mix(const HashKey& key, std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide first = static_cast<Wide>(a ^ key.a) * (b ^ key.b);
  const Wide second =
      static_cast<Wide>(static_cast<std::uint64_t>(first) ^ key.a) * (static_cast<std::uint64_t>(first >> 64) ^ key.b);
  return static_cast<std::uint32_t>(second ^ (second >> 64));
}

/// Open addressing with linear probing, at most half full; holds hashes and slots, the records hold the keys. About
/// 5 ns an operation, where std::unordered_map also allocates a node per entry.
///
/// Threading: confined to its owner.
class SlotIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  SlotIndex() : entries_(kInitial) {}

  /// The slot for which `is_it(slot)` holds, or kNone.
  template <class IsIt>
  [[nodiscard]] std::uint32_t find(std::uint32_t hash, IsIt is_it) const {
    for (std::size_t at = hash & mask(); entries_[at].slot != kNone; at = (at + 1) & mask()) {
      if (entries_[at].hash == hash && is_it(entries_[at].slot)) return entries_[at].slot;
    }
    return kNone;
  }

  void insert(std::uint32_t hash, std::uint32_t slot) {
    if (2 * (count_ + 1) > entries_.size()) grow();
    put({hash, slot});
    ++count_;
  }

  /// Moves later entries of the run back instead of leaving a tombstone, so that lookups never slow down.
  void erase(std::uint32_t hash, std::uint32_t slot) {
    std::size_t hole = hash & mask();
    while (entries_[hole].slot != slot) {
      if (entries_[hole].slot == kNone) return;
      hole = (hole + 1) & mask();
    }
    for (std::size_t at = (hole + 1) & mask(); entries_[at].slot != kNone; at = (at + 1) & mask()) {
      const std::size_t home = entries_[at].hash & mask();
      if (((at - home) & mask()) >= ((at - hole) & mask())) {
        entries_[hole] = entries_[at];
        hole = at;
      }
    }
    entries_[hole] = {};
    --count_;
  }

  [[nodiscard]] std::size_t size() const { return count_; }

 private:
  static constexpr std::size_t kInitial = 256;
  struct Entry {
    std::uint32_t hash = 0;
    std::uint32_t slot = kNone;
  };

  [[nodiscard]] std::size_t mask() const { return entries_.size() - 1; }
  void put(Entry entry) {
    std::size_t at = entry.hash & mask();
    while (entries_[at].slot != kNone) at = (at + 1) & mask();
    entries_[at] = entry;
  }
  void grow() {
    std::vector<Entry> old(entries_.size() * 2);
    old.swap(entries_);
    for (const Entry& entry : old) {
      if (entry.slot != kNone) put(entry);
    }
  }

  std::vector<Entry> entries_;
  std::size_t count_ = 0;
};

}  // namespace kaido::daemon
