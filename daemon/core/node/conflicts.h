/// Two nodes with one id, or with one name: what was noticed, and what to do about it.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "daemon/core/node/outbox.h"
#include "proto/base/ids.h"
#include "proto/base/time.h"

namespace kaido::daemon {

/// One side of a conflict.
struct Claimant {
  std::string name;
  std::string address;  ///< of its connection; "this node" for ourselves
};

/// An id or a name that two living nodes claim.
struct Conflict {
  enum class Kind : std::uint8_t { kId, kName };
  Kind kind = Kind::kId;
  base::NodeId id;
  Claimant first;
  Claimant second;
  base::Life
      challenger;  ///< of an id's, where a third node met both: the life that came when another was there, and lived
  base::Instant since;  ///< of an id's
  base::Instant last;   ///< noticed
};

/// What is wrong and what mends it, in one sentence.
[[nodiscard]] std::string describe(const Conflict& conflict);

/// Logs each conflict once. One of an id is noticed when somebody knocks, and lasts for as long as that comes again and
/// again; one of a name lasts for as long as both nodes are known, which its owner sees.
///
/// Threading: confined to the node strand.
class Conflicts {
 public:
  /// How many of a kind are remembered; more are logged each time.
  static constexpr std::size_t kMax = 16;
  /// The least that one of an id is listed for after it was noticed last.
  static constexpr base::Duration kShownForMin = std::chrono::minutes(2);

  /// `knocks`: the longest time between two tries of somebody who is turned away. A conflict is listed for twice that,
  /// or for kShownForMin: one that goes on has no gaps.
  Conflicts(Outbox& outbox, base::Duration knocks) : outbox_(outbox), shown_for_(std::max(kShownForMin, 2 * knocks)) {}

  void noticed(base::Instant now, Conflict conflict);
  /// Those of ids.
  [[nodiscard]] std::vector<Conflict> list(base::Instant now) const;
  /// Whether this very life is known to have another beside it: noticed with it as `challenger`.
  [[nodiscard]] bool is_current(base::Instant now, const base::NodeId& id, const base::Life& challenger) const;

  /// No two living nodes have the name any more: if two have it again, that is news.
  void name_is_free(const std::string& name) { names_.erase(name); }

  [[nodiscard]] base::Duration shown_for() const { return shown_for_; }

 private:
  void say(const Conflict& conflict);

  Outbox& outbox_;
  const base::Duration shown_for_;
  std::vector<Conflict> known_;  ///< of ids
  std::set<std::string> names_;  ///< that two have, and that was said
};

}  // namespace kaido::daemon
