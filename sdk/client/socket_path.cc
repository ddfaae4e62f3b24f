#include "sdk/client/socket_path.h"

#include <unistd.h>

#include <cstdlib>

namespace kaido::detail {

SocketPath find_socket() {
  if (const char* named = std::getenv("KAIDO_SOCKET"); named != nullptr && *named != '\0') return {named, true};
  constexpr const char* kSystem = "/run/kaido/kaidod.sock";
  if (::access(kSystem, F_OK) == 0) return {kSystem, false};
  if (const char* home = std::getenv("XDG_RUNTIME_DIR"); home != nullptr && *home == '/') {
    return {std::string(home) + "/kaido/kaidod.sock", false};
  }
  return {"/tmp/kaido-" + std::to_string(::getuid()) + "/kaidod.sock", false};
}

}  // namespace kaido::detail
