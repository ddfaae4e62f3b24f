/// PollProbe: a Probe for one operation (a Pollable) instead of a Task: it can also be asked, dropped, and its wakes
/// counted.
///
///     kaido::testing::PollProbe waiting(notify.notified());
///     EXPECT_FALSE(waiting.poll());
///     notify.notify_one();
///     EXPECT_TRUE(waiting.is_woken());
#pragma once

#include <atomic>
#include <optional>
#include <utility>

#include <kaido/detail/poll.h>
#include <kaido/detail/waker.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::testing {

/// Threading: confined to one thread; what it awaits may wake it from any.
/// Lifetime: destroying it destroys the operation where it is.
template <detail::Pollable A>
class PollProbe {
 public:
  explicit PollProbe(A operation) : target_(*new Target()), operation_(std::move(operation)) {}
  PollProbe(const PollProbe&) = delete;
  PollProbe& operator=(const PollProbe&) = delete;
  ~PollProbe() {
    drop();
    target_.drop_ref();
  }

  /// True when it is ready; then take() gives the outcome. Clears is_woken(). Each poll has a fresh budget.
  bool poll() {
    target_.wakes_before_poll = wake_count();
    target_.budget.reset();
    return operation_->poll(target_.context);
  }
  [[nodiscard]] bool is_woken() const noexcept { return wake_count() != target_.wakes_before_poll; }
  /// How often it was woken in all.
  [[nodiscard]] int wake_count() const noexcept { return target_.wakes.load(std::memory_order_acquire); }
  decltype(auto) take() { return operation_->take(); }
  void drop() noexcept { operation_.reset(); }
  A* operator->() noexcept { return &*operation_; }

 private:
  struct Target final : detail::WakeTarget {
    Target() noexcept : WakeTarget(kOneRef) {}
    void wake_by_ref() noexcept override { wakes.fetch_add(1, std::memory_order_acq_rel); }
    void destroy() noexcept override { delete this; }
    std::atomic<int> wakes = 0;
    int wakes_before_poll = 0;
    detail::Budget budget;
    PollContext context{*this, budget};
  };

  Target& target_;
  std::optional<A> operation_;
};

}  // namespace kaido::inline abi0::testing
#pragma GCC visibility pop
