/// Kaido doing the same work, as its users write it: the public SDK at both ends, one thread a process.
#pragma once

#include <memory>
#include <string>

#include "tests/bench/caller.h"

namespace kaido::bench {

/// Offers the function to the node behind `socket` until killed.
int run_kaido_worker(const std::string& socket);

/// A coroutine per call in flight, each awaiting one call after the other.
[[nodiscard]] std::unique_ptr<Caller> connect_kaido(const std::string& socket);

}  // namespace kaido::bench
