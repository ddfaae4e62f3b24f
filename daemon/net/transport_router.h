/// One Transport for every kind of address.
#pragma once

#include <array>
#include <memory>

#include "daemon/net/transport.h"
#include "daemon/runtime/loop.h"

namespace kaido::daemon {

/// Passes each request to the transport added for its address's kind; kInvalidArgument where there is none.
///
/// Lifetime: the transports added must outlive the router.
class TransportRouter final : public Transport {
 public:
  explicit TransportRouter(Loop& loop) : loop_(loop) {}

  void add(Address::Kind kind, Transport& transport);

  [[nodiscard]] base::StatusOr<std::unique_ptr<Listener>> listen(const Address& address, const ListenOptions& options,
                                                                 OnAccept on_accept) override;
  [[nodiscard]] std::unique_ptr<ConnectOperation> connect(const Address& address, base::Instant deadline,
                                                          const ConnectionOptions& options,
                                                          OnConnect on_connect) override;

 private:
  Loop& loop_;
  std::array<Transport*, 3> transports_{};
};

}  // namespace kaido::daemon
