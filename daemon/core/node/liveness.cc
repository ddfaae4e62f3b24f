#include "daemon/core/node/liveness.h"

namespace kaido::daemon {

std::optional<base::Instant> PingLiveness::next_timeout() const {
  std::optional<base::Instant> next;
  for (const auto& [node, at] : lost_at_) {
    if (!next || at < *next) next = at;
  }
  return next;
}

std::vector<NodeIndex> PingLiveness::take_lost(base::Instant now) {
  std::vector<NodeIndex> lost;
  std::erase_if(lost_at_, [&](const auto& entry) {
    if (entry.second > now) return false;
    lost.push_back(entry.first);
    return true;
  });
  return lost;
}

}  // namespace kaido::daemon
