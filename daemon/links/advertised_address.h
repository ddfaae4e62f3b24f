/// What other nodes are told to dial.
#pragma once

#include <string>

#include "daemon/net/address.h"

namespace kaido::daemon {

/// The bound address as others can use it: for a wildcard (0.0.0.0, ::) the first address of this host that is not a
/// loopback one, or a loopback one where there is no other. Port 0 never comes here: the listener knows its port.
[[nodiscard]] std::string advertised_address(const Address& bound);

}  // namespace kaido::daemon
