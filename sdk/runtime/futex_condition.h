/// FutexCondition: a condition variable whose lock is a FutexLock. Who is woken finds the lock free, and where it does
/// not, looks for it a while before it sleeps again; with std::mutex it would sleep at once.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>

#include <kaido/detail/futex_lock.h>

#include "sdk/runtime/futex.h"

namespace kaido::inline abi0::detail {

/// Waking takes two steps, so that who is woken does not run into the lock: a note under the lock, and a call after it.
///
///     queue.push(task);
///     work.note();
///     lock.unlock();
///     work.wake_one();
///
/// Threading: thread-safe. Lifetime: wake_one() and wake_all() use the address only.
class FutexCondition {
 public:
  using Lock = std::unique_lock<FutexLock>;
  using TimePoint = std::chrono::steady_clock::time_point;

  FutexCondition() = default;
  FutexCondition(const FutexCondition&) = delete;
  FutexCondition& operator=(const FutexCondition&) = delete;

  /// Until it is noted; may return for no reason.
  void wait(Lock& lock) noexcept {
    const std::uint32_t seen = notes_.load(std::memory_order_relaxed);
    lock.unlock();
    futex_wait(notes_, seen);
    lock.lock();
  }
  /// False if the time has come.
  [[nodiscard]] bool wait_until(Lock& lock, TimePoint until) noexcept {
    const std::uint32_t seen = notes_.load(std::memory_order_relaxed);
    lock.unlock();
    const bool is_in_time = futex_wait_until(notes_, seen, until);
    lock.lock();
    return is_in_time;
  }

  /// Under the lock.
  void note() noexcept { notes_.fetch_add(1, std::memory_order_relaxed); }
  void wake_one() noexcept { futex_wake_one(&notes_); }
  void wake_all() noexcept { futex_wake_all(&notes_); }

 private:
  std::atomic<std::uint32_t> notes_ = 0;
};

}  // namespace kaido::inline abi0::detail
