#include "daemon/core/task/attempt.h"

namespace kaido::daemon {

std::string_view name(RedirectReason reason) {
  switch (reason) {
    case RedirectReason::kMismatch:
      return "the node does not fit the placement";
    case RedirectReason::kNotOffered:
      return "no app on the node offers the function";
    case RedirectReason::kDraining:
      return "the node is draining";
    case RedirectReason::kQueueFull:
      return "the node's run queue is full";
    case RedirectReason::kUnreachable:
      return "the node cannot be reached";
  }
  return "unknown";
}

}  // namespace kaido::daemon
