/// SourceLocation: where a task was spawned, for hooks and error messages.
#pragma once

#include <cstdint>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// What std::source_location is; that one is missing in clang 14.
///
/// As a default argument, `SourceLocation location = SourceLocation::current()` is the place of the call.
/// Threading: a value.
class SourceLocation {
 public:
  constexpr SourceLocation() noexcept = default;
  [[nodiscard]] static constexpr SourceLocation current(const char* file = __builtin_FILE(),
                                                        std::uint32_t line = __builtin_LINE()) noexcept {
    return SourceLocation(file, line);
  }

  /// The path as the compiler saw it; "" if unknown.
  [[nodiscard]] constexpr const char* file_name() const noexcept { return file_; }
  /// From 1; 0 if unknown.
  [[nodiscard]] constexpr std::uint32_t line() const noexcept { return line_; }

 private:
  constexpr SourceLocation(const char* file, std::uint32_t line) noexcept : file_(file), line_(line) {}

  const char* file_ = "";
  std::uint32_t line_ = 0;
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
