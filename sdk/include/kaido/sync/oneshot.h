/// oneshot: a channel for one value.
///
///     auto [sender, receiver] = kaido::oneshot::channel<int>();
///     auto task = kaido::spawn(compute(std::move(sender)));       // ... sender.send(42) ...
///     kaido::Expected<int, kaido::oneshot::RecvError> result = co_await receiver;
///
/// One allocation and one atomic word for both ends.
#pragma once

#include <atomic>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <utility>

#include <kaido/detail/block_thread.h>
#include <kaido/detail/poll.h>
#include <kaido/detail/waker.h>
#include <kaido/expected.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::oneshot {

/// The sender was dropped, or the receiver closed, without a value.
struct RecvError {
  [[nodiscard]] const char* message() const noexcept { return "the sender is gone without having sent"; }
  bool operator==(const RecvError&) const noexcept = default;
};

enum class TryRecvError { kEmpty, kClosed };
[[nodiscard]] inline const char* message(TryRecvError error) noexcept {
  return error == TryRecvError::kEmpty ? "nothing was sent yet" : "the sender is gone, or the value was taken";
}

template <typename T>
class Sender;
template <typename T>
class Receiver;

}  // namespace kaido::inline abi0::oneshot
#pragma GCC visibility pop

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// The word both ends of a oneshot share, and their wakers. A waker's slot belongs to its end, except while its bit is
/// set: then the other end may wake through it, and the bit must be cleared before the slot is written.
class OneshotState {
 public:
  static constexpr std::uint32_t kComplete = 1;  ///< Sent, or the sender is gone. Who sets it has written the value.
  static constexpr std::uint32_t kClosed = 2;    ///< The receiver takes nothing any more.
  static constexpr std::uint32_t kReceiverWaits = 4;  ///< `receiver_` is set.
  static constexpr std::uint32_t kSenderWaits = 8;    ///< `sender_` is set.
  static constexpr std::uint32_t kOneEndGone = 16;

  OneshotState() noexcept = default;
  OneshotState(const OneshotState&) = delete;
  OneshotState& operator=(const OneshotState&) = delete;

  [[nodiscard]] std::uint32_t load() const noexcept { return word_.load(std::memory_order_acquire); }
  [[nodiscard]] bool is(std::uint32_t bit) const noexcept { return (load() & bit) != 0; }
  /// False, and nothing happens, if the receiver has closed. Wakes the receiver.
  bool complete() noexcept;
  void close() noexcept;
  /// True if complete or closed; else the receiver will be woken.
  bool poll_receiver(PollContext& context) noexcept {
    return poll_end(context, receiver_, kReceiverWaits, kComplete | kClosed);
  }
  /// True if closed; else the sender will be woken.
  bool poll_sender(PollContext& context) noexcept { return poll_end(context, sender_, kSenderWaits, kClosed); }
  /// True for the second end: the memory is to be freed.
  [[nodiscard]] bool leave() noexcept {
    return (word_.fetch_or(kOneEndGone, std::memory_order_acq_rel) & kOneEndGone) != 0;
  }

 private:
  bool poll_end(PollContext& context, Waker& slot, std::uint32_t waits, std::uint32_t ready) noexcept;

  std::atomic<std::uint32_t> word_ = 0;
  Waker receiver_;
  Waker sender_;
};

/// The allocation: state and value.
template <typename T>
class OneshotCell : public OneshotState {
 public:
  OneshotCell() noexcept {}
  ~OneshotCell() { discard(); }
  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* cell, std::size_t size) noexcept { free_frame(cell, size); }

  // The value is the sender's until complete() succeeded, then the receiver's.
  void put(T&& value) {
    new (&value_) T(std::move(value));
    has_value_ = true;
  }
  [[nodiscard]] bool has_value() const noexcept { return has_value_; }
  T take() {
    struct Discard {
      OneshotCell& cell;
      ~Discard() { cell.discard(); }
    } discard{*this};
    return std::move(value_);
  }
  void discard() noexcept {
    if (std::exchange(has_value_, false)) value_.~T();
  }
  static void release(OneshotCell* cell) noexcept {
    if (cell->leave()) delete cell;
  }

 private:
  bool has_value_ = false;
  union {
    T value_;
  };
};

/// The awaitable of oneshot::Sender::closed().
class [[nodiscard]] OneshotClosed {
 public:
  explicit OneshotClosed(OneshotState* state) noexcept : state_(state) {}
  bool poll(PollContext& context) {
    if (!context.may_proceed()) return false;
    if (state_ != nullptr && !state_->poll_sender(context)) return false;
    context.spend();
    return true;
  }
  void take() noexcept {}

