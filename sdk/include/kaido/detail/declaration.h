/// What a KAIDO_ macro says about a function beside its signature: its name, its parameters' names, and which
/// parameters may be left out.
///
/// Internal to kaido/function.h. A macro attaches it to the function by a friend function that argument-dependent
/// look-up finds from any namespace, where a template specialisation could be written only in the global one. The
/// attached object is looked at by templates that are instantiated once per file; what comes too late for them is
/// refused.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include <kaido/codec.h>
#include <kaido/detail/type_name.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// A string literal as a template argument.
template <std::size_t N>
struct FixedString {
  constexpr FixedString(const char (&text)[N]) {  // NOLINT: from a literal
    for (std::size_t i = 0; i < N; ++i) data[i] = text[i];
  }
  [[nodiscard]] constexpr std::string_view view() const { return {data, N - 1}; }
  char data[N]{};
};

/// `Required`: how many leading arguments a call of the function by its name needs; the rest has C++ default arguments.
/// `Name`: of the function; empty: its qualified name. `Parameters`: their names, none or all.
template <std::size_t Required, FixedString Name, FixedString... Parameters>
struct Declaration {
  static constexpr std::size_t kRequired = Required;
  static constexpr std::string_view kName = Name.view();
  static constexpr std::array<std::string_view, sizeof...(Parameters)> kParameters{Parameters.view()...};

  /// Of everything but kRequired.
  [[nodiscard]] static constexpr std::uint64_t hash() {
    Hash64 hash;
    hash.put(kName);
    for (const std::string_view name : kParameters) {
      hash.put(",");
      hash.put(name);
    }
    return hash.value();
  }
};

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-template-friend"  // That it is no template is the purpose.
#endif

template <auto F>
struct FunctionKey {
  friend constexpr auto kaido_declaration(FunctionKey);
  friend bool kaido_is_registered(FunctionKey);
};
template <auto F, class What>
struct AttachDeclaration {
  friend constexpr auto kaido_declaration(FunctionKey<F>) { return What{}; }
};
/// Emitted by every file that registers F, so that who refers to it gets that file from a static library, or an error
/// of the linker that names F.
template <auto F>
struct DefineAnchor {
  [[gnu::used, gnu::noinline]] friend bool kaido_is_registered(FunctionKey<F>) { return true; }
};

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

/// Asked anew for each Tag, since the answer changes from one macro to the next.
template <auto F, class Tag>
inline constexpr bool kIsDeclared = requires { kaido_declaration(FunctionKey<F>{}).kRequired; };

/// A declaration in short, as part of the types that depend on it: where two files differ in it, so do the types.
template <std::size_t Required, std::uint64_t Hash>
struct Declared {
  static constexpr std::size_t kRequired = Required;
};
struct NotDeclared {
  static constexpr std::size_t kRequired = static_cast<std::size_t>(-1);
};

template <auto F>
constexpr auto find_declared() {
  if constexpr (requires { kaido_declaration(FunctionKey<F>{}).kRequired; }) {
    using Found = decltype(kaido_declaration(FunctionKey<F>{}));
    return Declared<Found::kRequired, Found::hash()>{};
  } else {
    return NotDeclared{};
  }
}
template <auto F>
using DeclaredOf = decltype(find_declared<F>());

/// The parameters' names as declared; empty: none are.
template <auto F, class D>
[[nodiscard]] constexpr std::span<const std::string_view> declared_parameters() {
  if constexpr (std::is_same_v<D, NotDeclared>) {
    return {};
  } else {
    return decltype(kaido_declaration(FunctionKey<F>{}))::kParameters;
  }
}

// --- what is wrong with names ---

/// As protobuf wants the name of a field.
[[nodiscard]] constexpr bool is_parameter_name(std::string_view name) { return is_identifier(name); }

/// Whether JSON would take the two for one: it writes text_size as textSize.
[[nodiscard]] constexpr bool same_in_json(std::string_view a, std::string_view b) {
  std::size_t i = 0;
  std::size_t j = 0;
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  for (;; ++i, ++j) {
    while (i < a.size() && a[i] == '_') ++i;
    while (j < b.size() && b[j] == '_') ++j;
    if (i == a.size() || j == b.size()) return i == a.size() && j == b.size();
    if (lower(a[i]) != lower(b[j])) return false;
  }
}

template <std::size_t N>
[[nodiscard]] constexpr bool all_parameter_names(const std::array<std::string_view, N>& names) {
  for (const std::string_view name : names) {
    if (!is_parameter_name(name)) return false;
  }
  return true;
}
template <std::size_t N>
[[nodiscard]] constexpr bool all_different(const std::array<std::string_view, N>& names) {
  for (std::size_t i = 0; i < N; ++i) {
    for (std::size_t j = i + 1; j < N; ++j) {
      if (same_in_json(names[i], names[j])) return false;
    }
  }
  return true;
}

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
