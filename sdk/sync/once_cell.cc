#include <kaido/sync/once_cell.h>

#include <mutex>

#include <kaido/detail/wake_all.h>

namespace kaido::inline abi0::detail {

OnceGate::Entry OnceGate::try_enter() noexcept {
  std::scoped_lock lock(lock_);
  const State state = state_.load(std::memory_order_relaxed);
  if (state == State::kDone) return Entry::kDone;
  if (state == State::kRunning) return Entry::kPending;
  state_.store(State::kRunning, std::memory_order_relaxed);
  return Entry::kGranted;
}

OnceGate::Entry OnceGate::enter(Node& node, const PollContext& context) noexcept {
  Waker replaced;
  std::scoped_lock lock(lock_);
  if (node.is_granted) return Entry::kGranted;
  const State state = state_.load(std::memory_order_relaxed);
  if (state == State::kDone) {
    // Still linked if finish() is between two batches.
    if (node.is_linked()) WaitList<Node>::remove(node);
    return Entry::kDone;
  }
  if (state == State::kEmpty) {
    state_.store(State::kRunning, std::memory_order_relaxed);
    return Entry::kGranted;
  }
  if (!node.is_linked()) waiters_.push_back(node);
  replaced = node.store_waker(context);
  return Entry::kPending;
}

void OnceGate::finish() noexcept {
  std::unique_lock lock(lock_);
  state_.store(State::kDone, std::memory_order_release);
  wake_all(lock, waiters_, [](Node&) {});
}

void OnceGate::pass_on() noexcept {
  Waker next;
  {
    std::scoped_lock lock(lock_);
    if (Node* node = waiters_.pop_front()) {
      node->is_granted = true;
      next = std::move(node->waker);
    } else {
      state_.store(State::kEmpty, std::memory_order_relaxed);
    }
  }
  next.wake();
}

void OnceGate::leave(Node& node) noexcept {
  bool was_granted = false;
  {
    std::scoped_lock lock(lock_);
    if (node.is_linked()) WaitList<Node>::remove(node);
    was_granted = std::exchange(node.is_granted, false);
  }
  if (was_granted) pass_on();
}

}  // namespace kaido::inline abi0::detail
