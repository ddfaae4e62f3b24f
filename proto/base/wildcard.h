/// Hosts to listen at that stand for every address of this one.
#pragma once

#include <cstdint>
#include <string>

namespace kaido::base {

/// The addresses of this host that listening at one of them stands for. Others cannot dial it.
enum class Wildcard : std::uint8_t { kNone, kAllV4, kAllV6 };

/// However it is written: 0.0.0.0, 0, ::ffff:0.0.0.0, ::, 0::0. No brackets; names are not resolved.
[[nodiscard]] Wildcard wildcard_of(const std::string& host);

}  // namespace kaido::base
