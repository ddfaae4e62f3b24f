/// wake_all: wakes everybody who waits in a list now, and nobody who comes meanwhile, in batches outside the lock.
#pragma once

#include <mutex>

#include <kaido/detail/wait_list.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// Unlinks every node of `waiters`, calls `mark(node)` for it under the lock, and wakes it after the lock is released.
/// The lock is released between batches of WakeBatch::kCapacity wake-ups, and at the end.
///
/// A node that is still to come may be removed from its list meanwhile, under the lock.
template <typename Node, typename Mutex, typename F>
void wake_all(std::unique_lock<Mutex>& lock, WaitList<Node>& waiters, F mark) {
  WaitList<Node> leaving;
  WakeBatch batch;
  leaving.splice_back(waiters);
  for (;;) {
    while (!batch.is_full()) {
      Node* const node = leaving.pop_front();
      if (node == nullptr) break;
      if (node->waker) batch.add(std::move(node->waker));
      mark(*node);
    }
    const bool is_done = leaving.empty();
    lock.unlock();
    batch.wake_all();
    if (is_done) return;
    lock.lock();
  }
}

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
