/// What the client's tests share besides the FakeNode.
#pragma once

#include <unistd.h>

#include <atomic>
#include <string>

#include <kaido/runtime.h>

namespace kaido::testing {

/// All drivers, and two worker threads where it has several.
[[nodiscard]] inline Runtime make_runtime(bool is_multi_thread) {
  auto builder = is_multi_thread ? RuntimeBuilder::new_multi_thread() : RuntimeBuilder::new_current_thread();
  if (is_multi_thread) builder.worker_threads(2);
  return builder.enable_all().build().value();
}

/// Where nobody listens yet. Not in the test's own folder: the path of a Unix socket has 107 bytes at most.
/// Threading: any thread.
[[nodiscard]] inline std::string new_socket_path() {
  static std::atomic<int> count{0};
  return "/tmp/kaido-client-" + std::to_string(::getpid()) + "-" + std::to_string(++count) + ".sock";
}

}  // namespace kaido::testing
