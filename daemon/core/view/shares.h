/// Counts with owners: of something bounded, how many each has, and whether it may have one more.
#pragma once

#include <cstddef>
#include <vector>

#include "proto/base/check.h"
#include "proto/wire/memory_budget.h"

namespace kaido::daemon {

/// What MemoryBudget is for bytes of memory, for what has a bound of its own: an owner may have half of what is left
/// for all others, so that one alone gets a third, and whoever has nothing yet gets one as long as there is any.
///
/// Threading: confined to its owner.
class Shares {
 public:
  explicit Shares(std::size_t max) : max_(max) {}

  [[nodiscard]] bool has_room(wire::MemoryOwner owner, std::size_t count = 1) const {
    // The 2 is what lets the last one be taken.
    return used_ <= max_ && count <= max_ - used_ && owned(owner) + count <= (max_ - used_ - count + 2) / kDivisor;
  }
  /// Beyond the share and the bound, if has_room() was not asked: for what is there already.
  void take(wire::MemoryOwner owner, std::size_t count = 1) {
    if (owner.value >= by_owner_.size()) by_owner_.resize(owner.value + std::size_t{1});
    by_owner_[owner.value] += count;
    used_ += count;
  }
  void give_back(wire::MemoryOwner owner, std::size_t count = 1) {
    KAIDO_CHECK(owned(owner) >= count);
    by_owner_[owner.value] -= count;
    used_ -= count;
  }

  [[nodiscard]] std::size_t used() const { return used_; }
  [[nodiscard]] std::size_t owned(wire::MemoryOwner owner) const {
    return owner.value < by_owner_.size() ? by_owner_[owner.value] : 0;
  }

 private:
  static constexpr std::size_t kDivisor = wire::MemoryBudget::kShareDivisor;

  const std::size_t max_;
  std::size_t used_ = 0;
  std::vector<std::size_t> by_owner_;
};

}  // namespace kaido::daemon
