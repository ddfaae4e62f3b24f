/// watch: a channel for the latest value of something, seen by any number of receivers.
///
///     auto [sender, receiver] = kaido::watch::channel<Config>(initial);
///     sender.send(changed_config);
///     while (co_await receiver.changed()) use(*receiver.borrow_and_update());   // until the last sender is gone
///
/// Only the latest value is kept: a receiver that is slow sees fewer of them. For every value, use broadcast or mpsc.
#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include <kaido/detail/futex_shared_lock.h>
#include <kaido/detail/watch_core.h>
#include <kaido/expected.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::watch {

/// All senders are gone (and, for changed(), the last value was seen).
struct RecvError {
  [[nodiscard]] std::string_view message() const noexcept { return "all senders of the watch channel are gone"; }
  friend bool operator==(RecvError, RecvError) = default;
};

/// There is no receiver; holds the value that was not sent.
template <typename T>
struct SendError {
  T value;
  [[nodiscard]] std::string_view message() const noexcept { return "the watch channel has no receiver"; }
};

template <typename T>
class Sender;
template <typename T>
class Receiver;

/// The value, borrowed: locked for reading while this lives, so senders wait. Keep it short, and never across a
/// co_await.
///
/// Threading: ends on the thread that made it.
/// Lifetime: must not outlive the Sender or Receiver it came from.
template <typename T>
class [[nodiscard]] Ref {
 public:
  const T& operator*() const noexcept { return *value_; }
  const T* operator->() const noexcept { return value_; }
  /// True if the value had not been marked as seen when it was borrowed. Always false for a Sender's.
  [[nodiscard]] bool has_changed() const noexcept { return has_changed_; }

 private:
  friend class Sender<T>;
  friend class Receiver<T>;
  template <typename, typename>
  friend class WaitFor;
  Ref(const T& value, detail::SharedHold hold, bool has_changed) noexcept
      : value_(&value), hold_(std::move(hold)), has_changed_(has_changed) {}

  const T* value_;
  detail::SharedHold hold_;
  bool has_changed_;
};

namespace internal {

template <typename T>
struct Shared {
  explicit Shared(T initial) : value(std::move(initial)) {}
  detail::WatchCore core;
  detail::FutexSharedLock lock;
  T value;  // Guarded by the lock, as is the raising of the version.
};

}  // namespace internal

/// The awaitable of Receiver::changed().
///
/// Threading: confined to one task. Lifetime: must not outlive its Receiver. Cancellation: safe.
class [[nodiscard]] Changed : public detail::WatchChanged {
 public:
  using WatchChanged::WatchChanged;
  Expected<void, RecvError> take() noexcept {
    if (is_closed()) return RecvError();
    return {};
  }
};

template <typename T, typename F>
class WaitFor;

/// Threading: each copy is confined to one thread at a time.
/// Lifetime: needs no runtime.
template <typename T>
class Receiver {
 public:
  /// A copy has seen what this one has seen.
  Receiver(const Receiver& other) noexcept : shared_(other.shared_), version_(other.version_) {
    if (shared_) shared_->core.add_receiver();
  }
  Receiver(Receiver&& other) noexcept = default;
  Receiver& operator=(Receiver other) noexcept {
    std::swap(shared_, other.shared_);
    std::swap(version_, other.version_);
    return *this;
  }
  ~Receiver() {
    if (shared_) shared_->core.drop_receiver();
  }

  /// The latest value, without marking it as seen.
  Ref<T> borrow() const {
    detail::SharedHold hold(shared_->lock);
    const bool has_changed = shared_->core.version() != version_;
    return Ref<T>(shared_->value, std::move(hold), has_changed);
  }
  /// The latest value, which is seen then.
  Ref<T> borrow_and_update() {
    detail::SharedHold hold(shared_->lock);
    const std::size_t version = shared_->core.version();
    const bool has_changed = std::exchange(version_, version) != version;
    return Ref<T>(shared_->value, std::move(hold), has_changed);
  }

  /// Waits for a value that was not seen yet, and marks it as seen. At once if there is one, also after the senders are
  /// gone; otherwise RecvError then.
  ///
  /// Cancellation: safe; one that is dropped has marked nothing.
  [[nodiscard]] Changed changed() noexcept { return Changed(shared_->core, version_); }
  /// Whether there is a value that was not seen. RecvError as soon as all senders are gone.
  [[nodiscard]] Expected<bool, RecvError> has_changed() const noexcept {
    if (shared_->core.is_closed()) return RecvError();
    return shared_->core.version() != version_;
  }
  /// Waits until `predicate(value)` is true, looking at the present value first, and gives the value borrowed and
  /// marked as seen. RecvError if the senders are gone and the last value does not do. An exception of the predicate
  /// passes through.
  ///
  /// Cancellation: safe; values it has looked at are marked as seen.
  template <std::predicate<const T&> F>
  [[nodiscard]] WaitFor<T, F> wait_for(F predicate) {
    return WaitFor<T, F>(*this, std::move(predicate));
  }

  /// Makes the present value count as not seen, or as seen.
  void mark_changed() noexcept { version_ = detail::WatchCore::before(version_); }
  void mark_unchanged() noexcept { version_ = shared_->core.version(); }

  [[nodiscard]] bool same_channel(const Receiver& other) const noexcept { return shared_ == other.shared_; }

