/// Waiting on a word of memory. Linux only, as the rest of the runtime.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdint>
#include <ctime>

namespace kaido::inline abi0::detail {

/// Whoever takes a lock between a system call and its errno finds that as it was.
class KeptErrno {
 public:
  KeptErrno() = default;
  KeptErrno(const KeptErrno&) = delete;
  KeptErrno& operator=(const KeptErrno&) = delete;
  ~KeptErrno() { errno = kept_; }

 private:
  const int kept_ = errno;
};

/// Sleeps while the word is `expected`; may return for no reason.
inline void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected) noexcept {
  const KeptErrno kept;
  ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr);
}
/// False once the time has come.
inline bool futex_wait_until(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                             std::chrono::steady_clock::time_point until) noexcept {
  const KeptErrno kept;
  const auto since_boot = until.time_since_epoch();  // CLOCK_MONOTONIC's, which a wait for bits takes as it is.
  if (since_boot < since_boot.zero()) return false;  // Which it takes for a mistake.
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_boot);
  timespec at{};
  at.tv_sec = static_cast<std::time_t>(seconds.count());
  at.tv_nsec = static_cast<long>(std::chrono::nanoseconds(since_boot - seconds).count());
  return ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, &at, nullptr, FUTEX_BITSET_MATCH_ANY) == 0 ||
         errno != ETIMEDOUT;
}
/// Uses the address only, so that the word may be gone by now: then somebody else wakes for no reason, at worst.
inline void futex_wake_one(const std::atomic<std::uint32_t>* word) noexcept {
  const KeptErrno kept;
  ::syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1);
}
inline void futex_wake_all(const std::atomic<std::uint32_t>* word) noexcept {
  const KeptErrno kept;
  ::syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX);
}

/// Tells the processor that this is a loop that waits.
inline void pause_processor() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// How often a lock that is held is looked at before its waiter sleeps: for up to some microseconds (a pause takes 10
/// to 150 cycles), about as long as falling asleep and being woken take. More burns a processor that the holder may
/// need; fewer sleeps where the next look would have done.
inline constexpr int kLooksBeforeSleep = 100;

}  // namespace kaido::inline abi0::detail
