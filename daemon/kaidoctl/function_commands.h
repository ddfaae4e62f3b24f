/// `kaidoctl functions NAME` and `kaidoctl call NAME JSON`.
#pragma once

#include "daemon/kaidoctl/admin_client.h"
#include "daemon/kaidoctl/options.h"

namespace kaido::daemon {

/// Prints one version of a function as a .proto, or writes it and its imports into options.proto_dir.
[[nodiscard]] ExitCode describe_function(AdminClient& client, const Options& options);

/// Encodes the arguments by the function's schema, has it run, and prints the result.
[[nodiscard]] ExitCode call_function(AdminClient& client, const Options& options);

}  // namespace kaido::daemon
