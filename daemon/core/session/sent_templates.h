/// Which of our placements a peer knows under which template id; the least recently used gives way at the bound.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kaido::daemon {

/// Ids go from 1 to a bound that the receiver announced. A placement is known by its serial, which is never reused, and
/// found by its index, which is dense: no hash on the way of a call.
///
/// Threading: confined to its owner.
/// Cost: about 10 instructions for a placement that is known; O(1) otherwise.
class SentTemplates {
 public:
  explicit SentTemplates(std::uint32_t ids_max = 0) : ids_max_(ids_max) {}

  struct Use {
    std::uint32_t id = 0;  ///< 0: none may be given, the bound is 0
    bool is_new = false;   ///< the id has to be prepared (again) before it is used
  };

  /// The id for a placement, given now if it has none.
  [[nodiscard]] Use use(std::uint32_t index, std::uint64_t serial);

  /// The id was given but is not prepared after all: the placement that has it gets another one when it is used next.
  /// Without effect for an id that nobody has.
  void forget(std::uint32_t id);

  [[nodiscard]] std::size_t size() const { return ids_.size(); }

 private:
  struct ByIndex {
    std::uint64_t serial = 0;
    std::uint32_t id = 0;
  };
  struct ById {
    std::uint32_t index = 0;
    std::uint64_t used = 0;  ///< when, in uses; for the choice of who gives way
  };

  [[nodiscard]] std::uint32_t give_id();
  void unbind(std::uint32_t id) {
    ByIndex& bound = by_index_[ids_[id - 1].index];
    if (bound.id == id) bound = {};
  }

  std::uint32_t ids_max_;
  std::uint64_t clock_ = 0;
  std::vector<ByIndex> by_index_;
  std::vector<ById> ids_;  ///< by id minus one
  std::vector<std::uint32_t> free_;
};

}  // namespace kaido::daemon
