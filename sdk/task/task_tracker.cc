#include <kaido/task_tracker.h>

#include <atomic>
#include <mutex>

#include <kaido/detail/futex_lock.h>

namespace kaido::inline abi0 {

namespace detail {

/// Threading: thread-safe. `state` is the number of tasks times two, plus one when closed; `completions` counts how
/// often that became one, so that a wait sees it even if it does not last.
class TaskTrackerState {
 public:
  static constexpr std::size_t kClosed = 1;
  static constexpr std::size_t kOneTask = 2;

  void add_task() noexcept { state.fetch_add(kOneTask, std::memory_order_relaxed); }
  void drop_task() noexcept {
    if (state.fetch_sub(kOneTask, std::memory_order_acq_rel) == (kOneTask | kClosed)) complete();
  }
  bool close() noexcept {
    const std::size_t previous = state.fetch_or(kClosed, std::memory_order_acq_rel);
    if (previous == 0) complete();
    return (previous & kClosed) == 0;
  }
  void complete() noexcept {
    completions.fetch_add(1, std::memory_order_release);
    WaitList<> woken;
    std::unique_lock guard(lock);
    woken.splice_back(waiters);
    while (!woken.empty()) {
      WakeBatch batch;
      while (!batch.is_full()) {
        WaitNode* node = woken.pop_front();
        if (node == nullptr) break;
        batch.add(std::move(node->waker));
      }
      guard.unlock();
      batch.wake_all();
      guard.lock();
    }
  }

  std::atomic<std::size_t> state = 0;
  std::atomic<std::uint64_t> completions = 0;
  FutexLock lock;
  WaitList<> waiters;
};

}  // namespace detail

TaskTrackerToken::TaskTrackerToken(detail::TaskTrackerRef state) noexcept : state_(std::move(state)) {
  if (state_) state_->add_task();
}
TaskTrackerToken::~TaskTrackerToken() {
  if (state_) state_->drop_task();
}

// First the count, then the state: a completion in between is seen in one of them.
TaskTrackerWait::TaskTrackerWait(detail::TaskTrackerRef state) noexcept
    : state_(std::move(state)),
      seen_(state_->completions.load(std::memory_order_acquire)),
      is_ready_(state_->state.load(std::memory_order_acquire) == detail::TaskTrackerState::kClosed) {}

TaskTrackerWait::~TaskTrackerWait() {
  if (!state_) return;
  std::scoped_lock guard(state_->lock);
  if (node_.is_linked()) detail::WaitList<>::remove(node_);
}

bool TaskTrackerWait::poll(PollContext& context) noexcept {
  if (is_ready_) return true;
  detail::Waker replaced;
  std::scoped_lock guard(state_->lock);
  // complete() counts before it takes the lock: either it finds this node, or this sees the count.
  if (state_->completions.load(std::memory_order_acquire) != seen_) {
    is_ready_ = true;
    if (node_.is_linked()) detail::WaitList<>::remove(node_);
    return true;
  }
  replaced = node_.store_waker(context);
  if (!node_.is_linked()) state_->waiters.push_back(node_);
  return false;
}

TaskTracker::TaskTracker() : state_(std::make_shared<detail::TaskTrackerState>()) {}

bool TaskTracker::close() const noexcept { return state_->close(); }
bool TaskTracker::reopen() const noexcept {
  const std::size_t previous = state_->state.fetch_and(~detail::TaskTrackerState::kClosed, std::memory_order_acq_rel);
  return (previous & detail::TaskTrackerState::kClosed) != 0;
}
bool TaskTracker::is_closed() const noexcept {
  return (state_->state.load(std::memory_order_acquire) & detail::TaskTrackerState::kClosed) != 0;
}
std::size_t TaskTracker::len() const noexcept {
  return state_->state.load(std::memory_order_acquire) / detail::TaskTrackerState::kOneTask;
}

}  // namespace kaido::inline abi0
