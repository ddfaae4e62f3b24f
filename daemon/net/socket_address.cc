#include "daemon/net/socket_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>
#include <utility>

namespace kaido::daemon {
namespace {

template <class T>
T as(const SocketAddress& address) {
  T value;
  std::memcpy(&value, &address.storage, sizeof value);
  return value;
}

template <class T>
SocketAddress from(const T& value, std::size_t size) {
  SocketAddress address;
  std::memcpy(&address.storage, &value, sizeof value);
  address.size = static_cast<socklen_t>(size);
  return address;
}

}  // namespace

std::uint16_t SocketAddress::port() const {
  if (family() == AF_INET) return ntohs(as<sockaddr_in>(*this).sin_port);
  if (family() == AF_INET6) return ntohs(as<sockaddr_in6>(*this).sin6_port);
  return 0;
}

std::optional<SocketAddress> numeric_tcp_address(const std::string& host, std::uint16_t port) {
  const std::string& number = host == "localhost" ? "127.0.0.1" : host;
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  if (::inet_pton(AF_INET, number.c_str(), &v4.sin_addr) == 1) return from(v4, sizeof v4);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  if (::inet_pton(AF_INET6, number.c_str(), &v6.sin6_addr) == 1) return from(v6, sizeof v6);
  return std::nullopt;
}

std::optional<SocketAddress> unix_address(const std::string& path) {
  sockaddr_un address{};
  if (path.empty() || path.size() >= sizeof address.sun_path) return std::nullopt;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return from(address, sizeof address);
}

Endpoint tcp_endpoint(const SocketAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.family() == AF_INET) {
    const auto v4 = as<sockaddr_in>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    const bool loopback = (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
    return {"tcp:" + std::string(text.data()) + ":" + std::to_string(address.port()),
            loopback ? Reach::kLoopback : Reach::kNetwork};
  }
  const auto v6 = as<sockaddr_in6>(address);
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  const bool mapped_loopback = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) && v6.sin6_addr.s6_addr[12] == 127;
  return {"tcp:[" + std::string(text.data()) + "]:" + std::to_string(address.port()),
          IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) || mapped_loopback ? Reach::kLoopback : Reach::kNetwork};
}

Descriptor make_socket(int family) {
  return Descriptor(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

std::unique_ptr<ByteStream> tcp_stream(Descriptor socket) {
  // A turn has gathered all there is: waiting for more would only delay it.
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  SocketAddress remote;
  remote.size = sizeof remote.storage;
  const bool known = ::getpeername(socket.get(), reinterpret_cast<sockaddr*>(&remote.storage), &remote.size) == 0;
  std::string text = known ? tcp_endpoint(remote).text : "tcp:gone";
  return std::make_unique<SocketStream>(std::move(socket), PeerIdentity{}, std::move(text));
}

std::unique_ptr<ByteStream> unix_stream(Descriptor socket) {
  PeerIdentity identity{.has_owner = true};
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
    identity.credentials = PeerCredentials{credentials.pid, credentials.uid, credentials.gid};
  }
  std::string text = identity.credentials ? "unix:pid " + std::to_string(credentials.pid) : "unix:unknown";
  return std::make_unique<SocketStream>(std::move(socket), std::move(identity), std::move(text));
}

base::Status system_error(int error, const std::string& what) {
  const std::string message = what + ": " + std::generic_category().message(error);
  switch (error) {
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(message);
    case EADDRINUSE:
      return absl::AlreadyExistsError(message);
    case ENOENT:
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ETIMEDOUT:
      return absl::UnavailableError(message);
    case EADDRNOTAVAIL:
    case ENOTDIR:
      return absl::InvalidArgumentError(message);
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return absl::ResourceExhaustedError(message);
    default:
      return absl::UnknownError(message);
  }
}

}  // namespace kaido::daemon
