/// Whether an address can be listened on, for checking a configuration.
#pragma once

#include <cstdint>
#include <string>

#include "proto/base/status.h"

namespace kaido::daemon {

/// What keeps a TCP address from being listened on whoever else runs: it is none of this host's, or the port needs a
/// privilege. That somebody listens there now is no objection. Binds for a moment and listens to nothing.
[[nodiscard]] base::Status check_tcp_listen(const std::string& host, std::uint16_t port);

}  // namespace kaido::daemon
