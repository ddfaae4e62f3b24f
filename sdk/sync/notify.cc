#include <kaido/sync/notify.h>

#include <mutex>

#include <kaido/detail/wake_all.h>

namespace kaido::inline abi0 {

namespace {

constexpr std::size_t kEmpty = 0;
constexpr std::size_t kWaiting = 1;
constexpr std::size_t kKept = 2;
constexpr std::size_t kStateBits = 3;
constexpr std::size_t kOneCall = 4;

constexpr std::size_t state_of(std::size_t word) { return word & kStateBits; }
constexpr std::size_t calls_of(std::size_t word) { return word & ~kStateBits; }

}  // namespace

void Notify::notify(Kind kind) noexcept {
  std::size_t word = state_.load();
  while (state_of(word) != kWaiting) {
    if (state_.compare_exchange_weak(word, calls_of(word) | kKept)) return;
  }
  detail::Waker woken;
  {
    std::scoped_lock lock(lock_);
    woken = notify_locked(kind);
  }
  woken.wake();
}

detail::Waker Notify::notify_locked(Kind kind) noexcept {
  std::size_t word = state_.load();
  while (state_of(word) != kWaiting) {
    if (state_.compare_exchange_weak(word, calls_of(word) | kKept)) return {};
  }
  Node* const node = kind == Kind::kNewest ? waiters_.pop_back() : waiters_.pop_front();
  if (node == nullptr) return {};  // Never, but g++ 12 warns without.
  if (waiters_.empty()) state_.store(calls_of(word) | kEmpty);
  node->kind.store(kind, std::memory_order_release);
  return std::move(node->waker);
}

void Notify::notify_waiters() noexcept {
  std::size_t word = state_.load();
  while (state_of(word) != kWaiting) {
    if (state_.compare_exchange_weak(word, word + kOneCall)) return;
  }
  std::unique_lock lock(lock_);
  word = state_.load();
  while (state_of(word) != kWaiting) {
    if (state_.compare_exchange_weak(word, word + kOneCall)) return;
  }
  state_.store((calls_of(word) | kEmpty) + kOneCall);
  detail::wake_all(lock, waiters_, [](Node& node) { node.kind.store(Kind::kAll, std::memory_order_release); });
}

Notified::Notified(Notify& notify) noexcept : notify_(&notify), calls_(calls_of(notify.state_.load())) {}

Notified::~Notified() {
  if (stage_ != Stage::kWaiting) return;
  detail::Waker next;
  {
    std::scoped_lock lock(notify_->lock_);
    if (node_.is_linked()) {
      detail::WaitList<Notify::Node>::remove(node_);
      const std::size_t word = notify_->state_.load();
      if (state_of(word) == kWaiting && notify_->waiters_.empty()) notify_->state_.store(calls_of(word) | kEmpty);
    } else if (const auto kind = node_.kind.load(std::memory_order_relaxed); kind != Notify::Kind::kAll) {
      next = notify_->notify_locked(kind);
    }
  }
  next.wake();
}

void Notified::renew() noexcept {
  calls_ = calls_of(notify_->state_.load());
  node_.kind.store(Notify::Kind::kNone, std::memory_order_relaxed);
  stage_ = Stage::kNew;
}

bool Notified::was_called(std::size_t state) const noexcept { return calls_of(state) != calls_; }

bool Notified::poll_with(const PollContext* context) noexcept {
  if (stage_ == Stage::kDone) return true;
  const bool is_ready = stage_ == Stage::kNew ? start(context) : check(context);
  if (is_ready) stage_ = Stage::kDone;
  return is_ready;
}

bool Notified::start(const PollContext* context) noexcept {
  std::atomic<std::size_t>& state = notify_->state_;
  std::size_t word = state.load();
  if (was_called(word) || (state_of(word) == kKept && state.compare_exchange_strong(word, calls_of(word) | kEmpty))) {
    // Who notified may have come by way of the lock, for a wait that has left meanwhile, and has it still.
    notify_->lock_.wait_until_released();
    return true;
  }

  std::scoped_lock lock(notify_->lock_);
  word = state.load();
  // The count is compared in the same step as the state changes: notify_waiters() either finds us waiting, or we find
  // its call counted.
  for (;;) {
    if (was_called(word)) return true;
    if (state_of(word) == kWaiting) break;
    const bool is_kept = state_of(word) == kKept;
    if (!state.compare_exchange_weak(word, calls_of(word) | (is_kept ? kEmpty : kWaiting))) continue;
    if (is_kept) return true;
    break;
  }
  notify_->waiters_.push_back(node_);
  stage_ = Stage::kWaiting;
  // The node had no waker: it was never linked, or its waker went with the notification.
  if (context != nullptr) node_.waker = context->waker();
  return false;
}

bool Notified::check(const PollContext* context) noexcept {
  if (node_.kind.load(std::memory_order_acquire) != Notify::Kind::kNone) {
    // Who notified has the lock still, or has left the Notify, which may be destroyed next.
    notify_->lock_.wait_until_released();
    return true;
  }
  detail::Waker replaced;
  std::scoped_lock lock(notify_->lock_);
  if (!node_.is_linked()) return true;
  if (was_called(notify_->state_.load())) {
    // A notify_waiters() between two batches: it is about to notify this one.
    detail::WaitList<Notify::Node>::remove(node_);
    replaced = std::move(node_.waker);
    return true;
  }
  if (context != nullptr) replaced = node_.store_waker(*context);
  return false;
}

}  // namespace kaido::inline abi0
