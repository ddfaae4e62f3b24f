/// MpscChannel: what the ends of an mpsc channel share.
///
/// One lock guards queue, permits, wakers and counts, so that sending or receiving costs two atomic exchanges when
/// nobody is in the way; values are moved and tasks woken outside it as far as possible. (tokio's block list needs no
/// lock but three to four atomic operations per message.) Without a bound, the receiver takes all that is queued at
/// once and then needs no lock until that is used up. Permits are those of BatchSemaphore: strictly first come, first
/// served. A value in the queue holds one; receiving it passes it on.
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <optional>
#include <utility>

#include <kaido/detail/batch_semaphore.h>
#include <kaido/detail/fifo.h>
#include <kaido/detail/wait_list.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// The part that knows no T.
///
/// Threading: thread-safe.
/// Lifetime: counted by senders, weak senders and the receiver. The drop_ functions say true to the last of them, who
/// deletes the channel.
class MpscCore : public BatchSemaphore {
 public:
  static constexpr std::size_t kUnbounded = 0;

  /// Throws std::logic_error beyond kMaxPermits.
  explicit MpscCore(std::size_t capacity);

  void add_sender() noexcept;
  /// The last one lets the receiver see the end.
  [[nodiscard]] bool drop_sender() noexcept;
  void add_weak() noexcept;
  [[nodiscard]] bool drop_weak() noexcept;
  /// Adds a sender if there is one.
  [[nodiscard]] bool upgrade() noexcept;
  [[nodiscard]] std::size_t strong_count() const noexcept;
  [[nodiscard]] std::size_t weak_count() const noexcept;
  [[nodiscard]] std::size_t max_capacity() const noexcept { return capacity_; }

  /// No permits and no values any more, except under permits that are out.
  void close_receiver() noexcept;
  /// Nothing new can come: closed, or no sender is left.
  [[nodiscard]] bool is_ending() const noexcept;

 protected:
  friend class MpscClosed;
  ~MpscCore() = default;

  [[nodiscard]] bool is_bounded() const noexcept { return capacity_ != kUnbounded; }
  [[nodiscard]] bool is_ending_locked() const noexcept { return closed_ || strong_ == 0; }
  // With an empty queue: nothing can come any more, also no permit that is out.
  [[nodiscard]] bool has_ended_locked() const noexcept {
    return strong_ == 0 || (closed_ && (!is_bounded() || permits_.available() == capacity_));
  }
  [[nodiscard]] bool is_last_locked() const noexcept { return strong_ == 0 && weak_ == 0 && !has_receiver_; }

  const std::size_t capacity_;
  std::size_t strong_ = 1;
  std::size_t weak_ = 0;
  bool has_receiver_ = true;
  WaitList<> closed_waiters_;  // In Sender::closed(). The receiver waits in watcher_.
};

/// The awaitable of closed().
class [[nodiscard]] MpscClosed {
 public:
  explicit MpscClosed(MpscCore& channel) noexcept : channel_(channel) {}
  MpscClosed(MpscClosed&& other) noexcept : channel_(other.channel_) { other.leave(); }
  MpscClosed& operator=(MpscClosed&&) = delete;
  ~MpscClosed() { leave(); }

  bool poll(PollContext& context);
  void take() noexcept {}

 private:
  void leave() noexcept;

  MpscCore& channel_;
  bool has_started_ = false;
  WaitNode node_;
};

template <typename T>
class MpscChannel final : public MpscCore {
 public:
  using Stored = Element<T>;
  using Values = Fifo<Stored>;

  enum class Sent { kYes, kFull, kClosed };
  enum class Received { kValue, kNone, kEnd };

  using MpscCore::MpscCore;

  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* channel, std::size_t size) noexcept { free_frame(channel, size); }

  /// Takes a permit and queues the value, which stays untouched otherwise.
  [[nodiscard]] Sent try_send(Stored& value) { return insert<true>(value); }
  /// Queues the value under a permit that the caller holds. If there is no receiver the value stays with the caller.
  void push(Stored& value) { static_cast<void>(insert<false>(value)); }

  /// With a context: if there is nothing, but not the end, `context` will be woken.
  [[nodiscard]] Received try_receive(std::optional<Stored>& value, const PollContext* context) noexcept {
    if (taken_.size() != 0) {
      pop_taken(value);
      return Received::kValue;
    }
    Waker replaced;
    WakeBatch batch;
    typename Values::BlockPointer emptied;
    std::unique_lock lock(lock_);
    if (values_.size() != 0 && is_bounded()) {
      emptied = values_.pop(value);
      static_cast<void>(permits_.add(1, batch));  // Wakes one at most: never full.
      return Received::kValue;
    }
    if (values_.size() != 0) {
      values_.swap(taken_);  // With its empty blocks, which the senders fill again.
      taken_size_.store(taken_.size(), std::memory_order_relaxed);
      lock.unlock();
      pop_taken(value);
      return Received::kValue;
    }
    if (has_ended_locked()) return Received::kEnd;
    if (context != nullptr && !context->will_wake(watcher_)) replaced = std::exchange(watcher_, context->waker());
    return Received::kNone;
  }

  [[nodiscard]] std::size_t size() const noexcept {
    std::scoped_lock lock(lock_);
    return values_.size() + taken_size_.load(std::memory_order_relaxed);
  }

  /// The receiver goes: what is queued is destroyed at once.
  [[nodiscard]] bool drop_receiver() noexcept {
    close_receiver();
    Waker waker;
    Values dropped;
    Values dropped_first;
    taken_.swap(dropped_first);
    std::scoped_lock lock(lock_);
    taken_size_.store(0, std::memory_order_relaxed);
    waker = std::move(watcher_);
    values_.swap(dropped);
    if (is_bounded()) {
      WakeBatch nobody;
      static_cast<void>(permits_.add(dropped.size(), nobody));
    }
    has_receiver_ = false;
    return is_last_locked();
  }

 private:
  template <bool kNeedsPermit>
  Sent insert(Stored& value) {
    typename Values::BlockPointer block;
    for (;;) {
      {
        Waker receiver;
        WakeReceiver wake{receiver};
        std::scoped_lock lock(lock_);
        if constexpr (kNeedsPermit) {
          if (closed_) return Sent::kClosed;
          if (is_bounded() && permits_.available() == 0) return Sent::kFull;
        } else {
          if (!has_receiver_) return Sent::kClosed;
        }
        if (!values_.has_room() && block != nullptr) values_.give(std::move(block));
        if (values_.has_room()) {
          if (kNeedsPermit && is_bounded()) static_cast<void>(permits_.try_take(1));
          values_.push(std::move(value));
          receiver = std::move(watcher_);
          return Sent::kYes;
        }
      }
      block = Values::allocate_block();
    }
  }
  void pop_taken(std::optional<Stored>& value) noexcept {
    static_cast<void>(taken_.pop(value));
    taken_size_.store(taken_.size(), std::memory_order_relaxed);
  }

  // Wakes after the lock was released.
  struct WakeReceiver {
    Waker& waker;
    ~WakeReceiver() { waker.wake(); }
  };

  Values values_;
  Values taken_;                             // Of the receiver, which took them together: older than values_.
  std::atomic<std::size_t> taken_size_ = 0;  // Of taken_, for others; goes up under the lock.
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
