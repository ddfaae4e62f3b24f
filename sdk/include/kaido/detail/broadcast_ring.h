/// The inside of a broadcast channel: BroadcastCore has positions, counts and waiters, BroadcastRing<T> the values.
///
/// Positions count what was ever sent; the value of position p lies in slot p & mask until p + capacity is sent. A
/// receiver is its next position. Each slot counts the receivers that have still to get its value; the last one takes
/// it out.
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <kaido/detail/fifo.h>
#include <kaido/detail/futex_lock.h>
#include <kaido/detail/futex_shared_lock.h>
#include <kaido/detail/wait_list.h>
#include <kaido/detail/wake_all.h>
#include <kaido/sync/notify.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// What receiving gave, if no value.
struct BroadcastStep {
  std::uint64_t missed = 0;
  bool is_empty = false;
  bool is_closed = false;
};

/// Threading: thread-safe.
class BroadcastCore {
 public:
  explicit BroadcastCore(std::size_t capacity);
  BroadcastCore(const BroadcastCore&) = delete;
  BroadcastCore& operator=(const BroadcastCore&) = delete;

  /// The position from which a new receiver receives.
  std::uint64_t add_receiver() noexcept;
  void add_sender() noexcept { senders_.fetch_add(1, std::memory_order_relaxed); }
  /// False if all senders are gone.
  bool add_sender_if_open() noexcept;
  void drop_sender() noexcept;
  void add_weak_sender() noexcept { weak_senders_.fetch_add(1, std::memory_order_relaxed); }
  void drop_weak_sender() noexcept { weak_senders_.fetch_sub(1, std::memory_order_acq_rel); }

  [[nodiscard]] std::size_t sender_count() const noexcept { return senders_.load(); }
  [[nodiscard]] std::size_t weak_sender_count() const noexcept { return weak_senders_.load(); }
  [[nodiscard]] std::size_t receiver_count() const noexcept;
  [[nodiscard]] std::uint64_t tail_position() const noexcept;

  /// Takes a waiting recv() out of the queue, if it is in it.
  void leave(QueuedNode& node) noexcept;

 protected:
  ~BroadcastCore() = default;

  [[nodiscard]] std::size_t capacity() const noexcept { return mask_ + 1; }
  [[nodiscard]] std::size_t slot_index(std::uint64_t position) const noexcept {
    return static_cast<std::size_t>(position) & mask_;
  }
  /// After a send, with the lock of mutex_: wakes all receivers that wait, and unlocks.
  void wake_receivers(std::unique_lock<FutexLock>& lock) noexcept;
  /// Why there is no value at `next`: nothing yet (then node, if any, waits), closed, or lost (then `next` moves on).
  /// Nothing at all if there is one by now.
  std::optional<BroadcastStep> explain(std::uint64_t& next, QueuedNode* node, const PollContext* context) noexcept;
  /// Counts a receiver less, and gives the position from which on nobody counted it.
  std::uint64_t remove_receiver() noexcept;

  const std::size_t mask_;
  mutable FutexLock mutex_;  // Taken before a slot's.
  // Guarded by mutex_.
  std::uint64_t tail_ = 0;  // The position of the next send.
  std::size_t receivers_ = 0;
  bool is_closed_ = true;  // By the last sender, or until the next subscription by the last receiver.

 private:
  friend class BroadcastUnheard;

  WaitList<QueuedNode> waiters_;  // Guarded by mutex_.
  std::atomic<std::size_t> senders_ = 1;
  std::atomic<std::size_t> weak_senders_ = 0;
  Notify unheard_;
};

/// Ready when there is no receiver: what `co_await sender.closed()` waits for.
class [[nodiscard]] BroadcastUnheard {
 public:
  explicit BroadcastUnheard(BroadcastCore& core) noexcept : core_(&core), notified_(core.unheard_.notified()) {}

  bool poll(PollContext& context) noexcept {
    while (core_->receiver_count() != 0) {
      if (!notified_.poll(context)) return false;
      notified_.renew();
    }
    return true;
  }
  void take() noexcept {}

 private:
  BroadcastCore* core_;
  Notified notified_;
};

