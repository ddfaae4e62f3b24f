/// The words that the origin's ledger and the executor share.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/core/view/node_view.h"
#include "daemon/core/view/placement.h"
#include "proto/base/ids.h"
#include "proto/base/time.h"
#include "proto/wire/frame.h"
#include "proto/wire/outcome.h"
#include "proto/wire/payload.h"

namespace kaido::daemon {

/// Arguments or a result: a counted reference, so that whoever holds one may keep it.
using Payload = wire::Payload;

/// What a Result frame's metadata says of a task that did not succeed. Mirrors kaido.v1.ResultError.
struct TaskError {
  std::string message;
  std::string exception_type;
  std::string node;
  std::uint32_t attempt = 0;
  base::Duration retry_after{0};
  std::vector<NodeReason> reasons;
  bool operator==(const TaskError&) const = default;
};

/// Shared by all that pass one error on; null where there is none.
using TaskErrorRef = std::shared_ptr<const TaskError>;

[[nodiscard]] inline TaskErrorRef make_error(TaskError error) {
  return std::make_shared<const TaskError>(std::move(error));
}

/// What an app asks for.
struct SubmitRequest {
  std::uint32_t session = 0;
  std::uint64_t call_id = 0;  ///< the app's; unique among the session's undelivered calls
  PlacementRef placement;
  base::Duration budget{0};  ///< until the deadline; 0: the placement's timeout, or none
  wire::TraceContext trace;
  Payload payload;

  /// How long the task may take; not positive: for ever.
  [[nodiscard]] base::Duration time() const {
    return budget > base::Duration::zero() ? budget : placement->spec().timeout;
  }
};

/// For lists: what is left until the deadline, 0 once it has passed; nothing without one.
[[nodiscard]] inline std::optional<base::Duration> time_left(base::Instant now, base::Instant deadline) {
  if (deadline == base::kNever) return std::nullopt;
  return std::max(deadline - now, base::Duration(0));
}

/// One attempt as its executor knows it: whose task, and the how-manieth assignment of it.
struct AttemptKey {
  NodeIndex origin;
  std::uint32_t attempt = 0;  ///< from 1; grows with each assignment of the task, redirected ones included
  base::Life origin_life;
  std::uint64_t sequence = 0;
  bool operator==(const AttemptKey&) const = default;
};

/// Who says what of which attempt: the fence. All of it must match the record, or the message is late.
struct AttemptReport {
  NodeIndex from;
  base::Life life;  ///< the executor's, from its Hello
  std::uint64_t sequence = 0;
  std::uint32_t attempt = 0;
};

/// How an attempt ended. `error` is null if it succeeded, `payload` empty if it did not.
struct TaskResult {
  wire::Outcome outcome = wire::Outcome::kSucceeded;
  TaskErrorRef error;
  Payload payload;
};

/// Why an executor hands an attempt back that it has not started.
enum class RedirectReason : std::uint8_t {
  kMismatch,    ///< its own tags, taints or name do not fit the placement
  kNotOffered,  ///< no app here offers the function any more
  kDraining,
  kQueueFull,    ///< suitable, but full: a later try may succeed
  kUnreachable,  ///< said by the origin itself: there is no link to the node
  kLinkFull,     ///< said by the origin itself: the link to the node has as much under way as it takes
  kTooLarge,     ///< said by the origin itself: the node does not take a frame of this size
  kLifeEnded,  ///< said by the origin itself: that life of the node ended before it was sent; the next one may take it
};

inline constexpr std::size_t kRedirectReasonCount = 8;

/// An attempt that goes back unstarted: why, when a later try may succeed, and its arguments.
struct TaskRedirect {
  RedirectReason reason = RedirectReason::kMismatch;
  base::Duration retry_after{0};
  Payload payload;
};

/// Words for people, e.g. "the run queue is full".
[[nodiscard]] std::string_view name(RedirectReason reason);

}  // namespace kaido::daemon
