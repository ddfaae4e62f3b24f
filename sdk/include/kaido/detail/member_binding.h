/// The members of a struct without constructors, bound to references: how many there are, what they are called, and a
/// call with all of them.
///
/// Internal to kaido/codec.h. Boost.PFR does the same, and a struct then costs 80 ms when compiling, mostly for
/// counting down from as many members as the struct has bits; here one costs 5 ms.
/// docs/decisions/0010-own-member-binding.md and 0028-members-keep-their-names.md have the figures.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// How many members a struct may have: as many as are written out below.
inline constexpr std::size_t kMaxMembers = 64;

// Stand for any initializer of a member. The one for structs that cannot be copied gives values, the other references,
// which std::optional and its like do not take for something to construct their content from.
struct AnyReference {
  template <class T>
  operator T&() const&& noexcept;  // NOLINT(google-explicit-constructor)
  template <class T>
  operator T&() const& noexcept;  // NOLINT(google-explicit-constructor)
};
struct AnyValue {
  template <class T>
  operator T() const&& noexcept;  // NOLINT(google-explicit-constructor)
};

template <class T, std::size_t... I>
constexpr bool takes_initializers(std::index_sequence<I...>) {
  using Any = std::conditional_t<std::is_copy_constructible_v<T>, AnyReference, AnyValue>;
  return requires { T{(static_cast<void>(I), Any{})...}; };
}

/// The largest number of initializers that T takes, from `Known` upwards; kMaxMembers + 1 for all that is more.
template <class T, std::size_t Known>
constexpr std::size_t count_members() {
  if constexpr (Known > kMaxMembers) {
    return Known;
  } else if constexpr (takes_initializers<T>(std::make_index_sequence<Known + 1>{})) {
    return count_members<T, Known + 1>();
  } else {
    return Known;
  }
}

/// Of a struct whose members can all be default-constructed.
template <class T>
inline constexpr std::size_t kMembersOf = count_members<T, 1>();
template <class T>
  requires std::is_empty_v<T>
inline constexpr std::size_t kMembersOf<T> = 0;

/// A T that is never made: only the addresses of its members are asked for. It has a definition, since a T without
/// linkage (in an unnamed namespace or a function) could not be declared alone; nothing is emitted for it otherwise.
template <class T>
union Unmade {
  constexpr Unmade() : nothing() {}
  constexpr ~Unmade() {}
  struct {
  } nothing;
  T object;
};
#if defined(__clang__)  // It takes no union with such a member for a constant, but emits none either.
template <class T>
inline constinit const Unmade<T> kUnmade{};
#else
template <class T>
inline constexpr Unmade<T> kUnmade{};
#endif

/// A class, since clang 14 takes no pointer to a member of an object as a template argument, but an object that holds
/// one.
struct MemberAddress {
  template <class M>
  constexpr MemberAddress(const M& member)  // NOLINT(google-explicit-constructor): stands for the member
      : at(__builtin_addressof(member)) {}
  const void* at;
};
/// A text that names the members, as the compiler writes it; cut_member_names() cuts them out, not before they are
/// needed: at compile time each character would cost some evaluation.
template <MemberAddress... M>
constexpr const char* member_names() {
  return __PRETTY_FUNCTION__;
}

/// Calls `body` with the N members of `object`; the text of their names.
template <std::size_t N>
struct MemberBinding;

template <>
struct MemberBinding<0> {
  template <class T, class Body>
  static constexpr decltype(auto) call(T&, Body&& body) {
    return body();
  }
  template <class T>
  static constexpr const char* names() {
    return nullptr;
  }
};

// The name of the parameter is what the compiler shows of a struct that it cannot bind.
#define KAIDO_DETAIL_BINDING(count, ...)                                                                              \
  template <>                                                                                                         \
  struct MemberBinding<count> {                                                                                       \
    template <class T, class Body>                                                                                    \
    static constexpr decltype(auto) call(T& struct_without_base_classes_and_with_std_array_for_arrays, Body&& body) { \
      auto& [__VA_ARGS__] = struct_without_base_classes_and_with_std_array_for_arrays;                                \
      return body(__VA_ARGS__);                                                                                       \
    }                                                                                                                 \
    template <class T>                                                                                                \
    static constexpr const char* names() {                                                                            \
      auto& [__VA_ARGS__] = kUnmade<T>.object;                                                                        \
      return member_names<__VA_ARGS__>();                                                                             \
    }                                                                                                                 \
  };

