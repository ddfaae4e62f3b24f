/// A priority queue from which any member can be taken: deadlines and run queues.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "proto/base/check.h"

namespace kaido::daemon {

/// Where each slot stands in its heap. Shared by heaps of which a slot is in at most one.
class HeapPositions {
 public:
  static constexpr std::uint32_t kAbsent = 0xffffffff;

  [[nodiscard]] std::uint32_t get(std::uint32_t slot) const {
    return slot < positions_.size() ? positions_[slot] : kAbsent;
  }
  void set(std::uint32_t slot, std::uint32_t position) {
    if (slot >= positions_.size()) positions_.resize(slot + std::size_t{1} + positions_.size() / 2, kAbsent);
    positions_[slot] = position;
  }

 private:
  std::vector<std::uint32_t> positions_;
};

/// A binary heap of (key, slot), smallest key first. A new key that is larger than the others, which is the rule for
/// deadlines of one timeout and for first-in-first-out, is pushed in O(1). A timer wheel was not taken: it needs a
/// granularity, and tasks without a deadline do not come here at all.
template <class Key>
class IndexedHeap {
 public:
  explicit IndexedHeap(HeapPositions& positions) : positions_(&positions) {}

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] const Key& top_key() const { return entries_.front().key; }
  [[nodiscard]] std::uint32_t top() const { return entries_.front().slot; }

  /// The slot must not be in this or a sister heap.
  void push(std::uint32_t slot, Key key) {
    KAIDO_CHECK(positions_->get(slot) == HeapPositions::kAbsent);
    entries_.push_back({std::move(key), slot});
    sift_up(static_cast<std::uint32_t>(entries_.size() - 1));
  }

  std::uint32_t pop() {
    const std::uint32_t slot = top();
    erase(slot);
    return slot;
  }

  /// False if the slot is in no heap.
  bool erase(std::uint32_t slot) {
    const std::uint32_t position = positions_->get(slot);
    if (position == HeapPositions::kAbsent) return false;
    KAIDO_CHECK(position < entries_.size() && entries_[position].slot == slot);
    positions_->set(slot, HeapPositions::kAbsent);
    Entry last = std::move(entries_.back());
    entries_.pop_back();
    if (position == entries_.size()) return true;
    entries_[position] = std::move(last);
    if (position > 0 && entries_[position].key < entries_[(position - 1) / 2].key) {
      sift_up(position);
    } else {
      sift_down(position);
    }
    return true;
  }

 private:
  struct Entry {
    Key key;
    std::uint32_t slot;
  };

  void sift_up(std::uint32_t position) {
    Entry entry = std::move(entries_[position]);
    while (position > 0) {
      const std::uint32_t parent = (position - 1) / 2;
      if (!(entry.key < entries_[parent].key)) break;
      place(position, std::move(entries_[parent]));
      position = parent;
    }
    place(position, std::move(entry));
  }

  void sift_down(std::uint32_t position) {
    Entry entry = std::move(entries_[position]);
    const auto count = static_cast<std::uint32_t>(entries_.size());
    for (std::uint32_t child; (child = 2 * position + 1) < count; position = child) {
      if (child + 1 < count && entries_[child + 1].key < entries_[child].key) ++child;
      if (!(entries_[child].key < entry.key)) break;
      place(position, std::move(entries_[child]));
    }
    place(position, std::move(entry));
  }

  void place(std::uint32_t position, Entry entry) {
    positions_->set(entry.slot, position);
    entries_[position] = std::move(entry);
  }

  HeapPositions* positions_;
  std::vector<Entry> entries_;
};

}  // namespace kaido::daemon
