/// SharedDriver: the driver of a runtime, and who looks after it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "sdk/runtime/driver.h"

namespace kaido::inline abi0::detail {

/// One thread at a time holds the driver: one that runs tasks, while it waits for work or looks at sockets and timers
/// in between; or, when those have all been busy for a while, the stand-by thread (standby.h).
///
/// Threading: thread-safe.
class SharedDriver {
 public:
  explicit SharedDriver(Driver& shared) noexcept : driver(shared) {}

  Driver& driver;
  std::mutex holder;
  std::atomic<std::uint32_t> parks = 0;  ///< how often a worker has waited in it

  /// Whoever held the driver lets go of it, or begins to run tasks. One addition and one load, unless the stand-by
  /// sleeps because nothing has happened for a while.
  void note_use() noexcept {
    // In this order, and the other way round in sleep_until_used(): one of the two sees the other.
    uses_.fetch_add(1, std::memory_order_seq_cst);
    if (standby_sleeps_.load(std::memory_order_seq_cst) != 0) wake_standby();
  }
  /// For one that would wait in the driver and finds it held: takes it back from the stand-by. False if another thread
  /// of the runtime has it, or was faster; never waits for one of those. Waits for a handler that the stand-by is in,
  /// unless `is_called` says that there is something else to do (see call_back()).
  template <typename F>
  [[nodiscard]] bool reclaim(std::unique_lock<std::mutex>& lock, F is_called) noexcept {
    const std::uint32_t holding = holdings_.load(std::memory_order_seq_cst);
    if (!request_back(holding)) return false;
    {
      std::unique_lock waiting(reclaim_mutex_);
      reclaimed_.wait(waiting, [&] { return holdings_.load(std::memory_order_seq_cst) != holding || is_called(); });
    }
    return !is_called() && lock.try_lock();
  }
  /// After what `is_called` tells has changed.
  void call_back() noexcept {
    {
      // Closes the gap between the look of one that waits and its wait.
      std::scoped_lock lock(reclaim_mutex_);
    }
    reclaimed_.notify_all();
  }
  /// Asks for it without waiting.
  void request_back() noexcept { static_cast<void>(request_back(holdings_.load(std::memory_order_seq_cst))); }

  // For the stand-by.
  [[nodiscard]] std::uint32_t uses() const noexcept { return uses_.load(std::memory_order_seq_cst); }
  /// It has the lock.
  void begin_holding() noexcept { holdings_.fetch_add(1, std::memory_order_seq_cst); }
  /// Gives the lock back. A request that comes just now, or was left over from before, at worst ends the next holding
  /// early; none is lost, since who waits does so for this very holding.
  void end_holding(std::unique_lock<std::mutex>& lock) noexcept {
    is_wanted_.store(false, std::memory_order_seq_cst);
    lock.unlock();
    holdings_.fetch_add(1, std::memory_order_seq_cst);
    call_back();
  }
  [[nodiscard]] bool is_wanted() const noexcept { return is_wanted_.load(std::memory_order_seq_cst); }
  /// Until there is a use after `seen`, or wake_standby().
  void sleep_until_used(std::uint32_t seen) noexcept {
    standby_sleeps_.store(1, std::memory_order_seq_cst);
    if (uses() == seen) standby_sleeps_.wait(1, std::memory_order_seq_cst);
    standby_sleeps_.store(0, std::memory_order_seq_cst);
  }
  void wake_standby() noexcept {
    if (standby_sleeps_.exchange(0, std::memory_order_seq_cst) != 0) standby_sleeps_.notify_one();
  }

 private:
  bool request_back(std::uint32_t holding) noexcept {
    if (holding % 2 == 0) return false;
    is_wanted_.store(true, std::memory_order_seq_cst);
    driver.unpark();
    return true;
  }

  std::atomic<std::uint32_t> uses_ = 0;
  std::atomic<std::uint32_t> standby_sleeps_ = 0;
  std::atomic<std::uint32_t> holdings_ = 0;  // Odd while the stand-by holds the driver.
  std::atomic<bool> is_wanted_ = false;
  std::mutex reclaim_mutex_;  // For the wait only: guards nothing.
  std::condition_variable reclaimed_;
};

}  // namespace kaido::inline abi0::detail
