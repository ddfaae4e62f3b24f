/// RuntimeClock: the one place where a runtime reads the time. It can be paused, for tests.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace kaido::inline abi0::detail {

/// The system's steady clock, until paused; then it stands still but for advance().
///
/// Threading: now() from any thread; the rest only from the thread that drives a current-thread runtime.
class RuntimeClock {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;

  /// One that stands still from the start has no part of a tick behind it: its first timers are exact.
  explicit RuntimeClock(bool starts_paused = false) noexcept {
    if (starts_paused) pause();
  }

  [[nodiscard]] Instant now() const noexcept {
    if (is_paused()) return Instant(Duration(frozen_.load(std::memory_order_acquire)));
    return std::chrono::steady_clock::now() + Duration(offset_.load(std::memory_order_relaxed));
  }
  [[nodiscard]] bool is_paused() const noexcept { return is_paused_.load(std::memory_order_acquire); }

  void pause() noexcept {
    frozen_.store(now().time_since_epoch().count(), std::memory_order_release);
    is_paused_.store(true, std::memory_order_release);
  }
  /// Time flows again, from where it was advanced to.
  void resume() noexcept {
    const Duration ahead = now() - std::chrono::steady_clock::now();
    offset_.store(ahead.count(), std::memory_order_relaxed);
    is_paused_.store(false, std::memory_order_release);
  }
  /// Requires is_paused(). Never goes back.
  void advance_to(Instant instant) noexcept {
    if (instant > now()) frozen_.store(instant.time_since_epoch().count(), std::memory_order_release);
  }

 private:
  std::atomic<bool> is_paused_ = false;
  std::atomic<std::int64_t> frozen_ = 0;
  std::atomic<std::int64_t> offset_ = 0;
};

}  // namespace kaido::inline abi0::detail
