/// broadcast: a channel in which every receiver gets every value sent since it subscribed.
///
///     auto [sender, receiver] = kaido::broadcast::channel<Event>(16);
///     auto other = sender.subscribe();
///     sender.send(event);                                        // never waits
///     while (auto event = co_await receiver.recv()) handle(*event);
///
/// The channel keeps the last `capacity` values (rounded up to a power of two). A receiver that falls behind loses the
/// oldest ones, is told how many, and goes on with the oldest that is left.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <kaido/detail/block_thread.h>
#include <kaido/detail/broadcast_ring.h>
#include <kaido/expected.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::broadcast {

/// There is no receiver; holds the value that was not sent.
template <typename T>
struct SendError {
  T value;
  [[nodiscard]] std::string_view message() const noexcept { return "the broadcast channel has no receiver"; }
};

/// Why recv() gave no value: all senders are gone and everything was received, or values were lost (receive on).
class RecvError {
 public:
  [[nodiscard]] static RecvError closed() noexcept { return RecvError(0); }
  [[nodiscard]] static RecvError lagged(std::uint64_t missed) noexcept { return RecvError(missed); }
  [[nodiscard]] bool is_closed() const noexcept { return missed_ == 0; }
  [[nodiscard]] bool is_lagged() const noexcept { return missed_ != 0; }
  /// How many values were lost.
  [[nodiscard]] std::uint64_t missed() const noexcept { return missed_; }
  [[nodiscard]] std::string_view message() const noexcept {
    return is_closed() ? "all senders of the broadcast channel are gone" : "values of the broadcast channel were lost";
  }
  friend bool operator==(RecvError, RecvError) = default;

 private:
  explicit RecvError(std::uint64_t missed) noexcept : missed_(missed) {}
  std::uint64_t missed_;
};

/// The same for try_recv(), which may also find nothing yet.
class TryRecvError {
 public:
  [[nodiscard]] static TryRecvError empty() noexcept { return {true, 0}; }
  [[nodiscard]] static TryRecvError closed() noexcept { return {false, 0}; }
  [[nodiscard]] static TryRecvError lagged(std::uint64_t missed) noexcept { return {false, missed}; }
  [[nodiscard]] bool is_empty() const noexcept { return is_empty_; }
  [[nodiscard]] bool is_closed() const noexcept { return !is_empty_ && missed_ == 0; }
  [[nodiscard]] bool is_lagged() const noexcept { return missed_ != 0; }
  /// How many values were lost.
  [[nodiscard]] std::uint64_t missed() const noexcept { return missed_; }
  [[nodiscard]] std::string_view message() const noexcept {
    return is_empty_ ? "the broadcast channel is empty"
                     : (missed_ != 0 ? RecvError::lagged(missed_) : RecvError::closed()).message();
  }
  friend bool operator==(TryRecvError, TryRecvError) = default;

 private:
  TryRecvError(bool is_empty, std::uint64_t missed) noexcept : is_empty_(is_empty), missed_(missed) {}
  bool is_empty_;
  std::uint64_t missed_;
};

template <typename T>
class Sender;
template <typename T>
class WeakSender;

/// The awaitable of Receiver::recv().
template <typename T>
class Recv;

/// Threading: one thread at a time.
/// Lifetime: needs no runtime.
template <typename T>
class Receiver {
 public:
  Receiver(Receiver&& other) noexcept = default;
  Receiver& operator=(Receiver&& other) noexcept {
    Receiver dropped(std::move(other));
    std::swap(ring_, dropped.ring_);
    std::swap(next_, dropped.next_);
    return *this;
  }
  ~Receiver() {
    if (ring_) ring_->drop_receiver(next_);
  }

  /// Waits for the next value; RecvError if values were lost, or if all senders are gone and everything was received.
  /// Each receiver gets a copy, the last one the value itself. An exception of T's copy passes through, and the value
  /// counts as received.
  ///
  /// Cancellation: safe; one that is dropped has received nothing.
  [[nodiscard]] Recv<T> recv() noexcept { return Recv<T>(*this); }
  /// The next value if there is one.
  Expected<T, TryRecvError> try_recv() {
    std::optional<T> value;
    const detail::BroadcastStep step = ring_->receive(next_, value, nullptr, nullptr);
    if (value) return *std::move(value);
    if (step.missed != 0) return TryRecvError::lagged(step.missed);
    return step.is_closed ? TryRecvError::closed() : TryRecvError::empty();
  }
  /// recv() on a plain thread. Throws std::logic_error on a thread that runs tasks.
  Expected<T, RecvError> blocking_recv() { return detail::block_on_awaitable(recv()); }

  /// A receiver of what is sent from now on.
  [[nodiscard]] Receiver resubscribe() const { return Receiver(ring_); }

  /// How many values were sent that this receiver did not get yet, lost ones included until it was told.
  [[nodiscard]] std::size_t len() const noexcept { return static_cast<std::size_t>(ring_->tail_position() - next_); }
  [[nodiscard]] bool is_empty() const noexcept { return len() == 0; }
  /// True when all senders are gone; values may still be left.
  [[nodiscard]] bool is_closed() const noexcept { return ring_->sender_count() == 0; }
  [[nodiscard]] std::size_t sender_strong_count() const noexcept { return ring_->sender_count(); }
  [[nodiscard]] std::size_t sender_weak_count() const noexcept { return ring_->weak_sender_count(); }
  [[nodiscard]] bool same_channel(const Receiver& other) const noexcept { return ring_ == other.ring_; }

 private:
  friend class Sender<T>;
  friend class Recv<T>;
  explicit Receiver(std::shared_ptr<detail::BroadcastRing<T>> ring)
      : ring_(std::move(ring)), next_(ring_->add_receiver()) {}

