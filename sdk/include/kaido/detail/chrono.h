/// std::chrono's durations, clocks and literals. All of <chrono> would bring calendars and string streams into every
/// program, a tenth of what <kaido/kaido.h> costs to compile; in libstdc++ <mutex> declares durations and clocks
/// without them, as it must for try_lock_for. Who prints or parses dates includes <chrono>.
///
/// And saturate(). What takes a duration takes any, by a template: a parameter of one unit would have std convert to it
/// first, and hours::max() as nanoseconds is less than nothing.
#pragma once

#include <version>

#ifdef __GLIBCXX__
#include <mutex>
#else
#include <chrono>
#endif

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// Any duration as nanoseconds, without overflow: what is too long becomes 30 years, what is not a number nothing.
template <typename Rep, typename Period>
[[nodiscard]] constexpr std::chrono::nanoseconds saturate(std::chrono::duration<Rep, Period> duration) noexcept {
  constexpr std::chrono::hours kForever(24 * 365 * 30);
  using Seconds = std::chrono::duration<double>;
  if (Seconds(duration) >= Seconds(kForever)) return kForever;
  if (Seconds(duration) <= -Seconds(kForever)) return -kForever;
  if (Seconds(duration) != Seconds(duration)) return std::chrono::nanoseconds::zero();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(duration);
}

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