template <typename T>
class BroadcastRing final : public BroadcastCore {
  static_assert(std::copy_constructible<T>, "a broadcast channel copies its values, one for each receiver");

 public:
  explicit BroadcastRing(std::size_t capacity) : BroadcastCore(capacity), slots_(new Slot[this->capacity()]) {
    for (std::size_t index = 0; index < this->capacity(); ++index) {
      slots_[index].position.store(index - this->capacity(), std::memory_order_relaxed);
    }
  }

  /// What a slot has: moving it under the locks cannot fail.
  using Stored = Element<T>;

  /// The number of receivers; with 0 the value is left where it is.
  std::size_t send(Stored& value) noexcept {
    std::optional<Stored> replaced;  // Destroyed after the locks.
    std::unique_lock lock(mutex_);
    const std::size_t receivers = receivers_;
    if (receivers == 0) return 0;
    {
      Slot& slot = slots_[slot_index(tail_)];
      std::scoped_lock slot_lock(slot.lock);
      if (slot.value) replaced.emplace(std::move(*slot.value));
      slot.value.emplace(std::move(value));
      slot.remaining.store(receivers, std::memory_order_relaxed);
      slot.position.store(tail_, std::memory_order_release);
    }
    ++tail_;
    wake_receivers(lock);
    return receivers;
  }

  /// Moves the value at `next` into `value`, or says why there is none; then `node` waits if there may be one later.
  BroadcastStep receive(std::uint64_t& next, std::optional<T>& value, QueuedNode* node, const PollContext* context) {
    for (;;) {
      if (take_from_slot(next, &value)) return {};
      if (const auto step = explain(next, node, context)) return *step;
    }
  }

  void drop_receiver(std::uint64_t next) noexcept {
    const std::uint64_t end = remove_receiver();
    while (next < end) {
      if (!take_from_slot(next, nullptr)) static_cast<void>(explain(next, nullptr, nullptr));
    }
  }

  /// How many values some receiver has still to get.
  [[nodiscard]] std::size_t len() const noexcept {
    std::scoped_lock lock(mutex_);
    // Receivers go from old to new, so the slots that all are done with come first.
    std::size_t low = 0;
    std::size_t high = capacity();
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      if (slots_[slot_index(tail_ + middle)].remaining.load(std::memory_order_acquire) == 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return capacity() - low;
  }

 private:
  struct Slot {
    /// Receivers share it while they copy, the one sender waits for them. A receiver never waits: if a sender has the
    /// slot, the receiver's value is being overwritten.
    FutexSharedLock lock;
    std::atomic<std::uint64_t> position = 0;
    std::atomic<std::size_t> remaining = 0;
    std::optional<Stored> value;
  };

  /// Counts a receiver as done and unlocks, also if its copy throws; the last one takes out the value, to be destroyed
  /// by `rest`.
  class Turn {
   public:
    Turn(Slot& slot, std::optional<Stored>& rest) noexcept : slot_(slot), rest_(rest) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
      if (slot_.remaining.fetch_sub(1, std::memory_order_acq_rel) == 1 && slot_.value) {
        rest_.emplace(std::move(*slot_.value));
        slot_.value.reset();
      }
      slot_.lock.unlock_shared();
    }

   private:
    Slot& slot_;
    std::optional<Stored>& rest_;
  };

  /// False if the value of position `next` is not there.
  bool take_from_slot(std::uint64_t& next, std::optional<T>* value) {
    Slot& slot = slots_[slot_index(next)];
    if (slot.position.load(std::memory_order_acquire) != next) return false;
    std::optional<Stored> rest;  // Destroyed after the lock.
    if (!slot.lock.try_lock_shared()) return false;
    if (slot.position.load(std::memory_order_relaxed) != next) {
      slot.lock.unlock_shared();
      return false;
    }
    ++next;
    Turn turn(slot, rest);
    if (value == nullptr) return true;
    if (slot.remaining.load(std::memory_order_acquire) == 1) {
      value->emplace(std::move(element_value<T>(*slot.value)));  // All others have their copy.
      slot.value.reset();
    } else {
      value->emplace(std::as_const(element_value<T>(*slot.value)));
    }
    return true;
  }

  const std::unique_ptr<Slot[]> slots_;
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
