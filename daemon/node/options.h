/// Settings and identity to the options of each room: pure, and the one place where a setting's name meets its use.
#pragma once

#include "daemon/api/app_server.h"
#include "daemon/execution/execution.h"
#include "daemon/gossip/peer_mesh.h"
#include "daemon/net/address.h"
#include "daemon/node/identity.h"
#include "daemon/settings/settings.h"

namespace kaido::daemon {

[[nodiscard]] Address to_address(const AddressSetting& setting);

[[nodiscard]] AppServerOptions app_server_options(const Settings& settings, const Identity& identity);
[[nodiscard]] PeerMeshOptions peer_mesh_options(const Settings& settings, const Identity& identity);
[[nodiscard]] ExecutionOptions execution_options(const Settings& settings, const Identity& identity);

}  // namespace kaido::daemon
