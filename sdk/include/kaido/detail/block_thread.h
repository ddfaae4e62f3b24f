/// Waiting for an awaitable on a plain thread: what the blocking_ forms of channels and locks do.
#pragma once

#include <type_traits>

#include <kaido/detail/waker.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// Calls poll(state, context) on this thread until it is true, waiting in between for the wake-up.
/// Throws std::logic_error on a thread that runs tasks: it would stop them all.
void block_thread(bool (*poll)(void* state, PollContext& context), void* state);

template <typename A>
decltype(auto) block_on_awaitable(A&& awaitable) {
  block_thread(
      [](void* state, PollContext& context) { return static_cast<std::remove_reference_t<A>*>(state)->poll(context); },
      &awaitable);
  return awaitable.take();
}

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
