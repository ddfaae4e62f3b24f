#include "tests/support/raw_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <random>
#include <stdexcept>
#include <utility>

#include "tests/support/wait_until.h"

namespace kaido::test {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int connect_to(int family, const sockaddr* address, socklen_t size) {
  const int descriptor = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  const timeval limit{.tv_sec = kPatience.count() / 1000, .tv_usec = 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::connect(descriptor, address, size) == 0) return descriptor;
  ::close(descriptor);
  return -1;
}

}  // namespace

RawSocket RawSocket::connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error(path + " is too long for a socket");
  path.copy(address.sun_path, path.size());
  return RawSocket(connect_to(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

RawSocket RawSocket::connect_tcp(std::uint16_t port) {
  const sockaddr_in address = loopback(port);
  return RawSocket(connect_to(AF_INET, reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

RawSocket::RawSocket(RawSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), is_at_end_(other.is_at_end_) {}

RawSocket::~RawSocket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool RawSocket::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool RawSocket::read_some(std::string& into) {
  char buffer[16384];
  const ssize_t count = ::recv(descriptor_, buffer, sizeof buffer, 0);
  if (count > 0) into.append(buffer, static_cast<std::size_t>(count));
  is_at_end_ = count == 0 || (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
  return count > 0;
}

std::string RawSocket::read_to_end() {
  std::string text;
  while (read_some(text)) {
  }
  return text;
}

bool RawSocket::is_closed_by_peer() {
  static_cast<void>(read_to_end());
  return is_at_end_;
}

HttpAnswer http_get(std::uint16_t port, std::string_view target) {
  RawSocket socket = RawSocket::connect_tcp(port);
  if (!socket.is_connected()) return {};
  socket.write("GET " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const std::string answer = socket.read_to_end();
  HttpAnswer result;
  if (const std::size_t space = answer.find(' '); space != std::string::npos) {
    result.status = std::atoi(answer.c_str() + space + 1);
  }
  if (const std::size_t end = answer.find("\r\n\r\n"); end != std::string::npos) result.body = answer.substr(end + 4);
  return result;
}

std::uint16_t free_port() {
  static std::minstd_rand random{std::random_device{}()};
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const auto port = static_cast<std::uint16_t>(std::uniform_int_distribution<int>(10000, 32000)(random));
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port);
    const bool is_free = ::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(descriptor);
    if (is_free) return port;
  }
  throw std::runtime_error("no free port");
}

}  // namespace kaido::test
