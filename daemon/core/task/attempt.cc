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
      return "there is no link to the node";
    case RedirectReason::kLinkFull:
      return "the link to the node is full";
    case RedirectReason::kTooLarge:
      return "the arguments are larger than the node takes (limits.max_frame_bytes there)";
    case RedirectReason::kLifeEnded:
      return "the node was lost before the task was sent to it";
  }
  return "unknown";
}

}  // namespace kaido::daemon
