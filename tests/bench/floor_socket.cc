#include "tests/bench/floor_socket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace kaido::bench {
namespace {

constexpr std::size_t kBufferBytes = 256 * 1024;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("socket path too long: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what + ": " + std::strerror(errno)); }

}  // namespace

FloorSocket::FloorSocket(int descriptor) : descriptor_(descriptor), input_(kBufferBytes) {
  output_.reserve(kBufferBytes);
}

FloorSocket::~FloorSocket() { ::close(descriptor_); }

bool FloorSocket::read() {
  std::memmove(input_.data(), input_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  ssize_t count = 0;
  do {
    count = ::read(descriptor_, input_.data() + end_, input_.size() - end_);
  } while (count < 0 && errno == EINTR);
  if (count <= 0) return false;
  end_ += static_cast<std::size_t>(count);
  return true;
}

std::span<std::byte> FloorSocket::next() {
  std::uint32_t length = 0;
  if (end_ - begin_ < sizeof(FloorHeader)) return {};
  std::memcpy(&length, input_.data() + begin_, sizeof length);
  if (end_ - begin_ < length) return {};
  const std::span<std::byte> frame(input_.data() + begin_, length);
  begin_ += length;
  return frame;
}

void FloorSocket::append(const FloorHeader& header, std::span<const std::byte> payload) {
  append(std::as_bytes(std::span(&header, 1)));
  append(payload);
}

void FloorSocket::flush() {
  std::size_t sent = 0;
  while (sent < output_.size()) {
    const ssize_t count = ::send(descriptor_, output_.data() + sent, output_.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail("send");
    sent += static_cast<std::size_t>(count);
  }
  output_.clear();
}

int listen_unix(const std::string& path) {
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(path);
  if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("bind " + path);
  if (::listen(descriptor, SOMAXCONN) != 0) fail("listen " + path);
  return descriptor;
}

int connect_unix(const std::string& path) {
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(path);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("connect " + path);
  return descriptor;
}

}  // namespace kaido::bench
