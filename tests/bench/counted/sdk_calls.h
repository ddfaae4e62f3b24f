/// Calls as programs make and serve them: the parts of an instruction count that concern the SDK, its runtime included.
#pragma once

#include <cstdint>

namespace kaido::bench {

/// A program that calls a function from as many tasks as the window holds: encode, send, receive, complete, decode.
/// What it does is done inside measured_client().
void count_client_calls(std::uint32_t warm_up_turns, std::uint32_t turns);

/// A program that offers the function: receive, decode, run, encode, send; inside measured_worker().
void count_worker_calls(std::uint32_t warm_up_turns, std::uint32_t turns);

}  // namespace kaido::bench
