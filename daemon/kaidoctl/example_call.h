/// A call of a function as one would type it, from its schema: a pure function.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/core/schema/parsed_schema.h"

namespace kaido::daemon {

/// An example is for reading: longer ones are not made. Raising it costs lines of `functions NAME`, lowering it leaves
/// functions with many members without an example.
inline constexpr std::size_t kExampleBytesMax = 2000;

/// `kaidoctl call geo::distance '{"from": {"x": 0, "y": 0}, "to": {"x": 0, "y": 0}}'`, quoted for a shell; with the
/// fingerprint if one is given. It has what must be given, and one element of each list and map; what is optional is
/// left out. arguments_from_json() accepts it.
///
/// Nothing: it would be longer than kExampleBytesMax, or a message must contain itself, as no C++ type does.
[[nodiscard]] std::optional<std::string> example_call(std::string_view function, std::string_view fingerprint,
                                                      const ParsedSchema& schema);

}  // namespace kaido::daemon