 private:
  friend class Sender<T>;
  template <typename, typename>
  friend class WaitFor;
  Receiver(std::shared_ptr<internal::Shared<T>> shared, std::size_t version) noexcept
      : shared_(std::move(shared)), version_(version) {}

  std::shared_ptr<internal::Shared<T>> shared_;
  std::size_t version_;
};

/// Threading: thread-safe, except for assignment and destruction.
/// Lifetime: the channel is closed when the last copy goes.
template <typename T>
class Sender {
 public:
  /// A channel without a receiver.
  explicit Sender(T initial) : shared_(std::make_shared<internal::Shared<T>>(std::move(initial))) {}
  [[nodiscard]] static Sender new_sender(T initial) { return Sender(std::move(initial)); }
  Sender(const Sender& other) noexcept : shared_(other.shared_) {
    if (shared_) shared_->core.add_sender();
  }
  Sender(Sender&& other) noexcept = default;
  Sender& operator=(Sender other) noexcept {
    std::swap(shared_, other.shared_);
    return *this;
  }
  ~Sender() {
    if (shared_) shared_->core.drop_sender();
  }

  /// Replaces the value and wakes the receivers. Without a receiver the value is given back and the old one stays.
  Expected<void, SendError<T>> send(T value) const {
    if (is_closed()) return Unexpected(SendError<T>{std::move(value)});
    static_cast<void>(send_replace(std::move(value)));
    return {};
  }
  /// Replaces the value, receivers or not, and gives the old one.
  T send_replace(T value) const {
    send_modify([&value](T& current) {
      using std::swap;
      swap(current, value);
    });
    return value;
  }
  /// Changes the value in place, receivers or not, and wakes them. If `modify` throws, the value stays as it left it
  /// and nobody is woken.
  template <std::invocable<T&> F>
  void send_modify(F&& modify) const {
    send_if_modified([&modify](T& value) {
      std::forward<F>(modify)(value);
      return true;
    });
  }
  /// The same, waking receivers only if `modify` returns true; gives what it returned.
  template <std::predicate<T&> F>
  bool send_if_modified(F&& modify) const {
    {
      const std::scoped_lock lock(shared_->lock);
      if (!std::forward<F>(modify)(shared_->value)) return false;
      shared_->core.raise_version();
    }
    shared_->core.wake_receivers();
    return true;
  }
  /// The latest value.
  Ref<T> borrow() const {
    detail::SharedHold hold(shared_->lock);
    return Ref<T>(shared_->value, std::move(hold), false);
  }

  /// A new receiver, to which the present value counts as seen.
  [[nodiscard]] Receiver<T> subscribe() const noexcept {
    shared_->core.add_receiver();
    return Receiver<T>(shared_, shared_->core.version());
  }
  /// Waits until there is no receiver.
  ///
  /// Cancellation: safe.
  [[nodiscard]] detail::WatchUnwatched closed() const noexcept { return detail::WatchUnwatched(shared_->core); }
  /// True while there is no receiver.
  [[nodiscard]] bool is_closed() const noexcept { return receiver_count() == 0; }
  [[nodiscard]] std::size_t receiver_count() const noexcept { return shared_->core.receiver_count(); }
  [[nodiscard]] std::size_t sender_count() const noexcept { return shared_->core.sender_count(); }
  [[nodiscard]] bool same_channel(const Sender& other) const noexcept { return shared_ == other.shared_; }

 private:
  std::shared_ptr<internal::Shared<T>> shared_;
};

/// A channel with its first sender and receiver. The initial value counts as seen.
template <typename T>
[[nodiscard]] std::pair<Sender<T>, Receiver<T>> channel(T initial) {
  Sender<T> sender(std::move(initial));
  Receiver<T> receiver = sender.subscribe();
  return {std::move(sender), std::move(receiver)};
}

/// The awaitable of Receiver::wait_for().
///
/// Threading: confined to one task. Lifetime: must not outlive its Receiver. Cancellation: see Receiver::wait_for().
template <typename T, typename F>
class [[nodiscard]] WaitFor {
 public:
  WaitFor(Receiver<T>& receiver, F predicate) noexcept(std::is_nothrow_move_constructible_v<F>)
      : receiver_(&receiver), predicate_(std::move(predicate)), changed_(receiver.changed()) {}

  /// Internal, for co_await.
  bool poll(PollContext& context) {
    if (!context.may_proceed()) return false;
    for (;;) {
      if (std::exchange(must_look_, false) && look()) break;
      if (!changed_.poll_without_budget(context)) return false;
      must_look_ = true;
    }
    context.spend();
    return true;
  }
  Expected<Ref<T>, RecvError> take() {
    if (!found_) return RecvError();
    return *std::move(found_);
  }

 private:
  // True when it is decided: the value does, or no other can come.
  bool look() {
    Ref<T> value = receiver_->borrow_and_update();
    if ((!changed_.is_closed() || value.has_changed()) && predicate_(*value)) {
      found_.emplace(std::move(value));
      return true;
    }
    return changed_.is_closed();
  }

  Receiver<T>* receiver_;
  F predicate_;
  Changed changed_;
  std::optional<Ref<T>> found_;
  bool must_look_ = true;
};

}  // namespace kaido::inline abi0::watch
#pragma GCC visibility pop
