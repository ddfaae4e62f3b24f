/// Calls that operators make (`kaidoctl call`): tasks of a session that no app has.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>

#include "daemon/core/task/attempt.h"
#include "daemon/execution/execution.h"
#include "proto/base/status.h"
#include "proto/base/time.h"
#include "proto/kaido/v1/admin.pb.h"
#include "proto/wire/outcome.h"

namespace kaido::daemon {

/// Of the operator's calls. Sessions of apps are never 0: their upper bits hold a generation from 1 on.
inline constexpr std::uint32_t kOperatorSession = 0;
/// What an operator's calls are listed under.
inline constexpr const char* kOperatorApp = "kaidoctl";

/// Plain numbers for metrics; they only grow.
struct OperatorCallCounters {
  std::uint64_t ended[wire::kOutcomeCount] = {};
  std::uint64_t refused_limit = 0;
};

/// The same path as an app's call: ledger, placement, executor. Only the ends differ: the arguments come from the admin
/// service, and so does the time-out; a call is started once and never again.
///
/// Threading: confined to the node strand.
/// Lifetime: `execution` outlives it. Calls that have not ended when it is destroyed are never answered.
class OperatorCalls {
 public:
  using Done = std::function<void(base::StatusOr<v1::CallResponse>)>;
  /// Calls at once. Each holds a thread of gRPC's, of which there must be some left to ask how the node is.
  static constexpr std::size_t kCallsMax = 8;

  OperatorCalls(Loop& loop, Execution& execution) : loop_(loop), execution_(execution) {}
  OperatorCalls(const OperatorCalls&) = delete;
  OperatorCalls& operator=(const OperatorCalls&) = delete;

  /// `id` names the call for cancel(), and is not reused. `done` may be called before this returns.
  /// Errors, through `done`: kInvalidArgument for a request that names no function, or a schema that is too large;
  /// kResourceExhausted at a bound.
  void start(std::uint64_t id, const v1::CallRequest& request, base::Duration timeout, Done done);
  /// Ends the call, and forgets it: its `done` is not called.
  void cancel(std::uint64_t id);

  /// From execution: the one answer.
  void deliver(std::uint64_t id, wire::Outcome outcome, const TaskError* error, Payload payload);

  [[nodiscard]] const OperatorCallCounters& counters() const { return counters_; }

 private:
  struct Call {
    base::Instant since;
    Done done;  ///< empty: nobody waits any more
  };

  [[nodiscard]] base::StatusOr<PlacementRef> prepare(const v1::CallRequest& request, base::Duration timeout);

  Loop& loop_;
  Execution& execution_;
  std::unordered_map<std::uint64_t, Call> calls_;
  OperatorCallCounters counters_;
};

}  // namespace kaido::daemon
