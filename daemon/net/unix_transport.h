/// Connections over Unix stream sockets: how apps reach their node.
#pragma once

#include <memory>

#include "daemon/net/transport.h"
#include "daemon/runtime/loop.h"
#include "daemon/security/security_provider.h"

namespace kaido::daemon {

/// A socket file that nobody answers on any more is replaced; one that somebody answers on, or a file that is no
/// socket, is left alone with an error. The folder must exist. The file is removed with the listener.
class UnixTransport final : public Transport {
 public:
  UnixTransport(Loop& loop, SecurityProvider& security) : loop_(loop), security_(security) {}

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
