/// The large call as a unary RPC without a proxy, blocking at both ends, which is enough for one call at a time.
#pragma once

#include <memory>
#include <string>

#include "tests/bench/large/large_caller.h"

namespace kaido::bench {

/// Answers Echo.Sum until killed.
int run_large_grpc_server(const std::string& socket);
[[nodiscard]] std::unique_ptr<LargeCaller> connect_large_grpc(const std::string& socket);

}  // namespace kaido::bench
