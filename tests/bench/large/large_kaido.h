/// The large call through nodes, by the public SDK at both ends.
#pragma once

#include <memory>
#include <string>

#include "tests/bench/large/large_caller.h"

namespace kaido::bench {

/// Offers what this program registers, on two threads: a function that reads for milliseconds does not keep small calls
/// waiting. Until killed.
int run_large_kaido_worker(const std::string& socket);
[[nodiscard]] std::unique_ptr<LargeCaller> connect_large_kaido(const std::string& socket);

}  // namespace kaido::bench
