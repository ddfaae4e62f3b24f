/// select: waits for several things at once and acts on the first that is ready.
///
///     co_await kaido::select(
///         kaido::on_value(rx.recv(), [&](Job job) { queue.push_back(std::move(job)); }),
///         kaido::on(kaido::sleep(1s), [&]() -> kaido::Task<void> { co_await flush(queue); }).when(!queue.empty()),
///         kaido::otherwise([&] { closed = true; }));
///
/// Each branch is `on(operation, handler)`. An operation is a Task or any other awaitable, given away; a JoinHandle,
/// Sleep, receiver and the like given by name stays the caller's, is only waited for, and can be awaited again if it
/// lost; a callable that returns an awaitable is called when the branch is first polled. A handler is called with the
/// outcome, and may be a coroutine. What all handlers return, in common, is what select returns.
///
/// Without handlers, `select(a, b)` gives a std::variant, by index: `std::get<0>(won)` is what a gave (std::monostate
/// for nothing).
///
/// g++ 12 destroys a lambda that is written inside a co_await expression twice if it captures anything with a
/// destructor: capture by reference there, or name the handler on the line above and move it in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <kaido/detail/branch.h>
#include <kaido/detail/poll.h>
#include <kaido/detail/random.h>
#include <kaido/detail/select_branch.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

namespace detail {

/// The awaitable of select(). Stages: the branches are polled; when one has won all are dropped; the handler runs.
/// Given up before one has won, it drops all, and what one of them is done with nevertheless wins. Given up later, it
/// goes on to the handler: what was taken is seen.
template <bool kBiased, typename Else, typename... Branches>
class [[nodiscard]] Select {
  static constexpr std::size_t kCount = sizeof...(Branches);
  static_assert(kCount <= 64, "select takes 64 branches at most");
  using Indices = std::index_sequence_for<Branches...>;
  using Traits = SelectOutput<Else, Branches...>;

 public:
  using Output = typename Traits::type;

  explicit Select(Else fallback, Branches... branches)
      : fallback_(std::move(fallback)), branches_(std::move(branches)...) {}
  /// Only before it is first polled.
  Select(Select&& other) noexcept(std::is_nothrow_move_constructible_v<Else> &&
                                  (std::is_nothrow_move_constructible_v<Branches> && ...))
      : fallback_(std::move(other.fallback_)), branches_(std::move(other.branches_)) {}

  bool poll(PollContext& context) {
    if (stage_ == Stage::kBranches) {
      // Pends without budget even if a branch is ready, so that a loop of selects lets others run.
      if (!context.may_proceed() || !poll_branches(context)) return false;
      stage_ = Stage::kDropping;
    }
    if (stage_ == Stage::kDropping) {
      if (!discard_all(branches_, context)) return false;
      stage_ = Stage::kHandler;
      if (!failure_) start_handler(Indices());
    }
    return poll_handler(context);
  }
  Dropped poll_drop(PollContext& context) noexcept {
    if (stage_ == Stage::kHandler) return drop_handler(context);
    if (!drop_branches(context, Indices())) return Dropped::kWaits;
    if (stage_ == Stage::kBranches) return Dropped::kGone;
    stage_ = Stage::kHandler;
    try {
      if (!failure_) start_handler(Indices());
      // A handler that is a coroutine runs as far as its first wait, as it would in the poll that took the outcome.
      if (poll_handler(context)) return Dropped::kOutcome;
    } catch (...) {
      failure_ = std::current_exception();
      handler_.template emplace<0>();
      return Dropped::kOutcome;
    }
    return drop_handler(context);
  }
  Output take() {
    if (failure_) std::rethrow_exception(std::move(failure_));
    return take_output(Indices());
  }

 private:
  enum class Stage : unsigned char { kBranches, kDropping, kHandler };
  static constexpr std::size_t kElse = kCount;
  static constexpr bool kHasElse = !std::is_same_v<Else, NoElse>;

  enum class Polled : unsigned char { kPending, kWon, kRefused };

  template <std::size_t I>
  static Polled poll_one(Select& self, PollContext& context) {
    if (!std::get<I>(self.branches_).poll(context)) return Polled::kPending;
    return self.template take_value<I>() ? Polled::kWon : Polled::kRefused;
  }
  // False if the branch does not accept its outcome, which is dropped then.
  template <std::size_t I>
  bool take_value() {
    auto& branch = std::get<I>(branches_);
    auto& value = value_.template emplace<I + 1>(take_stored(branch));
    if (branch.accepts(value)) return true;
    value_.template emplace<0>();
    return false;
  }

  template <std::size_t... I>
  Polled poll_index(std::size_t index, PollContext& context, std::index_sequence<I...>) {
    if constexpr (kCount == 0) {
      return Polled::kPending;
    } else {
      using Function = Polled (*)(Select&, PollContext&);
      static constexpr std::array<Function, kCount> kFunctions{&poll_one<I>...};
      return kFunctions[index](*this, context);
    }
  }

