/// Probe: polls one awaitable by hand, to ask "is it ready? was it woken?" without a scheduler.
///
///     kaido::testing::Probe<int> probe(answer());
///     EXPECT_FALSE(probe.poll());
///     ...
///     EXPECT_TRUE(probe.is_woken());
///     EXPECT_TRUE(probe.poll());
#pragma once

#include <atomic>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <kaido/detail/waker.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::testing {

/// Threading: confined to one thread; what it awaits may wake it from any.
/// Lifetime: destroying it destroys the frame where it is suspended, as an abort does. What needs a runtime (timers)
/// also needs an EnterGuard around the polls.
template <typename T>
class Probe {
 public:
  explicit Probe(Task<T> task) : target_(*new Target()), context_(target_, budget_), poller_(std::move(task)) {}
  /// A callable that returns the Task, typically a lambda with captures: kept as long as the Task.
  template <detail::TaskFactory F>
  explicit Probe(F factory) : Probe(detail::run_factory(std::move(factory))) {}
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;
  ~Probe() {
    poller_.drop_frame();
    target_.drop_ref();
  }

  /// True when it is done; then take() gives the value or throws. Clears is_woken(). Each poll has a fresh budget.
  bool poll() {
    target_.is_woken.store(false, std::memory_order_release);
    budget_.reset();
    return poller_.poll(context_);
  }
  [[nodiscard]] bool is_woken() const noexcept { return target_.is_woken.load(std::memory_order_acquire); }
  T take() { return poller_.take(); }

 private:
  struct Target final : detail::WakeTarget {
    Target() noexcept : WakeTarget(kOneRef) {}
    void wake_by_ref() noexcept override { is_woken.store(true, std::memory_order_release); }
    void destroy() noexcept override { delete this; }
    std::atomic<bool> is_woken = false;
  };

  Target& target_;
  detail::Budget budget_;
  PollContext context_;  // A member, since the poller keeps its address between polls.
  detail::TaskPoller<T> poller_;
};

template <typename A>
using AwaitedValue = decltype(std::declval<A&>().take());

template <typename A>
Task<AwaitedValue<A>> await_owned(A awaitable) {
  co_return co_await awaitable;
}
template <typename A>
Task<AwaitedValue<A>> await_borrowed(A& awaitable) {
  co_return co_await awaitable;
}

/// A Probe of any awaitable: `auto probe = probe_of(receiver.recv());`. What is given as an lvalue stays the caller's.
template <typename A>
  requires(detail::Pollable<A> && !std::is_reference_v<A>)
Probe<AwaitedValue<A>> probe_of(A&& awaitable) {
  return Probe<AwaitedValue<A>>(await_owned(std::move(awaitable)));
}
template <typename A>
  requires detail::Pollable<A>
Probe<AwaitedValue<A>> probe_of(A& awaitable) {
  return Probe<AwaitedValue<A>>(await_borrowed(awaitable));
}

/// What an awaitable gives at its first poll; throws if it would wait.
template <typename A>
AwaitedValue<std::remove_reference_t<A>> ready(A&& awaitable) {
  auto probe = probe_of(std::forward<A>(awaitable));
  if (!probe.poll()) throw std::runtime_error("the awaitable is not ready");
  return probe.take();
}

template <detail::TaskFactory F>
explicit Probe(F factory) -> Probe<detail::FactoryValue<F>>;

}  // namespace kaido::inline abi0::testing
#pragma GCC visibility pop
