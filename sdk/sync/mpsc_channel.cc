#include <kaido/detail/mpsc_channel.h>

namespace kaido::inline abi0::detail {

MpscCore::MpscCore(std::size_t capacity) : BatchSemaphore(capacity), capacity_(capacity) {
  if (is_bounded()) idle_level_ = capacity;
}

void MpscCore::add_sender() noexcept {
  std::scoped_lock lock(lock_);
  ++strong_;
}

bool MpscCore::drop_sender() noexcept {
  Waker receiver;
  bool is_last = false;
  {
    std::scoped_lock lock(lock_);
    if (--strong_ == 0) receiver = std::move(watcher_);
    is_last = is_last_locked();
  }
  receiver.wake();
  return is_last;
}

void MpscCore::add_weak() noexcept {
  std::scoped_lock lock(lock_);
  ++weak_;
}

bool MpscCore::drop_weak() noexcept {
  std::scoped_lock lock(lock_);
  --weak_;
  return is_last_locked();
}

bool MpscCore::upgrade() noexcept {
  std::scoped_lock lock(lock_);
  if (strong_ == 0) return false;
  ++strong_;
  return true;
}

std::size_t MpscCore::strong_count() const noexcept {
  std::scoped_lock lock(lock_);
  return strong_;
}

std::size_t MpscCore::weak_count() const noexcept {
  std::scoped_lock lock(lock_);
  return weak_;
}

void MpscCore::close_receiver() noexcept {
  BatchSemaphore::close();
  for (bool is_done = false; !is_done;) {
    WakeBatch batch;
    std::scoped_lock lock(lock_);
    while (!closed_waiters_.empty() && !batch.is_full()) batch.add(std::move(closed_waiters_.pop_front()->waker));
    is_done = closed_waiters_.empty();
  }
}

bool MpscCore::is_ending() const noexcept {
  std::scoped_lock lock(lock_);
  return is_ending_locked();
}

bool MpscClosed::poll(PollContext& context) {
  Waker replaced;
  std::scoped_lock lock(channel_.lock_);
  if (channel_.closed_) return true;
  if (!node_.is_linked()) channel_.closed_waiters_.push_back(node_);
  has_started_ = true;
  replaced = node_.store_waker(context);
  return false;
}

void MpscClosed::leave() noexcept {
  if (!has_started_) return;
  std::scoped_lock lock(channel_.lock_);
  if (node_.is_linked()) WaitList<>::remove(node_);
}

}  // namespace kaido::inline abi0::detail
