/// The words that the origin's ledger and the executor share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/view/node_view.h"
#include "daemon/core/view/placement.h"
#include "proto/base/ids.h"
#include "proto/base/time.h"
#include "proto/wire/frame.h"
#include "proto/wire/outcome.h"

namespace kaido::daemon {

/// Arguments or a result: somebody else's bytes.
using Payload = std::span<const std::byte>;

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

/// One attempt as its executor knows it: whose task, and the how-manieth assignment of it.
struct AttemptKey {
  NodeIndex origin;
  std::uint32_t attempt = 0;  ///< from 1; grows with each assignment of the task, redirected ones included
  base::Epoch origin_epoch;
  std::uint64_t sequence = 0;
  bool operator==(const AttemptKey&) const = default;
};

/// Why an executor hands an attempt back that it has not started.
enum class RedirectReason : std::uint8_t {
  kMismatch,    ///< its own tags, taints or name do not fit the placement
  kNotOffered,  ///< no app here offers the function any more
  kDraining,
  kQueueFull,    ///< suitable, but full: a later try may succeed
  kUnreachable,  ///< said by the origin's own shell: the attempt never left this node
};

/// Words for people, e.g. "the run queue is full".
[[nodiscard]] std::string_view name(RedirectReason reason);

}  // namespace kaido::daemon
