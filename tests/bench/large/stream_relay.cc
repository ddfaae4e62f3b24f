#include "tests/bench/large/stream_relay.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "tests/bench/caller.h"
#include "tests/bench/floor_socket.h"

namespace kaido::bench {
namespace {

/// As much as one read of Kaido's asks for.
constexpr std::size_t kRelayBytes = 256 * 1024;

/// Reads once; 0 at the end of the stream.
std::size_t read_some(int descriptor, std::span<std::byte> into) {
  ssize_t count = 0;
  do {
    count = ::read(descriptor, into.data(), into.size());
  } while (count < 0 && errno == EINTR);
  return count < 0 ? 0 : static_cast<std::size_t>(count);
}

/// False at the end of the stream.
bool read_all(int descriptor, std::span<std::byte> into) {
  while (!into.empty()) {
    const std::size_t count = read_some(descriptor, into);
    if (count == 0) return false;
    into = into.subspan(count);
  }
  return true;
}

void write_all(int descriptor, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw std::runtime_error("the other side went away");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

template <class T>
std::span<std::byte> bytes_of(T& value) {
  return std::as_writable_bytes(std::span(&value, 1));
}

class MemcpyCaller final : public LargeCaller {
 public:
  std::uint64_t call(std::span<const std::byte> argument) override {
    copy_.resize(argument.size());
    std::memcpy(copy_.data(), argument.data(), argument.size());
    return sum_of(copy_);
  }

 private:
  std::vector<std::byte> copy_;
};

class StreamCaller final : public LargeCaller {
 public:
  explicit StreamCaller(const std::string& path) : descriptor_(connect_unix(path)) {}
  ~StreamCaller() override { ::close(descriptor_); }

  std::uint64_t call(std::span<const std::byte> argument) override {
    FloorHeader header{.length = static_cast<std::uint32_t>(sizeof(FloorHeader) + argument.size())};
    write_all(descriptor_, bytes_of(header));
    write_all(descriptor_, argument);
    std::uint64_t sum = 0;
    if (!read_all(descriptor_, bytes_of(header)) || !read_all(descriptor_, bytes_of(sum)))
      throw std::runtime_error("the relay went away");
    return sum;
  }

 private:
  int descriptor_;
};

}  // namespace

std::unique_ptr<LargeCaller> make_memcpy_caller() { return std::make_unique<MemcpyCaller>(); }

int run_stream_relay(const std::string& client_socket, const std::string& worker_socket) {
  const int clients = listen_unix(client_socket);
  const int workers = listen_unix(worker_socket);
  announce_ready();
  const int worker = ::accept4(workers, nullptr, nullptr, SOCK_CLOEXEC);
  const int client = ::accept4(clients, nullptr, nullptr, SOCK_CLOEXEC);
  std::vector<std::byte> buffer(kRelayBytes);
  std::array<pollfd, 2> ends = {pollfd{.fd = client, .events = POLLIN, .revents = 0},
                                pollfd{.fd = worker, .events = POLLIN, .revents = 0}};
  while (true) {
    if (::poll(ends.data(), ends.size(), -1) < 0 && errno != EINTR) return 1;
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (ends[i].revents == 0) continue;
      const std::size_t count = read_some(ends[i].fd, buffer);
      if (count == 0) return 0;
      write_all(ends[1 - i].fd, std::span(buffer).first(count));
    }
  }
}

int run_stream_worker(const std::string& worker_socket) {
  const int relay = connect_unix(worker_socket);
  announce_ready();
  FloorHeader header;
  std::vector<std::byte> argument;
  while (read_all(relay, bytes_of(header))) {
    argument.resize(header.length - sizeof header);
    if (!read_all(relay, argument)) break;
    std::uint64_t sum = sum_of(argument);
    header.length = sizeof header + sizeof sum;
    write_all(relay, bytes_of(header));
    write_all(relay, bytes_of(sum));
  }
  ::close(relay);
  return 0;
}

std::unique_ptr<LargeCaller> connect_stream(const std::string& client_socket) {
  return std::make_unique<StreamCaller>(client_socket);
}

}  // namespace kaido::bench
