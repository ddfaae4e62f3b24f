/// How connections come about: listen and connect, over memory, Unix sockets or TCP.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "daemon/net/address.h"
#include "daemon/net/connection.h"
#include "proto/base/status.h"
#include "proto/base/time.h"

namespace kaido::daemon {

struct ListenOptions {
  /// Connections of this listener that live at one time; further ones are told `farewell`, as it stands, closed at
  /// once, counted and reported to `on_refused`.
  std::size_t connections_max = 4096;
  std::string farewell;
  std::function<void()> on_refused;
  /// A connection whose handshake takes longer is closed.
  base::Duration handshake_timeout = std::chrono::seconds(5);
  /// Mode bits of a Unix socket's file.
  unsigned unix_mode = 0660;
  ConnectionOptions connection;
};

struct ListenerStats {
  std::uint64_t accepted = 0;
  std::uint64_t refused_limit = 0;     // closed because of connections_max
  std::uint64_t failed_handshake = 0;  // closed because the security handshake failed
  std::uint64_t accept_errors = 0;     // the system refused to accept (EMFILE and the like); tried again after a pause
};

/// Listens until destroyed. The connections it accepted live on without it.
class Listener {
 public:
  virtual ~Listener() = default;

  /// The address as bound: with the real port where 0 was asked for.
  [[nodiscard]] virtual const Address& address() const = 0;
  [[nodiscard]] virtual const ListenerStats& stats() const = 0;
};

/// A connect at work; destroying it abandons the attempt, and its callback is not called.
class ConnectOperation {
 public:
  virtual ~ConnectOperation() = default;
};

/// Threading: confined to the loop's thread.
/// Lifetime: must outlive its listeners and connect operations, not its connections.
class Transport {
 public:
  /// A new connection, handshake done, to be started by its new owner.
  using OnAccept = std::function<void(std::unique_ptr<Connection>)>;
  using OnConnect = std::function<void(base::StatusOr<std::unique_ptr<Connection>>)>;

  virtual ~Transport() = default;

  /// Errors: kAlreadyExists if somebody answers there; kPermissionDenied by the system or the security provider;
  /// kInvalidArgument for an address of another kind or a name that means nothing.
  [[nodiscard]] virtual base::StatusOr<std::unique_ptr<Listener>> listen(const Address& address,
                                                                         const ListenOptions& options,
                                                                         OnAccept on_accept) = 0;

  /// Calls `on_connect` once, in a later turn: kUnavailable if nobody answers, kDeadlineExceeded, kPermissionDenied.
  [[nodiscard]] virtual std::unique_ptr<ConnectOperation> connect(const Address& address, base::Instant deadline,
                                                                  const ConnectionOptions& options,
                                                                  OnConnect on_connect) = 0;
};

}  // namespace kaido::daemon
