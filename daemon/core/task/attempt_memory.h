/// Which attempts were answered lately, so that a repeated request does not run a task twice.
#pragma once

#include <cstdint>
#include <vector>

#include "daemon/core/task/attempt.h"

namespace kaido::daemon {

/// The last kEntries or so finished attempts, one per place of a direct-mapped table: O(1), of fixed size, and
/// forgetful where two tasks share a place. Connections do not repeat frames; this is the second line.
///
/// The table is made for the first attempt: a node that never ran one, as most of a test's or a fuzzer's, does without.
///
/// Threading: confined to its owner.
class AttemptMemory {
 public:
  static constexpr std::size_t kEntries = 4096;

  /// `hash`: of the key's sequence and origin, by a HashKey.
  void remember(const AttemptKey& key, std::uint32_t hash) {
    if (entries_.empty()) [[unlikely]]
      entries_.resize(kEntries);
    entries_[hash & (kEntries - 1)] = key;
  }

  /// This attempt of the task, or a later one, was answered.
  [[nodiscard]] bool is_answered(const AttemptKey& key, std::uint32_t hash) const {
    if (entries_.empty()) return false;
    const AttemptKey& known = entries_[hash & (kEntries - 1)];
    return known.sequence == key.sequence && known.origin == key.origin && known.origin_life == key.origin_life &&
           known.attempt >= key.attempt;
  }

 private:
  std::vector<AttemptKey> entries_;  // attempt 0: empty
};

}  // namespace kaido::daemon
