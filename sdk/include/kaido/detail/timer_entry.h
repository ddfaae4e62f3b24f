/// TimerEntry: a timer's place in the wheel, embedded in what waits, so that a sleep allocates nothing.
#pragma once

#include <atomic>
#include <cstdint>

#include <kaido/detail/waker.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// Threading: owned by the waiting task; while is_linked it is touched only under the wheel's lock. `has_fired` may be
/// read at any time: once true nobody but its owner touches the entry any more.
struct TimerEntry {
  TimerEntry* previous = nullptr;
  TimerEntry* next = nullptr;
  std::uint64_t deadline_tick = 0;
  std::uint8_t level = 0;
  std::uint8_t slot = 0;
  bool is_linked = false;
  std::atomic<bool> has_fired = false;
  Waker waker;
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
