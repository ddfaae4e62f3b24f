#include "daemon/settings/units.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <limits>
#include <span>

#include "proto/base/wildcard.h"

namespace kaido::daemon {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Smallest first: formatting takes the last that divides.
constexpr std::array<Unit, 6> kTimeUnits = {{
    {"ns", 1},
    {"us", 1'000},
    {"ms", 1'000'000},
    {"s", 1'000'000'000},
    {"m", 60'000'000'000},
    {"h", 3'600'000'000'000},
}};
constexpr std::array<Unit, 4> kSizeUnits = {{{"B", 1}, {"KiB", 1U << 10}, {"MiB", 1U << 20}, {"GiB", 1U << 30}}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool all_digits(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }

std::string list_units(std::span<const Unit> units) {
  std::string list;
  for (const Unit& unit : units) {
    if (!list.empty()) list += &unit == &units.back() ? " or " : ", ";
    list += unit.name;
  }
  return list;
}

Parsed<std::uint64_t> parse_with_unit(std::string_view text, std::span<const Unit> units, std::string_view example) {
  const auto digits_end = std::find_if_not(text.begin(), text.end(), is_digit);
  const auto digits = text.substr(0, static_cast<std::size_t>(digits_end - text.begin()));
  const std::string_view suffix = text.substr(digits.size());
  const std::string write_like =
      "write a whole number and a unit (" + list_units(units) + ") without a space, like " + std::string(example);
  if (digits.empty()) return ParseError{write_like};
  if (suffix.empty()) return ParseError{"the unit is missing; " + write_like};
  const auto unit = std::find_if(units.begin(), units.end(), [suffix](const Unit& u) { return u.name == suffix; });
  if (unit == units.end()) return ParseError{write_like};
  const auto count = parse_count(digits);
  if (const auto* error = std::get_if<ParseError>(&count)) return *error;
  const std::uint64_t number = std::get<std::uint64_t>(count);
  // What is counted in nanoseconds or bytes is kept in 63 bits.
  if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / unit->factor) {
    return ParseError{"that is too large to be meant; " + write_like};
  }
  return number * unit->factor;
}

std::string format_with_unit(std::uint64_t value, std::span<const Unit> units) {
  if (value == 0) return "0";
  const Unit* best = &units.front();
  for (const Unit& unit : units) {
    if (value % unit.factor == 0) best = &unit;
  }
  return std::to_string(value / best->factor) + std::string(best->name);
}

bool is_host_name(std::string_view host) {
  const auto is_name_char = [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_';
  };
  return !host.empty() && host.size() <= 253 && std::all_of(host.begin(), host.end(), is_name_char) &&
         host.front() != '-' && host.front() != '.';
}

bool is_literal(int family, const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes;
  return inet_pton(family, host.c_str(), bytes.data()) == 1;
}

Parsed<AddressSetting> parse_unix_address(std::string_view path) {
  if (path.empty() || path.front() != '/')
    return ParseError{"the path of a socket must be absolute, like unix:/run/kaido/peer.sock"};
  if (path.size() > kMaxSocketPathBytes) {
    return ParseError{"the path of a socket may have at most " + std::to_string(kMaxSocketPathBytes) +
                      " bytes; choose a shorter one"};
  }
  AddressSetting address;
  address.kind = AddressSetting::Kind::kUnix;
  address.path = path;
  return address;
}

}  // namespace

Parsed<std::uint64_t> parse_count(std::string_view text) {
  if (!all_digits(text)) return ParseError{"write a whole number in decimal digits, like 64"};
  if (text.size() > 1 && text.front() == '0') {
    return ParseError{"a leading zero means octal to some readers of YAML; remove it"};
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return ParseError{"that is too large to be meant; write a smaller number"};
  return value;
}

Parsed<Duration> parse_duration(std::string_view text) {
  if (text == "0") return Duration(0);
  const auto value = parse_with_unit(text, kTimeUnits, "10s");
  if (const auto* error = std::get_if<ParseError>(&value)) return *error;
  return Duration(static_cast<Duration::rep>(std::get<std::uint64_t>(value)));
}

Parsed<Bytes> parse_bytes(std::string_view text) {
  if (text == "0") return Bytes{0};
  const auto value = parse_with_unit(text, kSizeUnits, "64MiB");
  if (const auto* error = std::get_if<ParseError>(&value)) return *error;
  return Bytes{std::get<std::uint64_t>(value)};
}

Parsed<AddressSetting> parse_address(std::string_view text) {
  constexpr std::string_view kUnixPrefix = "unix:";
  if (text.starts_with(kUnixPrefix)) return parse_unix_address(text.substr(kUnixPrefix.size()));
  // As the log and kaidoctl show addresses. (A host may be called "tcp", too: then one colon follows.)
  constexpr std::string_view kTcpPrefix = "tcp:";
  if (text.starts_with(kTcpPrefix) && text.find(':', kTcpPrefix.size()) != std::string_view::npos) {
    text.remove_prefix(kTcpPrefix.size());
  }
  const ParseError write_like{"write host:port, [IPv6]:port or unix:/path, like 127.0.0.1:7600"};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return write_like;
  std::string host(text.substr(0, colon));
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (!is_literal(AF_INET6, host)) return write_like;
  } else if (host.find(':') != std::string::npos) {
    return ParseError{"put the IPv6 address in brackets, like [::1]:7600"};
  } else if (!is_host_name(host)) {
    return write_like;
  } else if (std::all_of(host.begin(), host.end(), [](char c) { return is_digit(c) || c == '.'; }) &&
             !is_literal(AF_INET, host)) {
    return ParseError{"the IPv4 address is not four numbers up to 255; write it like 127.0.0.1:7600"};
  }
  const auto port = parse_count(text.substr(colon + 1));
  const auto* number = std::get_if<std::uint64_t>(&port);
  if (number == nullptr || *number > 65535)
    return ParseError{"the port must be a number from 0 to 65535, like 127.0.0.1:7600"};
  AddressSetting address;
  address.host = std::move(host);
  address.port = static_cast<std::uint16_t>(*number);
  return address;
}

bool AddressSetting::is_local() const {
  if (kind == Kind::kUnix || host == "localhost") return true;
  in_addr v4 = {};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6 = {};
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool AddressSetting::is_wildcard() const {
  return kind == Kind::kTcp && base::wildcard_of(host) != base::Wildcard::kNone;
}

bool AddressSetting::can_be_listened_on() const {
  return kind == Kind::kUnix || host == "localhost" || is_literal(AF_INET, host) || is_literal(AF_INET6, host);
}

std::string to_string(const AddressSetting& address) {
  if (address.kind == AddressSetting::Kind::kUnix) return "unix:" + address.path;
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

std::string to_string(Duration duration) {
  return format_with_unit(static_cast<std::uint64_t>(duration.count()), kTimeUnits);
}

std::string to_string(Bytes bytes) { return format_with_unit(bytes.count, kSizeUnits); }

}  // namespace kaido::daemon
