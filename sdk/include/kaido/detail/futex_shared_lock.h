/// FutexSharedLock: readers share it, a writer has it alone. For values that users' code looks at or changes under it,
/// so whoever finds it taken sleeps soon. SharedHold: a reader's share.
///
/// Readers are let in while a writer waits: a thread that reads may read again, and nobody deadlocks with it.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// Threading: thread-safe. Lifetime: outlives whoever waits for it or has it.
class FutexSharedLock {
 public:
  FutexSharedLock() noexcept = default;
  FutexSharedLock(const FutexSharedLock&) = delete;
  FutexSharedLock& operator=(const FutexSharedLock&) = delete;

  void lock_shared() noexcept {
    if ((state_.fetch_add(kReader, std::memory_order_acquire) & kWriter) != 0) lock_shared_contended();
  }
  [[nodiscard]] bool try_lock_shared() noexcept {
    if ((state_.fetch_add(kReader, std::memory_order_acquire) & kWriter) == 0) return true;
    unlock_shared();
    return false;
  }
  void unlock_shared() noexcept {
    if (state_.fetch_sub(kReader, std::memory_order_release) == (kReader | kAwaited)) wake_all();
  }
  void lock() noexcept {
    std::uint32_t state = 0;
    if (!state_.compare_exchange_strong(state, kWriter, std::memory_order_acquire, std::memory_order_relaxed)) {
      lock_contended();
    }
  }
  void unlock() noexcept {
    if ((state_.fetch_and(~(kWriter | kAwaited), std::memory_order_release) & kAwaited) != 0) wake_sleepers();
  }

 private:
  static constexpr std::uint32_t kWriter = 1;
  static constexpr std::uint32_t kAwaited = 2;  // Somebody may sleep.
  static constexpr std::uint32_t kReader = 4;   // Upwards: how many readers, those included that are turned away now.

  void lock_shared_contended() noexcept;
  void lock_contended() noexcept;
  void wait_while(std::uint32_t bits) noexcept;
  void wake_all() noexcept;
  void wake_sleepers() noexcept;

  std::atomic<std::uint32_t> state_ = 0;
};

class SharedHold {
 public:
  explicit SharedHold(FutexSharedLock& lock) noexcept : lock_(&lock) { lock.lock_shared(); }
  SharedHold(SharedHold&& other) noexcept : lock_(std::exchange(other.lock_, nullptr)) {}
  SharedHold& operator=(SharedHold other) noexcept {
    std::swap(lock_, other.lock_);
    return *this;
  }
  ~SharedHold() {
    if (lock_ != nullptr) lock_->unlock_shared();
  }

 private:
  FutexSharedLock* lock_;
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
