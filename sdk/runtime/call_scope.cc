#include <kaido/detail/call_scope.h>
#include <kaido/detail/task_header.h>

#include "sdk/runtime/thread_state.h"

namespace kaido::inline abi0::detail {

CallScope* CallScope::current() noexcept {
  const TaskHeader* const task = thread_state.task;
  return task != nullptr ? task->scope() : nullptr;
}

void CallScope::add_ref() noexcept { function_.add_ref(); }
void CallScope::drop_ref() noexcept { function_.drop_ref(); }

// In either, the wake that follows orders the count before the poll that looks at it. A function that has ended is not
// polled any more.
void CallScope::call_began() noexcept {
  if (calls_.fetch_add(1, std::memory_order_relaxed) == 0 && thread_state.task != &function_) function_.wake_by_ref();
}

void CallScope::call_ended() noexcept {
  if (calls_.fetch_sub(1, std::memory_order_relaxed) == 1 && thread_state.task != &function_) function_.wake_by_ref();
}

}  // namespace kaido::inline abi0::detail
