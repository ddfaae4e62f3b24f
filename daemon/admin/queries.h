/// What the admin service asks the node: the seam between gRPC's threads and the node's one loop.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "proto/base/status.h"
#include "proto/base/time.h"
#include "proto/kaido/v1/admin.pb.h"

namespace kaido::daemon {

/// The node's answers to an operator. Owned by the admin room (its consumer), implemented and bound in daemon/node.
///
/// Threading: every method is called on the node's loop thread, and `done` has to be called there.
/// Lifetime: must outlive AdminServer::stop(); nothing is called after that.
/// Errors: the listing methods cannot fail. ping() answers kNotFound for a name that no known node has, kUnavailable
/// for a node that is known and not connected, kDeadlineExceeded when no answer came within `timeout`.
class AdminQueries {
 public:
  /// Called at most once. An implementation that is being destroyed may drop it: the admin service has a deadline of
  /// its own for every question.
  using PingDone = std::function<void(base::StatusOr<v1::PingNodeResponse>)>;
  using CallDone = std::function<void(base::StatusOr<v1::CallResponse>)>;

  virtual ~AdminQueries() = default;

  [[nodiscard]] virtual v1::StatusResponse status() = 0;
  /// This node first, then the others by name.
  [[nodiscard]] virtual v1::ListNodesResponse list_nodes() = 0;
  /// By name.
  [[nodiscard]] virtual v1::ListFunctionsResponse list_functions() = 0;
  /// Oldest first, at most `limit` (already capped by the admin service, never 0); sets `truncated` and `total`.
  [[nodiscard]] virtual v1::ListTasksResponse list_tasks(std::uint32_t limit) = 0;
  /// One round trip over the peer connection. An empty name means this node, whose round trip takes no time.
  virtual void ping(const std::string& node, base::Duration timeout, PingDone done) = 0;
  /// kNotFound if no alive node offers it.
  [[nodiscard]] virtual base::StatusOr<v1::DescribeFunctionResponse> describe_function(const std::string& name) = 0;
  /// Runs a function; `id` names the call for cancel_call(). `done` comes when the call has ended, at the latest soon
  /// after `timeout`. Errors: kInvalidArgument, kResourceExhausted: it was not started.
  virtual void call(std::uint64_t id, const v1::CallRequest& request, base::Duration timeout, CallDone done) = 0;
  /// The client went away. Its `done` may still be called.
  virtual void cancel_call(std::uint64_t id) = 0;
};

}  // namespace kaido::daemon
