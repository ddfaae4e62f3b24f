/// The least that a large argument costs: a copy within one process; and a copying relay between three.
///
/// The relay's client sends a 64-byte header and the argument as it lies, the relay passes bytes on through one fixed
/// buffer as they arrive (cut-through: it never holds a whole argument), the worker reads into memory that it reuses.
#pragma once

#include <memory>
#include <string>

#include "tests/bench/large/large_caller.h"

namespace kaido::bench {

/// Copies the argument and reads the copy: no other process.
[[nodiscard]] std::unique_ptr<LargeCaller> make_memcpy_caller();

/// Joins one client and one worker until either leaves.
int run_stream_relay(const std::string& client_socket, const std::string& worker_socket);
int run_stream_worker(const std::string& worker_socket);
[[nodiscard]] std::unique_ptr<LargeCaller> connect_stream(const std::string& client_socket);

}  // namespace kaido::bench
