/// One node from its settings to its end: log, signals, loop.
#pragma once

#include "daemon/settings/settings.h"

namespace kaido::daemon {

/// What kaidod ends with, as systemd's unit and docs/operating/configuration.md have it.
inline constexpr int kExitStart = 1;      // it could not start, for the reason that it logged
inline constexpr int kExitInternal = 70;  // sysexits' EX_SOFTWARE: an error that nothing expected; a bug
inline constexpr int kExitUsage = 64;     // sysexits' EX_USAGE: the command line is wrong
inline constexpr int kExitConfig = 78;  // sysexits' EX_CONFIG: restarting does not help, what --check says must change

/// Runs a node until SIGTERM or SIGINT. Returns the exit code; exceptions end here.
[[nodiscard]] int serve(const Settings& settings);

}  // namespace kaido::daemon
