/// The parts of a select: branches with handler and pattern, the otherwise, and the type of the whole.
#pragma once

#include <type_traits>
#include <utility>
#include <variant>

#include <kaido/detail/branch.h>
#include <kaido/detail/poll.h>
#include <kaido/detail/temporary.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

struct NoHandler {};

struct AcceptAll {
  template <typename T>
  bool operator()(const T&) const noexcept {
    return true;
  }
};
/// Accepts an optional, Result or Expected that has a value.
struct AcceptEngaged {
  template <typename T>
  bool operator()(const T& value) const noexcept {
    return static_cast<bool>(value);
  }
};

/// Calls the handler with what is inside a Result, Expected or optional.
template <typename H>
class UnwrappingHandler {
 public:
  template <typename X>
  explicit UnwrappingHandler(X&& handler) : handler_(std::forward<X>(handler)) {}

  template <typename T>
  decltype(auto) operator()(T&& value) {
    if constexpr (std::is_void_v<decltype(*std::forward<T>(value))>) {
      return handler_();
    } else {
      return handler_(*std::forward<T>(value));
    }
  }

 private:
  H handler_;
};

/// Where no handler is a coroutine, or none runs yet.
struct NoHandlerRuns {
  bool poll(PollContext&) const noexcept { return true; }
  Dropped poll_drop(PollContext&) const noexcept { return Dropped::kOutcome; }
};
/// Stands for a plain handler in the variant of handlers.
struct PlainHandler {
  bool poll(PollContext&) const noexcept { return true; }
  Dropped poll_drop(PollContext&) const noexcept { return Dropped::kOutcome; }
};

template <typename R>
struct HandlerTraits {
  using Value = R;
  using Poller = PlainHandler;
  static constexpr bool kIsCoroutine = false;
};
template <typename T>
struct HandlerTraits<Task<T>> {
  using Value = T;
  using Poller = TaskPoller<T>;
  static constexpr bool kIsCoroutine = true;
};

template <typename H, typename Value>
struct HandlerResult {
  using type = std::invoke_result_t<H&, Stored<Value>&&>;
};
template <typename H>
struct HandlerResult<H, void> {
  using type = std::invoke_result_t<H&>;
};
template <typename Value>
struct HandlerResult<NoHandler, Value> {
  using type = void;
};
template <>
struct HandlerResult<NoHandler, void> {
  using type = void;
};

/// B: the Branch with the operation; H: what is called with its outcome; P: the pattern.
template <typename B, typename H, typename P>
class SelectBranch {
 public:
  using Value = typename B::Value;
  using Handler = HandlerTraits<typename HandlerResult<H, Value>::type>;
  using HandlerPoller = typename Handler::Poller;
  static constexpr bool kHasHandler = !std::is_same_v<H, NoHandler>;
  static constexpr bool kIsCoroutine = Handler::kIsCoroutine;

  template <typename X>
  SelectBranch(B branch, X&& handler, P pattern, bool is_enabled)
      : branch_(std::move(branch)),
        handler_(std::forward<X>(handler)),
        pattern_(std::move(pattern)),
        is_enabled_(is_enabled) {}

  /// Disables the branch if `condition` is false.
  [[nodiscard]] SelectBranch&& when(bool condition) && noexcept {
    is_enabled_ = is_enabled_ && condition;
    return std::move(*this);
  }
  /// Refuses outcomes for which `predicate(outcome)` is false.
  template <typename Q>
  [[nodiscard]] auto matching(Q&& predicate) && {
    static_assert(std::is_same_v<P, AcceptAll>, "a branch has one pattern");
    static_assert(check_temporaries<Q>());
    return SelectBranch<B, H, Kept<Q>>(std::move(branch_), std::move(handler_), unmoved(std::forward<Q>(predicate)),
                                       is_enabled_);
  }

  [[nodiscard]] bool is_enabled() const noexcept { return is_enabled_; }
  bool poll(PollContext& context) { return branch_.poll(context); }
  decltype(auto) take() { return branch_.take(); }
  Dropped poll_drop(PollContext& context) noexcept { return branch_.poll_drop(context); }
  void reset() noexcept { branch_.reset(); }

  [[nodiscard]] bool accepts(const Stored<Value>& value) {
    if constexpr (std::is_void_v<Value>) {
      static_assert(std::is_same_v<P, AcceptAll>, "an operation without an outcome has no pattern");
      return true;
    } else {
      return static_cast<bool>(pattern_(value));
    }
  }
  decltype(auto) call(Stored<Value>& value) {
    if constexpr (std::is_void_v<Value>) {
      return handler_();
    } else {
      return handler_(std::move(value));
    }
  }

 private:
  B branch_;
  [[no_unique_address]] H handler_;
  [[no_unique_address]] P pattern_;
  bool is_enabled_;
};

struct NoElse {
  using Value = void;
  using HandlerPoller = PlainHandler;
  static constexpr bool kIsCoroutine = false;
};

template <typename H>
class Otherwise {
 public:
  using Handler = HandlerTraits<std::invoke_result_t<H&>>;
  using Value = typename Handler::Value;
  using HandlerPoller = typename Handler::Poller;
  static constexpr bool kIsCoroutine = Handler::kIsCoroutine;

  template <typename X>
    requires(!std::is_same_v<std::remove_cvref_t<X>, Otherwise>)
  explicit Otherwise(X&& handler) : handler_(std::forward<X>(handler)) {}

  decltype(auto) call() { return handler_(); }

 private:
  H handler_;
};

template <typename T>
struct IsElse : std::false_type {};
template <typename H>
struct IsElse<Otherwise<H>> : std::true_type {};

template <typename T>
struct IsSelectBranch : std::false_type {};
template <typename B, typename H, typename P>
struct IsSelectBranch<SelectBranch<B, H, P>> : std::true_type {};

/// An operand of select as a SelectBranch: on(...) as it is, anything else as on(operand).
template <typename X>
auto as_select_branch(X&& operand) {
  if constexpr (IsSelectBranch<std::remove_cvref_t<X>>::value) {
    static_assert(!std::is_lvalue_reference_v<X>, "write on(...) inside select, or std::move it in");
    return std::forward<X>(operand);
  } else {
    static_assert(!IsElse<std::remove_cvref_t<X>>::value, "otherwise() is the last argument of select");
    return SelectBranch<typename BranchOf<X>::type, NoHandler, AcceptAll>(make_branch<X>(std::forward<X>(operand)),
                                                                          NoHandler(), AcceptAll(), true);
  }
}
template <typename X>
using SelectBranchOf = std::remove_cvref_t<decltype(as_select_branch(std::declval<X>()))>;

template <typename Else, typename... Branches>
struct SelectOutput {
  static constexpr std::size_t kHandlers = (std::size_t{0} + ... + (Branches::kHasHandler ? 1 : 0));
  static constexpr bool kHasHandlers = kHandlers != 0 || sizeof...(Branches) == 0;
  static_assert(!kHasHandlers || kHandlers == sizeof...(Branches), "give every branch of a select a handler, or none");

  static auto output() {
    if constexpr (!kHasHandlers) {
      if constexpr (std::is_same_v<Else, NoElse>) {
        return std::type_identity<std::variant<Stored<typename Branches::Value>...>>();
      } else {
        return std::type_identity<std::variant<Stored<typename Branches::Value>..., Stored<typename Else::Value>>>();
      }
    } else if constexpr (std::is_same_v<Else, NoElse>) {
      return std::common_type<typename Branches::Handler::Value...>();
    } else {
      return std::common_type<typename Branches::Handler::Value..., typename Else::Value>();
    }
  }
  using type = typename decltype(output())::type;
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
