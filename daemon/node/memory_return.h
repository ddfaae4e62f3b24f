/// When memory that was kept for others and is not any more goes back to the system.
#pragma once

#include <algorithm>
#include <cstddef>

namespace kaido::daemon {

/// The allocator keeps what was freed, since it is mostly wanted again. After a flood it is not: what was given back
/// since the peak is returned once it is worth the time that this takes, about 50 ms for 400 MiB.
class MemoryReturn {
 public:
  /// Lower returns memory more often that is taken again at once; higher leaves more of it unused.
  static constexpr std::size_t kWorthBytes = 16U << 20;

  /// Asked at an interval, with the bytes that are kept now. Whether to return memory.
  [[nodiscard]] bool is_due(std::size_t kept) {
    peak_ = std::max(peak_, kept);
    if (peak_ - kept < kWorthBytes) return false;
    peak_ = kept;
    return true;
  }

 private:
  std::size_t peak_ = 0;
};

}  // namespace kaido::daemon
