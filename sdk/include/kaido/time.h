/// Time for tasks: Clock, sleep, sleep_until, timeout.
///
/// Timers have a resolution of 1 ms and are never early. They belong to the runtime on which they were created, that of
/// a timeout to the one on which it first waits.
#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include <kaido/detail/branch.h>
#include <kaido/detail/chrono.h>
#include <kaido/detail/timer_entry.h>
#include <kaido/handle.h>
#include <kaido/result.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

using Duration = std::chrono::nanoseconds;

/// The steady clock, as the current runtime sees it (a paused runtime's stands still).
struct Clock {
  using duration = std::chrono::steady_clock::duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr bool is_steady = true;
  [[nodiscard]] static time_point now() noexcept;
};

using Instant = Clock::time_point;

/// For tests, on a current-thread runtime: makes the clock of the current runtime stand still, or go on from where it
/// is. A paused clock jumps to the next timer when nothing can run (but not while a blocking closure is queued or
/// running). Throws std::logic_error on a multi-thread runtime, or if the clock is (or is not) paused already.
void pause_clock();
void resume_clock();
/// Moves a paused clock on by exactly `duration` and yields once: timers that are due have fired when it returns, and
/// their tasks run afterwards.
[[nodiscard]] Task<void> advance_clock(std::chrono::nanoseconds duration);
template <typename Rep, typename Period>
[[nodiscard]] KAIDO_CORO_WRAPPER Task<void> advance_clock(std::chrono::duration<Rep, Period> duration) {
  return advance_clock(detail::saturate(duration));
}

namespace detail {

[[nodiscard]] Instant deadline_after(Duration duration) noexcept;

}  // namespace detail

/// Ready at its deadline. The deadline is fixed when it is made; the timer starts when it is first awaited.
///
/// Threading: confined to one task.
/// Lifetime: the timer wheel links it while it is awaited, so it stays in place then.
/// Cancellation: safe; dropping it takes it out of the wheel.
/// Errors: making one outside a runtime, or on one without enable_time(), throws std::logic_error; awaiting one after
/// its runtime's end throws std::runtime_error.
class [[nodiscard]] Sleep {
 public:
  explicit Sleep(Instant deadline);
  /// Moving it takes it out of the wheel; it must be awaited anew.
  Sleep(Sleep&& other) noexcept;
  Sleep& operator=(Sleep&&) = delete;
  ~Sleep();

  [[nodiscard]] Instant deadline() const noexcept { return deadline_; }
  [[nodiscard]] bool is_elapsed() const noexcept { return entry_.has_fired.load(std::memory_order_acquire); }
  /// Arms it again for another time, whether it fired or not. A task that waits for it is woken at that time.
  void reset(Instant deadline) noexcept;

  /// Internal, for co_await.
  bool poll(PollContext& context);
  bool poll_without_budget(PollContext& context);
  void take() noexcept {}

 private:
  detail::CoreRef core_;
  Instant deadline_;
  detail::TimerEntry entry_;
};

/// Waits for `duration` at least; at most about a millisecond longer.
template <typename Rep, typename Period>
Sleep sleep(std::chrono::duration<Rep, Period> duration) {
  return Sleep(detail::deadline_after(detail::saturate(duration)));
}
inline Sleep sleep_until(Instant deadline) { return Sleep(deadline); }

namespace detail {

[[nodiscard]] Error timed_out_error();
/// Throws std::logic_error outside a runtime, or on one without timers.
void require_timers();
/// The same, and then deadline_after().
[[nodiscard]] Instant timer_deadline_after(Duration duration);

template <typename T>
struct Flatten {
  using type = Result<T>;
};
template <typename T>
struct Flatten<Result<T>> {
  using type = Result<T>;
};

/// The awaitable of timeout(); B is a Branch. Its timer is made when `inner` is first not ready, which it mostly is: a
/// timer refers to its runtime, and counting that costs more than all the rest.
template <typename B>
class [[nodiscard]] Timeout {
 public:
  using Value = typename B::Value;
  using Output = typename Flatten<Value>::type;

  /// After require_timers().
  Timeout(Instant deadline, B inner) : deadline_(deadline), inner_(std::move(inner)) {}
  /// Only before it is first polled.
  Timeout(Timeout&& other) noexcept(std::is_nothrow_move_constructible_v<B>)
      : deadline_(other.deadline_), inner_(std::move(other.inner_)) {}

  bool poll(PollContext& context) {
    if (!is_elapsed_) {
      if (inner_.poll(context)) return true;
      if (!sleep_) sleep_.emplace(deadline_);
      // An operation that used up the budget does not keep its timeout from being seen.
      is_elapsed_ = context.budget().exhausted() ? sleep_->poll_without_budget(context) : sleep_->poll(context);
      if (!is_elapsed_) return false;
    }
    const Dropped dropped = poll_drop(context);
    return dropped != Dropped::kWaits;
  }
  Dropped poll_drop(PollContext& context) noexcept {
    const Dropped dropped = inner_.poll_drop(context);
    // Done nevertheless: what happened counts, however late.
    if (dropped == Dropped::kOutcome) is_elapsed_ = false;
    return dropped;
  }
  Output take() {
    if (is_elapsed_) return timed_out_error();
    if constexpr (std::is_void_v<Value>) {
      inner_.take();
      inner_.reset();
      return Output();
    } else {
      Output output(inner_.take());
      inner_.reset();
      return output;
    }
  }

 private:
  Instant deadline_;
  std::optional<Sleep> sleep_;
  B inner_;
  bool is_elapsed_ = false;
};

}  // namespace detail

/// Awaiting it gives what `inner` gives, as a Result, or kTimedOut; then `inner` is destroyed before the await returns.
/// A ready `inner` beats any deadline. What gives a Result itself (a JoinHandle, a remote call) is not nested.
/// An exception of `inner` passes through. What is given as an lvalue (a JoinHandle, a receiver) is only waited for and
/// can be awaited again.
///
/// Cancellation: as that of `inner`. An operation of Asio's that is too late is cancelled and waited for; if it has
/// done its work all the same, its outcome is given, and no bytes or connections are lost.
/// Errors: making one outside a runtime, or on one without enable_time(), throws std::logic_error.
template <typename A>
auto timeout_at(Instant deadline, A&& inner) {
  detail::require_timers();
  return detail::Timeout<typename detail::BranchOf<A>::type>(deadline, detail::make_branch<A>(std::forward<A>(inner)));
}
template <typename Rep, typename Period, typename A>
auto timeout(std::chrono::duration<Rep, Period> duration, A&& inner) {
  const Instant deadline = detail::timer_deadline_after(detail::saturate(duration));
  return detail::Timeout<typename detail::BranchOf<A>::type>(deadline, detail::make_branch<A>(std::forward<A>(inner)));
}

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
