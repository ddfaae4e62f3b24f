/// TurnHooks: who wants to know that a turn has ended (see <kaido/detail/turn_hook.h>).
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include <kaido/detail/turn_hook.h>

namespace kaido::inline abi0::detail {

/// No lock is held while hooks are called: they wake, cancel and spawn, which may be what ends one of them.
///
/// Threading: thread-safe.
class TurnHooks {
 public:
  void add(const std::shared_ptr<TurnHook>& hook) {
    std::shared_ptr<const List> replaced;  // Goes after the lock.
    const std::lock_guard lock(mutex_);
    auto next = without(nullptr);
    next->push_back({hook.get(), hook});
    replace(replaced, std::move(next));
  }
  /// Does not wait: a call under way goes on.
  void remove(const TurnHook& hook) noexcept {
    std::shared_ptr<const List> replaced;
    const std::lock_guard lock(mutex_);
    try {
      replace(replaced, without(&hook));
    } catch (const std::bad_alloc&) {
      // Then it is called until it is gone, and its entry goes with the next change.
    }
  }

  /// Costs one load where there are none.
  void end_of_turn() noexcept {
    if (count_.load(std::memory_order_acquire) == 0) return;
    const std::shared_ptr<const List> hooks = snapshot();
    for (const Entry& entry : *hooks) {
      if (const auto alive = entry.owner.lock()) alive->end_of_turn();
    }
  }
  void serve_without_driver() noexcept {
    const std::shared_ptr<const List> hooks = snapshot();
    for (const Entry& entry : *hooks) {
      if (const auto alive = entry.owner.lock()) alive->serve_without_driver();
    }
  }

 private:
  struct Entry {
    const TurnHook* hook;
    std::weak_ptr<TurnHook> owner;
  };
  using List = std::vector<Entry>;

  [[nodiscard]] std::shared_ptr<const List> snapshot() const noexcept {
    const std::lock_guard lock(mutex_);
    return hooks_;
  }
  /// A new list without `hook`, and without those that are gone.
  [[nodiscard]] std::shared_ptr<List> without(const TurnHook* hook) const {
    auto next = std::make_shared<List>(*hooks_);
    std::erase_if(*next, [hook](const Entry& entry) { return entry.hook == hook || entry.owner.expired(); });
    return next;
  }
  void replace(std::shared_ptr<const List>& replaced, std::shared_ptr<const List> next) noexcept {
    count_.store(next->size(), std::memory_order_release);
    replaced = std::exchange(hooks_, std::move(next));
  }

  mutable std::mutex mutex_;  ///< guards which list it is; none is changed
  std::shared_ptr<const List> hooks_ = std::make_shared<List>();
  std::atomic<std::size_t> count_ = 0;
};

}  // namespace kaido::inline abi0::detail
