/// The system's form of addresses: numbers, not names.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/runtime/socket_stream.h"
#include "daemon/security/security_provider.h"
#include "proto/base/status.h"

namespace kaido::daemon {

/// A sockaddr of any family.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] int family() const { return storage.ss_family; }
  [[nodiscard]] std::uint16_t port() const;
};

/// A numeric IPv4 or IPv6 address, or "localhost", which means 127.0.0.1; nothing else.
[[nodiscard]] std::optional<SocketAddress> numeric_tcp_address(const std::string& host, std::uint16_t port);

/// The path fits: Address::parse saw to it, and a path made otherwise is refused here.
[[nodiscard]] std::optional<SocketAddress> unix_address(const std::string& path);

/// "tcp:127.0.0.1:7400", and how far it reaches.
[[nodiscard]] Endpoint tcp_endpoint(const SocketAddress& address);

/// A socket that neither blocks nor is inherited.
[[nodiscard]] Descriptor make_socket(int family);

/// A connected TCP socket, its options set, or a Unix socket, its peer's credentials asked for, as a stream.
[[nodiscard]] std::unique_ptr<ByteStream> tcp_stream(Descriptor socket);
[[nodiscard]] std::unique_ptr<ByteStream> unix_stream(Descriptor socket);

/// The most fitting code for an errno, with "<what>: <the system's text>".
[[nodiscard]] base::Status system_error(int error, const std::string& what);

}  // namespace kaido::daemon