 private:
  OneshotState* state_;
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop

#pragma GCC visibility push(default)
namespace kaido::inline abi0::oneshot {

/// Threading: one thread at a time; may move between threads.
/// Lifetime: dropping it without having sent gives the receiver RecvError.
template <typename T>
class Sender {
 public:
  Sender() noexcept = default;
  /// Internal.
  explicit Sender(detail::OneshotCell<T>* cell) noexcept : cell_(cell) {}
  Sender(Sender&& other) noexcept : cell_(std::exchange(other.cell_, nullptr)) {}
  Sender& operator=(Sender&& other) noexcept {
    Sender dropped(std::move(other));
    std::swap(cell_, dropped.cell_);
    return *this;
  }
  ~Sender() {
    if (cell_ == nullptr) return;
    cell_->complete();
    detail::OneshotCell<T>::release(cell_);
  }

  /// Sends the value and uses up this sender; never waits. Gives the value back if the receiver is gone or closed.
  /// Success does not mean that the receiver will look at it. Throws std::logic_error if this sender was used before.
  Expected<void, T> send(T value) {
    if (cell_ == nullptr) throw std::logic_error("kaido: oneshot::Sender used after it has sent");
    if (cell_->is(detail::OneshotState::kClosed)) {
      drop();
      return Unexpected<T>(std::move(value));
    }
    cell_->put(std::move(value));
    if (cell_->complete()) {
      drop();
      return {};
    }
    Expected<void, T> refused{Unexpected<T>(cell_->take())};
    drop();
    return refused;
  }

  /// Awaitable: ready when the receiver is gone or closed. Uses the task's budget. Cancellation: safe. Must not outlive
  /// this sender.
  detail::OneshotClosed closed() noexcept { return detail::OneshotClosed(cell_); }
  [[nodiscard]] bool is_closed() const noexcept { return cell_ == nullptr || cell_->is(detail::OneshotState::kClosed); }

 private:
  void drop() noexcept { detail::OneshotCell<T>::release(std::exchange(cell_, nullptr)); }

  detail::OneshotCell<T>* cell_ = nullptr;
};

/// Awaiting it gives Expected<T, RecvError>.
///
/// Threading: one thread at a time; may move between threads, not while it is being awaited.
/// Lifetime: dropping it closes the channel and destroys a value that was sent.
/// Cancellation: safe; an await that is dropped loses nothing, and the receiver can be awaited again.
/// Errors: awaiting it after it gave its result throws std::logic_error.
template <typename T>
class [[nodiscard]] Receiver {
 public:
  Receiver() noexcept = default;
  /// Internal.
  explicit Receiver(detail::OneshotCell<T>* cell) noexcept : cell_(cell) {}
  Receiver(Receiver&& other) noexcept : cell_(std::exchange(other.cell_, nullptr)) {}
  Receiver& operator=(Receiver&& other) noexcept {
    Receiver dropped(std::move(other));
    std::swap(cell_, dropped.cell_);
    return *this;
  }
  ~Receiver() {
    if (cell_ == nullptr) return;
    cell_->close();
    finish();
  }

  /// At once or not at all. kClosed also after the value was taken. Never uses budget.
  Expected<T, TryRecvError> try_recv() {
    if (cell_ == nullptr) return TryRecvError::kClosed;
    const std::uint32_t state = cell_->load();
    if ((state & (State::kComplete | State::kClosed)) == 0) return TryRecvError::kEmpty;
    // Closed before anything was sent: a sender may still be trying, but its value never gets here.
    if ((state & State::kComplete) == 0 || !cell_->has_value()) {
      finish();
      return TryRecvError::kClosed;
    }
    Expected<T, TryRecvError> result(cell_->take());
    finish();
    return result;
  }
  /// For plain threads: waits there. Throws std::logic_error on a thread that runs tasks.
  Expected<T, RecvError> blocking_recv() { return detail::block_on_awaitable(*this); }

  /// The sender can send no more; a value sent before can still be received.
  void close() noexcept {
    if (cell_ != nullptr) cell_->close();
  }
  /// True once the result (value or error) was seen; awaiting it then would throw.
  [[nodiscard]] bool is_terminated() const noexcept { return cell_ == nullptr; }
  /// True if there is no value to take (now).
  [[nodiscard]] bool is_empty() const noexcept {
    return cell_ == nullptr || !cell_->is(State::kComplete) || !cell_->has_value();
  }

  /// Internal, for co_await.
  bool poll(PollContext& context) {
    if (cell_ == nullptr) throw std::logic_error("kaido: oneshot::Receiver awaited after it gave its result");
    if (!context.may_proceed() || !cell_->poll_receiver(context)) return false;
    context.spend();
    return true;
  }
  Expected<T, RecvError> take() {
    auto value = try_recv();
    if (!value) return RecvError();
    return *std::move(value);
  }

 private:
  using State = detail::OneshotState;

  void finish() noexcept {
    detail::OneshotCell<T>* cell = std::exchange(cell_, nullptr);
    if (cell->is(State::kComplete)) cell->discard();
    detail::OneshotCell<T>::release(cell);
  }

  detail::OneshotCell<T>* cell_ = nullptr;
};

template <typename T>
[[nodiscard]] std::pair<Sender<T>, Receiver<T>> channel() {
  auto* cell = new detail::OneshotCell<T>();
  return {Sender<T>(cell), Receiver<T>(cell)};
}

}  // namespace kaido::inline abi0::oneshot
#pragma GCC visibility pop
