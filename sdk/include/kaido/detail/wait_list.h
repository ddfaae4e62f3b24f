/// How tasks queue at a channel or lock: WaitNode in the waiting operation, WaitList in what it waits for, WakeBatch
/// for waking them. Nothing here locks or allocates; the owner's lock (detail::FutexLock) guards list and nodes.
///
/// The usual shape of a pollable that waits (Node derives from WaitNode and lies in the pollable):
///
///     bool poll(PollContext& context) {
///       Waker replaced;                              // Dropped after the lock: dropping may run foreign code.
///       std::scoped_lock lock(owner_.lock_);
///       if (is_ready_locked()) return true;
///       if (!node_.is_linked()) owner_.waiters_.push_back(node_);
///       replaced = node_.store_waker(context);
///       return false;
///     }
///     ~Operation() {                                 // Cancels. The waker goes after the lock, as a member does.
///       std::scoped_lock lock(owner_.lock_);
///       if (node_.is_linked()) WaitList<Node>::remove(node_);
///     }
///
/// and of who completes it:
///
///     WakeBatch batch;                               // Declared before the lock: wakes when it goes, after unlocking.
///     std::scoped_lock lock(lock_);
///     if (Node* node = waiters_.pop_front()) batch.add(std::move(node->waker));
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include <kaido/detail/waker.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

struct WaitLinks {
  WaitLinks* previous = nullptr;
  WaitLinks* next = nullptr;
};

/// A waiting operation's place in a WaitList, with whom to wake.
///
/// Threading: guarded by the lock of the list's owner while linked; else confined to the operation.
/// Lifetime: must be removed from its list before it goes; neither copied nor moved.
struct WaitNode : WaitLinks {
  WaitNode() noexcept = default;
  WaitNode(const WaitNode&) = delete;
  WaitNode& operator=(const WaitNode&) = delete;

  [[nodiscard]] bool is_linked() const noexcept { return next != nullptr; }
  /// Makes `context`'s target the one to wake, and gives back the waker to drop once the lock is released.
  [[nodiscard]] Waker store_waker(const PollContext& context) noexcept {
    if (context.will_wake(waker)) return Waker();
    return std::exchange(waker, context.waker());
  }

  Waker waker;
};

/// A node that can be left without the lock once whoever wakes it has let go of it: `is_queued` is cleared after all
/// else. Set under the lock.
struct QueuedNode : WaitNode {
  std::atomic<bool> is_queued = false;
};

/// First in, first out; removal from anywhere. Node derives from WaitNode.
///
/// Threading: guarded by its owner's lock.
/// Lifetime: empty when it goes.
template <typename Node = WaitNode>
class WaitList {
 public:
  WaitList() noexcept { reset(); }
  WaitList(const WaitList&) = delete;
  WaitList& operator=(const WaitList&) = delete;

  [[nodiscard]] bool empty() const noexcept { return ends_.next == &ends_; }
  /// The longest waiting; null if empty.
  [[nodiscard]] Node* front() const noexcept { return empty() ? nullptr : node(ends_.next); }
  [[nodiscard]] Node* back() const noexcept { return empty() ? nullptr : node(ends_.previous); }

  void push_back(Node& added) noexcept {
    WaitLinks& links = added;
    links.previous = ends_.previous;
    links.next = &ends_;
    ends_.previous->next = &links;
    ends_.previous = &links;
  }
  /// Unlinks and gives the longest waiting; null if empty.
  Node* pop_front() noexcept { return unlink(front()); }
  Node* pop_back() noexcept { return unlink(back()); }

  /// Takes a node out of the list it is in, whichever that is.
  static void remove(Node& removed) noexcept {
    WaitLinks& links = removed;
    links.previous->next = links.next;
    links.next->previous = links.previous;
    links.previous = links.next = nullptr;
  }

  /// Moves all nodes of `other` behind those here. For waking everybody who waits now and nobody who comes while the
  /// lock is released in between: their nodes can still be removed under the lock.
  void splice_back(WaitList& other) noexcept {
    if (other.empty()) return;
    other.ends_.next->previous = ends_.previous;
    ends_.previous->next = other.ends_.next;
    other.ends_.previous->next = &ends_;
    ends_.previous = other.ends_.previous;
    other.reset();
  }

 private:
  static Node* node(WaitLinks* links) noexcept { return static_cast<Node*>(static_cast<WaitNode*>(links)); }
  static Node* unlink(Node* popped) noexcept {
    if (popped != nullptr) remove(*popped);
    return popped;
  }
  void reset() noexcept { ends_.previous = ends_.next = &ends_; }

  mutable WaitLinks ends_;  // A ring through this element: no special cases at the ends.
};

/// Wakes `count` wakers in order; wakes them in one go where they are tasks of a runtime that this thread does not
/// drive.
void wake_each(Waker* wakers, std::size_t count) noexcept;

/// Wakers gathered under a lock, woken after it. At most kCapacity: when it is full, release the lock, wake_all(), and
/// go on. The destructor wakes what is left.
class WakeBatch {
 public:
  static constexpr std::size_t kCapacity = 128;

  WakeBatch() noexcept {}
  WakeBatch(const WakeBatch&) = delete;
  WakeBatch& operator=(const WakeBatch&) = delete;
  ~WakeBatch() {
    if (count_ != 0) wake_all();
  }

  [[nodiscard]] bool is_full() const noexcept { return count_ == kCapacity; }
  /// Requires !is_full().
  void add(Waker&& waker) noexcept { std::construct_at(&wakers_[count_++], std::move(waker)); }
  /// In the order of add().
  void wake_all() noexcept {
    if (count_ == 1) {
      wakers_[0].wake();
    } else if (count_ != 0) {
      wake_each(wakers_, count_);
    }
    count_ = 0;  // They are null now, and need no destructor.
  }

 private:
  std::size_t count_ = 0;
  union {
    Waker wakers_[kCapacity];
  };
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
