#include "daemon/core/node/conflicts.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace kaido::daemon {
std::string describe(const Conflict& conflict) {
  const std::string who = conflict.first.name + " (" + conflict.first.address + ") and " + conflict.second.name + " (" +
                          conflict.second.address + ")";
  if (conflict.kind == Conflict::Kind::kName) {
    return "two nodes are named " + conflict.first.name + ": " + conflict.first.address + " and " +
           conflict.second.address + "; give one of them another node.name";
  }
  return "two nodes have the id " + to_string(conflict.id) + ": " + who +
         "; one was copied from the other: stop one, remove the file identity in its node.state_dir, and start it "
         "again";
}

void Conflicts::say(const Conflict& conflict) {
  outbox_.error("node", "nodes are in each other's way", {{"what", describe(conflict)}});
}

void Conflicts::noticed(base::Instant now, Conflict conflict) {
  if (conflict.kind == Conflict::Kind::kName) {
    if (names_.contains(conflict.first.name)) return;
    if (names_.size() < kMax) names_.insert(conflict.first.name);
    return say(conflict);
  }
  std::erase_if(known_, [&](const Conflict& other) { return now - other.last > shown_for_; });
  const auto known =
      std::find_if(known_.begin(), known_.end(), [&](const Conflict& other) { return other.id == conflict.id; });
  conflict.since = known == known_.end() ? now : known->since;
  conflict.last = now;
  if (known != known_.end()) {
    *known = std::move(conflict);
    return;
  }
  say(conflict);
  if (known_.size() < kMax) known_.push_back(std::move(conflict));
}

std::vector<Conflict> Conflicts::list(base::Instant now) const {
  std::vector<Conflict> current;
  std::copy_if(known_.begin(), known_.end(), std::back_inserter(current),
               [&](const Conflict& conflict) { return now - conflict.last <= shown_for_; });
  return current;
}

bool Conflicts::is_current(base::Instant now, const base::NodeId& id, const base::Life& challenger) const {
  return std::any_of(known_.begin(), known_.end(), [&](const Conflict& conflict) {
    return conflict.id == id && conflict.challenger == challenger && now - conflict.last <= shown_for_;
  });
}

}  // namespace kaido::daemon
