/// The templates that the other side of a connection has prepared, by their ids, and the memory that they take.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "proto/wire/memory_budget.h"

namespace kaido::daemon {

struct TemplateTableOptions {
  std::uint32_t ids_max = 0;
  std::size_t bytes_max = 0;  ///< of this connection, within its share of the node's memory
};

/// Threading: confined to its owner.
/// Cost: find() is one comparison and an access.
template <class Entry>
class TemplateTable {
 public:
  TemplateTable(TemplateTableOptions options, wire::Charge charge) : options_(options), charge_(std::move(charge)) {}

  /// While it is empty.
  void set_charge(wire::Charge charge) { charge_ = std::move(charge); }

  [[nodiscard]] bool is_id(std::uint32_t id) const { return id != 0 && id <= options_.ids_max; }

  /// Null where nothing was ever put; else what was put there last, or an empty entry.
  [[nodiscard]] const Entry* find(std::uint32_t id) const {
    return id - 1 < slots_.size() ? &slots_[id - 1].entry : nullptr;
  }

  /// Makes the id's place and empties it. False if there is no memory for a table that goes up to this id: nothing is
  /// changed.
  [[nodiscard]] bool make_place(std::uint32_t id) {
    if (id > slots_.capacity()) {
      const std::size_t capacity =
          std::max<std::size_t>(id, std::min<std::size_t>(2 * slots_.capacity(), options_.ids_max));
      if (!charge_.grow((capacity - slots_.capacity()) * sizeof(Slot))) return false;
      slots_.reserve(capacity);
    }
    if (id > slots_.size()) slots_.resize(id);
    Slot& slot = slots_[id - 1];
    charge_.set(charge_.bytes() - slot.bytes);
    slot = Slot{};
    return true;
  }

  /// After make_place(): whether an entry of so many bytes may be put.
  [[nodiscard]] bool has_room(std::size_t bytes) {
    const std::size_t used = charge_.bytes();
    if (used > options_.bytes_max || bytes > options_.bytes_max - used || !charge_.grow(bytes)) return false;
    charge_.set(used);
    return true;
  }
  void put(std::uint32_t id, Entry entry, std::size_t bytes) {
    slots_[id - 1] = {std::move(entry), bytes};
    charge_.set(charge_.bytes() + bytes);
  }

  void clear() {
    slots_ = std::vector<Slot>();  // {} would keep the room.
    charge_.set(0);
  }

  [[nodiscard]] std::size_t bytes() const { return charge_.bytes(); }

 private:
  struct Slot {
    Entry entry{};
    std::size_t bytes = 0;
  };

  const TemplateTableOptions options_;
  wire::Charge charge_;
  std::vector<Slot> slots_;  ///< by id minus one
};

}  // namespace kaido::daemon
