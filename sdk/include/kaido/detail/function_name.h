/// The fully qualified name of a function at compile time, the same from g++ and from clang.
///
/// Internal to kaido/function.h. The compilers print a template argument differently inside __PRETTY_FUNCTION__
/// ("[with auto F = a::f; ...]" and "[F = &a::f]"); both contain the qualified name, which is cut out here. What the
/// two print differently by nature has no portable name and must be given one by KAIDO_FUNCTION_AS: functions in
/// unnamed namespaces (refused below), instances of templates (refused where the compiler shows them) and functions in
/// inline namespaces (g++ names the inline namespace, clang does not).
#pragma once

#include <string_view>
#include <type_traits>

#include <kaido/detail/declaration.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

template <auto F>
constexpr std::string_view pretty_function() {
  return __PRETTY_FUNCTION__;
}

[[nodiscard]] constexpr std::string_view cut_function_name(std::string_view pretty) {
  pretty.remove_prefix(pretty.find("F = ") + 4);
  if (pretty.starts_with('&')) pretty.remove_prefix(1);
  return pretty.substr(0, pretty.find_first_of(";]"));
}

template <auto F>
[[nodiscard]] constexpr bool has_given_name() {
  if constexpr (std::is_same_v<DeclaredOf<F>, NotDeclared>) {
    return false;
  } else {
    return !decltype(kaido_declaration(FunctionKey<F>{}))::kName.empty();
  }
}

template <auto F>
[[nodiscard]] constexpr std::string_view function_name() {
  if constexpr (has_given_name<F>()) {
    return decltype(kaido_declaration(FunctionKey<F>{}))::kName;
  } else {
    constexpr std::string_view name = cut_function_name(pretty_function<F>());
    static_assert(
        name.find("anonymous") == std::string_view::npos,
        "A function in an unnamed namespace has no name that another program could know: move it, or register it "
        "with KAIDO_FUNCTION_AS(\"name\", &function)");
    static_assert(name.find('<') == std::string_view::npos,
                  "An instance of a template has no name that is the same for every compiler: register it with "
                  "KAIDO_FUNCTION_AS(\"name\", &function<T>)");
    return name;
  }
}

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
