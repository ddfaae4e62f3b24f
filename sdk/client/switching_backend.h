/// SwitchingBackend: this process until a node is there, and the node from then on.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include <kaido/detail/pending_call.h>

#include "sdk/client/node_connection.h"

namespace kaido::inline abi0::detail {

/// For a program that was started before its node. A call goes where it is started; none is moved.
///
/// Threading: thread-safe.
class SwitchingBackend final : public Backend {
 public:
  SwitchingBackend(std::shared_ptr<Backend> local, std::shared_ptr<NodeConnection> node)
      : local_(std::move(local)), node_(std::move(node)) {}

  void start(PendingCall& call, Waker waker) override;
  bool set_waker(PendingCall& call, const PollContext& context) override {
    return call.carrier->set_waker(call, context);
  }
  void drop(PendingCall& call) noexcept override {
    if (call.carrier != nullptr) call.carrier->drop(call);
  }
  [[nodiscard]] std::string node_name() const override;
  [[nodiscard]] DistributedMetrics metrics() const override;
  void close() noexcept override;

 private:
  [[nodiscard]] Backend& choose();

  const std::shared_ptr<Backend> local_;
  const std::shared_ptr<NodeConnection> node_;
  std::atomic<bool> has_node_{false};  ///< or had one: a node that is lost is waited for, not replaced
};

}  // namespace kaido::inline abi0::detail
