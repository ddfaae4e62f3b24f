/// gRPC doing the same work, as its C++ users write it when it has to be fast: one completion queue and one thread a
/// process (no hop between threads, which the callback interface has), over a Unix socket.
#pragma once

#include <memory>
#include <string>

#include "tests/bench/caller.h"

namespace kaido::bench {

/// Answers Echo.Unary and Echo.Stream until killed.
int run_grpc_server(const std::string& socket);

/// Answers Echo.Unary by calling the server behind `backend`, until killed.
int run_grpc_proxy(const std::string& socket, const std::string& backend);

/// A call is an RPC of its own.
[[nodiscard]] std::unique_ptr<Caller> connect_grpc_unary(const std::string& socket);

/// All calls share one bidirectional stream, a message each.
[[nodiscard]] std::unique_ptr<Caller> connect_grpc_stream(const std::string& socket);

}  // namespace kaido::bench
