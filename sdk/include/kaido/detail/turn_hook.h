/// TurnHook: told when a worker has run everything that was ready, so that output gathered in the turn goes out at
/// once.
#pragma once

#include <kaido/handle.h>

namespace kaido::detail {

/// end_of_turn() is called by each worker thread before it waits, by block_on before its thread waits, and at least
/// every 256 polls of tasks. It must not block; it may wake tasks, which are then run before the wait.
///
/// Threading: called from any thread of the runtime, possibly several at once.
class TurnHook {
 public:
  virtual void end_of_turn() noexcept = 0;

 protected:
  ~TurnHook() = default;
};

void register_turn_hook(const Handle& handle, TurnHook& hook);
/// When it returns no call is under way. Not from inside a hook.
void unregister_turn_hook(const Handle& handle, TurnHook& hook) noexcept;

}  // namespace kaido::detail
