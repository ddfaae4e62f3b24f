/// Counts with owners: of something bounded, how many each has, and whether it may have one more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "proto/base/check.h"
#include "proto/wire/memory_budget.h"

namespace kaido::daemon {

/// What MemoryBudget is for bytes, for what is counted one by one: an owner may have half of what is left for all
/// others, so that one alone gets a third, and whoever has nothing yet gets one as long as there is any.
///
/// Threading: confined to its owner.
class Shares {
 public:
  explicit Shares(std::size_t max) : max_(max) {}

  [[nodiscard]] bool has_room(wire::MemoryOwner owner) const {
    return used_ < max_ && owned(owner) < (max_ - used_ + 1) / wire::MemoryBudget::kShareDivisor;
  }
  /// Beyond the share, if has_room() was not asked.
  void take(wire::MemoryOwner owner) {
    if (owner.value >= by_owner_.size()) by_owner_.resize(owner.value + std::size_t{1});
    ++by_owner_[owner.value];
    ++used_;
  }
  void give_back(wire::MemoryOwner owner) {
    KAIDO_CHECK(owned(owner) > 0);
    --by_owner_[owner.value];
    --used_;
  }

  [[nodiscard]] std::size_t used() const { return used_; }
  [[nodiscard]] std::uint32_t owned(wire::MemoryOwner owner) const {
    return owner.value < by_owner_.size() ? by_owner_[owner.value] : 0;
  }

 private:
  const std::size_t max_;
  std::size_t used_ = 0;
  std::vector<std::uint32_t> by_owner_;
};

}  // namespace kaido::daemon
