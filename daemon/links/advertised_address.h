/// What other nodes are told to dial.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "daemon/net/address.h"

namespace kaido::daemon {

/// The bound address as others can use it: for a wildcard (0.0.0.0, ::) the first of `hosts`, the addresses of this
/// host that others may reach, that the wildcard stands for; a loopback one where there is none. Of :: that is the
/// first IPv4 one, which more hosts can dial, and the first IPv6 one on a host without IPv4. Port 0 never comes here:
/// the listener knows its port.
[[nodiscard]] std::string advertised_address(const Address& bound, std::span<const std::string> hosts);

/// Addresses of interfaces that are up, without those that mean nothing on another host: loopback ones, and IPv6
/// addresses of one link.
[[nodiscard]] std::vector<std::string> reachable_hosts();

}  // namespace kaido::daemon
