/// The awaitables of mpsc channels, and what their ends hold of a channel.
///
/// Each refers to the channel through the sender or receiver that made it, which must outlive it.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include <kaido/detail/mpsc_channel.h>
#include <kaido/expected.h>
#include <kaido/sync/mpsc_error.h>
#include <kaido/time.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// A sender's share in a channel. Copying it makes another sender.
template <typename T>
class MpscStrong {
 public:
  MpscStrong() noexcept = default;
  /// Takes over a sender that is counted already.
  explicit MpscStrong(MpscChannel<T>* channel) noexcept : channel_(channel) {}
  MpscStrong(const MpscStrong& other) noexcept : channel_(other.channel_) {
    if (channel_ != nullptr) channel_->add_sender();
  }
  MpscStrong(MpscStrong&& other) noexcept : channel_(std::exchange(other.channel_, nullptr)) {}
  MpscStrong& operator=(MpscStrong other) noexcept {
    std::swap(channel_, other.channel_);
    return *this;
  }
  ~MpscStrong() {
    if (channel_ != nullptr && channel_->drop_sender()) delete channel_;
  }
  [[nodiscard]] MpscChannel<T>* get() const noexcept { return channel_; }
  MpscChannel<T>* operator->() const noexcept { return channel_; }
  MpscChannel<T>& operator*() const noexcept { return *channel_; }

 private:
  MpscChannel<T>* channel_ = nullptr;
};

/// A weak sender's share.
template <typename T>
class MpscWeak {
 public:
  MpscWeak() noexcept = default;
  explicit MpscWeak(MpscChannel<T>* channel) noexcept : channel_(channel) { channel_->add_weak(); }
  MpscWeak(const MpscWeak& other) noexcept : channel_(other.channel_) {
    if (channel_ != nullptr) channel_->add_weak();
  }
  MpscWeak(MpscWeak&& other) noexcept : channel_(std::exchange(other.channel_, nullptr)) {}
  MpscWeak& operator=(MpscWeak other) noexcept {
    std::swap(channel_, other.channel_);
    return *this;
  }
  ~MpscWeak() {
    if (channel_ != nullptr && channel_->drop_weak()) delete channel_;
  }
  [[nodiscard]] std::optional<MpscStrong<T>> upgrade() const noexcept {
    if (channel_ == nullptr || !channel_->upgrade()) return std::nullopt;
    return MpscStrong<T>(channel_);
  }
  MpscChannel<T>* operator->() const noexcept { return channel_; }

 private:
  MpscChannel<T>* channel_ = nullptr;
};

/// send(): waits for a permit if there is none, then queues the value.
template <typename T>
class [[nodiscard]] MpscSend {
 public:
  MpscSend(MpscChannel<T>& channel, T value) : channel_(channel), value_(std::move(value)), wait_(channel, 1) {}

  bool poll(PollContext& context) {
    if (!context.may_proceed()) return false;
    if (wait_.is_idle()) {
      const auto sent = channel_.try_send(value_);
      if (sent != MpscChannel<T>::Sent::kFull) return finish(context, sent == MpscChannel<T>::Sent::kYes);
    }
    if (!wait_.poll_without_budget(context)) return false;
    const bool granted = wait_.finish();
    if (granted) {
      PermitHold hold(channel_, 1);  // Goes back if there is no memory for the value's place.
      channel_.push(value_);
      hold.forget();
    }
    return finish(context, granted);
  }
  Expected<void, mpsc::SendError<T>> take() {
    if (is_sent_) return {};
    return mpsc::SendError<T>(std::move(value()));
  }
  /// Leaves the queue; the value stays.
  void cancel() noexcept { wait_.cancel(); }
  [[nodiscard]] bool is_sent() const noexcept { return is_sent_; }
  [[nodiscard]] T& value() noexcept { return element_value<T>(value_); }

