/// Settings and identity to the options of each room: pure, and the one place where a setting's name meets its use.
#pragma once

#include <optional>
#include <string>

#include "daemon/core/node/machine.h"
#include "daemon/links/links.h"
#include "daemon/net/address.h"
#include "daemon/node/identity.h"
#include "daemon/settings/settings.h"

namespace kaido::daemon {

/// What plain text between nodes gives away here; nothing where they meet over Unix sockets only.
[[nodiscard]] std::optional<std::string> plaintext_warning(const Settings& settings);

[[nodiscard]] Address to_address(const AddressSetting& setting);

/// `nonce`: of this life, drawn anew at every start.
[[nodiscard]] NodeMachineOptions machine_options(const Settings& settings, const Identity& identity,
                                                 std::uint64_t nonce);
[[nodiscard]] LinksOptions links_options(const Settings& settings);

}  // namespace kaido::daemon
