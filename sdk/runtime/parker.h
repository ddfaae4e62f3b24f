/// Parker: how a worker waits. One of the waiting workers holds the driver and waits in it; the others wait on a
/// condition variable.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "sdk/runtime/driver.h"

namespace kaido::detail {

/// The driver of a multi-thread runtime, which one worker at a time may hold.
struct SharedDriver {
  explicit SharedDriver(Driver& shared) noexcept : driver(shared) {}
  Driver& driver;
  std::mutex holder;
};

/// Threading: park and poll by its worker, unpark by anyone. An unpark before the park is not lost.
class Parker {
 public:
  explicit Parker(SharedDriver& shared) noexcept : shared_(shared) {}

  void park() noexcept {
    State expected = kNotified;
    if (state_.compare_exchange_strong(expected, kEmpty, std::memory_order_seq_cst)) return;
    std::unique_lock driver(shared_.holder, std::try_to_lock);
    if (driver.owns_lock()) {
      park_in_driver();
    } else {
      park_on_condition();
    }
  }
  /// Looks at timers and sockets without waiting, unless another worker holds the driver.
  void poll() noexcept {
    std::unique_lock driver(shared_.holder, std::try_to_lock);
    if (driver.owns_lock()) shared_.driver.poll();
  }
  void unpark() noexcept {
    const State before = state_.exchange(kNotified, std::memory_order_seq_cst);
    if (before == kInDriver) shared_.driver.unpark();
    if (before == kOnCondition) {
      // The lock closes the gap between the sleeper's check and its wait.
      { std::scoped_lock lock(mutex_); }
      condition_.notify_one();
    }
  }

 private:
  enum State { kEmpty, kOnCondition, kInDriver, kNotified };

  void park_in_driver() noexcept {
    State expected = kEmpty;
    if (state_.compare_exchange_strong(expected, kInDriver, std::memory_order_seq_cst)) shared_.driver.park(false);
    state_.exchange(kEmpty, std::memory_order_seq_cst);
  }
  void park_on_condition() noexcept {
    std::unique_lock lock(mutex_);
    State expected = kEmpty;
    if (state_.compare_exchange_strong(expected, kOnCondition, std::memory_order_seq_cst)) {
      condition_.wait(lock, [this] { return state_.load(std::memory_order_seq_cst) == kNotified; });
    }
    state_.exchange(kEmpty, std::memory_order_seq_cst);
  }

  SharedDriver& shared_;
  std::atomic<State> state_ = kEmpty;
  std::mutex mutex_;
  std::condition_variable condition_;
};

}  // namespace kaido::detail
