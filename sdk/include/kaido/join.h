/// join and try_join: await several things at once, in one task, and go on when all are done.
///
///     auto [user, orders] = co_await kaido::join(fetch_user(id), fetch_orders(id));
///
///     kaido::Result<std::tuple<User, Orders>> both = co_await kaido::try_join(fetch_user(id), fetch_orders(id));
///
/// Operands are those of select: Tasks and other awaitables given away, lvalues that are only waited for, callables
/// that return an awaitable. They take turns on the awaiting task's thread: for parallel work spawn them and join the
/// handles.
///
/// When a branch throws, or in a try_join gives an error, the others are given up as the losers of a select are: those
/// given away are cancelled and waited for, and what they have done all the same (an operation of Asio's, a standard
/// awaiter) is dropped. What is given by name keeps it: a handle, a kaido::operation().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include <kaido/detail/branch.h>
#include <kaido/detail/poll.h>
#include <kaido/expected.h>
#include <kaido/result.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

namespace detail {

/// What join makes of a branch's outcome: itself, and nothing is an error.
template <typename V>
struct JoinPart {
  using Value = Stored<V>;
  using Error = void;
};
/// What try_join makes of it: the value inside, and the error.
template <typename V>
struct TryJoinPart {
  static_assert(!std::is_same_v<V, V>, "try_join takes what gives a Result or an Expected; use join for the rest");
};
template <typename T, typename E>
struct TryJoinPart<Expected<T, E>> {
  using Value = Stored<T>;
  using Error = E;
};

template <typename First, typename... Rest>
struct CommonError {
  static_assert((std::is_same_v<First, Rest> && ...), "the branches of a try_join have one type of error");
  using type = First;
};

/// The outcome of a join of branches with values V...
template <bool kTry, typename... V>
struct JoinOutput {
  using Values = std::tuple<typename JoinPart<V>::Value...>;
  using Error = std::monostate;
  using type = Values;
};
template <>
struct JoinOutput<true> {
  using Values = std::tuple<>;
  using Error = kaido::Error;
  using type = Result<Values>;
};
template <typename... V>
  requires(sizeof...(V) > 0)
struct JoinOutput<true, V...> {
  using Values = std::tuple<typename TryJoinPart<std::remove_cvref_t<V>>::Value...>;
  using Error = typename CommonError<typename TryJoinPart<std::remove_cvref_t<V>>::Error...>::type;
  using type = Expected<Values, Error>;
};

template <typename Values>
struct Optionals;
template <typename... T>
struct Optionals<std::tuple<T...>> {
  using type = std::tuple<std::optional<T>...>;
};

/// The awaitable of join() and try_join(). A finished branch is destroyed at once and its value kept.
template <bool kBiased, bool kTry, typename... Branches>
class [[nodiscard]] Join {
  static constexpr std::size_t kCount = sizeof...(Branches);
  using Indices = std::index_sequence_for<Branches...>;
  using Traits = JoinOutput<kTry, typename Branches::Value...>;
  using Error = typename Traits::Error;

 public:
  using Output = typename Traits::type;

  explicit Join(Branches... branches) : branches_(std::move(branches)...) {}
  /// Only before it is first polled.
  Join(Join&& other) noexcept((std::is_nothrow_move_constructible_v<Branches> && ...))
      : branches_(std::move(other.branches_)) {}

  bool poll(PollContext& context) {
    if constexpr (kCount > 0) {
      if (!has_failed() && !poll_branches(context)) return false;
      if (has_failed()) return discard_all(branches_, context);
    }
    return true;
  }
  // An outcome if every branch has one, those that came while it was given up included.
  Dropped poll_drop(PollContext& context) noexcept {
    if (has_failed()) return discard_all(branches_, context) ? Dropped::kOutcome : Dropped::kWaits;
    return drop_branches(context, Indices());
  }
  Output take() {
    if (exception_) std::rethrow_exception(std::move(exception_));
    if constexpr (kTry && kCount > 0) {
      if (error_) return Output(std::move(*error_));
    }
    return take_values(Indices());
  }

 private:
  [[nodiscard]] bool has_failed() const noexcept { return exception_ != nullptr || error_.has_value(); }

