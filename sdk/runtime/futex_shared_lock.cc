#include <kaido/detail/futex_shared_lock.h>

#include "sdk/runtime/futex.h"

namespace kaido::inline abi0::detail {

// Looks a while, then sleeps, until none of `bits` is set; somebody else may be faster then.
void FutexSharedLock::wait_while(std::uint32_t bits) noexcept {
  for (int looks = 0; looks < kLooksBeforeSleep; ++looks) {
    if ((state_.load(std::memory_order_relaxed) & bits) == 0) return;
    pause_processor();
  }
  std::uint32_t state = state_.load(std::memory_order_relaxed);
  while ((state & bits) != 0) {
    if ((state & kAwaited) != 0 ||
        state_.compare_exchange_weak(state, state | kAwaited, std::memory_order_relaxed, std::memory_order_relaxed)) {
      futex_wait(state_, state | kAwaited);
      state = state_.load(std::memory_order_relaxed);
    }
  }
}

void FutexSharedLock::lock_shared_contended() noexcept {
  do {
    unlock_shared();
    wait_while(kWriter);
  } while ((state_.fetch_add(kReader, std::memory_order_acquire) & kWriter) != 0);
}

void FutexSharedLock::lock_contended() noexcept {
  std::uint32_t state = state_.load(std::memory_order_relaxed);
  for (;;) {
    if ((state & ~kAwaited) != 0) {
      wait_while(~kAwaited);
      state = state_.load(std::memory_order_relaxed);
    } else if (state_.compare_exchange_weak(state, state | kWriter, std::memory_order_acquire,
                                            std::memory_order_relaxed)) {
      return;
    }
  }
}

// The last reader has gone.
void FutexSharedLock::wake_all() noexcept {
  state_.fetch_and(~kAwaited, std::memory_order_relaxed);
  wake_sleepers();
}

void FutexSharedLock::wake_sleepers() noexcept { futex_wake_all(&state_); }

}  // namespace kaido::inline abi0::detail
