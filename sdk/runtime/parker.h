/// Parker: how a worker waits. One of the waiting workers holds the driver and waits in it; the others wait on a
/// condition variable.
///
/// The worker that leaves the driver with work wakes nobody to hold it in its place: it is back in microseconds, and a
/// wake costs as much. Unless the work blocks; then sockets and timers would wait for it, though others are idle. So
/// those on the condition look now and then whether the driver is free: often while it is used, seldom while nothing
/// happens.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "sdk/runtime/shared_driver.h"

namespace kaido::inline abi0::detail {

/// Threading: park and poll by its worker, unpark by anyone. An unpark before the park is not lost.
class Parker {
 public:
  explicit Parker(SharedDriver& shared) noexcept : shared_(shared) {}

  /// True if it waited in the driver.
  bool park() noexcept {
    State expected = kNotified;
    if (state_.compare_exchange_strong(expected, kEmpty, std::memory_order_seq_cst)) return false;
    std::unique_lock driver(shared_.holder, std::try_to_lock);
    if (driver.owns_lock() || reclaim(driver)) {
      park_in_driver();
      return true;
    }
    return park_on_condition();
  }
  /// Looks at timers and sockets without waiting, unless another worker holds the driver.
  void poll() noexcept {
    std::unique_lock driver(shared_.holder, std::try_to_lock);
    if (!driver.owns_lock()) {
      shared_.request_back();
      return;
    }
    shared_.driver.poll();
    shared_.note_use();
  }
  void unpark() noexcept {
    const State before = state_.exchange(kNotified, std::memory_order_seq_cst);
    if (before == kInDriver) shared_.driver.unpark();
    if (before == kReclaiming) shared_.call_back();
    if (before == kOnCondition) {
      // The lock closes the gap between the sleeper's check and its wait.
      {
        std::scoped_lock lock(mutex_);
      }
      condition_.notify_one();
    }
  }

 private:
  static constexpr std::chrono::milliseconds kFirstLook{20};
  static constexpr std::chrono::milliseconds kLongestLook{500};

  enum State { kEmpty, kOnCondition, kInDriver, kReclaiming, kNotified };

  /// From the stand-by. An unpark ends it, and is left for the park that follows.
  [[nodiscard]] bool reclaim(std::unique_lock<std::mutex>& driver) noexcept {
    State expected = kEmpty;
    if (!state_.compare_exchange_strong(expected, kReclaiming, std::memory_order_seq_cst)) return false;
    const bool is_reclaimed =
        shared_.reclaim(driver, [this] { return state_.load(std::memory_order_seq_cst) == kNotified; });
    expected = kReclaiming;
    state_.compare_exchange_strong(expected, kEmpty, std::memory_order_seq_cst);
    return is_reclaimed;
  }

  void park_in_driver() noexcept {
    State expected = kEmpty;
    if (state_.compare_exchange_strong(expected, kInDriver, std::memory_order_seq_cst)) wait_in_driver();
    state_.exchange(kEmpty, std::memory_order_seq_cst);
  }
  void wait_in_driver() noexcept {
    shared_.parks.fetch_add(1, std::memory_order_relaxed);
    shared_.driver.park(false);
    shared_.note_use();
  }
  bool park_on_condition() noexcept {
    std::unique_lock lock(mutex_);
    State expected = kEmpty;
    bool in_driver = false;
    if (state_.compare_exchange_strong(expected, kOnCondition, std::memory_order_seq_cst)) {
      auto look_after = kFirstLook;
      std::uint32_t parks = shared_.parks.load(std::memory_order_relaxed);
      const auto is_notified = [this] { return state_.load(std::memory_order_seq_cst) == kNotified; };
      while (!condition_.wait_for(lock, look_after, is_notified)) {
        in_driver = take_free_driver(lock);
        if (in_driver) break;
        const std::uint32_t parks_now = shared_.parks.load(std::memory_order_relaxed);
        look_after = parks_now != parks ? kFirstLook : std::min(2 * look_after, kLongestLook);
        parks = parks_now;
      }
    }
    state_.exchange(kEmpty, std::memory_order_seq_cst);
    return in_driver;
  }
  /// Waits in the driver if nobody else does.
  [[nodiscard]] bool take_free_driver(std::unique_lock<std::mutex>& lock) noexcept {
    std::unique_lock driver(shared_.holder, std::try_to_lock);
    if (!driver.owns_lock()) return false;
    State expected = kOnCondition;
    if (state_.compare_exchange_strong(expected, kInDriver, std::memory_order_seq_cst)) {
      lock.unlock();
      wait_in_driver();
    }
    return true;
  }

  SharedDriver& shared_;
  std::atomic<State> state_ = kEmpty;
  std::mutex mutex_;
  std::condition_variable condition_;
};

}  // namespace kaido::inline abi0::detail
