/// The floor: the least that three processes can do to carry a call from a client through a relay to a worker and back.
///
/// Frames of a 64-byte header and the payload, over Unix sockets. The relay reads what is ready, patches the header
/// where it lies, gathers by destination and writes each destination once a turn. The worker runs a coroutine per call.
/// There is no scheduling, no deadline, no flow control and no failure handling: what a product adds is seen beside it.
#pragma once

#include <memory>
#include <string>

#include "tests/bench/caller.h"

namespace kaido::bench {

/// Listens on two sockets, one for clients and one for workers, until killed. Calls go to the workers in turn.
int run_floor_relay(const std::string& client_socket, const std::string& worker_socket);

/// Answers calls with their argument until the relay goes away.
int run_floor_worker(const std::string& worker_socket);

[[nodiscard]] std::unique_ptr<Caller> connect_floor(const std::string& client_socket);

}  // namespace kaido::bench
