#include "daemon/runtime/socket_stream.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "proto/base/check.h"

namespace kaido::daemon {

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

IoResult SocketStream::write(std::span<const std::span<const std::byte>> segments) {
  KAIDO_CHECK(segments.size() <= kSegmentsMax);
  std::array<iovec, kSegmentsMax> vectors;
  for (std::size_t i = 0; i < segments.size(); ++i)
    vectors[i] = {const_cast<std::byte*>(segments[i].data()), segments[i].size()};
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = segments.size();
  while (true) {
    const ssize_t count = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
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
