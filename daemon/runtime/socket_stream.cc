#include "daemon/runtime/socket_stream.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "proto/base/check.h"

namespace kaido::daemon {

int Descriptor::release() { return std::exchange(value_, -1); }

void Descriptor::reset(int value) {
  if (value_ >= 0) ::close(value_);
  value_ = value;
}

SocketStream::SocketStream(Descriptor socket, PeerIdentity identity, std::string remote)
    : socket_(std::move(socket)), identity_(std::move(identity)), remote_(std::move(remote)) {
  KAIDO_CHECK(socket_.valid());
}

SocketStream::~SocketStream() {
  if (loop_ != nullptr) loop_->unwatch(token_);
}

void SocketStream::attach(Loop& loop, IoSource& source, Readiness interest) {
  KAIDO_CHECK(loop_ == nullptr);
  loop_ = &loop;
  token_ = loop.watch(socket_.get(), source, interest);
}

void SocketStream::set_interest(Readiness interest) {
  if (loop_ != nullptr) loop_->set_interest(token_, interest);
}

IoResult SocketStream::read(std::span<std::byte> buffer) {
  while (true) {
    const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    // A stream socket gives less than it was asked for only when it has no more.
    if (count > 0 && static_cast<std::size_t>(count) < buffer.size() && loop_ != nullptr) loop_->note_drained();
    if (count > 0) return {IoState::kOk, static_cast<std::size_t>(count)};
    if (count == 0) return {IoState::kEnd, 0};
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {IoState::kWouldBlock, 0};
    if (errno == EINTR) continue;
    error_ = errno;
    return {IoState::kFailed, 0};
  }
}

IoResult SocketStream::write(std::span<const std::byte> buffer) {
  while (true) {
    const ssize_t count = ::send(socket_.get(), buffer.data(), buffer.size(), MSG_NOSIGNAL);
    if (count >= 0) return {IoState::kOk, static_cast<std::size_t>(count)};
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {IoState::kWouldBlock, 0};
    if (errno == EINTR) continue;
    error_ = errno;
    return {IoState::kFailed, 0};
  }
}

void SocketStream::finish_writing() { ::shutdown(socket_.get(), SHUT_WR); }

base::Status SocketStream::error() const {
  return absl::UnavailableError("connection with " + remote_ + " broke: " + std::generic_category().message(error_));
}

}  // namespace kaido::daemon
