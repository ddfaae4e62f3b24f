/// What a function's type says: its parameters, its result, whether it is a coroutine or takes a Context; and Wire, the
/// message that its parameters are.
///
/// Internal to kaido/function.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <kaido/codec.h>
#include <kaido/context.h>
#include <kaido/result.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

template <class R>
struct ReturnType {
  using type = R;
  static constexpr bool kTask = false;
  static constexpr bool kResult = false;
};
template <class T>
struct ReturnType<Result<T>> {
  using type = T;
  static constexpr bool kTask = false;
  static constexpr bool kResult = true;
};
template <class T>
struct ReturnType<Task<T>> {
  using type = typename ReturnType<T>::type;
  static constexpr bool kTask = true;
  static constexpr bool kResult = ReturnType<T>::kResult;
};

/// Parameters that have "not there" as a value of their own.
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T, class D>
struct IsOptional<std::unique_ptr<T, D>> : std::true_type {};

/// Fails to compile, with a reason, for a parameter that cannot travel. The instantiation shown by the compiler names
/// the parameter's position and type.
template <std::size_t Position, class P>
constexpr bool check_parameter() {
  static_assert(!std::is_pointer_v<std::remove_cvref_t<P>>,
                "A pointer means nothing in another process: take the object by value or const reference, text as "
                "std::string_view, arrays as std::span<const T>");
  static_assert(
      !std::is_lvalue_reference_v<P> || std::is_const_v<std::remove_reference_t<P>>,
      "A remote function cannot change its caller's object: take it by value or const reference, and return the "
      "changed one");
  static_assert(
      is_supported(Field<std::remove_cvref_t<P>>::schema()),
      "Kaido cannot send the type of this parameter, or a type within it: docs/sdk/functions.md has the table of "
      "types; for any other specialise kaido::Represent<T>");
  static_assert(std::is_default_constructible_v<typename Received<std::remove_cvref_t<P>>::type>,
                "Kaido must be able to make an empty object to receive into: give this type a default constructor");
  return true;
}

template <class R>
constexpr bool check_result() {
  static_assert(!std::is_reference_v<R> && !std::is_pointer_v<R>,
                "A reference or pointer means nothing in another process: return the object itself");
  if constexpr (!std::is_void_v<R>) {
    static_assert(
        is_supported(Field<R>::schema()),
        "Kaido cannot send the type of this result, or a type within it: docs/sdk/functions.md has the table of "
        "types; for any other specialise kaido::Represent<T>");
    static_assert(
        !holds_view(Field<R>::schema()),
        "The result must own its data, which the caller reads after the function has ended: return std::string or "
        "std::vector instead of a view");
  }
  return true;
}

template <class... T>
struct TypeList {
  static constexpr std::size_t kSize = sizeof...(T);
};

template <class R, class... P>
struct SignatureOf {
  using Return = R;
  using Result = typename ReturnType<R>::type;
  using Parameters = TypeList<P...>;
  static constexpr bool kTask = ReturnType<R>::kTask;
  static constexpr bool kResult = ReturnType<R>::kResult;

  template <std::size_t... I>
  static constexpr bool check(std::index_sequence<I...>) {
    return (check_result<Result>() && ... && check_parameter<I + 1, P>());
  }
  static constexpr bool kChecked = check(std::index_sequence_for<P...>{});
};

/// Of a function pointer, or of a pointer to a member function (then `Object` is its class). `kTakesContext`: whether
/// Context& comes first.
template <class F>
struct Signature {
  static_assert(
      always_false<F>,
      "Only functions and member functions can be called remotely: give the address of one (for one of several "
      "overloads: KAIDO_FUNCTION_AS(\"name\", static_cast<R (*)(A)>(&f)))");
};
template <class R, class... P>
struct Signature<R (*)(P...)> : SignatureOf<R, P...> {
  using Object = void;
  static constexpr bool kTakesContext = false;
};
template <class R, class... P>
struct Signature<R (*)(kaido::Context&, P...)> : SignatureOf<R, P...> {
  using Object = void;
  static constexpr bool kTakesContext = true;
};
template <class R, class... P>
struct Signature<R (*)(P...) noexcept> : Signature<R (*)(P...)> {};

template <class C, class F>
struct MethodSignature : Signature<F*> {
  using Object = C;
};
template <class C, class R, class... P>
struct Signature<R (C::*)(P...)> : MethodSignature<C, R(P...)> {};
template <class C, class R, class... P>
struct Signature<R (C::*)(P...) const> : MethodSignature<C, R(P...)> {};
template <class C, class R, class... P>
struct Signature<R (C::*)(P...) noexcept> : MethodSignature<C, R(P...)> {};
template <class C, class R, class... P>
struct Signature<R (C::*)(P...) const noexcept> : MethodSignature<C, R(P...)> {};