  // True when all are done or one has failed.
  bool poll_branches(PollContext& context) {
    const std::size_t start = first_;
    if constexpr (!kBiased) first_ = (first_ + 1) % kCount;
    bool all_done = true;
    try {
      for (std::size_t i = 0; i < kCount && !has_failed(); ++i) {
        if (!poll_index((start + i) % kCount, context, Indices())) all_done = false;
      }
    } catch (...) {
      exception_ = std::current_exception();
    }
    return all_done || has_failed();
  }

  template <std::size_t... I>
  bool poll_index(std::size_t index, PollContext& context, std::index_sequence<I...>) {
    using Function = bool (*)(Join&, PollContext&);
    static constexpr std::array<Function, kCount> kFunctions{&poll_one<I>...};
    return kFunctions[index](*this, context);
  }
  template <std::size_t I>
  static bool poll_one(Join& self, PollContext& context) {
    auto& value = std::get<I>(self.values_);
    if (value) return true;
    if (!std::get<I>(self.branches_).poll(context)) return false;
    self.template keep<I>();
    return true;
  }
  template <std::size_t I>
  void keep() {
    auto& value = std::get<I>(values_);
    auto& branch = std::get<I>(branches_);
    if constexpr (kTry) {
      auto result = branch.take();
      branch.reset();
      if (!result) {
        error_.emplace(std::move(result).error());
      } else if constexpr (std::is_same_v<std::remove_cvref_t<decltype(*value)>, std::monostate>) {
        value.emplace();
      } else {
        value.emplace(*std::move(result));
      }
    } else {
      value.emplace(take_stored(branch));
      branch.reset();
    }
  }

  template <std::size_t... I>
  Dropped drop_branches(PollContext& context, std::index_sequence<I...>) noexcept {
    const std::array<Dropped, kCount> dropped{drop_one<I>(context)...};
    Dropped all = Dropped::kOutcome;
    for (const Dropped one : dropped) {
      if (one == Dropped::kWaits) return Dropped::kWaits;
      if (one == Dropped::kGone) all = Dropped::kGone;
    }
    return all;
  }
  template <std::size_t I>
  Dropped drop_one(PollContext& context) noexcept {
    if (std::get<I>(values_)) return Dropped::kOutcome;
    const Dropped dropped = std::get<I>(branches_).poll_drop(context);
    if (dropped != Dropped::kOutcome) return dropped;
    try {
      keep<I>();
    } catch (...) {
      std::get<I>(branches_).reset();
      exception_ = std::current_exception();
    }
    return Dropped::kOutcome;
  }

  template <std::size_t... I>
  Output take_values(std::index_sequence<I...>) {
    return Output(typename Traits::Values(std::move(*std::get<I>(values_))...));
  }

  std::tuple<Branches...> branches_;
  typename Optionals<typename Traits::Values>::type values_;
  std::optional<Error> error_;
  std::exception_ptr exception_;
  std::size_t first_ = 0;  // Which branch the next poll starts with.
};

template <bool kBiased, bool kTry, typename... X>
auto make_join(X&&... operands) {
  return Join<kBiased, kTry, typename BranchOf<X>::type...>(make_branch<X>(std::forward<X>(operands))...);
}

}  // namespace detail

/// Awaits all and gives a std::tuple of their outcomes, in the order of the arguments (std::monostate for nothing).
/// Each poll starts with the branch after the one with which the previous started, so that none is starved of budget;
/// `join(kaido::biased, ...)` always starts with the first. join() of nothing is ready at once.
///
/// Cancellation: dropping it drops what has not finished, and the outcomes of what has.
/// Errors: an exception of a branch passes through at once; the other branches are destroyed first.
template <typename... Operands>
  requires(!detail::StartsBiased<Operands...>)
auto join(Operands&&... operands) {
  return detail::make_join<false, false>(std::forward<Operands>(operands)...);
}
template <typename... Operands>
auto join(Biased, Operands&&... operands) {
  return detail::make_join<true, false>(std::forward<Operands>(operands)...);
}

/// The same for branches that give a Result (or all an Expected with one type of error): a Result of the tuple of their
/// values, or the first error, without waiting for the others: they are destroyed before the await returns.
///
/// Cancellation: as join.
/// Errors: an exception of a branch passes through, as in join.
template <typename... Operands>
  requires(!detail::StartsBiased<Operands...>)
auto try_join(Operands&&... operands) {
  return detail::make_join<false, true>(std::forward<Operands>(operands)...);
}
template <typename... Operands>
auto try_join(Biased, Operands&&... operands) {
  return detail::make_join<true, true>(std::forward<Operands>(operands)...);
}

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
