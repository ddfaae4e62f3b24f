/// Branch: how combinators (timeout, select, join) hold one of the things they wait for.
///
/// An operand is a Task or another Pollable given away (`std::move` or a temporary), a Pollable that stays the caller's
/// (an lvalue: it is only waited for), or a callable that makes one of the former when the combinator is first polled.
#pragma once

#include <concepts>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <kaido/detail/poll.h>
#include <kaido/detail/temporary.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// As the first argument of select, join and try_join: branches are polled in the order in which they are written, so
/// that the first ready one wins, instead of in a fair one.
struct Biased {};
inline constexpr Biased biased{};

namespace detail {

/// Awaits something that lives elsewhere. What needs time to be destroyed cannot be borrowed: nobody would wait for it.
template <typename A>
class Borrowed {
  static_assert(!Drainable<A>,
                "an operation of Asio's, or a combinator, is given away to select, join and timeout: std::move it");

 public:
  explicit Borrowed(A& awaitable) noexcept : awaitable_(&awaitable) {}
  bool poll(PollContext& context) { return awaitable_->poll(context); }
  decltype(auto) take() { return awaitable_->take(); }

 private:
  A* awaitable_;
};

/// A Pollable, movable until it is first polled.
template <typename A>
class Branch {
 public:
  using Value = decltype(std::declval<A&>().take());

  explicit Branch(A awaitable) : awaitable_(std::in_place, std::move(awaitable)) {}

  bool poll(PollContext& context) { return awaitable_->poll(context); }
  /// Once, after poll() gave true.
  decltype(auto) take() { return awaitable_->take(); }
  /// Gives up on it. kGone: it is destroyed; kOutcome: take() gives what happened, reset() destroys it.
  Dropped poll_drop(PollContext& context) noexcept {
    const Dropped dropped = awaitable_ ? detail::poll_drop(*awaitable_, context) : Dropped::kGone;
    if (dropped == Dropped::kGone) reset();
    return dropped;
  }
  /// Destroys it after take().
  void reset() noexcept { awaitable_.reset(); }

  static constexpr bool kDrainable = Drainable<A>;

 private:
  std::optional<A> awaitable_;
};

/// A Task, which cannot move any more once it is bound to its slot: that happens at the first poll.
template <typename T>
class Branch<Task<T>> {
 public:
  using Value = T;

  explicit Branch(Task<T> task) noexcept : task_(std::move(task)) {}
  Branch(Branch&& other) noexcept : task_(std::move(other.task_)) {}

  bool poll(PollContext& context) {
    if (!poller_) poller_.emplace(std::move(task_));
    return poller_->poll(context);
  }
  T take() { return poller_->take(); }
  Dropped poll_drop(PollContext& context) noexcept {
    const Dropped dropped = poller_ ? poller_->poll_drop(context) : Dropped::kGone;
    if (dropped == Dropped::kGone) reset();
    return dropped;
  }
  void reset() noexcept {
    poller_.reset();
    task_ = Task<T>();
  }

  static constexpr bool kDrainable = true;

 private:
  Task<T> task_;
  std::optional<TaskPoller<T>> poller_;
};

template <typename T>
struct IsTask : std::false_type {};
template <typename T>
struct IsTask<Task<T>> : std::true_type {};

/// A callable that gives a Task or another Pollable.
template <typename F>
concept BranchFactory = std::is_invocable_v<F&> && !Pollable<F> &&
                        (IsTask<std::invoke_result_t<F&>>::value || Pollable<std::invoke_result_t<F&>>);

/// Calls a factory where its result is to live, so that the result need not be movable.
template <typename F>
class CallInPlace {
 public:
  explicit CallInPlace(F& factory) noexcept : factory_(factory) {}
  operator std::invoke_result_t<F&>() const { return factory_(); }  // NOLINT: that is its purpose

