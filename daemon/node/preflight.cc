#include "daemon/node/preflight.h"

#include "daemon/net/listen_check.h"
#include "daemon/net/socket_file.h"
#include "daemon/node/identity.h"

namespace kaido::daemon {
namespace {

std::vector<std::string> socket_paths(const Settings& settings) {
  std::vector<std::string> paths{settings.listen.app_socket, settings.listen.admin_socket};
  if (settings.listen.peer && settings.listen.peer->kind == AddressSetting::Kind::kUnix) {
    paths.push_back(settings.listen.peer->path);
  }
  return paths;
}

}  // namespace

std::vector<std::string> find_obstacles(const Settings& settings) {
  std::vector<std::string> obstacles;
  const auto add = [&](const std::string& setting, const base::Status& status) {
    if (!status.ok()) obstacles.push_back(setting + ": " + std::string(status.message()));
  };
  add("node.state_dir", StateFolder::check(settings.node.state_dir));
  add("listen.app_socket", check_socket_path(settings.listen.app_socket));
  add("listen.admin_socket", check_socket_path(settings.listen.admin_socket));
  if (const auto& peer = settings.listen.peer) {
    const bool is_unix = peer->kind == AddressSetting::Kind::kUnix;
    add("listen.peer", is_unix ? check_socket_path(peer->path) : check_tcp_listen(peer->host, peer->port));
  }
  if (const auto& http = settings.listen.http) add("listen.http", check_tcp_listen(http->host, http->port));
  return obstacles;
}

base::Status make_socket_folders(const Settings& settings) {
  for (const std::string& path : socket_paths(settings)) KAIDO_RETURN_IF_ERROR(make_socket_folder(path));
  return absl::OkStatus();
}

}  // namespace kaido::daemon
