/// The version of this build, in logs, metrics and `--version`.
#pragma once

namespace kaido::daemon {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace kaido::daemon
