#include "daemon/net/address.h"

#include <charconv>

namespace kaido::daemon {
namespace {

base::Status wrong(std::string_view text, std::string_view what) {
  return absl::InvalidArgumentError("address \"" + std::string(text) + "\": " + std::string(what) +
                                    "; write unix:/path, tcp:host:port, tcp:[::1]:port or memory:name");
}

base::StatusOr<Address> parse_tcp(std::string_view text, std::string_view rest) {
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos) return wrong(text, "the port is missing");
  std::string_view host = rest.substr(0, colon);
  const std::string_view digits = rest.substr(colon + 1);
  if (host.starts_with('[')) {
    if (!host.ends_with(']') || host.size() < 3) return wrong(text, "the bracket is not closed before the port");
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return wrong(text, "an IPv6 address stands in brackets");
  }
  if (host.empty()) return wrong(text, "the host is missing");
  unsigned port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() || port > 65535) {
    return wrong(text, "the port is not a number from 0 to 65535");
  }
  return Address::tcp(std::string(host), static_cast<std::uint16_t>(port));
}

}  // namespace

Address Address::memory(std::string name) { return {Kind::kMemory, std::move(name), 0}; }
Address Address::unix_socket(std::string path) { return {Kind::kUnix, std::move(path), 0}; }
Address Address::tcp(std::string host, std::uint16_t port) { return {Kind::kTcp, std::move(host), port}; }

base::StatusOr<Address> Address::parse(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return wrong(text, "the kind is missing");
  const std::string_view kind = text.substr(0, colon);
  const std::string_view rest = text.substr(colon + 1);
  if (kind == "tcp") return parse_tcp(text, rest);
  if (kind == "unix") {
    // The kernel keeps the path in an array of 108 bytes with a zero at its end.
    if (rest.empty()) return wrong(text, "the path is missing");
    if (rest.size() > 107) return wrong(text, "the path is longer than the 107 bytes that the system allows");
    if (rest.find('\0') != std::string_view::npos) return wrong(text, "the path contains a zero byte");
    return unix_socket(std::string(rest));
  }
  if (kind == "memory") {
    if (rest.empty()) return wrong(text, "the name is missing");
    return memory(std::string(rest));
  }
  return wrong(text, "the kind \"" + std::string(kind) + "\" is not known");
}

bool Address::is_loopback() const {
  if (kind_ != Kind::kTcp || host_ == "localhost" || host_ == "::1") return true;
  // A name may begin with "127." too: only digits and dots make it a number.
  return host_.starts_with("127.") && host_.find_first_not_of("0123456789.") == std::string::npos;
}

std::string Address::to_string() const {
  switch (kind_) {
    case Kind::kMemory:
      return "memory:" + host_;
    case Kind::kUnix:
      return "unix:" + host_;
    case Kind::kTcp:
      break;
  }
  const bool v6 = host_.find(':') != std::string::npos;
  return "tcp:" + (v6 ? "[" + host_ + "]" : host_) + ":" + std::to_string(port_);
}

}  // namespace kaido::daemon
