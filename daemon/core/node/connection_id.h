/// How the machine and its shell name connections and dials to each other.
#pragma once

#include <compare>
#include <cstdint>

namespace kaido::daemon {

/// A connection, from the shell's opened() until its closed(). A slot and its generation, so that a stale name finds
/// nobody; never 0.
struct ConnectionId {
  std::uint32_t value = 0;
  auto operator<=>(const ConnectionId&) const = default;
};
inline constexpr ConnectionId kNoConnection{0};

/// An attempt to reach an address, from the machine's kDial until the shell's dialed() or dial_failed().
struct DialId {
  std::uint32_t value = 0;
  auto operator<=>(const DialId&) const = default;
};

}  // namespace kaido::daemon
