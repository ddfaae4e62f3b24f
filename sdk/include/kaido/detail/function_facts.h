/// What a function's callers and its registration both know of it.
///
/// Internal to kaido/function.h and kaido/remote.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <kaido/codec.h>
#include <kaido/detail/codec_schema.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// Constant-initialised; refers to constants.
struct FunctionFacts {
  constexpr FunctionFacts() = default;
  constexpr FunctionFacts(std::string_view function, std::uint64_t function_fingerprint,
                          const SignatureSchema& signature_schema, std::span<const std::string_view> parameter_names)
      : name(function),
        id(hash64(function)),
        fingerprint(function_fingerprint),
        schema(&signature_schema),
        parameters(parameter_names) {}

  std::string_view name;
  std::uint64_t id = 0;
  std::uint64_t fingerprint = 0;
  const SignatureSchema* schema = nullptr;
  std::span<const std::string_view> parameters;  ///< their names; empty: not given

  /// Canonical text, for people.
  [[nodiscard]] std::string signature() const { return schema_text(*schema); }
  /// A serialized FileDescriptorSet, for programs.
  [[nodiscard]] std::string descriptor() const { return schema_descriptor(*schema, parameters); }
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
