/// Names of types at compile time, the same from g++ and from clang.
///
/// Internal to kaido/codec.h: messages in a schema are called as the structs they come from.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

template <class T>
constexpr std::string_view pretty_type() {
  return __PRETTY_FUNCTION__;
}

/// What stands for T in __PRETTY_FUNCTION__: "… [with T = a::B; …]" (g++), "… [T = a::B]" (clang).
template <class T>
constexpr std::string_view qualified_type_name() {
  std::string_view name = pretty_type<T>();
  name.remove_prefix(name.find("T = ") + 4);
  return name.substr(0, name.find_first_of(";]"));
}

[[nodiscard]] constexpr bool is_identifier(std::string_view text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.empty() || is_digit(text.front())) return false;
  for (const char c : text) {
    if (!is_letter(c) && !is_digit(c)) return false;
  }
  return true;
}

/// The unqualified name where it is an identifier, else "": instances of templates have none that is portable.
template <class T>
constexpr std::string_view message_name() {
  std::string_view name = qualified_type_name<T>();
  if (const std::size_t colon = name.rfind("::"); colon != std::string_view::npos) name.remove_prefix(colon + 2);
  return is_identifier(name) ? name : std::string_view();
}

/// "a.b.C" for a::b::C.
template <class T>
struct DottedName {
  static constexpr std::size_t kLength = [] {
    constexpr std::string_view kName = qualified_type_name<T>();
    std::size_t colons = 0;
    for (const char c : kName) colons += c == ':' ? 1 : 0;
    return kName.size() - colons / 2;
  }();
  static constexpr std::array<char, kLength> kText = [] {
    std::array<char, kLength> text{};
    std::size_t length = 0;
    for (const char c : qualified_type_name<T>()) {
      if (c == ':' && length != 0 && text[length - 1] == '.') continue;
      text[length++] = c == ':' ? '.' : c;
    }
    return text;
  }();
  static constexpr std::string_view view() { return {kText.data(), kLength}; }
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
