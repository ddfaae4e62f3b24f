/// TimerWheel: a hierarchical timing wheel (Varghese and Lauck), six levels of 64 slots, as in tokio and the old Linux
/// kernel. Inserting and removing take constant time and allocate nothing; a timer moves down at most five times.
///
/// Pure: ticks come in as numbers, nothing is woken, no lock is taken.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <kaido/detail/timer_entry.h>

namespace kaido::inline abi0::detail {

/// Threading: confined; the driver keeps it under its lock.
/// Lifetime: entries must be removed or expired before they end.
class TimerWheel {
 public:
  using Tick = std::uint64_t;

  TimerWheel() = default;
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  /// Links the entry, whose deadline_tick is set; false if that tick has passed already.
  bool insert(TimerEntry& entry) noexcept;
  /// Requires entry.is_linked.
  void remove(TimerEntry& entry) noexcept;

  /// The next entry whose deadline is not after `now`, unlinked, in the order of deadlines; null if there is none, and
  /// then the wheel stands at `now`.
  [[nodiscard]] TimerEntry* expire(Tick now) noexcept;
  /// The tick at which expire() has something to do: at or before the earliest deadline.
  [[nodiscard]] std::optional<Tick> next_expiration() const noexcept;

 private:
  static constexpr int kLevels = 6;
  static constexpr int kSlotBits = 6;
  static constexpr int kSlots = 1 << kSlotBits;
  static constexpr Tick kRange = Tick{1} << (kSlotBits * kLevels);
  static constexpr std::uint8_t kDueLevel = kLevels;  // Expired, not yet handed out.

  struct List {
    TimerEntry* first = nullptr;
    TimerEntry* last = nullptr;
    void push_back(TimerEntry& entry) noexcept;
    void unlink(TimerEntry& entry) noexcept;
  };
  struct Level {
    std::uint64_t occupied = 0;
    std::array<List, kSlots> slots;
  };
  struct Expiration {
    int level;
    int slot;
    Tick tick;
  };

  void link(TimerEntry& entry) noexcept;
  void process(const Expiration& expiration) noexcept;
  [[nodiscard]] std::optional<Expiration> next() const noexcept;

  Tick elapsed_ = 0;
  List due_;
  std::array<Level, kLevels> levels_;
};

}  // namespace kaido::inline abi0::detail