#define KAIDO_DETAIL_8(m) m##1, m##2, m##3, m##4, m##5, m##6, m##7, m##8
KAIDO_DETAIL_BINDING(1, a1)
KAIDO_DETAIL_BINDING(2, a1, a2)
KAIDO_DETAIL_BINDING(3, a1, a2, a3)
KAIDO_DETAIL_BINDING(4, a1, a2, a3, a4)
KAIDO_DETAIL_BINDING(5, a1, a2, a3, a4, a5)
KAIDO_DETAIL_BINDING(6, a1, a2, a3, a4, a5, a6)
KAIDO_DETAIL_BINDING(7, a1, a2, a3, a4, a5, a6, a7)
KAIDO_DETAIL_BINDING(8, KAIDO_DETAIL_8(a))
KAIDO_DETAIL_BINDING(9, KAIDO_DETAIL_8(a), b1)
KAIDO_DETAIL_BINDING(10, KAIDO_DETAIL_8(a), b1, b2)
KAIDO_DETAIL_BINDING(11, KAIDO_DETAIL_8(a), b1, b2, b3)
KAIDO_DETAIL_BINDING(12, KAIDO_DETAIL_8(a), b1, b2, b3, b4)
KAIDO_DETAIL_BINDING(13, KAIDO_DETAIL_8(a), b1, b2, b3, b4, b5)
KAIDO_DETAIL_BINDING(14, KAIDO_DETAIL_8(a), b1, b2, b3, b4, b5, b6)
KAIDO_DETAIL_BINDING(15, KAIDO_DETAIL_8(a), b1, b2, b3, b4, b5, b6, b7)
KAIDO_DETAIL_BINDING(16, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b))
KAIDO_DETAIL_BINDING(17, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), c1)
KAIDO_DETAIL_BINDING(18, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), c1, c2)
KAIDO_DETAIL_BINDING(19, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), c1, c2, c3)
KAIDO_DETAIL_BINDING(20, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), c1, c2, c3, c4)
KAIDO_DETAIL_BINDING(21, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), c1, c2, c3, c4, c5)
KAIDO_DETAIL_BINDING(22, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), c1, c2, c3, c4, c5, c6)
KAIDO_DETAIL_BINDING(23, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), c1, c2, c3, c4, c5, c6, c7)
KAIDO_DETAIL_BINDING(24, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c))
KAIDO_DETAIL_BINDING(25, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), d1)
KAIDO_DETAIL_BINDING(26, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), d1, d2)
KAIDO_DETAIL_BINDING(27, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), d1, d2, d3)
KAIDO_DETAIL_BINDING(28, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), d1, d2, d3, d4)
KAIDO_DETAIL_BINDING(29, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), d1, d2, d3, d4, d5)
KAIDO_DETAIL_BINDING(30, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), d1, d2, d3, d4, d5, d6)
KAIDO_DETAIL_BINDING(31, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), d1, d2, d3, d4, d5, d6, d7)
KAIDO_DETAIL_BINDING(32, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d))
KAIDO_DETAIL_BINDING(33, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), e1)
KAIDO_DETAIL_BINDING(34, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), e1, e2)
KAIDO_DETAIL_BINDING(35, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), e1, e2, e3)
KAIDO_DETAIL_BINDING(36, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), e1, e2, e3, e4)
KAIDO_DETAIL_BINDING(37, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), e1, e2, e3, e4, e5)
KAIDO_DETAIL_BINDING(38, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), e1, e2, e3, e4, e5,
                     e6)
KAIDO_DETAIL_BINDING(39, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), e1, e2, e3, e4, e5,
                     e6, e7)
KAIDO_DETAIL_BINDING(40, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e))
KAIDO_DETAIL_BINDING(41, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     f1)
KAIDO_DETAIL_BINDING(42, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     f1, f2)
KAIDO_DETAIL_BINDING(43, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     f1, f2, f3)
KAIDO_DETAIL_BINDING(44, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     f1, f2, f3, f4)
KAIDO_DETAIL_BINDING(45, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     f1, f2, f3, f4, f5)
KAIDO_DETAIL_BINDING(46, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     f1, f2, f3, f4, f5, f6)
KAIDO_DETAIL_BINDING(47, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     f1, f2, f3, f4, f5, f6, f7)
KAIDO_DETAIL_BINDING(48, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     KAIDO_DETAIL_8(f))
KAIDO_DETAIL_BINDING(49, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     KAIDO_DETAIL_8(f), g1)
KAIDO_DETAIL_BINDING(50, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     KAIDO_DETAIL_8(f), g1, g2)
KAIDO_DETAIL_BINDING(51, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     KAIDO_DETAIL_8(f), g1, g2, g3)
KAIDO_DETAIL_BINDING(52, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     KAIDO_DETAIL_8(f), g1, g2, g3, g4)
KAIDO_DETAIL_BINDING(53, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     KAIDO_DETAIL_8(f), g1, g2, g3, g4, g5)
KAIDO_DETAIL_BINDING(54, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     KAIDO_DETAIL_8(f), g1, g2, g3, g4, g5, g6)
KAIDO_DETAIL_BINDING(55, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     KAIDO_DETAIL_8(f), g1, g2, g3, g4, g5, g6, g7)
KAIDO_DETAIL_BINDING(56, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     KAIDO_DETAIL_8(f), KAIDO_DETAIL_8(g))
KAIDO_DETAIL_BINDING(57, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     KAIDO_DETAIL_8(f), KAIDO_DETAIL_8(g), h1)
KAIDO_DETAIL_BINDING(58, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     KAIDO_DETAIL_8(f), KAIDO_DETAIL_8(g), h1, h2)
KAIDO_DETAIL_BINDING(59, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     KAIDO_DETAIL_8(f), KAIDO_DETAIL_8(g), h1, h2, h3)
KAIDO_DETAIL_BINDING(60, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     KAIDO_DETAIL_8(f), KAIDO_DETAIL_8(g), h1, h2, h3, h4)
KAIDO_DETAIL_BINDING(61, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     KAIDO_DETAIL_8(f), KAIDO_DETAIL_8(g), h1, h2, h3, h4, h5)
KAIDO_DETAIL_BINDING(62, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     KAIDO_DETAIL_8(f), KAIDO_DETAIL_8(g), h1, h2, h3, h4, h5, h6)
KAIDO_DETAIL_BINDING(63, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     KAIDO_DETAIL_8(f), KAIDO_DETAIL_8(g), h1, h2, h3, h4, h5, h6, h7)
KAIDO_DETAIL_BINDING(64, KAIDO_DETAIL_8(a), KAIDO_DETAIL_8(b), KAIDO_DETAIL_8(c), KAIDO_DETAIL_8(d), KAIDO_DETAIL_8(e),
                     KAIDO_DETAIL_8(f), KAIDO_DETAIL_8(g), KAIDO_DETAIL_8(h))

#undef KAIDO_DETAIL_8
#undef KAIDO_DETAIL_BINDING

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
