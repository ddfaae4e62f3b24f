#include "daemon/net/transport_router.h"

#include <utility>

namespace kaido::daemon {
namespace {

base::Status no_transport(const Address& address) {
  return absl::InvalidArgumentError("no transport for " + address.to_string() + " is set up here");
}

/// A connect that failed before it began.
class FailedConnect final : public ConnectOperation {
 public:
  FailedConnect(Loop& loop, base::Status reason, Transport::OnConnect on_connect)
      : on_connect_(std::make_shared<Transport::OnConnect>(std::move(on_connect))) {
    loop.post([reason, weak = std::weak_ptr(on_connect_)] {
      if (const auto callback = weak.lock()) (*callback)(reason);
    });
  }

 private:
  const std::shared_ptr<Transport::OnConnect> on_connect_;
};

}  // namespace

void TransportRouter::add(Address::Kind kind, Transport& transport) {
  transports_[static_cast<std::size_t>(kind)] = &transport;
}

base::StatusOr<std::unique_ptr<Listener>> TransportRouter::listen(const Address& address, const ListenOptions& options,
                                                                  OnAccept on_accept) {
  Transport* const transport = transports_[static_cast<std::size_t>(address.kind())];
  if (transport == nullptr) return no_transport(address);
  return transport->listen(address, options, std::move(on_accept));
}

std::unique_ptr<ConnectOperation> TransportRouter::connect(const Address& address, base::Instant deadline,
                                                           const ConnectionOptions& options, OnConnect on_connect) {
  Transport* const transport = transports_[static_cast<std::size_t>(address.kind())];
  if (transport == nullptr) return std::make_unique<FailedConnect>(loop_, no_transport(address), std::move(on_connect));
  return transport->connect(address, deadline, options, std::move(on_connect));
}

}  // namespace kaido::daemon
