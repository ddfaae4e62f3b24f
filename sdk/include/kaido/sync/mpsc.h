/// mpsc: a channel from many senders to one receiver, bounded or not.
///
///     auto [sender, receiver] = kaido::mpsc::channel<int>(16);
///     auto task = kaido::spawn(produce(sender));                  // A copy of a sender is another sender.
///     { auto last = std::move(sender); }
///     while (std::optional<int> value = co_await receiver.recv()) use(*value);
///
/// The channel ends when every sender is gone, or the receiver closes it; what is queued can still be received.
/// Capacity is handed out strictly in the order of asking: try_send never overtakes a send that waits.
///
/// Awaitables of an end must not outlive it.
#pragma once

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include <kaido/detail/block_thread.h>
#include <kaido/detail/chrono.h>
#include <kaido/detail/mpsc_channel.h>
#include <kaido/detail/mpsc_operation.h>
#include <kaido/detail/temporary.h>
#include <kaido/expected.h>
#include <kaido/sync/mpsc_error.h>
#include <kaido/sync/mpsc_permit.h>
#include <kaido/time.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::mpsc {

template <typename T>
class OwnedPermit;
template <typename T>
class WeakSender;
template <typename T>
class WeakUnboundedSender;

/// What senders of both kinds can say of their channel.
template <typename T>
class SenderBase {
 public:
  /// Awaitable: ready when the receiver closed the channel or is gone. Cancellation: safe.
  detail::MpscClosed closed() const noexcept { return detail::MpscClosed(*channel_); }
  [[nodiscard]] bool is_closed() const noexcept { return channel_->is_closed(); }
  [[nodiscard]] bool same_channel(const SenderBase& other) const noexcept {
    return channel_.get() == other.channel_.get();
  }
  [[nodiscard]] std::size_t strong_count() const noexcept { return channel_->strong_count(); }
  [[nodiscard]] std::size_t weak_count() const noexcept { return channel_->weak_count(); }

 protected:
  SenderBase() noexcept = default;
  explicit SenderBase(detail::MpscStrong<T> channel) noexcept : channel_(std::move(channel)) {}
  detail::MpscStrong<T> channel_;
};

/// The sending end of a bounded channel.
///
/// Threading: thread-safe, except for assignment and move; copies are independent.
/// Lifetime: a moved-from sender can only be assigned to or dropped.
template <typename T>
class Sender : public SenderBase<T> {
 public:
  Sender() noexcept = default;
  /// Internal.
  explicit Sender(detail::MpscStrong<T> channel) noexcept : SenderBase<T>(std::move(channel)) {}

  [[nodiscard]] Sender clone() const noexcept { return *this; }
  [[nodiscard]] WeakSender<T> downgrade() const noexcept;

  /// Awaitable: Expected<void, SendError<T>>. Waits its turn for capacity. Uses the task's budget.
  /// Cancellation: the value is destroyed with the awaitable, nothing was sent, and the place in the queue is lost; to
  /// keep the value, reserve() first.
  template <typename U = T>
    requires std::is_convertible_v<U&&, T>
  detail::MpscSend<T> send(U&& value) const {
    static_assert(detail::check_temporaries<U>());
    return detail::MpscSend<T>(channel(), std::forward<U>(value));
  }
  /// At once or not at all.
  Expected<void, TrySendError<T>> try_send(T value) const {
    using Sent = typename detail::MpscChannel<T>::Sent;
    using Error = TrySendError<T>;
    detail::Element<T> element(std::move(value));
    const Sent sent = channel().try_send(element);
    if (sent == Sent::kYes) return {};
    return Error(sent == Sent::kFull ? Error::kFull : Error::kClosed, std::move(detail::element_value<T>(element)));
  }
  /// Awaitable: Expected<void, SendTimeoutError<T>>. As send(), for at most `duration` from now. Throws
  /// std::logic_error outside a runtime with timers.
  template <typename Rep, typename Period, typename U = T>
    requires std::is_convertible_v<U&&, T>
  detail::MpscSendTimeout<T> send_timeout(U&& value, std::chrono::duration<Rep, Period> duration) const {
    static_assert(detail::check_temporaries<U>());
    return {detail::deadline_after(detail::saturate(duration)), channel(), std::forward<U>(value)};
  }
  /// For plain threads: waits there. Throws std::logic_error on a thread that runs tasks.
  Expected<void, SendError<T>> blocking_send(T value) const {
    return detail::block_on_awaitable(detail::MpscSend<T>(channel(), std::move(value)));
  }

