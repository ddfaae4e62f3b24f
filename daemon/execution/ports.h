/// What execution needs of the rooms that hold the connections. Bound in daemon/node.
#pragma once

#include <cstdint>

#include "daemon/core/task/attempt.h"
#include "daemon/core/view/node_view.h"
#include "daemon/core/view/placement.h"
#include "proto/base/time.h"
#include "proto/wire/frame.h"
#include "proto/wire/outcome.h"

namespace kaido::daemon {

/// The apps of this node. Spans are valid during the call only; a session that is gone is ignored.
class AppPort {
 public:
  /// The answer to a call of the app. `error` is null if it succeeded.
  virtual void deliver(std::uint32_t session, std::uint64_t call_id, wire::Outcome outcome, const TaskError* error,
                       Payload payload) = 0;
  /// An attempt for the worker.
  virtual void dispatch(std::uint32_t session, std::uint32_t function_index, std::uint64_t call, const AttemptKey& key,
                        const base::NodeId& origin, base::Duration budget, const wire::TraceContext& trace,
                        Payload payload) = 0;
  virtual void cancel_at_worker(std::uint32_t session, std::uint64_t call) = 0;

 protected:
  ~AppPort() = default;
};

/// The other nodes. Spans are valid during the call only; a reply to a node that is gone is dropped.
class PeerPort {
 public:
  /// False: the node cannot be reached, or does not take a frame of this size; nothing was sent.
  [[nodiscard]] virtual bool send_attempt(NodeIndex node, const PreparedPlacement& placement, std::uint64_t sequence,
                                          std::uint32_t attempt, base::Duration budget, const wire::TraceContext& trace,
                                          Payload payload) = 0;
  virtual void send_cancel(NodeIndex node, std::uint64_t sequence, std::uint32_t attempt) = 0;
  virtual void reply_started(const AttemptKey& key, wire::Load load) = 0;
  virtual void reply_result(const AttemptKey& key, wire::Outcome outcome, const TaskError* error, Payload payload,
                            wire::Load load) = 0;
  virtual void reply_redirect(const AttemptKey& key, RedirectReason reason, base::Duration retry_after, Payload payload,
                              wire::Load load) = 0;
  /// This node's own account of itself changed.
  virtual void announce(const NodeInfo& self) = 0;

 protected:
  ~PeerPort() = default;
};

}  // namespace kaido::daemon
