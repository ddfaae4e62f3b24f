/// What a watch channel is without its value: version, counts of senders and receivers, and the waits on them.
#pragma once

#include <atomic>
#include <cstddef>

#include <kaido/detail/futex_lock.h>
#include <kaido/detail/wait_list.h>
#include <kaido/detail/waker.h>
#include <kaido/sync/notify.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// Threading: thread-safe; the version is raised under the lock of the value.
class WatchCore {
 public:
  [[nodiscard]] std::size_t version() const noexcept { return state_.load() & ~kClosed; }
  [[nodiscard]] bool is_closed() const noexcept { return (state_.load() & kClosed) != 0; }
  [[nodiscard]] static std::size_t before(std::size_t version) noexcept { return version - kOneVersion; }
  void raise_version() noexcept { state_.fetch_add(kOneVersion); }
  void wake_receivers() noexcept;

  void add_sender() noexcept { senders_.fetch_add(1, std::memory_order_relaxed); }
  void drop_sender() noexcept {
    if (senders_.fetch_sub(1) != 1) return;
    state_.fetch_or(kClosed);
    wake_receivers();
  }
  void add_receiver() noexcept { receivers_.fetch_add(1, std::memory_order_relaxed); }
  void drop_receiver() noexcept {
    if (receivers_.fetch_sub(1) == 1) unwatched_.notify_waiters();
  }
  [[nodiscard]] std::size_t sender_count() const noexcept { return senders_.load(); }
  [[nodiscard]] std::size_t receiver_count() const noexcept { return receivers_.load(); }

 private:
  friend class WatchChanged;
  friend class WatchUnwatched;
  static constexpr std::size_t kClosed = 1;
  static constexpr std::size_t kOneVersion = 2;

  std::atomic<std::size_t> state_ = 0;  // Changed before the lock is taken to wake those who wait for that.
  std::atomic<std::size_t> senders_ = 1;
  std::atomic<std::size_t> receivers_ = 0;
  FutexLock lock_;
  WaitList<QueuedNode> waiters_;  // Guarded by lock_.
  Notify unwatched_;
};

/// Ready when the version is not `version`, which it then becomes, or when there is no sender and so never will be.
class WatchChanged {
 public:
  WatchChanged(WatchCore& core, std::size_t& version) noexcept : core_(&core), version_(&version) {}
  /// One that waits must be polled anew.
  WatchChanged(WatchChanged&& other) noexcept
      : core_(other.core_), version_(other.version_), is_closed_(other.is_closed_) {}
  WatchChanged& operator=(WatchChanged&&) = delete;
  ~WatchChanged() {
    if (node_.is_queued.load(std::memory_order_acquire)) leave();
  }

  bool poll(PollContext& context) noexcept {
    if (!context.may_proceed()) return false;
    if (!poll_without_budget(context)) return false;
    context.spend();
    return true;
  }
  bool poll_without_budget(PollContext& context) noexcept { return look() || wait(context); }
  /// Once ready: why.
  [[nodiscard]] bool is_closed() const noexcept { return is_closed_; }

 private:
  bool look() noexcept {
    const std::size_t state = core_->state_.load();
    const std::size_t version = state & ~WatchCore::kClosed;
    if (version == *version_) return is_closed_ = (state & WatchCore::kClosed) != 0;
    *version_ = version;
    return true;
  }
  /// Looks again, and joins the queue if that is still in vain.
  bool wait(PollContext& context) noexcept;
  void leave() noexcept;

  WatchCore* core_;
  std::size_t* version_;
  QueuedNode node_;
  bool is_closed_ = false;
};

/// Ready when there is no receiver: what `co_await sender.closed()` waits for.
class [[nodiscard]] WatchUnwatched {
 public:
  explicit WatchUnwatched(WatchCore& core) noexcept : core_(&core), notified_(core.unwatched_.notified()) {}

  bool poll(PollContext& context) noexcept {
    if (!context.may_proceed()) return false;
    while (core_->receiver_count() != 0) {
      if (!notified_.poll(context)) return false;
      notified_.renew();
    }
    context.spend();
    return true;
  }
  void take() noexcept {}

 private:
  WatchCore* core_;
  Notified notified_;
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