  // True when there is a winner, or nothing left that could win, or an exception.
  bool poll_branches(PollContext& context) {
    if (!enabled_) enabled_ = initially_enabled(Indices());
    const std::size_t start = kBiased || kCount < 2 ? 0 : random_below(static_cast<std::uint32_t>(kCount));
    for (std::size_t i = 0; i < kCount; ++i) {
      const std::size_t index = start + i < kCount ? start + i : start + i - kCount;
      if ((*enabled_ >> index & 1) == 0) continue;
      try {
        const Polled polled = poll_index(index, context, Indices());
        if (polled == Polled::kPending) continue;
        *enabled_ &= ~(std::uint64_t{1} << index);
        if (polled == Polled::kRefused) continue;
        winner_ = index;
        return true;
      } catch (...) {
        failure_ = std::current_exception();
        return true;
      }
    }
    if (*enabled_ != 0) return false;
    winner_ = kElse;
    if constexpr (!kHasElse) {
      failure_ = std::make_exception_ptr(
          std::logic_error("kaido::select: all branches are disabled and there is no otherwise()"));
    }
    return true;
  }

  template <std::size_t... I>
  [[nodiscard]] std::uint64_t initially_enabled(std::index_sequence<I...>) const noexcept {
    return (std::uint64_t{0} | ... | (std::uint64_t{std::get<I>(branches_).is_enabled()} << I));
  }

  // True when all are gone. The first that is done nevertheless has won, unless one had before.
  template <std::size_t... I>
  bool drop_branches(PollContext& context, std::index_sequence<I...>) noexcept {
    return (static_cast<int>(drop_one<I>(context)) & ... & 1) != 0;
  }
  template <std::size_t I>
  bool drop_one(PollContext& context) noexcept {
    auto& branch = std::get<I>(branches_);
    const Dropped dropped = branch.poll_drop(context);
    if (dropped != Dropped::kOutcome) return dropped == Dropped::kGone;
    try {
      if (stage_ == Stage::kBranches && take_value<I>()) {
        winner_ = I;
        stage_ = Stage::kDropping;
      }
    } catch (...) {
      failure_ = std::current_exception();
      stage_ = Stage::kDropping;
    }
    branch.reset();
    return true;
  }

  // Handlers that are coroutines are made here and polled; plain ones are called in take_output().
  template <std::size_t... I>
  void start_handler(std::index_sequence<I...>) {
    static_cast<void>(((winner_ == I && (start_handler_of<I>(), true)) || ...));
    if constexpr (Else::kIsCoroutine) {
      if (winner_ == kElse) handler_.template emplace<kElse + 1>(fallback_.call());
    }
  }
  template <std::size_t I>
  void start_handler_of() {
    auto& branch = std::get<I>(branches_);
    if constexpr (std::remove_reference_t<decltype(branch)>::kIsCoroutine) {
      handler_.template emplace<I + 1>(branch.call(std::get<I + 1>(value_)));
    }
  }
  bool poll_handler(PollContext& context) {
    return std::visit([&](auto& handler) { return handler.poll(context); }, handler_);
  }
  Dropped drop_handler(PollContext& context) noexcept {
    return std::visit([&](auto& handler) { return detail::poll_drop(handler, context); }, handler_);
  }

  template <std::size_t... I>
  Output take_output(std::index_sequence<I...>) {
    if constexpr (kCount == 0) {
      return take_else();
    } else {
      using Function = Output (*)(Select&);
      static constexpr std::array<Function, kCount + 1> kFunctions{&Select::take_of<I>..., &Select::take_of_else};
      return kFunctions[winner_](*this);
    }
  }
  template <std::size_t I>
  static Output take_of(Select& self) {
    auto& branch = std::get<I>(self.branches_);
    using B = std::remove_reference_t<decltype(branch)>;
    if constexpr (!Traits::kHasHandlers) {
      return Output(std::in_place_index<I>, std::move(std::get<I + 1>(self.value_)));
    } else if constexpr (B::kIsCoroutine) {
      return static_cast<Output>(std::get<I + 1>(self.handler_).take());
    } else {
      return static_cast<Output>(branch.call(std::get<I + 1>(self.value_)));
    }
  }
  static Output take_of_else(Select& self) { return self.take_else(); }
  Output take_else() {
    if constexpr (!kHasElse) {
      throw std::logic_error("kaido::select has no otherwise()");  // Not reached: poll_branches() has failed.
    } else if constexpr (!Traits::kHasHandlers) {
      return wrap_else();
    } else if constexpr (Else::kIsCoroutine) {
      return static_cast<Output>(std::get<kElse + 1>(handler_).take());
    } else {
      return static_cast<Output>(fallback_.call());
    }
  }
  Output wrap_else() {
    if constexpr (Else::kIsCoroutine) {
      return Output(std::in_place_index<kElse>, take_stored(std::get<kElse + 1>(handler_)));
    } else if constexpr (std::is_void_v<typename Else::Value>) {
      fallback_.call();
      return Output(std::in_place_index<kElse>);
    } else {
      return Output(std::in_place_index<kElse>, fallback_.call());
    }
  }

