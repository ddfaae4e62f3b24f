/// WindowBudget: one bound on what all senders of a node's connections may be ahead of their takers.
#pragma once

#include <algorithm>
#include <cstddef>

#include "proto/base/check.h"

namespace kaido::wire {

/// When it is used up, streams go on with a chunk at a time each: slower, never stuck.
///
/// Threading: confined to its users' thread. Lifetime: outlives the channels that use it.
class WindowBudget {
 public:
  explicit WindowBudget(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// As much of `wanted` as is left.
  [[nodiscard]] std::size_t take(std::size_t wanted) {
    const std::size_t taken = std::min(wanted, bytes_max_ - std::min(bytes_max_, used_));
    used_ += taken;
    return taken;
  }
  /// Beyond the bound: the least that a stream needs to go on.
  void take_anyway(std::size_t bytes) { used_ += bytes; }
  void give_back(std::size_t bytes) {
    KAIDO_CHECK(bytes <= used_);
    used_ -= bytes;
  }

  [[nodiscard]] std::size_t used() const { return used_; }

 private:
  const std::size_t bytes_max_;
  std::size_t used_ = 0;
};

}  // namespace kaido::wire
