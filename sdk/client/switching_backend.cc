#include "sdk/client/switching_backend.h"

#include <utility>

#include "sdk/client/notice.h"

namespace kaido::inline abi0::detail {

Backend& SwitchingBackend::choose() {
  if (has_node_.load(std::memory_order_acquire)) return *node_;
  const bool is_connected = node_->is_connected();
  // One that refuses this program is one: to go on alone would hide why.
  if (!is_connected && !node_->is_closed()) return *local_;
  if (!has_node_.exchange(true, std::memory_order_acq_rel) && is_connected) {
    say_notice("there is a node now at " + node_->socket_path() + ": from here on functions run through it");
  }
  return *node_;
}

void SwitchingBackend::start(PendingCall& call, Waker waker) {
  Backend& backend = choose();
  call.carrier = &backend;
  backend.start(call, std::move(waker));
}

std::string SwitchingBackend::node_name() const {
  return has_node_.load(std::memory_order_acquire) ? node_->node_name() : local_->node_name();
}

/// Calls that were started here end here.
DistributedMetrics SwitchingBackend::metrics() const {
  DistributedMetrics metrics = node_->metrics();
  metrics.calls_in_flight += local_->metrics().calls_in_flight;
  return metrics;
}

void SwitchingBackend::close() noexcept {
  local_->close();
  node_->close();
}

}  // namespace kaido::inline abi0::detail
