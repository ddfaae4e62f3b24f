/// Where a listener listens and a connection goes: "unix:/run/kaido/kaido.sock", "tcp:host:7400", "tcp:[::1]:7400",
/// "memory:n1".
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "proto/base/status.h"

namespace kaido::daemon {

/// A parsed address: a value that copies, compares and prints as it was written.
class Address {
 public:
  enum class Kind { kMemory, kUnix, kTcp };

  /// Errors: kInvalidArgument, with the text, what is wrong with it, and what is accepted.
  [[nodiscard]] static base::StatusOr<Address> parse(std::string_view text);

  [[nodiscard]] static Address memory(std::string name);
  [[nodiscard]] static Address unix_socket(std::string path);
  [[nodiscard]] static Address tcp(std::string host, std::uint16_t port);

  [[nodiscard]] Kind kind() const { return kind_; }

  /// The name of a memory address, the path of a Unix socket, the host of a TCP address (no brackets).
  [[nodiscard]] const std::string& host() const { return host_; }

  /// TCP only; 0 when listening asks the system for a free one.
  [[nodiscard]] std::uint16_t port() const { return port_; }

  /// True if bytes sent there cannot leave this host, judged without resolving: a name other than "localhost" is not.
  [[nodiscard]] bool is_loopback() const;

  [[nodiscard]] std::string to_string() const;

  auto operator<=>(const Address&) const = default;

 private:
  Address(Kind kind, std::string host, std::uint16_t port) : kind_(kind), host_(std::move(host)), port_(port) {}

  Kind kind_;
  std::string host_;
  std::uint16_t port_;
};

}  // namespace kaido::daemon
