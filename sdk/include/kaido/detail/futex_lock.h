/// FutexLock: the lock of queues, wait lists and small states. Free of contention it costs an exchange to take and one
/// to give back, both inline. Who finds it held looks again for a few microseconds at most, and then sleeps until it is
/// free: the holder may have lost its processor, and on a busy machine gets it back the sooner the fewer spin for it.
#pragma once

#include <atomic>
#include <cstdint>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// Satisfies BasicLockable. Not recursive, not fair.
///
/// Under it nothing is called that could wait or run foreign code: no wake-ups, no destructors of wakers or user
/// values. unlock() touches the lock for the last time when it exchanges: the next holder may destroy what contains it.
class FutexLock {
 public:
  FutexLock() noexcept = default;
  FutexLock(const FutexLock&) = delete;
  FutexLock& operator=(const FutexLock&) = delete;

  void lock() noexcept {
    std::uint32_t state = kFree;
    if (!state_.compare_exchange_strong(state, kHeld, std::memory_order_acquire, std::memory_order_relaxed)) {
      lock_contended();
    }
  }
  void unlock() noexcept {
    if (state_.exchange(kFree, std::memory_order_release) == kAwaited) wake_one();
  }
  /// Waits until whoever holds the lock now has given it back, and sees what was done under it. A load, where nobody
  /// holds it.
  void wait_until_released() noexcept {
    if (state_.load(std::memory_order_acquire) == kFree) return;
    lock();
    unlock();
  }

 private:
  static constexpr std::uint32_t kFree = 0;
  static constexpr std::uint32_t kHeld = 1;
  static constexpr std::uint32_t kAwaited = 2;  // Held, and somebody may sleep.

  void lock_contended() noexcept;
  [[nodiscard]] std::uint32_t look_a_while() const noexcept;
  /// Uses the address only: the lock itself may be gone.
  void wake_one() noexcept;

  std::atomic<std::uint32_t> state_ = kFree;
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
