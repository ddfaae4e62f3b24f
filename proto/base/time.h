/// Time as the cores see it: instants that are handed to them, never read by them.
#pragma once

#include <chrono>

namespace kaido::base {

using Duration = std::chrono::nanoseconds;

/// The epoch of Instant: whatever the clock's owner says. Two instants compare only if they come from one clock.
struct MonotonicClockTag {
  using rep = Duration::rep;
  using period = Duration::period;
  using duration = Duration;
  using time_point = std::chrono::time_point<MonotonicClockTag, Duration>;
  static constexpr bool is_steady = true;
};

/// A point on one node's monotonic clock, or on a test's virtual one.
using Instant = MonotonicClockTag::time_point;

/// Later than every other instant: no deadline.
inline constexpr Instant kNever = Instant::max();

/// `duration` after `now`. What is too long to add up is as good as never; what is negative is already over.
[[nodiscard]] constexpr Instant after(Instant now, Duration duration) {
  if (duration <= Duration::zero()) return now;
  return duration < kNever - now ? now + duration : kNever;
}

/// The seam between deciding and the world's time. Implemented by the daemon's loop and by tests' virtual clocks.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant now() const = 0;
};

}  // namespace kaido::base
