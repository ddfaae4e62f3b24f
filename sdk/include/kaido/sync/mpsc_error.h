/// How operations on an mpsc channel fail.
#pragma once

#include <utility>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::mpsc {

/// The channel is closed, or its receiver gone. Gives the value back.
template <typename T>
class SendError {
 public:
  explicit SendError(T unsent) : value(std::move(unsent)) {}
  [[nodiscard]] const char* message() const noexcept { return "the channel is closed"; }

  T value;
};

/// Of operations without a value: reserve.
template <>
class SendError<void> {
 public:
  [[nodiscard]] const char* message() const noexcept { return "the channel is closed"; }
};

/// Of try_send. Gives the value back.
template <typename T>
class TrySendError {
 public:
  enum class Kind { kFull, kClosed };
  static constexpr Kind kFull = Kind::kFull;
  static constexpr Kind kClosed = Kind::kClosed;

  TrySendError(Kind reason, T unsent) : kind(reason), value(std::move(unsent)) {}
  [[nodiscard]] bool is_full() const noexcept { return kind == kFull; }
  [[nodiscard]] bool is_closed() const noexcept { return kind == kClosed; }
  [[nodiscard]] const char* message() const noexcept {
    return is_full() ? "the channel has no free capacity" : "the channel is closed";
  }

  Kind kind;
  T value;
};

/// Of operations without a value: try_reserve.
template <>
class TrySendError<void> {
 public:
  enum class Kind { kFull, kClosed };
  static constexpr Kind kFull = Kind::kFull;
  static constexpr Kind kClosed = Kind::kClosed;

  explicit TrySendError(Kind reason) : kind(reason) {}
  [[nodiscard]] bool is_full() const noexcept { return kind == kFull; }
  [[nodiscard]] bool is_closed() const noexcept { return kind == kClosed; }
  [[nodiscard]] const char* message() const noexcept {
    return is_full() ? "the channel has no free capacity" : "the channel is closed";
  }

  Kind kind;
};

/// Of send_timeout. Gives the value back.
template <typename T>
class SendTimeoutError {
 public:
  enum class Kind { kTimedOut, kClosed };
  static constexpr Kind kTimedOut = Kind::kTimedOut;
  static constexpr Kind kClosed = Kind::kClosed;

  SendTimeoutError(Kind reason, T unsent) : kind(reason), value(std::move(unsent)) {}
  [[nodiscard]] bool is_timed_out() const noexcept { return kind == kTimedOut; }
  [[nodiscard]] bool is_closed() const noexcept { return kind == kClosed; }
  [[nodiscard]] const char* message() const noexcept {
    return is_timed_out() ? "timed out: no capacity became free" : "the channel is closed";
  }

  Kind kind;
  T value;
};

/// Of try_recv. kDisconnected: nothing can come any more.
enum class TryRecvError { kEmpty, kDisconnected };
[[nodiscard]] inline const char* message(TryRecvError error) noexcept {
  return error == TryRecvError::kEmpty ? "the channel is empty" : "the channel is empty and closed";
}

}  // namespace kaido::inline abi0::mpsc
#pragma GCC visibility pop
