#include "daemon/core/node/announcements.h"

#include <utility>

namespace kaido::daemon {

void Announcements::update(const NodeInfo& self) {
  NodeInfo next = in_order(self);
  next.version = current_.version + 1;
  NodeInfoDelta changes = difference(current_, next);
  if (version() != 0 && changes.is_empty()) return;
  last_ = std::move(changes);
  current_ = std::move(next);
}

const NodeInfoDelta* Announcements::since(std::uint64_t version) const {
  const bool is_less = last_.offered.size() + last_.withdrawn.size() <= current_.functions.size();
  const bool is_last = version != 0 && version == last_.base_version;
  return is_last && is_less ? &last_ : nullptr;
}

}  // namespace kaido::daemon
