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

/// What plain text between nodes gives away here, whether they come or are dialed; nothing where they meet over Unix
/// sockets only.
[[nodiscard]] std::optional<std::string> plaintext_warning(const Settings& settings);

[[nodiscard]] Address to_address(const AddressSetting& setting);

/// Drawn anew at every start.
struct FreshNumbers {
  std::uint64_t nonce = 0;      ///< of this life; peers are told it
  std::uint64_t hash_seed = 0;  ///< nobody is
};

[[nodiscard]] NodeMachineOptions machine_options(const Settings& settings, const Identity& identity,
                                                 const FreshNumbers& fresh);
[[nodiscard]] LinksOptions links_options(const Settings& settings);

}  // namespace kaido::daemon
