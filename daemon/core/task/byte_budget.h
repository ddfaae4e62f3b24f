/// Bytes that are kept on somebody's behalf, counted against a bound and given back when their owner goes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>

#include "daemon/core/task/attempt.h"
#include "proto/base/check.h"
#include "proto/wire/body.h"
#include "proto/wire/limits.h"

namespace kaido::daemon {

/// A bound in bytes and what of it is taken.
///
/// Threading: confined to its owner.
class ByteBudget {
 public:
  explicit ByteBudget(std::size_t bytes_max) : max_(bytes_max) {}

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

 private:
  std::size_t max_;
  std::size_t used_ = 0;
};

/// A payload that a record holds beyond the turn in which it came, with its bytes taken from a budget. The reference
/// that is kept pins no more memory than it is counted for.
class Kept {
 public:
  /// To be sent more than once, perhaps. False, and nothing is kept, if it would exceed the budget.
  [[nodiscard]] bool keep(ByteBudget& budget, const Payload& payload) {
    if (!hold(budget, payload, payload.size())) return false;
    if (wire::Body* const body = payload_.body()) body->retain();
    return true;
  }

  /// To be sent once, later. What comes in chunks comes no further than its first one until then.
  [[nodiscard]] bool keep_until_sent(ByteBudget& budget, const Payload& payload) {
    return hold(budget, payload, payload.is_whole() ? payload.size() : std::min(payload.size(), wire::kChunkBytes));
  }

  /// Without effect where nothing is kept. Who has taken a copy of payload() may go on using it.
  void release(ByteBudget& budget) {
    if (!is_set_) return;
    budget.give_back(bytes_);
    payload_ = Payload();
    is_set_ = false;
  }

  [[nodiscard]] bool is_set() const { return is_set_; }
  [[nodiscard]] const Payload& payload() const { return payload_; }

 private:
  [[nodiscard]] bool hold(ByteBudget& budget, const Payload& payload, std::size_t bytes) {
    KAIDO_CHECK(!is_set_);
    if (!budget.take(bytes)) return false;
    payload_ = payload.kept();
    bytes_ = bytes;
    is_set_ = true;
    return true;
  }

  Payload payload_;
  std::size_t bytes_ = 0;
  bool is_set_ = false;
};

}  // namespace kaido::daemon
