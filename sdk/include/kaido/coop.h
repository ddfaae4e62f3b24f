/// Cooperation: the budget that makes tasks take turns, and block_in_place for what cannot be awaited.
///
/// Each poll of a task has a budget of 128 units. Channels, locks, timers, joins and sockets take one when they are
/// ready; once it is used up they make the task wait its turn. A loop that awaits nothing of that kind calls
///
///     co_await kaido::consume_budget();
#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include <kaido/detail/poll.h>
#include <kaido/detail/temporary.h>
#include <kaido/detail/waker.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

namespace detail {

class ConsumeBudget {
 public:
  bool poll(PollContext& context) noexcept {
    if (!context.may_proceed()) return false;
    context.spend();
    return true;
  }
  void take() noexcept {}
};

/// What has_budget_remaining() looks at, for a scope.
class BudgetScope {
 public:
  explicit BudgetScope(Budget* budget) noexcept;
  BudgetScope(const BudgetScope&) = delete;
  BudgetScope& operator=(const BudgetScope&) = delete;
  ~BudgetScope();

 private:
  Budget* previous_;
};

/// Polls `A` with a budget that never ends.
template <typename A>
class [[nodiscard]] Unconstrained {
 public:
  template <typename Inner>
  explicit Unconstrained(std::in_place_t, Inner&& inner) : inner_(std::forward<Inner>(inner)) {}

  bool poll(PollContext& context) {
    Budget budget = Budget::unconstrained();
    BudgetScope scope(&budget);
    PollContext unconstrained(context, budget);
    return inner_.poll(unconstrained);
  }
  Dropped poll_drop(PollContext& context) noexcept { return detail::poll_drop(inner_, context); }
  decltype(auto) take() { return inner_.take(); }

 private:
  A inner_;
};

/// Charges a unit for the completion of `A`.
template <typename A>
class [[nodiscard]] Cooperative {
 public:
  template <typename Inner>
  explicit Cooperative(std::in_place_t, Inner&& inner) : inner_(std::forward<Inner>(inner)) {}

  bool poll(PollContext& context) {
    if (!context.may_proceed()) return false;
    if (!inner_.poll(context)) return false;
    context.spend();
    return true;
  }
  Dropped poll_drop(PollContext& context) noexcept { return detail::poll_drop(inner_, context); }
  decltype(auto) take() { return inner_.take(); }

 private:
  A inner_;
};

/// Leaves the runtime for a scope: the worker goes to another thread, and the scope may block.
class BlockInPlace {
 public:
  BlockInPlace();
  BlockInPlace(const BlockInPlace&) = delete;
  BlockInPlace& operator=(const BlockInPlace&) = delete;
  ~BlockInPlace();

 private:
  bool left_ = false;       // Was inside, and is to be again.
  bool may_block_ = false;  // What it was before.
  bool gave_worker_ = false;
  Budget* budget_ = nullptr;
};

}  // namespace detail

/// Takes one unit of the budget, and waits a turn if there is none left. For long computations in a task.
///
/// Cancellation: safe.
[[nodiscard]] inline detail::ConsumeBudget consume_budget() noexcept { return {}; }

/// False once the task being polled has used up its budget; true outside a task.
[[nodiscard]] bool has_budget_remaining() noexcept;

/// Runs a Task or other awaitable without a budget: what is ready inside never makes it wait. It can starve others.
///
/// Cancellation: as that of the awaitable.
template <typename T>
detail::Unconstrained<detail::TaskPoller<T>> unconstrained(Task<T> task) {
  return detail::Unconstrained<detail::TaskPoller<T>>(std::in_place, std::move(task));
}
template <typename A>
  requires(detail::Pollable<A> && !std::is_reference_v<A>)
detail::Unconstrained<A> unconstrained(A&& awaitable) {
  static_assert(detail::check_temporaries<A>());
  return detail::Unconstrained<A>(std::in_place, std::move(awaitable));
}
template <typename A>
  requires detail::Pollable<A>
detail::Unconstrained<A> unconstrained(Moved<A> awaitable) {
  return detail::Unconstrained<A>(std::in_place, std::move(awaitable).take());
}

/// Makes a Task or other awaitable that knows nothing of the budget take a unit when it is done.
///
/// Cancellation: as that of the awaitable.
template <typename T>
detail::Cooperative<detail::TaskPoller<T>> cooperative(Task<T> task) {
  return detail::Cooperative<detail::TaskPoller<T>>(std::in_place, std::move(task));
}
template <typename A>
  requires(detail::Pollable<A> && !std::is_reference_v<A>)
detail::Cooperative<A> cooperative(A&& awaitable) {
  static_assert(detail::check_temporaries<A>());
  return detail::Cooperative<A>(std::in_place, std::move(awaitable));
}
template <typename A>
  requires detail::Pollable<A>
detail::Cooperative<A> cooperative(Moved<A> awaitable) {
  return detail::Cooperative<A>(std::in_place, std::move(awaitable).take());
}

/// A permit of poll_proceed().
class CoopProgress {
 public:
  explicit CoopProgress(PollContext& context) noexcept : context_(&context) {}
  /// The operation is ready: the unit is spent. Not called, nothing is.
  void made_progress() noexcept { context_->spend(); }

 private:
  PollContext* context_;
};

/// For awaitables of your own: nothing if the budget is used up, and then poll() returns false (the wake-up is
/// arranged).
[[nodiscard]] inline std::optional<CoopProgress> poll_proceed(PollContext& context) noexcept {
  if (!context.may_proceed()) return std::nullopt;
  return CoopProgress(context);
}

/// Runs a closure that blocks, inside a task or the root of a multi-thread runtime; the worker's other tasks go on on
/// another thread meanwhile. The task itself waits, and so does everything it joins or selects. Inside, block_on is
/// allowed. Does no more than call the closure in nested use, on a blocking thread and outside a runtime.
///
/// Errors: throws std::logic_error on a current-thread runtime, in a LocalSet, and on a worker outside of a task (in a
/// handler of Asio's, in a hook). Exceptions of the closure pass through.
template <typename F>
std::invoke_result_t<F&&> block_in_place(F&& closure) {
  detail::BlockInPlace scope;
  return std::forward<F>(closure)();
}

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