/// How a parameter of type P travels: as it is, or, if it has a default argument, as one that may be left out.
template <class P, bool HasDefault>
using Travelling = std::conditional_t<HasDefault && !IsOptional<P>::value, Defaulted<P>, P>;

/// The message that the parameters of a signature are, where all but the first `Required` have default arguments.
template <class R, class List, std::size_t Required, class Indexes>
struct WireForm;
template <class R, class... P, std::size_t Required, std::size_t... I>
struct WireForm<R, TypeList<P...>, Required, std::index_sequence<I...>> {
  using Result = R;
  static constexpr std::size_t kCount = sizeof...(P);
  static constexpr std::size_t kRequired = Required < kCount ? Required : kCount;

  using Args = Arguments<Travelling<std::remove_cvref_t<P>, (I >= Required)>...>;
  using Storage = typename Args::Storage;

  template <std::size_t N>
  using Parameter = std::remove_cvref_t<std::tuple_element_t<N, std::tuple<P...>>>;
  template <std::size_t N>
  using Sent = Travelling<Parameter<N>, (N >= Required)>;

  static constexpr std::uint64_t fingerprint() {
    return detail::fingerprint<R, Travelling<std::remove_cvref_t<P>, (I >= Required)>...>();
  }
  static constexpr const SignatureSchema& schema() {
    return kSignature<R, Travelling<std::remove_cvref_t<P>, (I >= Required)>...>;
  }

  /// How many leading arguments every call gives: what follows is optional.
  static constexpr std::size_t least() {
    const bool may_be_left_out[] = {(I >= Required || IsOptional<std::remove_cvref_t<P>>::value)..., false};
    std::size_t count = kCount;
    while (count > 0 && may_be_left_out[count - 1]) --count;
    return count;
  }

  /// Writes the leading arguments; `allocate(size)` makes the room. False: see Arguments::encode().
  template <class Allocate, std::size_t... N>
  [[nodiscard]] static bool encode(Allocate&& allocate, std::index_sequence<N...>, const Parameter<N>&... values) {
    return Arguments<Sent<N>...>::encode(allocate, values...).has_value();
  }

  /// How many of the received arguments the function is called with: those at the end that are left out get their
  /// default arguments. Nothing if one is left out before one that is there, which C++ cannot express.
  static std::optional<std::size_t> given([[maybe_unused]] const Storage& storage) {
    if constexpr (kRequired == kCount) {
      return kCount;
    } else {
      const bool is_there[] = {is_present<I>(storage)...};
      const bool is_optional[] = {IsOptional<std::remove_cvref_t<P>>::value...};
      std::size_t count = kCount;
      while (count > kRequired && !is_there[count - 1]) --count;
      for (std::size_t at = kRequired; at < count; ++at) {
        if (!is_there[at] && !is_optional[at]) return std::nullopt;
      }
      return count;
    }
  }

  /// Calls `code` with the first Count received arguments, each in its own value category.
  template <std::size_t Count, class Code>
  static decltype(auto) call(Code&& code, Storage& storage) {
    return call_with(std::forward<Code>(code), storage, std::make_index_sequence<Count>{});
  }

 private:
  template <std::size_t N>
  static bool is_present(const Storage& storage) {
    if constexpr (N >= Required) {
      return static_cast<bool>(std::get<N>(storage));
    } else {
      return true;
    }
  }
  template <class Code, std::size_t... N>
  static decltype(auto) call_with(Code&& code, [[maybe_unused]] Storage& storage, std::index_sequence<N...>) {
    return code(pass<std::tuple_element_t<N, std::tuple<P...>>>(unwrap<N>(storage))...);
  }
  template <std::size_t N>
  static auto& unwrap(Storage& storage) {
    if constexpr (N >= Required && !IsOptional<Parameter<N>>::value) {
      return *std::get<N>(storage);
    } else {
      return std::get<N>(storage);
    }
  }
  template <class Declared, class Stored>
  static decltype(auto) pass(Stored& stored) {
    if constexpr (!std::is_same_v<Stored, std::remove_cvref_t<Declared>>) {
      return std::remove_cvref_t<Declared>(stored);  // A SpanArgument, or the vector of an optional one, as the span.
    } else if constexpr (std::is_lvalue_reference_v<Declared>) {
      return static_cast<const Stored&>(stored);
    } else {
      return static_cast<Stored&&>(stored);
    }
  }
};

template <class S, std::size_t Required>
using Wire =
    WireForm<typename S::Result, typename S::Parameters, Required, std::make_index_sequence<S::Parameters::kSize>>;

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
