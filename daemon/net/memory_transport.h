/// Connections within one process, with no system call: for tests, and for whole nodes in one process.
#pragma once

#include <memory>
#include <string>

#include "daemon/net/transport.h"
#include "daemon/runtime/loop.h"
#include "daemon/security/security_provider.h"

namespace kaido::daemon {

/// The names that memory transports listen on, and the faults between them. One network may join transports of several
/// loops on several threads; each transport belongs to one loop.
///
/// Threading: thread-safe.
class MemoryNetwork {
 public:
  MemoryNetwork();
  ~MemoryNetwork();
  MemoryNetwork(const MemoryNetwork&) = delete;
  MemoryNetwork& operator=(const MemoryNetwork&) = delete;

  /// Breaks every connection to listeners named `name`, as if the process behind it had died; later ones are
  /// unaffected.
  void kill(const std::string& name);

  /// While black-holed, connections to `name` live on but deliver nothing either way, and new ones stay unanswered;
  /// what was written meanwhile arrives when the hole is closed.
  void set_black_hole(const std::string& name, bool on);

 private:
  friend class MemoryTransport;
  struct State;
  std::shared_ptr<State> state_;
};

/// Delivers in turns: what one side flushes, the other side's loop reads in a later turn.
class MemoryTransport final : public Transport {
 public:
  MemoryTransport(Loop& loop, MemoryNetwork& network, SecurityProvider& security);
  ~MemoryTransport() override;

  [[nodiscard]] base::StatusOr<std::unique_ptr<Listener>> listen(const Address& address, const ListenOptions& options,
                                                                 OnAccept on_accept) override;
  [[nodiscard]] std::unique_ptr<ConnectOperation> connect(const Address& address, base::Instant deadline,
                                                          const ConnectionOptions& options,
                                                          OnConnect on_connect) override;

 private:
  Loop& loop_;
  SecurityProvider& security_;
  std::shared_ptr<MemoryNetwork::State> network_;
};

}  // namespace kaido::daemon
