/// Where this host's node listens for apps.
#pragma once

#include <string>

namespace kaido::detail {

struct SocketPath {
  std::string path;
  bool is_explicit = false;  ///< KAIDO_SOCKET named it: then there is to be a node
};

/// KAIDO_SOCKET, else /run/kaido/kaidod.sock if it exists, else $XDG_RUNTIME_DIR/kaido/kaidod.sock, else
/// /tmp/kaido-<uid>/kaidod.sock: the same rule as kaidod's.
[[nodiscard]] SocketPath find_socket();

}  // namespace kaido::detail
