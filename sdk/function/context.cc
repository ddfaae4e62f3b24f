#include <kaido/context.h>

#include <algorithm>
#include <utility>

namespace kaido::inline abi0 {
namespace detail {

void CallControl::set_task(std::span<const std::byte> info,
                           std::string (*to_text)(std::span<const std::byte>)) noexcept {
  info_size_ = std::min(info.size(), kMaxInfoBytes);
  std::copy_n(info.begin(), info_size_, info_.begin());
  to_text_ = to_text;
}

std::string CallControl::task_id() const {
  return to_text_ != nullptr ? to_text_({info_.data(), info_size_}) : std::string("local");
}

void CallControl::cancel() noexcept {
  std::unique_lock lock(mutex_);
  cancelled_.store(true, std::memory_order_release);
  // A wake may poll the waiting task at once on another thread, which unlinks its wait: so never wake under the lock.
  while (waits_ != nullptr) {
    CancelWait* const wait = waits_;
    waits_ = wait->next_;
    if (waits_ != nullptr) waits_->link_ = &waits_;
    wait->linked_ = false;
    Waker waker = std::move(wait->waker_);
    lock.unlock();
    waker.wake();
    lock.lock();
  }
}

CancelWait::~CancelWait() {
  const std::lock_guard lock(control_->mutex_);
  if (!linked_) return;
  *link_ = next_;
  if (next_ != nullptr) next_->link_ = link_;
}

bool CancelWait::poll(PollContext& context) {
  if (!context.may_proceed()) return false;
  Waker replaced;  // Dropped after the lock: that may run foreign code.
  const std::lock_guard lock(control_->mutex_);
  if (control_->cancelled_.load(std::memory_order_relaxed)) {
    context.spend();
    return true;
  }
  if (!context.will_wake(waker_)) replaced = std::exchange(waker_, context.waker());
  if (!linked_) {
    linked_ = true;
    next_ = control_->waits_;
    if (next_ != nullptr) next_->link_ = &next_;
    link_ = &control_->waits_;
    control_->waits_ = this;
  }
  return false;
}

}  // namespace detail

bool Context::is_cancelled() const noexcept {
  return control_.is_cancelled() || (control_.deadline && std::chrono::steady_clock::now() >= *control_.deadline);
}

std::optional<std::chrono::nanoseconds> Context::remaining() const noexcept {
  if (!control_.deadline) return std::nullopt;
  return *control_.deadline - std::chrono::steady_clock::now();
}

}  // namespace kaido::inline abi0
