/// Where this host's node listens for apps.
#pragma once

#include <optional>
#include <string>

namespace kaido::inline abi0::detail {

struct SocketPath {
  std::string path;
  bool is_explicit = false;  ///< KAIDO_SOCKET named it: then there is to be a node
};

/// KAIDO_SOCKET, else /run/kaido/kaidod.sock if it exists, else $XDG_RUNTIME_DIR/kaido/kaidod.sock, else
/// /tmp/kaido-<uid>/kaidod.sock: the same rule as kaidod's.
[[nodiscard]] SocketPath find_socket();

/// Why the socket must not be trusted: it is in /tmp/kaido-<uid>, and that folder is somebody else's. Says whose, and
/// what to do. Nothing for any other path: who named it has chosen it.
[[nodiscard]] std::optional<std::string> socket_problem(const std::string& path);

}  // namespace kaido::inline abi0::detail
