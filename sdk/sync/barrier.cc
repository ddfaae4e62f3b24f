#include <kaido/sync/barrier.h>

#include <mutex>

#include <kaido/detail/wake_all.h>

namespace kaido::inline abi0 {

BarrierWait::~BarrierWait() {
  if (stage_ != Stage::kWaiting) return;
  std::scoped_lock lock(barrier_->lock_);
  if (node_.is_linked()) detail::WaitList<>::remove(node_);
}

bool BarrierWait::poll(PollContext& context) noexcept {
  if (stage_ == Stage::kNew) return arrive(context);
  return stage_ != Stage::kWaiting || check(context);
}

bool BarrierWait::arrive(PollContext& context) noexcept {
  std::unique_lock lock(barrier_->lock_);
  if (++barrier_->arrived_ < barrier_->count_) {
    round_ = barrier_->round_;
    barrier_->waiters_.push_back(node_);
    node_.waker = context.waker();
    stage_ = Stage::kWaiting;
    return false;
  }
  barrier_->arrived_ = 0;
  ++barrier_->round_;
  stage_ = Stage::kLeader;
  detail::wake_all(lock, barrier_->waiters_, [](detail::WaitNode&) {});
  return true;
}

bool BarrierWait::check(PollContext& context) noexcept {
  detail::Waker replaced;
  std::scoped_lock lock(barrier_->lock_);
  if (barrier_->round_ == round_) {
    replaced = node_.store_waker(context);
    return false;
  }
  // Still linked if the leader is between two batches.
  if (node_.is_linked()) detail::WaitList<>::remove(node_);
  stage_ = Stage::kReleased;
  return true;
}

}  // namespace kaido::inline abi0
