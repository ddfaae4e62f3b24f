/// What every acceptor of the node does when the system does not give it a connection.
#pragma once

#include <chrono>

namespace kaido::daemon {

/// How long accepting rests after it failed, for instance because the process has no descriptors left: long enough for
/// some to be closed, short enough for nobody to notice. Without it the loop would spin.
inline constexpr std::chrono::milliseconds kAcceptPause{100};

}  // namespace kaido::daemon
