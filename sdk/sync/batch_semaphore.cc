#include <kaido/detail/batch_semaphore.h>

#include <algorithm>
#include <mutex>
#include <stdexcept>

namespace kaido::inline abi0::detail {

using Status = PermitWaiter::Status;

void PermitQueue::enqueue(PermitWaiter& waiter, std::size_t count) noexcept {
  waiter.needed = count;
  waiter.missing = count - std::exchange(available_, 0);
  waiter.status.store(Status::kQueued, std::memory_order_relaxed);
  waiters_.push_back(waiter);
}

std::size_t PermitQueue::add(std::size_t count, WakeBatch& batch) noexcept {
  while (count != 0) {
    PermitWaiter* waiter = waiters_.front();
    if (waiter == nullptr) break;
    if (waiter->missing > count) {
      waiter->missing -= count;
      return 0;
    }
    if (batch.is_full()) return count;
    count -= std::exchange(waiter->missing, 0);
    waiters_.pop_front();
    batch.add(std::move(waiter->waker));
    waiter->status.store(Status::kGranted, std::memory_order_release);  // From here on the node is its owner's.
  }
  available_ += count;
  return 0;
}

bool PermitQueue::close(WakeBatch& batch) noexcept {
  while (!waiters_.empty()) {
    if (batch.is_full()) return false;
    PermitWaiter* waiter = waiters_.pop_front();
    batch.add(std::move(waiter->waker));
    waiter->status.store(Status::kClosed, std::memory_order_release);
  }
  return true;
}

BatchSemaphore::BatchSemaphore(std::size_t permits) : permits_(permits) {
  if (permits > kMaxPermits) throw std::logic_error("kaido: a semaphore has at most Semaphore::kMaxPermits permits");
}

BatchSemaphore::Taken BatchSemaphore::try_take(std::size_t count) noexcept {
  std::scoped_lock lock(lock_);
  if (closed_) return Taken::kClosed;
  return permits_.try_take(count) ? Taken::kYes : Taken::kNoPermits;
}

void BatchSemaphore::release(std::size_t count) noexcept {
  while (count != 0) {
    Waker watcher;
    WakeBatch batch;
    {
      std::scoped_lock lock(lock_);
      count = permits_.add(count, batch);
      if (closed_ && permits_.available() == idle_level_) watcher = std::move(watcher_);
    }
    watcher.wake();
  }
}

void BatchSemaphore::add(std::size_t count) {
  {
    std::scoped_lock lock(lock_);
    if (count > kMaxPermits - permits_.available()) {
      throw std::logic_error("kaido: adding permits would exceed Semaphore::kMaxPermits");
    }
  }
  release(count);
}

std::size_t BatchSemaphore::forget(std::size_t count) noexcept {
  std::scoped_lock lock(lock_);
  const std::size_t removed = std::min(count, permits_.available());
  static_cast<void>(permits_.try_take(removed));
  return removed;
}

std::size_t BatchSemaphore::available() const noexcept {
  std::scoped_lock lock(lock_);
  return permits_.available();
}

void BatchSemaphore::close() noexcept {
  for (bool is_done = false; !is_done;) {
    WakeBatch batch;
    std::scoped_lock lock(lock_);
    closed_ = true;
    is_done = permits_.close(batch);
  }
}

bool BatchSemaphore::is_closed() const noexcept { return closed_.load(std::memory_order_acquire); }

PermitHold::~PermitHold() {
  if (count_ != 0) semaphore_->release(count_);
}

bool PermitWait::poll_without_budget(PollContext& context) {
  Status status = waiter_.status.load(std::memory_order_acquire);
  if (status == Status::kIdle || status == Status::kQueued) {
    Waker replaced;
    std::scoped_lock lock(semaphore_->lock_);
    status = waiter_.status.load(std::memory_order_relaxed);
    if (status == Status::kIdle) {
      if (semaphore_->closed_) {
        waiter_.needed = waiter_.missing = 0;
        waiter_.status.store(Status::kClosed, std::memory_order_relaxed);
        return true;
      }
      if (semaphore_->permits_.try_take(count_)) {
        waiter_.needed = count_;
        waiter_.missing = 0;
        waiter_.status.store(Status::kGranted, std::memory_order_relaxed);
        return true;
      }
      semaphore_->permits_.enqueue(waiter_, count_);
      status = Status::kQueued;
    }
    if (status == Status::kQueued) {
      replaced = waiter_.store_waker(context);
      return false;
    }
  }
  // Permits that came too late to be noticed before the semaphore closed do not count.
  if (status == Status::kGranted && semaphore_->is_closed()) {
    status = Status::kClosed;
    waiter_.status.store(status, std::memory_order_relaxed);
  }
  if (status == Status::kClosed) {
    // What was absorbed before the semaphore closed goes back now.
    const std::size_t absorbed = waiter_.needed - waiter_.missing;
    waiter_.needed = waiter_.missing = 0;
    semaphore_->release(absorbed);
  }
  return true;
}

void PermitWait::cancel_started() noexcept {
  {
    std::scoped_lock lock(semaphore_->lock_);
    if (waiter_.is_linked()) WaitList<PermitWaiter>::remove(waiter_);
  }
  waiter_.waker.reset();
  waiter_.status.store(Status::kIdle, std::memory_order_relaxed);
  const std::size_t absorbed = waiter_.needed - waiter_.missing;
  waiter_.needed = waiter_.missing = 0;
  semaphore_->release(absorbed);
}

}  // namespace kaido::inline abi0::detail