 private:
  F& factory_;
};

template <typename A>
struct PollerOf {
  using type = A;
};
template <typename T>
struct PollerOf<Task<T>> {
  using type = TaskPoller<T>;
};

template <typename F>
  requires BranchFactory<F>
class Branch<F> {
  using Poller = typename PollerOf<std::invoke_result_t<F&>>::type;

 public:
  using Value = decltype(std::declval<Poller&>().take());

  explicit Branch(F factory) : factory_(std::move(factory)) {}
  Branch(Branch&& other) noexcept(std::is_nothrow_move_constructible_v<F>) : factory_(std::move(other.factory_)) {}

  bool poll(PollContext& context) {
    if (!poller_) poller_.emplace(CallInPlace<F>(factory_));
    return poller_->poll(context);
  }
  decltype(auto) take() { return poller_->take(); }
  Dropped poll_drop(PollContext& context) noexcept {
    const Dropped dropped = poller_ ? detail::poll_drop(*poller_, context) : Dropped::kGone;
    if (dropped == Dropped::kGone) reset();
    return dropped;
  }
  void reset() noexcept { poller_.reset(); }

  static constexpr bool kDrainable = Drainable<Poller>;

 private:
  F factory_;
  std::optional<Poller> poller_;
};

template <typename X>
struct BranchOf {
  static_assert(
      Pollable<X> || BranchFactory<X> || IsTask<X>::value,
      "not awaitable: give a Task, a JoinHandle, a sleep, a channel's operation, a callable that returns one, or "
      "kaido::from_awaiter() of a standard awaiter");
  using type = Branch<X>;
};
template <typename X>
struct BranchOf<X&> {
  static_assert(!IsTask<std::remove_const_t<X>>::value, "a Task is awaited once: std::move it");
  using type = std::conditional_t<Pollable<X>, Branch<Borrowed<X>>, Branch<std::decay_t<X>>>;
};

template <typename X>
struct BranchOf<Moved<X>> : BranchOf<X> {};

/// What holds the operand X (deduced as a forwarding reference deduces it).
template <typename X>
auto make_branch(X&& operand) {
  static_assert(check_temporaries<X>());
  using B = typename BranchOf<X>::type;
  if constexpr (kIsMoved<X>) {
    return B(std::move(operand).take());
  } else if constexpr (std::is_lvalue_reference_v<X> && Pollable<std::remove_reference_t<X>>) {
    return B(Borrowed<std::remove_reference_t<X>>(operand));
  } else {
    return B(std::forward<X>(operand));
  }
}

template <typename... X>
struct FirstIsBiased : std::false_type {};
template <typename First, typename... Rest>
struct FirstIsBiased<First, Rest...> : std::is_same<std::remove_cvref_t<First>, Biased> {};
template <typename... X>
concept StartsBiased = FirstIsBiased<X...>::value;

/// A value in a tuple or variant: nothing becomes std::monostate.
template <typename T>
using Stored = std::conditional_t<std::is_void_v<T>, std::monostate, std::remove_cvref_t<T>>;

/// take() as a Stored value.
template <typename A>
auto take_stored(A& awaitable) {
  using Value = decltype(awaitable.take());
  if constexpr (std::is_void_v<Value>) {
    awaitable.take();
    return std::monostate();
  } else {
    return Stored<Value>(awaitable.take());
  }
}

/// Gives up on a branch whose outcome nobody wants: true when it is gone.
template <typename B>
bool discard(B& branch, PollContext& context) noexcept {
  const Dropped dropped = branch.poll_drop(context);
  if (dropped == Dropped::kOutcome) branch.reset();
  return dropped != Dropped::kWaits;
}
/// The same for every branch of a tuple; true when all are gone.
template <typename... Branches>
bool discard_all(std::tuple<Branches...>& branches, PollContext& context) noexcept {
  return std::apply([&](auto&... branch) { return (static_cast<int>(discard(branch, context)) & ... & 1) != 0; },
                    branches);
}

}  // namespace detail
}  // namespace kaido::inline abi0
#pragma GCC visibility pop
