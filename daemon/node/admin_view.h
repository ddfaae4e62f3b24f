/// The node as an operator sees it: answers the admin room's questions from the rooms.
#pragma once

#include <string>
#include <vector>

#include "daemon/admin/queries.h"
#include "daemon/node/rooms.h"

namespace kaido::daemon {

/// Threading: confined to the node strand.
/// Lifetime: the rooms outlive it.
class AdminView final : public AdminQueries {
 public:
  explicit AdminView(Rooms& rooms) : rooms_(rooms) {}

  v1::StatusResponse status() override;
  v1::ListNodesResponse list_nodes() override;
  v1::ListFunctionsResponse list_functions() override;
  v1::ListTasksResponse list_tasks(std::uint32_t limit) override;
  void ping(const std::string& node, base::Duration timeout, PingDone done) override;
  base::StatusOr<v1::DescribeFunctionResponse> describe_function(const std::string& name) override;
  void call(std::uint64_t id, const v1::CallRequest& request, base::Duration timeout, CallDone done) override {
    rooms_.operator_calls.start(id, request, timeout, std::move(done));
  }
  void cancel_call(std::uint64_t id) override { rooms_.operator_calls.cancel(id); }

  /// Why the node is in its state, e.g. "drains: SIGTERM".
  void set_reason(std::string reason) { reason_ = std::move(reason); }

 private:
  [[nodiscard]] std::vector<std::string> warnings() const;
  [[nodiscard]] std::string app_name(std::uint32_t session) const;
  void add_origin_tasks(v1::ListTasksResponse& response, std::uint32_t limit) const;
  void add_executed_attempts(v1::ListTasksResponse& response, std::uint32_t limit) const;

  Rooms& rooms_;
  std::string reason_;
};

}  // namespace kaido::daemon
