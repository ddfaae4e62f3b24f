#include <kaido/interval.h>

#include <stdexcept>

namespace kaido::inline abi0 {

namespace {

constexpr Duration kTolerance = std::chrono::milliseconds(5);
constexpr Duration kForever = detail::saturate(Duration::max());

// Without overflow: what is beyond the clock's range is its end.
Instant saturating_add(Instant instant, Duration duration) noexcept {
  if (instant > Instant::max() - duration) return Instant::max();
  return instant + duration;
}

Duration checked_period(Duration period) {
  if (period <= Duration::zero()) throw std::logic_error("kaido::interval: the period must be positive");
  return period;
}

Instant next_tick(MissedTickBehavior behavior, Instant scheduled, Instant now, Duration period) noexcept {
  // It cannot be caught up with, and what is between may be more than a Duration holds.
  if (now > saturating_add(scheduled, kForever)) return saturating_add(now, period);
  if (now > saturating_add(scheduled, kTolerance)) {
    switch (behavior) {
      case MissedTickBehavior::kBurst:
        break;
      case MissedTickBehavior::kDelay:
        return saturating_add(now, period);
      case MissedTickBehavior::kSkip:
        return saturating_add(now, period - (now - scheduled) % period);
    }
  }
  return saturating_add(scheduled, period);
}

}  // namespace

Interval::Interval(Instant start, Duration period) : sleep_(start), period_(checked_period(period)) {}

void Interval::reset() { reset_at(saturating_add(Clock::now(), period_)); }
void Interval::reset_immediately() { reset_at(Clock::now()); }

Instant Interval::take_tick() {
  const Instant scheduled = sleep_.deadline();
  sleep_.reset(next_tick(behavior_, scheduled, Clock::now(), period_));
  return scheduled;
}

}  // namespace kaido::inline abi0
