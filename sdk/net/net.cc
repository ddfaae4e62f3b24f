#include <kaido/net.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

#include "sdk/net/io_source.h"

namespace kaido::inline abi0 {

namespace {

class RuntimeErrors final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "kaido runtime"; }
  [[nodiscard]] std::string message(int) const override { return "the runtime to which the socket belongs has ended"; }
};

const std::error_category& runtime_errors() noexcept {
  static const RuntimeErrors errors;
  return errors;
}

constexpr int kShutDown = 1;

std::error_code last_error() noexcept { return {errno, std::system_category()}; }

}  // namespace

bool is_rt_shutdown_err(const std::error_code& error) noexcept {
  return error.category() == runtime_errors() && error.value() == kShutDown;
}

bool is_rt_shutdown_err(const Error& error) noexcept {
  if (!error.is_panic() || error.exception() == nullptr) return false;
  try {
    std::rethrow_exception(error.exception());
  } catch (const std::system_error& failure) {
    return is_rt_shutdown_err(failure.code());
  } catch (...) {
    return false;
  }
}

namespace detail {

int IoOperation::socket() const noexcept { return source_->socket(); }

IoOperation::IoOperation(IoOperation&& other) noexcept : error_(other.error_), direction_(other.direction_) {
  other.leave();
  source_ = std::move(other.source_);
}

IoOperation::~IoOperation() { leave(); }

void IoOperation::leave() noexcept {
  if (node_.is_queued.load(std::memory_order_acquire)) source_->leave(node_);
}

bool IoOperation::poll(PollContext& context) {
  if (!context.may_proceed()) return false;
  if (source_ == nullptr) throw std::logic_error("kaido: a connect() that has given its stream was awaited again");
  if (!error_ && !try_once(context)) return false;
  leave();
  context.spend();
  return true;
}

// False if it waits; else it is done, or error_ says why not.
bool IoOperation::try_once(PollContext& context) {
  const std::error_code shut_down(kShutDown, runtime_errors());
  if (source_->is_shut_down()) {
    error_ = shut_down;
  } else if (attempt() < 0 && !error_) {
    if (errno == EAGAIN || errno == EINPROGRESS || errno == EALREADY || errno == EINTR) {
      source_->wait(node_, context, direction_);
      // Shutdown may have looked for waiters just before.
      if (!source_->is_shut_down()) return false;
      error_ = shut_down;
    } else {
      error_ = last_error();
    }
  }
  return true;
}

long IoRead::attempt() noexcept {
  const ssize_t count = ::recv(socket(), buffer_.data(), buffer_.size(), 0);
  if (count >= 0) count_ = static_cast<std::size_t>(count);
  return count;
}

long IoWrite::attempt() noexcept {
  const auto* to = to_ ? static_cast<const sockaddr*>(to_->data()) : nullptr;
  const ssize_t count = ::sendto(socket(), buffer_.data(), buffer_.size(), MSG_NOSIGNAL, to, to_ ? to_->size() : 0);
  if (count >= 0) count_ = static_cast<std::size_t>(count);
  return count;
}

long IoReadFrom::attempt() noexcept {
  socklen_t size = net::Address::kMaxSize;
  const ssize_t count =
      ::recvfrom(socket(), buffer_.data(), buffer_.size(), 0, static_cast<sockaddr*>(from_.data()), &size);
  if (count >= 0) count_ = static_cast<std::size_t>(count);
  from_.set_size(size);
  return count;
}

namespace {

/// A socket that closes itself until it is an IoSource's.
class OwnedSocket {
 public:
  OwnedSocket(int family, int type) noexcept : socket_(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {}
  explicit OwnedSocket(int socket) noexcept : socket_(socket) {}
  OwnedSocket(const OwnedSocket&) = delete;
  OwnedSocket& operator=(const OwnedSocket&) = delete;
  ~OwnedSocket() {
    if (socket_ >= 0) ::close(socket_);
  }
  [[nodiscard]] int get() const noexcept { return socket_; }
  [[nodiscard]] IoSourceRef into_source() {
    auto source = std::make_shared<IoSource>(socket_);
    socket_ = -1;
    return source;
  }

 private:
  int socket_;
};

net::Address local_address_of(IoSource& source) {
  net::Address address;
  socklen_t size = net::Address::kMaxSize;
  if (::getsockname(source.socket(), static_cast<sockaddr*>(address.data()), &size) != 0)
    throw std::system_error(last_error(), "getsockname");
  address.set_size(size);
  return address;
}

net::IoResult<IoSourceRef> bound(const net::Address& address, int type) {
  OwnedSocket socket(address.family(), type);
  if (socket.get() < 0) return last_error();
  const int yes = 1;
  if (type == SOCK_STREAM) ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (::bind(socket.get(), static_cast<const sockaddr*>(address.data()), address.size()) != 0) return last_error();
  if (type == SOCK_STREAM && ::listen(socket.get(), SOMAXCONN) != 0) return last_error();
  return socket.into_source();
}

IoSourceRef connecting(const net::Address& address) {
  OwnedSocket socket(address.family(), SOCK_STREAM);
  if (socket.get() < 0) throw std::system_error(last_error(), "socket");
  return socket.into_source();
}

}  // namespace
}  // namespace detail

namespace net {

Stream::Connect Stream::connect(const Address& address) { return Connect(address); }

Stream::Connect::Connect(const Address& address)
    : IoOperation(detail::connecting(address), detail::IoDirection::kWrite), address_(address) {}

// Once under way, connecting again tells how it went.
long Stream::Connect::attempt() noexcept {
  const int result = ::connect(socket(), static_cast<const sockaddr*>(address_.data()), address_.size());
  if (result != 0 && errno == EISCONN && has_started_) return 0;
  // The queue of a Unix listener is full (or no port is left): the socket waits for nothing, and is ready at once.
  if (result != 0 && errno == EAGAIN) error_ = last_error();
  has_started_ = true;
  return result;
}

Task<IoResult<void>> Stream::read_exact(std::span<std::byte> buffer) const {
  while (!buffer.empty()) {
    const auto count = co_await read(buffer);
    if (!count) co_return count.error();
    if (*count == 0) co_return std::make_error_code(std::errc::connection_aborted);
    buffer = buffer.subspan(*count);
  }
  co_return IoResult<void>();
}

Task<IoResult<void>> Stream::write_all(std::span<const std::byte> bytes) const {
  while (!bytes.empty()) {
    const auto count = co_await write(bytes);
    if (!count) co_return count.error();
    bytes = bytes.subspan(*count);
  }
  co_return IoResult<void>();
}

Address Stream::local_address() const { return detail::local_address_of(*source_); }

IoResult<Listener> Listener::bind(const Address& address) {
  auto source = detail::bound(address, SOCK_STREAM);
  if (!source) return source.error();
  return Listener(*std::move(source));
}

Address Listener::local_address() const { return detail::local_address_of(*source_); }

// Accepted but never taken: closed, as the peer of a dropped stream.
Listener::Accept::~Accept() { const detail::OwnedSocket dropped(accepted_); }

long Listener::Accept::attempt() noexcept {
  accepted_ = ::accept4(socket(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return accepted_;
}

IoResult<Stream> Listener::Accept::take() {
  if (const auto error = take_error()) return error;
  detail::OwnedSocket socket(std::exchange(accepted_, -1));
  return Stream(socket.into_source());
}

IoResult<UdpSocket> UdpSocket::bind(const Address& address) {
  auto source = detail::bound(address, SOCK_DGRAM);
  if (!source) return source.error();
  return UdpSocket(*std::move(source));
}

IoResult<void> UdpSocket::connect(const Address& address) const {
  if (::connect(source_->socket(), static_cast<const sockaddr*>(address.data()), address.size()) != 0)
    return last_error();
  return {};
}

Address UdpSocket::local_address() const { return detail::local_address_of(*source_); }

}  // namespace net
}  // namespace kaido::inline abi0
