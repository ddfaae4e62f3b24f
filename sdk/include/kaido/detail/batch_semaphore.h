/// BatchSemaphore: counted permits with a strict queue, the engine of Semaphore, Mutex, RwLock and the bounded channel.
///
/// Whoever waits first is served first, whatever it asks for: the head of the queue absorbs permits as they come until
/// it has all it needs, so while anyone waits nothing is available and nobody can overtake. Cancelling a wait passes on
/// what it had absorbed.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include <kaido/detail/futex_lock.h>
#include <kaido/detail/wait_list.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// One request in the queue.
struct PermitWaiter : WaitNode {
  enum class Status : std::uint8_t { kIdle, kQueued, kGranted, kClosed };

  std::size_t needed = 0;
  std::size_t missing = 0;
  /// Set to kGranted or kClosed after everything else was written and the node unlinked: whoever reads that owns the
  /// node again without taking the lock.
  std::atomic<Status> status = Status::kIdle;
};

/// The permits and the queue, without a lock of its own.
class PermitQueue {
 public:
  explicit PermitQueue(std::size_t available) noexcept : available_(available) {}

  [[nodiscard]] std::size_t available() const noexcept { return available_; }
  [[nodiscard]] bool try_take(std::size_t count) noexcept {
    if (available_ < count) return false;
    available_ -= count;
    return true;
  }
  /// After try_take(count) failed: takes what there is and queues for the rest.
  void enqueue(PermitWaiter& waiter, std::size_t count) noexcept;
  /// Hands permits to those who wait, and keeps what is over. Gives what is left to hand out when the batch is full.
  [[nodiscard]] std::size_t add(std::size_t count, WakeBatch& batch) noexcept;
  /// Fails everyone who waits. False if the batch is full and somebody is left.
  [[nodiscard]] bool close(WakeBatch& batch) noexcept;

 private:
  std::size_t available_;
  WaitList<PermitWaiter> waiters_;
};

/// Threading: thread-safe.
/// Lifetime: outlives every PermitWait on it.
class BatchSemaphore {
 public:
  /// Leaves three bits, as tokio does.
  static constexpr std::size_t kMaxPermits = std::numeric_limits<std::size_t>::max() >> 3;

  enum class Taken { kYes, kNoPermits, kClosed };

  /// Throws std::logic_error beyond kMaxPermits.
  explicit BatchSemaphore(std::size_t permits);
  BatchSemaphore(const BatchSemaphore&) = delete;
  BatchSemaphore& operator=(const BatchSemaphore&) = delete;

  [[nodiscard]] Taken try_take(std::size_t count) noexcept;
  /// Gives back what was taken.
  void release(std::size_t count) noexcept;
  /// Adds new permits. Throws std::logic_error if there would be more than kMaxPermits.
  void add(std::size_t count);
  /// Removes up to `count` of the available ones and says how many.
  std::size_t forget(std::size_t count) noexcept;
  [[nodiscard]] std::size_t available() const noexcept;
  void close() noexcept;
  [[nodiscard]] bool is_closed() const noexcept;

 protected:
  friend class PermitWait;

  mutable FutexLock lock_;
  std::atomic<bool> closed_ = false;  // Written under the lock.
  /// For channels: wakes `watcher_` when, after close(), this many permits are back. Else never reached.
  std::size_t idle_level_ = std::numeric_limits<std::size_t>::max();
  Waker watcher_;
  PermitQueue permits_;
};

/// A request for permits, in the awaitables of all that is built on a BatchSemaphore.
///
/// Threading: confined to one task.
/// Cancellation: destroying it leaves the queue and passes on what it had. Moving it, too: it must be polled anew.
class PermitWait {
 public:
  PermitWait(BatchSemaphore& semaphore, std::size_t count) noexcept : semaphore_(&semaphore), count_(count) {}
  PermitWait(PermitWait&& other) noexcept : semaphore_(other.semaphore_), count_(other.count_) { other.cancel(); }
  PermitWait& operator=(PermitWait&&) = delete;
  ~PermitWait() { cancel(); }

  /// Takes part in the budget of the task.
  bool poll(PollContext& context) {
    if (!context.may_proceed() || !poll_without_budget(context)) return false;
    context.spend();
    return true;
  }
  bool poll_without_budget(PollContext& context);
  /// After poll() was true: whether the permits are the caller's now; false if the semaphore was closed.
  [[nodiscard]] bool finish() noexcept {
    return waiter_.status.exchange(PermitWaiter::Status::kIdle, std::memory_order_relaxed) ==
           PermitWaiter::Status::kGranted;
  }
  [[nodiscard]] bool is_idle() const noexcept {
    return waiter_.status.load(std::memory_order_relaxed) == PermitWaiter::Status::kIdle;
  }
  void cancel() noexcept {
    if (!is_idle()) cancel_started();
  }

 private:
  void cancel_started() noexcept;

  BatchSemaphore* semaphore_;
  std::size_t count_;
  PermitWaiter waiter_;
};

/// Permits that are held; gives them back when it goes.
class PermitHold {
 public:
  PermitHold() noexcept = default;
  PermitHold(BatchSemaphore& semaphore, std::size_t count) noexcept : semaphore_(&semaphore), count_(count) {}
  PermitHold(PermitHold&& other) noexcept
      : semaphore_(std::exchange(other.semaphore_, nullptr)), count_(std::exchange(other.count_, 0)) {}
  PermitHold& operator=(PermitHold&& other) noexcept {
    PermitHold dropped(std::move(other));
    std::swap(semaphore_, dropped.semaphore_);
    std::swap(count_, dropped.count_);
    return *this;
  }
  ~PermitHold();  // Not inline: g++ 12 would warn about guards in an std::optional ("maybe uninitialized").

  [[nodiscard]] BatchSemaphore* semaphore() const noexcept { return semaphore_; }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  /// Gives back all but `kept`.
  void shrink_to(std::size_t kept) noexcept {
    const std::size_t surplus = count_ - kept;
    count_ = kept;
    semaphore_->release(surplus);
  }
  void forget() noexcept { count_ = 0; }
  void add(std::size_t count) noexcept { count_ += count; }
  void subtract(std::size_t count) noexcept { count_ -= count; }

 private:
  BatchSemaphore* semaphore_ = nullptr;
  std::size_t count_ = 0;
};

/// The awaitable of every acquire and lock: waits for permits, then makes of them what `Make` says, given whether they
/// were granted (always, where nothing closes the semaphore).
template <typename Make>
class [[nodiscard]] AcquireOperation {
 public:
  AcquireOperation(BatchSemaphore& semaphore, std::size_t count, Make make)
      : make_(std::move(make)), wait_(semaphore, count) {}

  bool poll(PollContext& context) { return wait_.poll(context); }
  auto take() { return make_(wait_.finish()); }

 private:
  Make make_;  // First: it may own what `wait_` refers to.
  PermitWait wait_;
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
