#include "sdk/time/wheel.h"

#include <algorithm>
#include <bit>

namespace kaido::inline abi0::detail {

void TimerWheel::List::push_back(TimerEntry& entry) noexcept {
  entry.previous = last;
  entry.next = nullptr;
  (last != nullptr ? last->next : first) = &entry;
  last = &entry;
}

void TimerWheel::List::unlink(TimerEntry& entry) noexcept {
  (entry.previous != nullptr ? entry.previous->next : first) = entry.next;
  (entry.next != nullptr ? entry.next->previous : last) = entry.previous;
  entry.previous = nullptr;
  entry.next = nullptr;
}

bool TimerWheel::insert(TimerEntry& entry) noexcept {
  if (entry.deadline_tick <= elapsed_) return false;
  link(entry);
  return true;
}

void TimerWheel::link(TimerEntry& entry) noexcept {
  // The highest bit in which deadline and present differ names the level: below it the wheel has not come round.
  const Tick differing = std::min((elapsed_ ^ entry.deadline_tick) | (kSlots - 1), kRange - 1);
  const int level = (std::bit_width(differing) - 1) / kSlotBits;
  const int slot = static_cast<int>((entry.deadline_tick >> (kSlotBits * level)) & (kSlots - 1));
  entry.level = static_cast<std::uint8_t>(level);
  entry.slot = static_cast<std::uint8_t>(slot);
  entry.is_linked = true;
  levels_[level].slots[slot].push_back(entry);
  levels_[level].occupied |= std::uint64_t{1} << slot;
}

void TimerWheel::remove(TimerEntry& entry) noexcept {
  entry.is_linked = false;
  if (entry.level == kDueLevel) {
    due_.unlink(entry);
    return;
  }
  Level& level = levels_[entry.level];
  List& list = level.slots[entry.slot];
  list.unlink(entry);
  if (list.first == nullptr) level.occupied &= ~(std::uint64_t{1} << entry.slot);
}

std::optional<TimerWheel::Expiration> TimerWheel::next() const noexcept {
  // Lower levels come first: everything in them is due before the next slot of a higher one.
  for (int index = 0; index < kLevels; ++index) {
    const std::uint64_t occupied = levels_[index].occupied;
    if (occupied == 0) continue;
    const int shift = kSlotBits * index;
    const int present = static_cast<int>((elapsed_ >> shift) & (kSlots - 1));
    const int slot = (present + std::countr_zero(std::rotr(occupied, present))) & (kSlots - 1);
    const Tick level_range = Tick{1} << (shift + kSlotBits);
    Tick tick = (elapsed_ & ~(level_range - 1)) + (static_cast<Tick>(slot) << shift);
    // Only the top level can come round: deadlines beyond the wheel's range are parked there.
    if (tick <= elapsed_) tick += level_range;
    return Expiration{index, slot, tick};
  }
  return std::nullopt;
}

std::optional<TimerWheel::Tick> TimerWheel::next_expiration() const noexcept {
  if (due_.first != nullptr) return elapsed_;
  const auto expiration = next();
  if (!expiration) return std::nullopt;
  return expiration->tick;
}

void TimerWheel::process(const Expiration& expiration) noexcept {
  Level& level = levels_[expiration.level];
  List entries = level.slots[expiration.slot];
  level.slots[expiration.slot] = List();
  level.occupied &= ~(std::uint64_t{1} << expiration.slot);
  elapsed_ = expiration.tick;
  while (entries.first != nullptr) {
    TimerEntry& entry = *entries.first;
    entries.unlink(entry);
    if (entry.deadline_tick <= elapsed_) {
      entry.level = kDueLevel;
      due_.push_back(entry);
    } else {
      link(entry);
    }
  }
}

TimerEntry* TimerWheel::expire(Tick now) noexcept {
  while (due_.first == nullptr) {
    const auto expiration = next();
    if (!expiration || expiration->tick > now) {
      elapsed_ = std::max(elapsed_, now);
      return nullptr;
    }
    process(*expiration);
  }
  TimerEntry& entry = *due_.first;
  due_.unlink(entry);
  entry.is_linked = false;
  return &entry;
}

}  // namespace kaido::inline abi0::detail
