/// The cheap random numbers of this thread, for choices that need no quality: where select starts, whom to steal from.
#pragma once

#include <cstdint>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// Below `bound`, which is not 0. Inside a runtime the sequence follows from the runtime's rng_seed() and the thread's
/// place in it; elsewhere it differs from run to run.
[[nodiscard]] std::uint32_t random_below(std::uint32_t bound) noexcept;

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
