/// Numbers with units, as an operator writes them: "10s", "250ms", "64MiB", "127.0.0.1:7600".
///
/// Strict on purpose: one spelling per meaning, no signs, no spaces, no leading zeros, no bare numbers where a unit
/// says what is meant. Each parser says in its error what to write instead.
///
/// Threading: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "daemon/settings/settings.h"

namespace kaido::daemon {

/// A value, or what is wrong with the text and what to write instead.
struct ParseError {
  std::string message;
};
template <class T>
using Parsed = std::variant<T, ParseError>;

/// Decimal digits only; 0 has one digit.
[[nodiscard]] Parsed<std::uint64_t> parse_count(std::string_view text);

/// Units: ns, us, ms, s, m, h. Whole numbers, one unit; "0" needs none.
[[nodiscard]] Parsed<Duration> parse_duration(std::string_view text);

/// Units: B, KiB, MiB, GiB. Whole numbers; "0" needs no unit.
[[nodiscard]] Parsed<Bytes> parse_bytes(std::string_view text);

/// "host:port", "[v6]:port" or "unix:/absolute/path"; port 0 means that the system chooses one.
[[nodiscard]] Parsed<AddressSetting> parse_address(std::string_view text);

/// The largest unit that leaves a whole number; parse_* reads it back.
[[nodiscard]] std::string to_string(Duration duration);
[[nodiscard]] std::string to_string(Bytes bytes);

/// The longest path that fits sockaddr_un with its terminating zero.
inline constexpr std::size_t kMaxSocketPathBytes = 107;

}  // namespace kaido::daemon
