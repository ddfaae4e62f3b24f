/// What the program says, and where: data to standard output, everything else to standard error.
#pragma once

#include <string>
#include <string_view>

#include "daemon/kaidoctl/options.h"
#include "proto/base/status.h"

namespace kaido::daemon {

/// One message for people; returns `code`.
ExitCode complain(ExitCode code, std::string_view message);

/// Data that did not arrive (a full disk, a closed pipe) is a failure.
ExitCode print(const base::StatusOr<std::string>& text, ExitCode code = ExitCode::kOk);

/// Why the daemon did not answer, and what may help.
ExitCode explain(const base::Status& status, const Options& options);

}  // namespace kaido::daemon