 private:
  bool finish(const PollContext& context, bool sent) noexcept {
    is_sent_ = sent;
    context.spend();
    return true;
  }

  MpscChannel<T>& channel_;
  Element<T> value_;
  PermitWait wait_;
  bool is_sent_ = false;
};

/// send_timeout().
template <typename T>
class [[nodiscard]] MpscSendTimeout {
 public:
  MpscSendTimeout(Instant deadline, MpscChannel<T>& channel, T value)
      : sleep_(deadline), send_(channel, std::move(value)) {}

  bool poll(PollContext& context) {
    if (send_.poll(context)) return true;
    is_late_ = context.budget().exhausted() ? sleep_.poll_without_budget(context) : sleep_.poll(context);
    if (is_late_) send_.cancel();
    return is_late_;
  }
  Expected<void, mpsc::SendTimeoutError<T>> take() {
    using Error = mpsc::SendTimeoutError<T>;
    if (send_.is_sent()) return {};
    return Error(is_late_ ? Error::kTimedOut : Error::kClosed, std::move(send_.value()));
  }

 private:
  Sleep sleep_;
  MpscSend<T> send_;
  bool is_late_ = false;
};

/// reserve() and its relatives: waits for `count` permits, and makes of them what `Make` says, given whether they were
/// granted.
template <typename Make>
class [[nodiscard]] MpscReserve {
 public:
  MpscReserve(MpscCore& channel, std::size_t count, Make make)
      : make_(std::move(make)), wait_(channel, count), is_possible_(count <= channel.max_capacity()) {}

  bool poll(PollContext& context) { return !is_possible_ || wait_.poll(context); }
  auto take() { return make_(is_possible_ && wait_.finish()); }

 private:
  Make make_;  // First: it may own what `wait_` refers to.
  PermitWait wait_;
  bool is_possible_;
};

/// recv().
template <typename T>
class [[nodiscard]] MpscReceive {
 public:
  explicit MpscReceive(MpscChannel<T>& channel) noexcept : channel_(channel) {}

  bool poll(PollContext& context) {
    if (!context.may_proceed()) return false;
    if (channel_.try_receive(value_, &context) == MpscChannel<T>::Received::kNone) return false;
    context.spend();
    return true;
  }
  std::optional<T> take() {
    if (!value_) return std::nullopt;
    return std::move(element_value<T>(*value_));
  }

 private:
  MpscChannel<T>& channel_;
  std::optional<Element<T>> value_;
};

/// recv_many().
template <typename T>
class [[nodiscard]] MpscReceiveMany {
 public:
  MpscReceiveMany(MpscChannel<T>& channel, std::vector<T>& buffer, std::size_t limit) noexcept
      : channel_(channel), buffer_(buffer), limit_(limit) {}

  bool poll(PollContext& context) {
    using Received = typename MpscChannel<T>::Received;
    if (limit_ == 0) return true;
    if (!context.may_proceed()) return false;
    make_room();
    std::optional<Element<T>> value;
    const Received first = channel_.try_receive(value, &context);
    if (first == Received::kNone) return false;
    if (first == Received::kValue) append(*value);
    while (value && count_ < limit_) {
      value.reset();
      make_room();
      if (channel_.try_receive(value, nullptr) == Received::kValue) append(*value);
    }
    context.spend();
    return true;
  }
  std::size_t take() noexcept { return count_; }

 private:
  /// Before a value is taken from the channel: if there is no memory, it stays there.
  void make_room() {
    const std::size_t size = buffer_.size();
    if (size == buffer_.capacity()) buffer_.reserve(size < kLeastRoom ? kLeastRoom : 2 * size);
  }
  void append(Element<T>& value) {
    buffer_.push_back(std::move(element_value<T>(value)));
    ++count_;
  }

  static constexpr std::size_t kLeastRoom = 4;

  MpscChannel<T>& channel_;
  std::vector<T>& buffer_;
  std::size_t limit_;
  std::size_t count_ = 0;
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
