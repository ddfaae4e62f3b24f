/// TurnHooks: who wants to know that a turn has ended (see <kaido/detail/turn_hook.h>).
#pragma once

#include <atomic>
#include <cstddef>
#include <shared_mutex>
#include <vector>

#include <kaido/detail/turn_hook.h>

namespace kaido::inline abi0::detail {

/// Threading: thread-safe. remove() waits for calls under way.
class TurnHooks {
 public:
  void add(TurnHook& hook) {
    std::unique_lock lock(mutex_);
    hooks_.push_back(&hook);
    count_.store(hooks_.size(), std::memory_order_release);
  }
  void remove(TurnHook& hook) noexcept {
    std::unique_lock lock(mutex_);
    std::erase(hooks_, &hook);
    count_.store(hooks_.size(), std::memory_order_release);
  }
  /// Costs one load where there are none.
  void end_of_turn() noexcept {
    if (count_.load(std::memory_order_acquire) == 0) return;
    std::shared_lock lock(mutex_);
    for (TurnHook* hook : hooks_) hook->end_of_turn();
  }

  void serve_without_driver() noexcept {
    std::shared_lock lock(mutex_);
    for (TurnHook* hook : hooks_) hook->serve_without_driver();
  }

 private:
  std::shared_mutex mutex_;
  std::vector<TurnHook*> hooks_;
  std::atomic<std::size_t> count_ = 0;
};

}  // namespace kaido::inline abi0::detail