  std::shared_ptr<detail::BroadcastRing<T>> ring_;
  std::uint64_t next_;
};

/// Threading: thread-safe, except for assignment and destruction.
/// Lifetime: the channel is closed when the last copy goes; WeakSenders do not count.
template <typename T>
class Sender {
 public:
  /// A channel without a receiver. Throws std::logic_error if the capacity is 0 or over half of SIZE_MAX.
  [[nodiscard]] static Sender new_sender(std::size_t capacity) {
    return Sender(std::make_shared<detail::BroadcastRing<T>>(capacity));
  }
  Sender(const Sender& other) noexcept : ring_(other.ring_) {
    if (ring_) ring_->add_sender();
  }
  Sender(Sender&& other) noexcept = default;
  Sender& operator=(Sender other) noexcept {
    std::swap(ring_, other.ring_);
    return *this;
  }
  ~Sender() {
    if (ring_) ring_->drop_sender();
  }

  /// Sends to all receivers of this moment and gives their number; without any, the value is given back. Never waits:
  /// the oldest value goes if the ring is full.
  Expected<std::size_t, SendError<T>> send(T value) const {
    detail::Element<T> element(std::move(value));
    const std::size_t receivers = ring_->send(element);
    if (receivers == 0) return Unexpected(SendError<T>{std::move(detail::element_value<T>(element))});
    return receivers;
  }

  /// A receiver of what is sent from now on.
  [[nodiscard]] Receiver<T> subscribe() const { return Receiver<T>(ring_); }
  [[nodiscard]] WeakSender<T> downgrade() const noexcept { return WeakSender<T>(ring_); }
  /// Waits until there is no receiver.
  ///
  /// Cancellation: safe.
  [[nodiscard]] detail::BroadcastUnheard closed() const noexcept { return detail::BroadcastUnheard(*ring_); }

  /// How many values some receiver has still to get.
  [[nodiscard]] std::size_t len() const noexcept { return ring_->len(); }
  [[nodiscard]] bool is_empty() const noexcept { return len() == 0; }
  [[nodiscard]] std::size_t receiver_count() const noexcept { return ring_->receiver_count(); }
  [[nodiscard]] std::size_t strong_count() const noexcept { return ring_->sender_count(); }
  [[nodiscard]] std::size_t weak_count() const noexcept { return ring_->weak_sender_count(); }
  [[nodiscard]] bool same_channel(const Sender& other) const noexcept { return ring_ == other.ring_; }

 private:
  friend class WeakSender<T>;
  explicit Sender(std::shared_ptr<detail::BroadcastRing<T>> ring) noexcept : ring_(std::move(ring)) {}

  std::shared_ptr<detail::BroadcastRing<T>> ring_;
};

/// A sender that does not keep the channel open.
///
/// Threading: thread-safe, except for assignment and destruction.
template <typename T>
class WeakSender {
 public:
  WeakSender(const WeakSender& other) noexcept : WeakSender(other.ring_) {}
  WeakSender(WeakSender&& other) noexcept = default;
  WeakSender& operator=(WeakSender other) noexcept {
    std::swap(ring_, other.ring_);
    return *this;
  }
  ~WeakSender() {
    if (ring_) ring_->drop_weak_sender();
  }

  /// A sender, as long as there is one.
  [[nodiscard]] std::optional<Sender<T>> upgrade() const noexcept {
    if (!ring_->add_sender_if_open()) return std::nullopt;
    return Sender<T>(ring_);
  }
  [[nodiscard]] std::size_t strong_count() const noexcept { return ring_->sender_count(); }
  [[nodiscard]] std::size_t weak_count() const noexcept { return ring_->weak_sender_count(); }

 private:
  friend class Sender<T>;
  explicit WeakSender(std::shared_ptr<detail::BroadcastRing<T>> ring) noexcept : ring_(std::move(ring)) {
    if (ring_) ring_->add_weak_sender();
  }

  std::shared_ptr<detail::BroadcastRing<T>> ring_;
};

/// A channel with its first sender and receiver. Throws std::logic_error if the capacity is 0 or over half of SIZE_MAX.
template <typename T>
[[nodiscard]] std::pair<Sender<T>, Receiver<T>> channel(std::size_t capacity) {
  Sender<T> sender = Sender<T>::new_sender(capacity);
  Receiver<T> receiver = sender.subscribe();
  return {std::move(sender), std::move(receiver)};
}

/// Threading: confined to one task.
/// Lifetime: must not outlive its Receiver; stays in place once it was awaited.
/// Cancellation: see Receiver::recv().
template <typename T>
class [[nodiscard]] Recv {
 public:
  explicit Recv(Receiver<T>& receiver) noexcept : receiver_(&receiver) {}
  /// Only before it is first awaited.
  Recv(Recv&& other) noexcept : receiver_(other.receiver_) {}
  Recv& operator=(Recv&&) = delete;
  ~Recv() { receiver_->ring_->leave(node_); }

  /// Internal, for co_await.
  bool poll(PollContext& context) {
    if (!context.may_proceed()) return false;
    step_ = receiver_->ring_->receive(receiver_->next_, value_, &node_, &context);
    if (step_.is_empty) return false;
    context.spend();
    return true;
  }
  Expected<T, RecvError> take() {
    if (value_) return *std::move(value_);
    return step_.is_closed ? RecvError::closed() : RecvError::lagged(step_.missed);
  }

 private:
  Receiver<T>* receiver_;
  detail::QueuedNode node_;
  detail::BroadcastStep step_;
  std::optional<T> value_;
};

}  // namespace kaido::inline abi0::broadcast
#pragma GCC visibility pop
