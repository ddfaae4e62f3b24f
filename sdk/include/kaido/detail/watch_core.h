/// What a watch channel is without its value: version, counts of senders and receivers, and the waits on them.
#pragma once

#include <atomic>
#include <cstddef>

#include <kaido/detail/waker.h>
#include <kaido/sync/notify.h>

namespace kaido::detail {

/// Threading: thread-safe; the version is raised under the lock of the value.
class WatchCore {
 public:
  [[nodiscard]] std::size_t version() const noexcept { return state_.load() & ~kClosed; }
  [[nodiscard]] bool is_closed() const noexcept { return (state_.load() & kClosed) != 0; }
  [[nodiscard]] static std::size_t before(std::size_t version) noexcept { return version - kOneVersion; }
  void raise_version() noexcept { state_.fetch_add(kOneVersion); }
  void notify_receivers() noexcept { changed_.notify_waiters(); }

  void add_sender() noexcept { senders_.fetch_add(1, std::memory_order_relaxed); }
  void drop_sender() noexcept {
    if (senders_.fetch_sub(1) != 1) return;
    state_.fetch_or(kClosed);
    changed_.notify_waiters();
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

  std::atomic<std::size_t> state_ = 0;
  std::atomic<std::size_t> senders_ = 1;
  std::atomic<std::size_t> receivers_ = 0;
  Notify changed_;
  Notify unwatched_;
};

/// Ready when the version is not `version`, which it then becomes, or when there is no sender and so never will be.
class WatchChanged {
 public:
  WatchChanged(WatchCore& core, std::size_t& version) noexcept
      : core_(&core), version_(&version), notified_(core.changed_.notified()) {}

  bool poll(Context& context) noexcept {
    if (!context.may_proceed()) return false;
    if (!poll_without_budget(context)) return false;
    context.spend();
    return true;
  }
  bool poll_without_budget(Context& context) noexcept {
    // The Notified is always older than the look at the state, so a change after that is not missed.
    while (!look()) {
      if (!notified_.poll(context)) return false;
      notified_.renew();
    }
    return true;
  }
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

  WatchCore* core_;
  std::size_t* version_;
  Notified notified_;
  bool is_closed_ = false;
};

/// Ready when there is no receiver: what `co_await sender.closed()` waits for.
class [[nodiscard]] WatchUnwatched {
 public:
  explicit WatchUnwatched(WatchCore& core) noexcept : core_(&core), notified_(core.unwatched_.notified()) {}

  bool poll(Context& context) noexcept {
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

}  // namespace kaido::detail
