#include <kaido/detail/futex_lock.h>

#include "sdk/runtime/futex.h"

namespace kaido::inline abi0::detail {

std::uint32_t FutexLock::look_a_while() const noexcept {
  std::uint32_t state = kHeld;
  for (int looks = 0; looks < kLooksBeforeSleep; ++looks) {
    state = state_.load(std::memory_order_relaxed);
    // Where others sleep already, looking does not help.
    if (state != kHeld) break;
    pause_processor();
  }
  return state;
}

void FutexLock::lock_contended() noexcept {
  std::uint32_t state = look_a_while();
  if (state == kFree &&
      state_.compare_exchange_strong(state, kHeld, std::memory_order_acquire, std::memory_order_relaxed)) {
    return;
  }
  for (;;) {
    // Who has slept takes it as awaited: it cannot know whether others sleep still.
    if (state != kAwaited && state_.exchange(kAwaited, std::memory_order_acquire) == kFree) return;
    futex_wait(state_, kAwaited);
    state = look_a_while();
  }
}

void FutexLock::wake_one() noexcept { futex_wake_one(&state_); }

}  // namespace kaido::inline abi0::detail