  /// Awaitable: Expected<Permit<T>, SendError<void>>. Waits its turn for capacity for one value, which is then sent
  /// without waiting. Uses the task's budget. Cancellation: safe but for the place in the queue.
  auto reserve() const noexcept {
    return make_reserve(1, [channel = &channel()](bool granted) -> Expected<Permit<T>, SendError<void>> {
      if (!granted) return SendError<void>();
      return Permit<T>(*channel);
    });
  }
  /// The same for `count` values: Expected<PermitIterator<T>, SendError<void>>. Fails at once if the channel can never
  /// hold as many.
  auto reserve_many(std::size_t count) const noexcept {
    return make_reserve(count,
                        [channel = &channel(), count](bool granted) -> Expected<PermitIterator<T>, SendError<void>> {
                          if (!granted) return SendError<void>();
                          return PermitIterator<T>(*channel, count);
                        });
  }
  /// The same for one value, by a permit that owns this sender: Expected<OwnedPermit<T>, SendError<void>>. If it fails
  /// or is cancelled the sender is gone.
  auto reserve_owned() &&;

  /// At once or not at all.
  Expected<Permit<T>, TrySendError<void>> try_reserve() const noexcept {
    if (const auto failure = try_take(1)) return TrySendError<void>(*failure);
    return Permit<T>(channel());
  }
  Expected<PermitIterator<T>, TrySendError<void>> try_reserve_many(std::size_t count) const noexcept {
    if (const auto failure = try_take(count)) return TrySendError<void>(*failure);
    return PermitIterator<T>(channel(), count);
  }
  /// Gives the sender back if it fails.
  Expected<OwnedPermit<T>, TrySendError<Sender>> try_reserve_owned() &&;

  /// How many values could be sent now; what waits in the queue counts as taken.
  [[nodiscard]] std::size_t capacity() const noexcept { return channel().available(); }
  [[nodiscard]] std::size_t max_capacity() const noexcept { return channel().max_capacity(); }

 private:
  template <typename U>
  friend class WeakSender;

  [[nodiscard]] detail::MpscChannel<T>& channel() const noexcept { return *this->channel_; }
  template <typename Make>
  detail::MpscReserve<Make> make_reserve(std::size_t count, Make make) const noexcept {
    return detail::MpscReserve<Make>(channel(), count, std::move(make));
  }
  [[nodiscard]] std::optional<TrySendError<void>::Kind> try_take(std::size_t count) const noexcept {
    using Taken = detail::BatchSemaphore::Taken;
    const Taken taken = channel().try_take(count);
    if (taken == Taken::kYes) return std::nullopt;
    return taken == Taken::kClosed ? TrySendError<void>::kClosed : TrySendError<void>::kFull;
  }
};

/// One place in the channel, and the sender that reserved it; counts as a sender.
///
/// Threading: one thread at a time; may move between threads.
template <typename T>
class [[nodiscard]] OwnedPermit {
 public:
  /// Internal: the place is taken already.
  explicit OwnedPermit(Sender<T> sender, detail::MpscChannel<T>& channel) noexcept
      : sender_(std::move(sender)), permit_(channel) {}
  OwnedPermit(OwnedPermit&&) noexcept = default;
  OwnedPermit& operator=(OwnedPermit&& other) noexcept {
    permit_ = std::move(other.permit_);  // In this order: the place returns while its sender is there.
    sender_ = std::move(other.sender_);
    return *this;
  }
  ~OwnedPermit() = default;

  /// Sends, never waits, and gives the sender back.
  Sender<T> send(T value) && {
    permit_.send(std::move(value));
    return std::move(sender_);
  }
  /// Gives the place and the sender back.
  Sender<T> release() && {
    {
      const Permit<T> dropped = std::move(permit_);
    }
    return std::move(sender_);
  }
  [[nodiscard]] bool same_channel(const OwnedPermit& other) const noexcept {
    return sender_.same_channel(other.sender_);
  }
  [[nodiscard]] bool same_channel_as_sender(const Sender<T>& sender) const noexcept {
    return sender_.same_channel(sender);
  }

 private:
  Sender<T> sender_;  // First: outlives the permit.
  Permit<T> permit_;
};

