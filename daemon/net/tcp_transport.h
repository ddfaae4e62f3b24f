/// Connections over TCP: how nodes reach each other. No delay (Nagle would wait for what a turn has gathered already).
#pragma once

#include <memory>

#include "daemon/net/transport.h"
#include "daemon/runtime/loop.h"
#include "daemon/security/security_provider.h"

namespace kaido::daemon {

/// Names are resolved by Asio off the loop's thread; the addresses found are tried in turn until one answers. The
/// security provider is asked about each address itself, not about the name.
class TcpTransport final : public Transport {
 public:
  TcpTransport(Loop& loop, SecurityProvider& security) : loop_(loop), security_(security) {}

  /// The host must be a numeric address or "localhost"; port 0 binds a free one.
  [[nodiscard]] base::StatusOr<std::unique_ptr<Listener>> listen(const Address& address, const ListenOptions& options,
                                                                 OnAccept on_accept) override;
  [[nodiscard]] std::unique_ptr<ConnectOperation> connect(const Address& address, base::Instant deadline,
                                                          const ConnectionOptions& options,
                                                          OnConnect on_connect) override;

 private:
  Loop& loop_;
  SecurityProvider& security_;
};

}  // namespace kaido::daemon
