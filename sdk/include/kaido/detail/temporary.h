/// What a compiler makes of temporaries in a co_await expression: g++ before 13 destroys some of them twice, and
/// functions that give an awaitable refuse those they can see.
#pragma once

#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

namespace detail {

/// GCC PR 99576, 100611, 101367 and 101976, fixed in 13. KAIDO_ALLOW_AGGREGATE_TEMPORARIES: no refusal, at your own
/// risk.
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13 && !defined(KAIDO_ALLOW_AGGREGATE_TEMPORARIES)
#ifdef KAIDO_NOTE_COMPILER  // By kaido.pc, for who does not read the README.
#pragma message \
    "Kaido: g++ before 13 destroys some temporaries in co_await expressions twice: use clang, or g++ 13; \
until then kaido-check-coroutines finds them. pkg-config --define-variable=compiler_note= silences this"
#endif
inline constexpr bool kDestroysAggregatesTwice = true;
#else
inline constexpr bool kDestroysAggregatesTwice = false;
#endif

/// `A` as a forwarding reference deduces it. A temporary cannot be told from what std::move gives, so both are refused.
template <typename A>
inline constexpr bool kIsDoomed = kDestroysAggregatesTwice && !std::is_reference_v<A> && std::is_class_v<A> &&
                                  std::is_aggregate_v<A> && !std::is_trivially_destructible_v<A>;

template <typename... A>
constexpr bool check_temporaries() {
  static_assert(
      (!kIsDoomed<std::remove_const_t<A>> && ...),
      "g++ before 13 destroys a struct without constructors twice if it is made inside a co_await "
      "expression: name it on the line above and pass the name, or kaido::moved(name) (docs/sdk/compilers.md)");
  return true;
}

}  // namespace detail

/// A named object on its way into send(), scope(), spawn(), timeout() and the like, to be moved from there. What
/// std::move is, for structs without constructors on a compiler that mistreats their temporaries; elsewhere the same.
template <typename T>
class Moved {
 public:
  explicit Moved(T& object) noexcept : object_(&object) {}
  operator T() && { return std::move(*object_); }  // NOLINT: converts, as what std::move gives does
  /// Internal.
  [[nodiscard]] T&& take() && noexcept { return std::move(*object_); }

 private:
  T* object_;
};
template <typename T>
[[nodiscard]] Moved<T> moved(T& object) noexcept {
  return Moved<T>(object);
}

namespace detail {

template <typename X>
inline constexpr bool kIsMoved = false;
template <typename T>
inline constexpr bool kIsMoved<Moved<T>> = true;

/// What an operand is kept as; `X` as a forwarding reference deduces it.
template <typename X>
struct KeptAs {
  using type = std::decay_t<X>;
};
template <typename T>
struct KeptAs<Moved<T>> {
  using type = T;
};
template <typename X>
using Kept = typename KeptAs<X>::type;

/// What such an operand is made from: what a Moved stands for, anything else as it comes.
template <typename T>
[[nodiscard]] T&& unmoved(Moved<T>&& operand) noexcept {
  return std::move(operand).take();
}
template <typename X>
[[nodiscard]] X&& unmoved(X&& operand) noexcept {
  return static_cast<X&&>(operand);
}

/// A parameter that was taken by value, moved into a function that refuses temporaries: it has a name, and is none.
template <typename T>
[[nodiscard]] auto give(T& parameter) noexcept -> std::conditional_t<kIsDoomed<T>, Moved<T>, T&&> {
  return static_cast<std::conditional_t<kIsDoomed<T>, Moved<T>, T&&>>(parameter);
}

}  // namespace detail

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