template <typename T>
auto Sender<T>::reserve_owned() && {
  detail::MpscChannel<T>& shared = channel();
  auto make = [sender = std::move(*this)](bool granted) mutable -> Expected<OwnedPermit<T>, SendError<void>> {
    if (!granted) {
      const Sender dropped = std::move(sender);
      return SendError<void>();
    }
    detail::MpscChannel<T>& reserved = sender.channel();
    return OwnedPermit<T>(std::move(sender), reserved);
  };
  return detail::MpscReserve<decltype(make)>(shared, 1, std::move(make));
}

template <typename T>
Expected<OwnedPermit<T>, TrySendError<Sender<T>>> Sender<T>::try_reserve_owned() && {
  using Error = TrySendError<Sender>;
  if (const auto failure = try_take(1)) {
    const auto kind = *failure == TrySendError<void>::kClosed ? Error::kClosed : Error::kFull;
    return Error(kind, std::move(*this));
  }
  detail::MpscChannel<T>& shared = channel();
  return OwnedPermit<T>(std::move(*this), shared);
}

/// Does not keep the channel open.
///
/// Threading: thread-safe, except for assignment and move.
template <typename T>
class WeakSender {
 public:
  WeakSender() noexcept = default;
  /// Internal.
  explicit WeakSender(detail::MpscWeak<T> channel) noexcept : channel_(std::move(channel)) {}

  [[nodiscard]] WeakSender clone() const noexcept { return *this; }
  /// A sender, if there is still one (an OwnedPermit counts).
  [[nodiscard]] std::optional<Sender<T>> upgrade() const noexcept {
    if (auto strong = channel_.upgrade()) return Sender<T>(std::move(*strong));
    return std::nullopt;
  }
  [[nodiscard]] std::size_t strong_count() const noexcept { return channel_->strong_count(); }
  [[nodiscard]] std::size_t weak_count() const noexcept { return channel_->weak_count(); }

 private:
  detail::MpscWeak<T> channel_;
};

template <typename T>
WeakSender<T> Sender<T>::downgrade() const noexcept {
  return WeakSender<T>(detail::MpscWeak<T>(&channel()));
}

/// The sending end of an unbounded channel. Nothing slows down who sends faster than is received: memory grows.
///
/// Threading, Lifetime: as Sender.
template <typename T>
class UnboundedSender : public SenderBase<T> {
 public:
  UnboundedSender() noexcept = default;
  /// Internal.
  explicit UnboundedSender(detail::MpscStrong<T> channel) noexcept : SenderBase<T>(std::move(channel)) {}

  [[nodiscard]] UnboundedSender clone() const noexcept { return *this; }
  [[nodiscard]] WeakUnboundedSender<T> downgrade() const noexcept;

  /// Never waits. Gives the value back if the channel is closed.
  Expected<void, SendError<T>> send(T value) const {
    detail::Element<T> element(std::move(value));
    if (this->channel_->try_send(element) == detail::MpscChannel<T>::Sent::kYes) return {};
    return SendError<T>(std::move(detail::element_value<T>(element)));
  }
};

/// Does not keep the channel open. Threading: as WeakSender.
template <typename T>
class WeakUnboundedSender {
 public:
  WeakUnboundedSender() noexcept = default;
  /// Internal.
  explicit WeakUnboundedSender(detail::MpscWeak<T> channel) noexcept : channel_(std::move(channel)) {}

  [[nodiscard]] WeakUnboundedSender clone() const noexcept { return *this; }
  [[nodiscard]] std::optional<UnboundedSender<T>> upgrade() const noexcept {
    if (auto strong = channel_.upgrade()) return UnboundedSender<T>(std::move(*strong));
    return std::nullopt;
  }
  [[nodiscard]] std::size_t strong_count() const noexcept { return channel_->strong_count(); }
  [[nodiscard]] std::size_t weak_count() const noexcept { return channel_->weak_count(); }

 private:
  detail::MpscWeak<T> channel_;
};

template <typename T>
WeakUnboundedSender<T> UnboundedSender<T>::downgrade() const noexcept {
  return WeakUnboundedSender<T>(detail::MpscWeak<T>(this->channel_.get()));
}

/// The receiving end, of both kinds.
///
/// Threading: one thread at a time; may move between threads, not while it is awaited.
/// Lifetime: dropping it closes the channel and destroys what is queued at once.
template <typename T>
class ReceiverBase {
 public:
  ReceiverBase(ReceiverBase&& other) noexcept : channel_(std::exchange(other.channel_, nullptr)) {}
  ReceiverBase& operator=(ReceiverBase&& other) noexcept {
    ReceiverBase dropped(std::move(other));
    std::swap(channel_, dropped.channel_);
    return *this;
  }

