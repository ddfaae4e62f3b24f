/// Two nodes with one id, or with one name: what was noticed, and what to do about it.
#pragma once

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
  base::Instant since;
  base::Instant last;  ///< noticed
};

/// What is wrong and what mends it, in one sentence.
[[nodiscard]] std::string describe(const Conflict& conflict);

/// Logs each conflict once, and lists it for as long as it is noticed again and again.
///
/// Threading: confined to the node strand.
class Conflicts {
 public:
  /// How many are listed; more are logged only.
  static constexpr std::size_t kMax = 16;
  /// How long one is listed after it was noticed last.
  static constexpr base::Duration kShownFor = std::chrono::minutes(2);

  explicit Conflicts(Outbox& outbox) : outbox_(outbox) {}

  void noticed(base::Instant now, Conflict conflict);
  [[nodiscard]] std::vector<Conflict> list(base::Instant now) const;

 private:
  Outbox& outbox_;
  std::vector<Conflict> known_;
};

}  // namespace kaido::daemon
