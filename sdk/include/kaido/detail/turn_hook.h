/// TurnHook: told when a worker has run everything that was ready, so that output gathered in the turn goes out at
/// once.
#pragma once

#include <memory>

#include <kaido/handle.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// end_of_turn() is called by each worker thread before it waits, by block_on before its thread waits, and at least
/// every 256 polls of tasks. It must not block; it may wake tasks, which are then run before the wait.
///
/// Threading: called from any thread of the runtime, possibly several at once.
/// Lifetime: a call keeps it alive, and may be what unregisters it, or ends it.
class TurnHook {
 public:
  virtual void end_of_turn() noexcept = 0;
  /// On a current-thread runtime, about once a millisecond while its thread is busy in a task and looks at no socket:
  /// for one whose bytes must not wait for that. Another thread calls it, and no handler runs meanwhile, so that what a
  /// handler would do with a socket of one's own can be done here.
  virtual void serve_without_driver() noexcept {}

 protected:
  ~TurnHook() = default;
};

/// For as long as it lives, or is registered.
void register_turn_hook(const Handle& handle, const std::shared_ptr<TurnHook>& hook);
/// Whether the poll under way is in a turn of this runtime's, at whose end its hooks are called on this thread. Not
/// where the thread has merely entered the runtime.
[[nodiscard]] bool is_in_turn_of(const Handle& handle) noexcept;
/// From anywhere. Calls under way on other threads may go on when it returns.
void unregister_turn_hook(const Handle& handle, const TurnHook& hook) noexcept;

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
