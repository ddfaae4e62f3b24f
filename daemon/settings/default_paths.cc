#include "daemon/settings/default_paths.h"

#include <unistd.h>

#include <array>
#include <cstdlib>

#include "daemon/settings/names.h"
#include "proto/base/private_folder.h"

namespace kaido::daemon {
namespace {

constexpr const char* kSystemRunDir = "/run/kaido";
constexpr const char* kSystemStateDir = "/var/lib/kaido";
constexpr mode_t kSystemSocketMode = 0660;  // users of the daemon's group
constexpr mode_t kUserSocketMode = 0600;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

/// The XDG specification: a relative path is as good as none.
bool is_absolute(const std::string& path) { return path.starts_with('/'); }

std::string user_run_dir(const ProcessFacts& process) {
  if (is_absolute(process.xdg_runtime_dir)) return process.xdg_runtime_dir + "/kaido";
  return base::fallback_socket_folder(process.uid);
}

std::string user_state_dir(const ProcessFacts& process) {
  if (is_absolute(process.xdg_state_home)) return process.xdg_state_home + "/kaido";
  if (is_absolute(process.home)) return process.home + "/.local/state/kaido";
  return user_run_dir(process);
}

}  // namespace

ProcessFacts current_process_facts() {
  std::array<char, 256> name{};
  const bool has_name = gethostname(name.data(), name.size() - 1) == 0;
  return ProcessFacts{
      .uid = geteuid(),
      .system_run_dir_writable = access(kSystemRunDir, W_OK) == 0,
      .host_name = has_name ? std::string(name.data()) : std::string(),
      .xdg_runtime_dir = environment("XDG_RUNTIME_DIR"),
      .xdg_state_home = environment("XDG_STATE_HOME"),
      .home = environment("HOME"),
  };
}

HostFacts host_facts(const ProcessFacts& process) {
  HostFacts host;
  host.host_name = is_node_name(process.host_name) ? process.host_name : "localhost";
  host.is_system = process.uid == 0 || process.system_run_dir_writable;
  host.run_dir = host.is_system ? kSystemRunDir : user_run_dir(process);
  host.state_dir = host.is_system ? kSystemStateDir : user_state_dir(process);
  return host;
}

Settings default_settings(const HostFacts& host) {
  Settings settings;
  settings.node.name = host.host_name;
  settings.node.state_dir = host.state_dir;
  settings.listen.app_socket = host.run_dir + "/kaidod.sock";
  settings.listen.app_socket_mode = host.is_system ? kSystemSocketMode : kUserSocketMode;
  settings.listen.admin_socket = host.run_dir + "/admin.sock";
  return settings;
}

}  // namespace kaido::daemon
