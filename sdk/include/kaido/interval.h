/// interval: a tick every period.
///
///     kaido::Interval interval = kaido::interval(100ms);
///     for (;;) {
///       co_await interval.tick();       // the first at once
///       report();
///     }
#pragma once

#include <kaido/detail/chrono.h>
#include <kaido/detail/poll.h>
#include <kaido/time.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// What happens after a tick that was taken late, by more than 5 ms (less counts as in time). After one that is more
/// than 30 years late, such as that of a start at Instant::min(), the period always starts anew. With a period of 100
/// ms and a tick due at 100 ms taken at 350 ms:
enum class MissedTickBehavior {
  kBurst,  ///< the missed ones follow at once: 200 and 300 now, then 400, 500 ...
  kDelay,  ///< the period starts anew: 450, 550 ...
  kSkip,   ///< the missed ones are left out: 400, 500 ...
};

/// Threading: confined to one task.
/// Lifetime: must outlive the ticks awaited on it. Movable while none is.
/// Errors: a period that is not positive throws std::logic_error, as does making one outside a runtime or on one
/// without enable_time().
class [[nodiscard]] Interval {
 public:
  class Tick;

  Interval(Instant start, Duration period);
  template <typename Rep, typename Period>
  Interval(Instant start, std::chrono::duration<Rep, Period> period) : Interval(start, detail::saturate(period)) {}

  /// Awaiting it waits for the next tick and gives the time for which that was scheduled, which may have passed.
  ///
  /// Cancellation: safe; a dropped await loses no tick.
  [[nodiscard]] Tick tick() noexcept;

  /// The next tick comes one period from now, at once, after `delay`, or at `deadline`; then every period from there.
  void reset();
  void reset_immediately();
  template <typename Rep, typename Period>
  void reset_after(std::chrono::duration<Rep, Period> delay) {
    reset_at(detail::deadline_after(detail::saturate(delay)));
  }
  void reset_at(Instant deadline) { sleep_.reset(deadline); }

  [[nodiscard]] Duration period() const noexcept { return period_; }
  [[nodiscard]] MissedTickBehavior missed_tick_behavior() const noexcept { return behavior_; }
  void set_missed_tick_behavior(MissedTickBehavior behavior) noexcept { behavior_ = behavior; }

 private:
  Instant take_tick();

  Sleep sleep_;
  Duration period_;
  MissedTickBehavior behavior_ = MissedTickBehavior::kBurst;
};

/// Internal, for co_await.
class [[nodiscard]] Interval::Tick {
 public:
  explicit Tick(Interval& interval) noexcept : interval_(&interval) {}
  bool poll(PollContext& context) { return interval_->sleep_.poll(context); }
  Instant take() { return interval_->take_tick(); }

 private:
  Interval* interval_;
};

inline Interval::Tick Interval::tick() noexcept { return Tick(*this); }

/// Ticks now and then every `period`.
template <typename Rep, typename Period>
Interval interval(std::chrono::duration<Rep, Period> period) {
  return Interval(Clock::now(), detail::saturate(period));
}
/// Ticks at `start` and then every `period`.
template <typename Rep, typename Period>
Interval interval_at(Instant start, std::chrono::duration<Rep, Period> period) {
  return Interval(start, detail::saturate(period));
}

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
