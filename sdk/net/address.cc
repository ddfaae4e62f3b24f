#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <charconv>
#include <cstddef>
#include <cstring>
#include <stdexcept>

#include <kaido/net.h>

namespace kaido::inline abi0::net {

namespace {

std::uint16_t parse_port(std::string_view text, std::string_view whole) {
  std::uint16_t port = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failure != std::errc() || end != text.data() + text.size()) {
    throw std::invalid_argument("kaido: no port in the address " + std::string(whole));
  }
  return port;
}

}  // namespace

Address Address::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos)
    throw std::invalid_argument("kaido: no port in the address " + std::string(text));
  const std::uint16_t port = parse_port(text.substr(colon + 1), text);
  std::string host(text.substr(0, colon));
  Address address;
  sockaddr_in v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&address.storage_, &v4, sizeof(v4));
    address.size_ = sizeof(v4);
    return address;
  }
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) != 1) {
    throw std::invalid_argument("kaido: not an IP address with a port: " + std::string(text));
  }
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  std::memcpy(&address.storage_, &v6, sizeof(v6));
  address.size_ = sizeof(v6);
  return address;
}

Address Address::unix_path(std::string_view path) {
  sockaddr_un local{};
  if (path.empty() || path.size() >= sizeof(local.sun_path)) {
    throw std::invalid_argument("kaido: not a path for a Unix socket: " + std::string(path));
  }
  local.sun_family = AF_UNIX;
  std::memcpy(local.sun_path, path.data(), path.size());
  Address address;
  std::memcpy(&address.storage_, &local, sizeof(local));
  // Names without a file are as long as the address says; paths end with a NUL.
  address.size_ =
      static_cast<std::uint32_t>(offsetof(sockaddr_un, sun_path) + path.size() + (path.front() != '\0' ? 1 : 0));
  return address;
}

static_assert(Address::kMaxSize == sizeof(sockaddr_storage));

int Address::family() const noexcept {
  sockaddr any{};
  std::memcpy(&any, storage_.data(), sizeof(any));
  return any.sa_family;
}

std::uint16_t Address::port() const noexcept {
  sockaddr_in v4{};
  std::memcpy(&v4, &storage_, sizeof(v4));  // The port is at the same place in both.
  return family() == AF_INET || family() == AF_INET6 ? ntohs(v4.sin_port) : 0;
}

std::string Address::to_string() const {
  char text[INET6_ADDRSTRLEN] = {};
  if (family() == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &storage_, sizeof(v4));
    return std::string(::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text))) + ":" + std::to_string(port());
  }
  if (family() == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage_, sizeof(v6));
    return "[" + std::string(::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text))) + "]:" + std::to_string(port());
  }
  if (family() != AF_UNIX || size_ <= offsetof(sockaddr_un, sun_path)) return "unnamed";
  const auto* local = reinterpret_cast<const sockaddr_un*>(&storage_);
  const std::size_t length = size_ - offsetof(sockaddr_un, sun_path);
  if (local->sun_path[0] == '\0') return "@" + std::string(local->sun_path + 1, length - 1);
  return {local->sun_path, ::strnlen(local->sun_path, length)};
}

}  // namespace kaido::inline abi0::net
