/// Errors for where one must be had, whether there is memory or not.
#pragma once

#include <new>
#include <string>
#include <utility>

#include <kaido/error.h>

namespace kaido::inline abi0::detail {

/// What `make` gives, or the kind alone if there is no memory for more: whoever fails a call must not fail at that.
/// `make` throws nothing but std::bad_alloc.
template <typename Make>
[[nodiscard]] Error error_made_by(ErrorKind kind, Make make) noexcept {
  try {
    return std::move(make)();
  } catch (const std::bad_alloc&) {
    return Error(kind);
  }
}

/// With the parts of its text one after the other.
template <typename... Text>
[[nodiscard]] Error error_of(ErrorKind kind, const Text&... text) noexcept {
  return error_made_by(kind, [&] {
    std::string all;
    (all.append(text), ...);
    return Error(kind, std::move(all));
  });
}

[[nodiscard]] inline Error copy_of(const Error& error) noexcept {
  return error_made_by(error.kind(), [&error] { return Error(error); });
}

}  // namespace kaido::inline abi0::detail
