/// The runtimes that the workloads run on.
#pragma once

#include <cstddef>

#include <kaido/runtime.h>

namespace kaido::bench {

[[nodiscard]] inline Runtime current_thread() {
  return RuntimeBuilder::new_current_thread().enable_time().build().value();
}
[[nodiscard]] inline Runtime multi_thread(std::size_t workers) {
  return RuntimeBuilder::new_multi_thread().worker_threads(workers).enable_time().build().value();
}

}  // namespace kaido::bench
