/// What every subject's client does: keep `window` calls in flight for some time, and count.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace kaido::bench {

using Clock = std::chrono::steady_clock;

/// Argument and result of every call. With the two bytes that name and size a protobuf string this makes 64.
inline constexpr std::size_t kTextBytes = 62;
inline constexpr std::size_t kPayloadBytes = 64;

/// What one closed loop did.
struct LoopResult {
  std::uint64_t calls = 0;
  double seconds = 0;
  std::vector<double> latencies_us;  // Filled with one call in flight only: two clock readings a call would show else.
};

/// A client of one subject: connected when it is constructed.
class Caller {
 public:
  virtual ~Caller() = default;

  /// Keeps `window` calls in flight for `duration`, then lets them finish. Every result is checked against its
  /// argument.
  [[nodiscard]] virtual LoopResult run(std::size_t window, Clock::duration duration) = 0;
};

/// Tells the parent that this process listens or is connected.
void announce_ready();

/// A client process: connects, warms up, says `ready`, and answers every line `<window> <milliseconds>` with
/// `<calls> <seconds> <p50 us> <p99 us> <CPU seconds>`; ends at the end of its input.
int serve_harness(Caller& caller);

}  // namespace kaido::bench
