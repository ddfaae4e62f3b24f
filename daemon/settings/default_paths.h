/// Where a node keeps its sockets and its state when the configuration does not say.
///
/// The rule, which the SDK follows too (docs/operating/configuration.md, "Where the socket is"):
///   1. A *system* daemon (root, or /run/kaido is a folder it may write) uses /run/kaido and /var/lib/kaido.
///   2. Any other user's daemon uses $XDG_RUNTIME_DIR/kaido, or /tmp/kaido-<uid> where that variable is not set, for
///      its sockets; and $XDG_STATE_HOME/kaido, or $HOME/.local/state/kaido, or the folder of the sockets, for its
///      state.
///   3. An app looks for $KAIDO_SOCKET, else /run/kaido/kaidod.sock if that exists, else the path of 2.
#pragma once

#include <sys/types.h>

#include <string>

#include "daemon/settings/settings.h"

namespace kaido::daemon {

/// What the rule asks about the host; gathered once, so that tests can state it instead.
struct HostFacts {
  std::string host_name;
  std::string run_dir;    // /run/kaido or the user's
  std::string state_dir;  // /var/lib/kaido or the user's
  bool is_system = false;
};

/// What the rule needs of the process: split from HostFacts so that the rule itself is a pure function.
struct ProcessFacts {
  uid_t uid = 0;
  bool system_run_dir_writable = false;
  std::string host_name;
  std::string xdg_runtime_dir;
  std::string xdg_state_home;
  std::string home;
};

/// Reads the environment, the effective user and the host's name.
[[nodiscard]] ProcessFacts current_process_facts();

/// Applies the rule above.
[[nodiscard]] HostFacts host_facts(const ProcessFacts& process);

/// The settings of a node without a configuration file: one node on its own, reachable from this host only.
[[nodiscard]] Settings default_settings(const HostFacts& host);

}  // namespace kaido::daemon
