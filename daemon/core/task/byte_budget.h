/// Bytes that are kept on somebody's behalf, counted against a bound and given back when their owner goes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>

#include "daemon/core/task/attempt.h"
#include "proto/base/check.h"
#include "proto/wire/body.h"
#include "proto/wire/limits.h"
#include "proto/wire/memory_budget.h"

namespace kaido::daemon {

using wire::MemoryOwner;

/// A bound in bytes and what of it is taken; a part of the node's memory, if that is given.
///
/// Threading: confined to its owner. Lifetime: `memory` outlives it.
class ByteBudget {
 public:
  explicit ByteBudget(std::size_t bytes_max, wire::MemoryBudget* memory = nullptr) : max_(bytes_max), memory_(memory) {}

  /// False, and nothing is taken, if that would exceed the bound.
  [[nodiscard]] bool take(std::size_t bytes) {
    if (bytes > max_ - used_) return false;
    used_ += bytes;
    return true;
  }
  void give_back(std::size_t bytes) {
    KAIDO_CHECK(bytes <= used_);
    used_ -= bytes;
  }

  [[nodiscard]] std::size_t used() const { return used_; }
  [[nodiscard]] std::size_t max() const { return max_; }
  [[nodiscard]] wire::MemoryBudget* memory() const { return memory_; }

 private:
  const std::size_t max_;
  wire::MemoryBudget* const memory_;
  std::size_t used_ = 0;
};

/// A payload that a record holds beyond the turn in which it came, with its bytes taken from a budget, and what it pins
/// from its owner's share of the node's memory.
class Kept {
 public:
  /// To be sent more than once, perhaps. False, and nothing is kept, if it would exceed the budget or the share.
  [[nodiscard]] bool keep(ByteBudget& budget, const Payload& payload, MemoryOwner owner = {}) {
    if (!hold(budget, payload, payload.size(), owner)) return false;
    if (wire::Body* const body = payload_.body()) body->retain();
    return true;
  }

  /// To be sent once, later. What comes in chunks comes no further than its first one until then.
  [[nodiscard]] bool keep_until_sent(ByteBudget& budget, const Payload& payload, MemoryOwner owner = {}) {
    return hold(budget, payload, payload.is_whole() ? payload.size() : std::min(payload.size(), wire::kChunkBytes),
                owner);
  }

  /// Without effect where nothing is kept. Who has taken a copy of payload() may go on using it.
  void release(ByteBudget& budget) {
    if (!is_set_) return;
    budget.give_back(bytes_);
    if (budget.memory() != nullptr) budget.memory()->give_back(owner_, kKind, pinned_);
    payload_ = Payload();
    is_set_ = false;
  }

  [[nodiscard]] bool is_set() const { return is_set_; }
  [[nodiscard]] const Payload& payload() const { return payload_; }
  /// Of what is or was kept last.
  [[nodiscard]] MemoryOwner owner() const { return owner_; }

 private:
  static constexpr wire::MemoryKind kKind = wire::MemoryKind::kArguments;

  [[nodiscard]] bool hold(ByteBudget& budget, const Payload& payload, std::size_t bytes, MemoryOwner owner) {
    KAIDO_CHECK(!is_set_);
    if (!budget.take(bytes)) return false;
    wire::MemoryBudget* const memory = budget.memory();
    if (memory != nullptr && !memory->take(owner, kKind, bytes)) {
      budget.give_back(bytes);
      return false;
    }
    payload_ = payload.kept();
    bytes_ = pinned_ = bytes;
    owner_ = owner;
    is_set_ = true;
    if (memory == nullptr || !payload_.is_whole()) return true;
    pinned_ = std::max(bytes, payload_.footprint());
    memory->take_anyway(owner, kKind, pinned_ - bytes);
    return true;
  }

  Payload payload_;
  std::size_t bytes_ = 0;
  std::size_t pinned_ = 0;  ///< at most twice as much, see wire::kPinnedFactor
  MemoryOwner owner_;
  bool is_set_ = false;
};

}  // namespace kaido::daemon
