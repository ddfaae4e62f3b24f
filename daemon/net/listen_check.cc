#include "daemon/net/listen_check.h"

#include <sys/socket.h>

#include <cerrno>
#include <optional>

#include "daemon/net/socket_address.h"

namespace kaido::daemon {

base::Status check_tcp_listen(const std::string& host, std::uint16_t port) {
  const std::optional<SocketAddress> address = numeric_tcp_address(host, port);
  if (!address) return absl::InvalidArgumentError("'" + host + "' is neither an IP address nor localhost");
  const std::string what = "cannot listen on " + tcp_endpoint(*address).text;
  const Descriptor socket = make_socket(address->family());
  if (!socket.valid()) return system_error(errno, what);
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.get(), address->get(), address->size) == 0 || errno == EADDRINUSE) return absl::OkStatus();
  const int error = errno;
  base::Status status = system_error(error, what);
  if (error == EADDRNOTAVAIL) {
    return base::Status(status.code(), std::string(status.message()) + "; write an address of this host, or 0.0.0.0");
  }
  if (error == EACCES) {
    return base::Status(status.code(), std::string(status.message()) + "; ports below 1024 need CAP_NET_BIND_SERVICE");
  }
  return status;
}

}  // namespace kaido::daemon
