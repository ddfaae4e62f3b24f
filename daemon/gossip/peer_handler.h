/// What the peers' room asks of the node. Implemented by execution, bound in daemon/node.
#pragma once

#include "daemon/core/task/attempt.h"
#include "daemon/core/task/executor.h"
#include "daemon/core/task/ledger.h"
#include "daemon/core/view/node_view.h"
#include "daemon/core/view/placement.h"
#include "proto/wire/frame.h"

namespace kaido::daemon {

/// Spans are valid during the call only.
class PeerHandler {
 public:
  /// This node's account of itself, for a peer that has just connected.
  [[nodiscard]] virtual const NodeInfo& self() const = 0;

  /// A peer told about itself; kNoNode: it is refused. cluster_changed() follows when attempts can be sent there.
  [[nodiscard]] virtual NodeIndex node_seen(NodeInfo info) = 0;
  virtual void cluster_changed() = 0;
  virtual void node_lost(NodeIndex node, base::Epoch epoch) = 0;
  virtual void load_reported(NodeIndex node, wire::Load load) = 0;

  // --- from origins ---
  [[nodiscard]] virtual PlacementRef prepare(PlacementSpec spec) = 0;
  virtual void admit(const AdmitRequest& request) = 0;
  virtual void cancel_attempt(const AttemptKey& key) = 0;

  // --- from executors ---
  virtual void attempt_started(const AttemptReport& report) = 0;
  virtual void attempt_result(const AttemptReport& report, wire::Outcome outcome, const TaskError* error,
                              Payload payload) = 0;
  virtual void attempt_redirected(const AttemptReport& report, RedirectReason reason, base::Duration retry_after,
                                  Payload payload) = 0;

 protected:
  ~PeerHandler() = default;
};

}  // namespace kaido::daemon
