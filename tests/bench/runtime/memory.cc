#include "tests/bench/runtime/memory.h"

#include <malloc.h>

#include <kaido/kaido.h>
#include <kaido/sync.h>

#include "tests/bench/runtime/runtimes.h"

namespace kaido::bench {

namespace {

constexpr std::size_t kTasks = 100'000;

std::size_t heap_bytes() { return mallinfo2().uordblks + mallinfo2().hblkhd; }

Task<void> wait_for_ever(Notify& notify) { co_await notify.notified(); }

Task<void> let_all_wait() {
  for (int i = 0; i < 100; ++i) co_await yield_now();
}

}  // namespace

std::size_t bytes_per_idle_task() {
  Notify notify;
  Runtime runtime = current_thread();
  const std::size_t before = heap_bytes();
  for (std::size_t i = 0; i < kTasks; ++i) (void)runtime.spawn(wait_for_ever(notify));
  runtime.block_on(let_all_wait());
  return (heap_bytes() - before) / kTasks;
}

std::size_t bytes_of_idle_frame() {
  Notify notify;
  const std::size_t before = heap_bytes();
  std::vector<Task<void>> tasks;
  tasks.reserve(kTasks);
  for (std::size_t i = 0; i < kTasks; ++i) tasks.push_back(wait_for_ever(notify));
  return (heap_bytes() - before) / kTasks - sizeof(Task<void>);
}

}  // namespace kaido::bench
