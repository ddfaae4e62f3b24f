/// What the apps' room asks of the node. Implemented by execution, bound in daemon/node.
#pragma once

#include <cstdint>
#include <vector>

#include "daemon/core/task/attempt.h"
#include "daemon/core/task/ledger.h"
#include "daemon/core/view/node_view.h"
#include "daemon/core/view/placement.h"
#include "proto/base/status.h"

namespace kaido::daemon {

/// Spans are valid during the call only.
class AppHandler {
 public:
  [[nodiscard]] virtual base::Status offer(std::uint32_t session, const std::vector<FunctionInfo>& functions,
                                           std::uint32_t slots) = 0;
  [[nodiscard]] virtual PlacementRef prepare(PlacementSpec spec) = 0;
  /// False: the session already has a call of this id in flight.
  [[nodiscard]] virtual bool submit(const SubmitRequest& request) = 0;
  virtual void cancel_call(std::uint32_t session, std::uint64_t call_id) = 0;
  virtual bool worker_result(std::uint32_t session, std::uint64_t call, wire::Outcome outcome, const TaskError* error,
                             Payload payload) = 0;
  /// The app is gone; nothing is delivered to it from here on.
  virtual void session_closed(std::uint32_t session) = 0;

 protected:
  ~AppHandler() = default;
};

}  // namespace kaido::daemon
