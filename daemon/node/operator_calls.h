/// Calls that operators make (`kaidoctl call`): tasks of a session that no app has.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "daemon/core/node/machine.h"
#include "daemon/node/gathered_payload.h"
#include "daemon/runtime/loop.h"
#include "proto/base/status.h"
#include "proto/base/time.h"
#include "proto/kaido/v1/admin.pb.h"
#include "proto/wire/outcome.h"

namespace kaido::daemon {

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
/// Lifetime: loop and machine outlive it. Calls that have not ended when it is destroyed are never answered.
class OperatorCalls {
 public:
  using Done = std::function<void(base::StatusOr<v1::CallResponse>)>;
  /// Calls at once. Each holds a thread of gRPC's, of which there must be some left to ask how the node is.
  static constexpr std::size_t kCallsMax = 8;

  using PingDone = std::function<void(base::StatusOr<base::Duration>)>;
  /// Pings at once; further ones are refused.
  static constexpr std::size_t kPingsMax = 64;

  OperatorCalls(Loop& loop, NodeMachine& machine) : loop_(loop), machine_(machine) {}
  OperatorCalls(const OperatorCalls&) = delete;
  OperatorCalls& operator=(const OperatorCalls&) = delete;

  /// `id` names the call for cancel(), and is not reused. `done` may be called before this returns.
  /// Errors, through `done`: kInvalidArgument for a request that names no function, or a schema that is too large;
  /// kResourceExhausted at a bound.
  void start(std::uint64_t id, const v1::CallRequest& request, base::Duration timeout, Done done);
  /// Ends the call, and forgets it: its `done` is not called.
  void cancel(std::uint64_t id);

  /// One round trip to the node; `done` is called once.
  void ping(NodeIndex node, PingDone done);

  /// From the machine: the one answer to a call, and to a ping.
  void ended(std::uint64_t id, TaskResult result);
  void ponged(std::uint64_t id, const base::StatusOr<base::Duration>& time);

  [[nodiscard]] const OperatorCallCounters& counters() const { return counters_; }

 private:
  struct Call {
    base::Instant since;
    Done done;  ///< empty: nobody waits any more
    /// A result that comes in chunks, while it does.
    std::unique_ptr<GatheredPayload> result;
  };
  /// The largest result that is gathered for an operator, who gets it in one message.
  static constexpr std::size_t kResultBytesMax = 4U << 20;

  void gather(std::uint64_t id, wire::Payload payload);
  void finish(std::uint64_t id, wire::Outcome outcome, const TaskErrorRef& error, std::string_view result);

  [[nodiscard]] base::StatusOr<PlacementRef> prepare(const v1::CallRequest& request, base::Duration timeout);

  Loop& loop_;
  NodeMachine& machine_;
  std::unordered_map<std::uint64_t, PingDone> pings_;
  std::uint64_t next_ping_ = 1;
  std::unordered_map<std::uint64_t, Call> calls_;
  OperatorCallCounters counters_;
};

}  // namespace kaido::daemon
