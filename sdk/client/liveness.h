/// Liveness: whether the other end of a connection still answers. Times in, verdicts out.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

namespace kaido::inline abi0::detail {

/// Any byte received proves life. Who was silent for `interval` is asked (a ping), and is lost if nothing has come
/// `limit` after that.
///
/// A check that comes far too late says that it was this process that stood still (SIGSTOP, a debugger, a busy
/// current-thread runtime): what has come meanwhile may still lie unread, so the other side gets another round.
///
/// Threading: confined to its owner.
class Liveness {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::nanoseconds;
  enum class Verdict { kFine, kPing, kLost };

  /// Shorter ones would be a load without use.
  static constexpr std::chrono::milliseconds kShortest{10};

  Liveness(Duration interval, Duration limit)
      : interval_(std::max<Duration>(interval, kShortest)), limit_(std::max<Duration>(limit, kShortest)) {}

  void start(TimePoint now) {
    heard(now);
    is_asked_ = false;
    check_at_ = now + interval_;
  }
  void stop() { check_at_.reset(); }
  void heard(TimePoint now) { last_heard_ = now; }

  /// Stays put while bytes come, so that a busy connection sets no timers.
  [[nodiscard]] std::optional<TimePoint> next_timeout() const { return check_at_; }

  [[nodiscard]] Verdict handle_timeout(TimePoint now) {
    if (!check_at_ || now < *check_at_) return Verdict::kFine;
    const bool is_late = now - *check_at_ > std::max(interval_, limit_);
    if (is_asked_ && last_heard_ < asked_at_) return is_late ? ask(now) : Verdict::kLost;
    if (now - last_heard_ >= interval_) return ask(now);
    is_asked_ = false;
    check_at_ = last_heard_ + interval_;
    return Verdict::kFine;
  }

 private:
  Verdict ask(TimePoint now) {
    is_asked_ = true;
    asked_at_ = now;
    check_at_ = now + limit_;
    return Verdict::kPing;
  }

  const Duration interval_;
  const Duration limit_;
  TimePoint last_heard_{};
  TimePoint asked_at_{};
  bool is_asked_ = false;
  std::optional<TimePoint> check_at_;
};

}  // namespace kaido::inline abi0::detail
