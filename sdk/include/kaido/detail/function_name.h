/// The fully qualified name of a function at compile time, the same from g++ and from clang.
///
/// Internal to kaido/function.h. The compilers print a template argument differently inside __PRETTY_FUNCTION__
/// ("[with auto F = a::f; ...]" and "[F = &a::f]"); both contain the qualified name, which is cut out here. What the two
/// print differently by nature has no portable name and must be given one by KAIDO_FUNCTION_AS: functions in unnamed
/// namespaces (refused below), instances of templates (refused where the compiler shows them) and functions in inline
/// namespaces (g++ names the inline namespace, clang does not).
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <type_traits>

namespace kaido::detail {

/// A string literal as a template argument.
template <std::size_t N>
struct FixedString {
  constexpr FixedString(const char (&text)[N]) { std::copy_n(text, N, data); }  // NOLINT: from a literal
  [[nodiscard]] constexpr std::string_view view() const { return {data, N - 1}; }
  char data[N]{};
};

template <auto F>
constexpr std::string_view pretty_function() {
  return __PRETTY_FUNCTION__;
}

[[nodiscard]] constexpr std::string_view cut_function_name(std::string_view pretty) {
  pretty.remove_prefix(pretty.find("F = ") + 4);
  if (pretty.starts_with('&')) pretty.remove_prefix(1);
  return pretty.substr(0, pretty.find_first_of(";]"));
}

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-template-friend"  // That it is no template is the purpose.
#endif

/// Associates a name with a function: what KAIDO_FUNCTION_AS declares. The friend is found by argument-dependent look-up
/// from any namespace, where a template specialisation could be written only in the global one.
template <auto F>
struct NameKey {
  friend constexpr auto kaido_function_name(NameKey);
};
template <auto F, FixedString Name>
struct NamedFunction {
  friend constexpr auto kaido_function_name(NameKey<F>) { return Name; }
};

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

template <auto F>
inline constexpr auto kNameOf = kaido_function_name(NameKey<F>{});

template <auto F>
[[nodiscard]] constexpr std::string_view function_name() {
  if constexpr (requires { kaido_function_name(NameKey<F>{}).view(); }) {
    // A static copy, so that the view outlives this call.
    return kNameOf<F>.view();
  } else {
    constexpr std::string_view name = cut_function_name(pretty_function<F>());
    static_assert(name.find("anonymous") == std::string_view::npos,
                  "A function in an unnamed namespace has no name that another program could know: move it, or register it "
                  "with KAIDO_FUNCTION_AS(\"name\", &function)");
    static_assert(name.find('<') == std::string_view::npos,
                  "An instance of a template has no name that is the same for every compiler: register it with "
                  "KAIDO_FUNCTION_AS(\"name\", &function<T>)");
    return name;
  }
}

}  // namespace kaido::detail
