/// SpinLock: for sections of a few instructions that are hardly ever contended. One atomic exchange to take, a plain
/// store to give back: half of what a mutex costs, on every operation of a channel or lock.
#pragma once

#include <atomic>
#include <thread>

namespace kaido::detail {

/// Satisfies BasicLockable. Yields the processor after a short while, so that a preempted holder can go on.
///
/// Under it nothing is called that could wait or run foreign code: no wake-ups, no destructors of wakers or user
/// values. unlock() touches the lock for the last time when it stores: the next holder may destroy what contains it.
class SpinLock {
 public:
  void lock() noexcept {
    for (int tries = 0; is_locked_.exchange(true, std::memory_order_acquire); ++tries) {
      while (is_locked_.load(std::memory_order_relaxed)) {
        if (++tries > kTriesBeforeYield) std::this_thread::yield();
      }
    }
  }
  void unlock() noexcept { is_locked_.store(false, std::memory_order_release); }

 private:
  static constexpr int kTriesBeforeYield = 64;
  std::atomic<bool> is_locked_ = false;
};

}  // namespace kaido::detail
