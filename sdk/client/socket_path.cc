#include "sdk/client/socket_path.h"

#include <unistd.h>

#include <cstdlib>

#include "proto/base/private_folder.h"

namespace kaido::inline abi0::detail {

SocketPath find_socket() {
  if (const char* named = std::getenv("KAIDO_SOCKET"); named != nullptr && *named != '\0') return {named, true};
  constexpr const char* kSystem = "/run/kaido/kaidod.sock";
  if (::access(kSystem, F_OK) == 0) return {kSystem, false};
  if (const char* home = std::getenv("XDG_RUNTIME_DIR"); home != nullptr && *home == '/') {
    return {std::string(home) + "/kaido/kaidod.sock", false};
  }
  return {base::fallback_socket_folder(::getuid()) + "/kaidod.sock", false};
}

std::optional<std::string> socket_problem(const std::string& path) {
  return base::fallback_folder_problem(path, ::getuid());
}

}  // namespace kaido::inline abi0::detail
