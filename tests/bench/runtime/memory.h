/// What a task that only waits costs in memory.
#pragma once

#include <cstddef>

namespace kaido::bench {

/// Heap bytes per task of a hundred thousand that wait for a Notify, frame and queues included.
[[nodiscard]] std::size_t bytes_per_idle_task();
/// The size of such a task's coroutine frame alone: what the compiler asks for.
[[nodiscard]] std::size_t bytes_of_idle_frame();

}  // namespace kaido::bench
