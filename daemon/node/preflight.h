/// What a start needs of this host, asked before anything is done: the one function behind `kaidod --check` and behind
/// starting, so that they refuse the same.
#pragma once

#include <string>
#include <vector>

#include "daemon/settings/settings.h"
#include "proto/base/status.h"

namespace kaido::daemon {

/// Every reason why a node with these settings cannot start on this host as this user, whoever else runs now; empty if
/// there is none. Each says what is wrong and what to do. Changes nothing. (What another process holds at the moment, a
/// port or the state folder, is no reason here: a configuration is checked while its daemon runs.)
[[nodiscard]] std::vector<std::string> find_obstacles(const Settings& settings);

/// Makes the folders of the sockets where they are missing.
[[nodiscard]] base::Status make_socket_folders(const Settings& settings);

}  // namespace kaido::daemon
