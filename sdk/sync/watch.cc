#include <kaido/detail/watch_core.h>

#include <mutex>

#include <kaido/detail/wake_all.h>

namespace kaido::inline abi0::detail {

void WatchCore::wake_receivers() noexcept {
  std::unique_lock lock(lock_);
  wake_all(lock, waiters_, [](QueuedNode& node) { node.is_queued.store(false, std::memory_order_release); });
}

bool WatchChanged::wait(PollContext& context) noexcept {
  Waker replaced;  // Dropped after the lock.
  std::scoped_lock lock(core_->lock_);
  // Who changes the state takes the lock afterwards: it finds this one waiting, or this one sees the change.
  if (look()) return true;
  if (!node_.is_linked()) core_->waiters_.push_back(node_);
  node_.is_queued.store(true, std::memory_order_relaxed);
  replaced = node_.store_waker(context);
  return false;
}

void WatchChanged::leave() noexcept {
  std::scoped_lock lock(core_->lock_);
  if (node_.is_linked()) WaitList<QueuedNode>::remove(node_);
}

}  // namespace kaido::inline abi0::detail
