#include "daemon/core/node/conflicts.h"

#include <algorithm>
#include <utility>

namespace kaido::daemon {
namespace {

bool is_same(const Conflict& a, const Conflict& b) {
  if (a.kind != b.kind) return false;
  if (a.kind == Conflict::Kind::kId) return a.id == b.id;
  return a.first.name == b.first.name;
}

}  // namespace

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

void Conflicts::noticed(base::Instant now, Conflict conflict) {
  const auto known =
      std::find_if(known_.begin(), known_.end(), [&](const Conflict& other) { return is_same(other, conflict); });
  if (known != known_.end()) {
    const bool is_news = now - known->last > kShownFor;
    conflict.since = is_news ? now : known->since;
    conflict.last = now;
    *known = std::move(conflict);
    if (is_news) outbox_.error("node", "nodes are in each other's way", {{"what", describe(*known)}});
    return;
  }
  conflict.since = conflict.last = now;
  outbox_.error("node", "nodes are in each other's way", {{"what", describe(conflict)}});
  std::erase_if(known_, [&](const Conflict& other) { return now - other.last > kShownFor; });
  if (known_.size() < kMax) known_.push_back(std::move(conflict));
}

std::vector<Conflict> Conflicts::list(base::Instant now) const {
  std::vector<Conflict> current;
  std::copy_if(known_.begin(), known_.end(), std::back_inserter(current),
               [&](const Conflict& conflict) { return now - conflict.last <= kShownFor; });
  return current;
}

}  // namespace kaido::daemon
