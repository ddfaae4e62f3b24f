#include <kaido/detail/standard_awaiter.h>

#include <mutex>
#include <utility>

namespace kaido::inline abi0::detail {

/// Threading: thread-safe.
class Resumption {
 public:
  bool poll(const PollContext& context) {
    Waker replaced;  // Dropped after the lock: that may run foreign code.
    const std::lock_guard lock(mutex_);
    if (has_arrived_) return true;
    if (!context.will_wake(waker_)) replaced = std::exchange(waker_, context.waker());
    return false;
  }
  bool has_arrived() {
    const std::lock_guard lock(mutex_);
    return has_arrived_;
  }
  void arrive() noexcept {
    Waker woken;
    {
      const std::lock_guard lock(mutex_);
      has_arrived_ = true;
      woken = std::move(waker_);
    }
    woken.wake();
  }

 private:
  std::mutex mutex_;  ///< guards what follows
  bool has_arrived_ = false;
  Waker waker_;
};

std::shared_ptr<Resumption> make_resumption() { return std::make_shared<Resumption>(); }
bool poll_resumption(Resumption& resumption, const PollContext& context) { return resumption.poll(context); }
bool has_arrived(Resumption& resumption) { return resumption.has_arrived(); }

ResumePoint make_resume_point(std::shared_ptr<Resumption> resumption) {
  resumption->arrive();
  co_return;
}

}  // namespace kaido::inline abi0::detail
