/// Small awaitables of the parity tests, and an executor that is none of Kaido's.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

#include <kaido/detail/waker.h>
#include <kaido/spawn.h>
#include <kaido/task.h>

namespace kaido::parity {

/// Starts a task whose handle nobody needs.
template <typename W>
void start(W work) {
  static_cast<void>(spawn(std::move(work)));
}
template <typename R, typename W>
void start_on(const R& runtime, W work) {
  static_cast<void>(runtime.spawn(std::move(work)));
}
/// Sends, whether somebody still receives or not.
template <typename S, typename T>
void send(S& sender, T value) {
  static_cast<void>(sender.send(std::move(value)));
}

/// Awaits until `poll` says true.
template <typename F>
class PollFn {
 public:
  explicit PollFn(F poll) : poll_(std::move(poll)) {}
  bool poll(PollContext& context) { return poll_(context); }
  void take() noexcept {}

 private:
  F poll_;
};
template <typename F>
PollFn<F> poll_fn(F poll) {
  return PollFn<F>(std::move(poll));
}

/// Never ready.
struct Pending {
  bool poll(PollContext&) noexcept { return false; }
  void take() noexcept {}
};
[[nodiscard]] inline Pending pending() { return {}; }

/// Ready at the second poll, having woken itself like any other wake-up (unlike yield_now).
class WakeOnce {
 public:
  bool poll(PollContext& context) {
    if (std::exchange(has_waited_, true)) return true;
    context.target().wake_by_ref();
    return false;
  }
  void take() noexcept {}

 private:
  bool has_waited_ = false;
};

/// Runs a task on this thread as an executor without a budget does that knows nothing of Kaido.
template <typename T>
T foreign_block_on(Task<T> task) {
  struct Target final : detail::WakeTarget {
    Target() noexcept : WakeTarget(kOneRef) {}
    void wake_by_ref() noexcept override {
      std::scoped_lock lock(mutex);
      is_woken = true;
      changed.notify_one();
    }
    void destroy() noexcept override { delete this; }
    std::mutex mutex;
    std::condition_variable changed;
    bool is_woken = false;
  };
  auto* target = new Target();
  struct Release {
    Target* target;
    ~Release() { target->drop_ref(); }
  } release{target};
  detail::TaskPoller<T> poller(std::move(task));
  for (;;) {
    detail::Budget budget = detail::Budget::unconstrained();
    PollContext context(*target, budget);
    if (poller.poll(context)) return poller.take();
    std::unique_lock lock(target->mutex);
    target->changed.wait(lock, [target] { return target->is_woken; });
    target->is_woken = false;
  }
}
template <detail::TaskFactory F>
auto foreign_block_on(F factory) {
  return foreign_block_on(detail::run_factory(std::move(factory)));
}

}  // namespace kaido::parity
