/// What registering functions costs when compiling: time and size of the object file.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace kaido::bench {

struct CompileCost {
  double cpu_seconds = 0;
  std::size_t object_bytes = 0;
};

/// A source file that registers so many functions of various signatures, structs and containers among them.
[[nodiscard]] std::string source_of(int functions);

/// Compiles source_of(functions) as an optimised build does, with $CXX or g++. Nothing where there is no compiler, or
/// where the headers are not at `headers`.
[[nodiscard]] std::optional<CompileCost> compile(int functions, const std::string& headers);

}  // namespace kaido::bench
