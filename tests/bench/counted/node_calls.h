/// Calls through nodes, driven turn by turn: the parts of an instruction count that concern the daemon.
#pragma once

#include <cstdint>

namespace kaido::bench {

/// Calls in flight; every turn carries that many.
inline constexpr std::uint32_t kCountedWindow = 64;

/// Calls of a function on its own node, which has free slots. The node's work is done inside measured_local().
void count_local_calls(std::uint32_t warm_up_turns, std::uint32_t turns);

/// The same through two nodes; their work is done inside measured_origin() and measured_executor().
void count_remote_calls(std::uint32_t warm_up_turns, std::uint32_t turns);

}  // namespace kaido::bench
