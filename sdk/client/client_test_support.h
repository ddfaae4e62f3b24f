/// What the client's tests share besides the FakeNode.
#pragma once

#include <unistd.h>

#include <atomic>
#include <string>

#include "sdk/testing/runtimes.h"

namespace kaido::testing {

/// Where nobody listens yet. Not in the test's own folder: the path of a Unix socket has 107 bytes at most.
/// Threading: any thread.
[[nodiscard]] inline std::string new_socket_path() {
  static std::atomic<int> count{0};
  return "/tmp/kaido-client-" + std::to_string(::getpid()) + "-" + std::to_string(++count) + ".sock";
}

}  // namespace kaido::testing