  /// Awaitable: std::optional<T>. None when the channel has ended: closed or without senders, empty, and no permit out.
  /// Uses the task's budget. Cancellation: safe; a recv() that is dropped loses nothing.
  detail::MpscReceive<T> recv() noexcept { return detail::MpscReceive<T>(*channel_); }
  /// Awaitable: std::size_t. Waits for one value, then appends it and what else is there, at most `limit`, to `buffer`,
  /// which outlives the awaitable. 0: the channel has ended, or `limit` is 0. Cancellation: safe, as recv().
  detail::MpscReceiveMany<T> recv_many(std::vector<T>& buffer, std::size_t limit) noexcept {
    return detail::MpscReceiveMany<T>(*channel_, buffer, limit);
  }
  /// At once or not at all. kEmpty also while a permit is out on a closed channel.
  Expected<T, TryRecvError> try_recv() {
    using Received = typename detail::MpscChannel<T>::Received;
    std::optional<detail::Element<T>> value;
    const Received received = channel_->try_receive(value, nullptr);
    if (received == Received::kValue) return std::move(detail::element_value<T>(*value));
    return received == Received::kNone ? TryRecvError::kEmpty : TryRecvError::kDisconnected;
  }
  /// For plain threads: wait there. Throw std::logic_error on a thread that runs tasks.
  std::optional<T> blocking_recv() { return detail::block_on_awaitable(recv()); }
  std::size_t blocking_recv_many(std::vector<T>& buffer, std::size_t limit) {
    return detail::block_on_awaitable(recv_many(buffer, limit));
  }

  /// No more is accepted, except under permits that are out; what is queued can still be received.
  void close() noexcept { channel_->close_receiver(); }
  /// True after close() and when no sender is left; there may still be something to receive.
  [[nodiscard]] bool is_closed() const noexcept { return channel_->is_ending(); }
  [[nodiscard]] bool is_empty() const noexcept { return len() == 0; }
  [[nodiscard]] std::size_t len() const noexcept { return channel_->size(); }
  [[nodiscard]] std::size_t sender_strong_count() const noexcept { return channel_->strong_count(); }
  [[nodiscard]] std::size_t sender_weak_count() const noexcept { return channel_->weak_count(); }

 protected:
  explicit ReceiverBase(detail::MpscChannel<T>* channel) noexcept : channel_(channel) {}
  ~ReceiverBase() {
    if (channel_ != nullptr && channel_->drop_receiver()) delete channel_;
  }
  detail::MpscChannel<T>* channel_;
};

/// The receiving end of a bounded channel.
template <typename T>
class Receiver : public ReceiverBase<T> {
 public:
  /// Internal.
  explicit Receiver(detail::MpscChannel<T>* channel) noexcept : ReceiverBase<T>(channel) {}
  /// As those of the sender.
  [[nodiscard]] std::size_t capacity() const noexcept { return this->channel_->available(); }
  [[nodiscard]] std::size_t max_capacity() const noexcept { return this->channel_->max_capacity(); }
};

/// The receiving end of an unbounded channel.
template <typename T>
class UnboundedReceiver : public ReceiverBase<T> {
 public:
  /// Internal.
  explicit UnboundedReceiver(detail::MpscChannel<T>* channel) noexcept : ReceiverBase<T>(channel) {}
};

/// A channel for `capacity` values, reserved places included. Memory is taken as values come. Throws std::logic_error
/// for 0 and beyond Semaphore::kMaxPermits.
template <typename T>
[[nodiscard]] std::pair<Sender<T>, Receiver<T>> channel(std::size_t capacity) {
  if (capacity == 0) throw std::logic_error("kaido: mpsc::channel needs a capacity of at least 1");
  auto* shared = new detail::MpscChannel<T>(capacity);
  return {Sender<T>(detail::MpscStrong<T>(shared)), Receiver<T>(shared)};
}

template <typename T>
[[nodiscard]] std::pair<UnboundedSender<T>, UnboundedReceiver<T>> unbounded_channel() {
  auto* shared = new detail::MpscChannel<T>(detail::MpscCore::kUnbounded);
  return {UnboundedSender<T>(detail::MpscStrong<T>(shared)), UnboundedReceiver<T>(shared)};
}

}  // namespace kaido::inline abi0::mpsc
#pragma GCC visibility pop
