/// Calls with large arguments to a function that reads them: what every subject's client does, and the function's work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kaido::bench {

inline constexpr std::size_t kMebibyte = 1U << 20;

/// The largest argument that is measured. A frame, header included, is at most 64 MiB (wire::kMaxFrameBytes), so that
/// 64 does not fit.
inline constexpr std::size_t kLargestMebibytes = 60;

/// What the function does: reads all of its argument, as words of 64 bits.
[[nodiscard]] std::uint64_t sum_of(std::span<const std::byte> argument);

/// A client of one subject: connected when it is constructed.
class LargeCaller {
 public:
  virtual ~LargeCaller() = default;

  /// One call. The same argument is passed as long as its size is the same.
  [[nodiscard]] virtual std::uint64_t call(std::span<const std::byte> argument) = 0;
};

/// A client process: says `ready`, and answers every line `<bytes> <milliseconds>` with
/// `<calls> <median ms> <CPU seconds>` after calling, one call after the other, for that long and at least once. Every
/// result is checked. Ends at the end of its input.
int serve_large_harness(LargeCaller& caller);

}  // namespace kaido::bench