  [[no_unique_address]] Else fallback_;
  std::tuple<Branches...> branches_;
  std::optional<std::uint64_t> enabled_;  // One bit per branch that may still win; nothing before the first poll.
  std::size_t winner_ = kElse;
  Stage stage_ = Stage::kBranches;
  std::exception_ptr failure_;
  std::variant<std::monostate, Stored<typename Branches::Value>...> value_;
  // After the value, which coroutine handlers may refer to: destroyed first.
  std::variant<NoHandlerRuns, typename Branches::HandlerPoller..., typename Else::HandlerPoller> handler_;
};

template <bool kBiased, typename Tuple, std::size_t... I>
auto make_select(Tuple operands, std::index_sequence<I...>) {  // Each operand is moved once.
  constexpr std::size_t kOperands = std::tuple_size_v<Tuple>;
  if constexpr (kOperands == sizeof...(I)) {
    return Select<kBiased, NoElse, SelectBranchOf<std::tuple_element_t<I, Tuple>>...>(
        NoElse(), as_select_branch(std::get<I>(static_cast<Tuple&&>(operands)))...);
  } else {
    using Else = std::remove_cvref_t<std::tuple_element_t<kOperands - 1, Tuple>>;
    return Select<kBiased, Else, SelectBranchOf<std::tuple_element_t<I, Tuple>>...>(
        std::get<kOperands - 1>(static_cast<Tuple&&>(operands)),
        as_select_branch(std::get<I>(static_cast<Tuple&&>(operands)))...);
  }
}

template <bool kBiased, typename... X>
auto make_select_of(X&&... operands) {
  constexpr std::size_t kElses = (std::size_t{0} + ... + (IsElse<std::remove_cvref_t<X>>::value ? 1 : 0));
  static_assert(kElses <= 1, "select takes one otherwise()");
  return make_select<kBiased>(std::forward_as_tuple(std::forward<X>(operands)...),
                              std::make_index_sequence<sizeof...(X) - kElses>());
}

}  // namespace detail

/// A branch: `on(operation, handler)`, or `on(operation)` where no branch has a handler. Verbs:
///   .when(condition)      false: the branch is disabled and its operation never started
///   .matching(predicate)  called with the outcome; false: the outcome is dropped and the branch disabled for this call
template <typename A>
auto on(A&& operation) {
  return detail::SelectBranch<typename detail::BranchOf<A>::type, detail::NoHandler, detail::AcceptAll>(
      detail::make_branch<A>(std::forward<A>(operation)), detail::NoHandler(), detail::AcceptAll(), true);
}
template <typename A, typename H>
auto on(A&& operation, H&& handler) {
  static_assert(detail::check_temporaries<H>());
  return detail::SelectBranch<typename detail::BranchOf<A>::type, detail::Kept<H>, detail::AcceptAll>(
      detail::make_branch<A>(std::forward<A>(operation)), detail::unmoved(std::forward<H>(handler)),
      detail::AcceptAll(), true);
}
/// The same for an operation that gives a std::optional, Result or Expected: the handler is called with the value
/// inside; if there is none the branch is disabled for this call (Rust's `Some(v) = ...`).
template <typename A, typename H>
auto on_value(A&& operation, H&& handler) {
  static_assert(detail::check_temporaries<H>());
  using Handler = detail::UnwrappingHandler<detail::Kept<H>>;
  return detail::SelectBranch<typename detail::BranchOf<A>::type, Handler, detail::AcceptEngaged>(
      detail::make_branch<A>(std::forward<A>(operation)), Handler(detail::unmoved(std::forward<H>(handler))),
      detail::AcceptEngaged(), true);
}

/// The last argument of select: what to do when every branch is disabled.
template <typename H>
auto otherwise(H&& handler) {
  static_assert(detail::check_temporaries<H>());
  return detail::Otherwise<detail::Kept<H>>(detail::unmoved(std::forward<H>(handler)));
}

/// Awaits the first branch that is ready, destroys all the others, and then runs its handler. Starts at a random
/// branch, so that none is starved; `select(kaido::biased, ...)` always starts at the first. At most 64 branches.
///
/// Cancellation: safe if every operation in it is; the operations that lose are dropped as if their await were. See the
/// docstring of each: a lost recv() loses no message, a lost write may have written a part. An operation of Asio's
/// that loses is cancelled and waited for, and what it did all the same is lost: to keep that, name the operation with
/// kaido::operation(). What has won reaches its handler, also if the select is given up while the losers end.
/// Errors: an exception of an operation or handler passes through. If every branch is disabled and there is no
/// otherwise(): std::logic_error.
template <typename... Branches>
  requires(!detail::StartsBiased<Branches...>)
auto select(Branches&&... branches) {
  return detail::make_select_of<false>(std::forward<Branches>(branches)...);
}
template <typename... Branches>
auto select(Biased, Branches&&... branches) {
  return detail::make_select_of<true>(std::forward<Branches>(branches)...);
}

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
