/// The runtimes on which the SDK's own tests run, once for each flavour.
#pragma once

#include <kaido/runtime.h>

namespace kaido::testing {

/// All drivers, and two worker threads where it has several.
[[nodiscard]] inline Runtime make_runtime(bool is_multi_thread) {
  auto builder = is_multi_thread ? RuntimeBuilder::new_multi_thread() : RuntimeBuilder::new_current_thread();
  if (is_multi_thread) builder.worker_threads(2);
  return builder.enable_all().build().value();
}

}  // namespace kaido::testing
