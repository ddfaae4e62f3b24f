#include <kaido/detail/block_thread.h>

#include <stdexcept>

#include "sdk/runtime/runtime_core.h"
#include "sdk/runtime/thread_state.h"

namespace kaido::inline abi0::detail {

void block_thread(bool (*poll)(void* state, PollContext& context), void* state) {
  if (thread_state.is_driving) {
    throw std::logic_error(
        "kaido: cannot block this thread: it runs tasks, which would all wait; await it, or use "
        "spawn_blocking");
  }
  auto* waker = new ThreadWaker();
  struct Release {
    ThreadWaker* waker;
    ~Release() { waker->drop_ref(); }
  } release{waker};
  for (;;) {
    if (waker->take_wake()) {
      Budget budget = Budget::unconstrained();  // Nobody else waits for a turn on this thread.
      PollContext context(*waker, budget);
      const bool is_ready = poll(state, context);
      // What this thread has gathered to send (remote calls) must leave before it waits.
      if (thread_state.core != nullptr) thread_state.core->hooks.end_of_turn();
      if (is_ready) return;
    } else {
      waker->wait();
    }
  }
}

}  // namespace kaido::inline abi0::detail
