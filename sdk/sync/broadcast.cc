#include <bit>
#include <limits>
#include <stdexcept>

#include <kaido/detail/broadcast_ring.h>

namespace kaido::inline abi0::detail {

namespace {

std::size_t checked_capacity(std::size_t capacity) {
  if (capacity == 0) throw std::logic_error("kaido: a broadcast channel needs a capacity of at least 1");
  if (capacity > std::numeric_limits<std::size_t>::max() / 2) {
    throw std::logic_error("kaido: the capacity of a broadcast channel is at most half of SIZE_MAX");
  }
  return std::bit_ceil(capacity);
}

}  // namespace

BroadcastCore::BroadcastCore(std::size_t capacity) : mask_(checked_capacity(capacity) - 1) {}

std::uint64_t BroadcastCore::add_receiver() noexcept {
  std::scoped_lock lock(mutex_);
  if (receivers_++ == 0) is_closed_ = false;
  return tail_;
}

std::uint64_t BroadcastCore::remove_receiver() noexcept {
  std::uint64_t end = 0;
  bool is_last = false;
  {
    std::scoped_lock lock(mutex_);
    end = tail_;
    is_last = --receivers_ == 0;
    if (is_last) is_closed_ = true;
  }
  if (is_last) unheard_.notify_waiters();
  return end;
}

bool BroadcastCore::add_sender_if_open() noexcept {
  std::size_t senders = senders_.load();
  while (senders != 0) {
    if (senders_.compare_exchange_weak(senders, senders + 1)) return true;
  }
  return false;
}

void BroadcastCore::drop_sender() noexcept {
  if (senders_.fetch_sub(1) != 1) return;
  std::unique_lock lock(mutex_);
  is_closed_ = true;
  wake_receivers(lock);
}

std::size_t BroadcastCore::receiver_count() const noexcept {
  std::scoped_lock lock(mutex_);
  return receivers_;
}

std::uint64_t BroadcastCore::tail_position() const noexcept {
  std::scoped_lock lock(mutex_);
  return tail_;
}

void BroadcastCore::wake_receivers(std::unique_lock<FutexLock>& lock) noexcept {
  wake_all(lock, waiters_, [](QueuedNode& node) { node.is_queued.store(false, std::memory_order_release); });
}

void BroadcastCore::leave(QueuedNode& node) noexcept {
  if (!node.is_queued.load(std::memory_order_acquire)) return;
  std::scoped_lock lock(mutex_);
  if (node.is_linked()) WaitList<QueuedNode>::remove(node);
}

std::optional<BroadcastStep> BroadcastCore::explain(std::uint64_t& next, QueuedNode* node,
                                                    const PollContext* context) noexcept {
  Waker replaced;  // Dropped after the lock.
  std::scoped_lock lock(mutex_);
  if (next == tail_) {
    if (is_closed_) return BroadcastStep{.is_closed = true};
    if (node != nullptr) {
      if (!node->is_linked()) waiters_.push_back(*node);
      node->is_queued.store(true, std::memory_order_relaxed);
      replaced = node->store_waker(*context);
    }
    return BroadcastStep{.is_empty = true};
  }
  const std::uint64_t behind = tail_ - next;
  if (behind <= capacity()) return std::nullopt;
  const std::uint64_t missed = behind - capacity();
  next += missed;
  return BroadcastStep{.missed = missed};
}

}  // namespace kaido::inline abi0::detail
