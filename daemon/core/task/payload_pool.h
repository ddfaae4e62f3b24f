/// Arguments that must be kept: of tasks that may be retried, wait, or stand in a run queue.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "daemon/core/task/attempt.h"

namespace kaido::daemon {

/// Copies of payloads in reused buffers, bounded in bytes. A released buffer keeps its bytes until recycle(), for an
/// effect may still point to it.
///
/// Threading: confined to its owner.
class PayloadPool {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;
  /// A larger buffer is given back to the allocator instead of being reused, so that one large task does not hold its
  /// memory for ever.
  static constexpr std::size_t kReusedBytesMax = 64U << 10;
  /// Buffers that wait for reuse; more are given back.
  static constexpr std::size_t kReusedCountMax = 1024;

  explicit PayloadPool(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// A buffer with a copy, or kNone if it would exceed the bound.
  [[nodiscard]] std::uint32_t keep(Payload payload);
  [[nodiscard]] Payload view(std::uint32_t buffer) const { return buffers_[buffer]; }
  void release(std::uint32_t buffer);

  /// Nobody points to released buffers any more.
  void recycle() {
    if (!retired_.empty()) recycle_retired();
  }

  [[nodiscard]] std::size_t used_bytes() const { return used_bytes_; }

 private:
  void recycle_retired();

  std::size_t bytes_max_;
  std::size_t used_bytes_ = 0;
  std::size_t with_memory_ = 0;                  // of free_
  std::vector<std::vector<std::byte>> buffers_;  // moving a vector leaves its bytes where they are
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> retired_;
};

}  // namespace kaido::daemon
