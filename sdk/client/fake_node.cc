#include "sdk/client/fake_node.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <span>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "proto/kaido/v1/local.pb.h"
#include "proto/kaido/v1/node.pb.h"
#include "proto/wire/handshake.h"

namespace kaido::testing {

FakeNode::FakeNode(std::string path, std::uint32_t credits) : path_(std::move(path)), credits_(credits) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  ::unlink(path_.c_str());
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int pipe[2];
  if (listener_ < 0 || ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_, 8) != 0 || ::pipe2(pipe, O_CLOEXEC) != 0) {
    throw std::runtime_error("the fake node cannot listen at " + path_);
  }
  interrupt_read_ = pipe[0];
  interrupt_write_ = pipe[1];
  thread_ = std::thread([this] { serve(); });
}

FakeNode::~FakeNode() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  interrupt();
  thread_.join();
  for (const int fd : {listener_, interrupt_read_, interrupt_write_}) ::close(fd);
  ::unlink(path_.c_str());
}

void FakeNode::interrupt() {
  const char byte = 0;
  if (::write(interrupt_write_, &byte, 1) != 1) throw std::runtime_error("the fake node's pipe is broken");
}

void FakeNode::hold() {
  const std::lock_guard lock(mutex_);
  is_holding_ = true;
}

void FakeNode::release() {
  {
    const std::lock_guard lock(mutex_);
    is_holding_ = false;
    for (const Call& call : std::exchange(held_, {})) dispatch(call);
  }
  interrupt();
}

template <class Condition>
void FakeNode::await(Condition condition) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, condition);
}

void FakeNode::await_held(std::size_t count) {
  await([&] { return held_.size() >= count; });
}
void FakeNode::await_cancels(std::size_t count) {
  await([&] { return cancels_ >= count; });
}
void FakeNode::await_yields(std::size_t count) {
  await([&] { return yields_ >= count; });
}
void FakeNode::await_resumes(std::size_t count) {
  await([&] { return resumes_ >= count; });
}
void FakeNode::await_results(std::size_t count) {
  await([&] { return results_ >= count; });
}

void FakeNode::freeze() {
  {
    const std::lock_guard lock(mutex_);
    is_frozen_ = true;
  }
  interrupt();
}

void FakeNode::thaw() {
  {
    const std::lock_guard lock(mutex_);
    is_frozen_ = false;
  }
  interrupt();
}

void FakeNode::cancel_running() {
  {
    const std::lock_guard lock(mutex_);
    for (const std::uint64_t id : running_) send({.kind = wire::FrameKind::kCancel, .call_id = id}, {});
  }
  interrupt();
}

void FakeNode::ping() {
  std::size_t before = 0;
  {
    const std::lock_guard lock(mutex_);
    before = pongs_;
    send({.kind = wire::FrameKind::kPing}, {});
  }
  interrupt();
  await([&] { return pongs_ > before; });
}

void FakeNode::drop_connection() {
  {
    const std::lock_guard lock(mutex_);
    is_dropping_ = true;
  }
  interrupt();
}

void FakeNode::refuse(std::string reason) {
  const std::lock_guard lock(mutex_);
  refusal_ = std::move(reason);
}

std::vector<std::string> FakeNode::offered() {
  const std::lock_guard lock(mutex_);
  return functions_;
}
std::size_t FakeNode::most_in_flight() {
  const std::lock_guard lock(mutex_);
  return most_in_flight_;
}
std::size_t FakeNode::prepared() {
  const std::lock_guard lock(mutex_);
  return prepared_;
}

void FakeNode::serve() {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (is_stopping_) return;
      is_dropping_ = false;
    }
    bool is_frozen = false;
    {
      const std::lock_guard lock(mutex_);
      is_frozen = is_frozen_;
    }
    pollfd ready[] = {{is_frozen ? -1 : listener_, POLLIN, 0}, {interrupt_read_, POLLIN, 0}};
    ::poll(ready, 2, -1);
    if (ready[1].revents != 0) {
      char byte = 0;
      static_cast<void>(::read(interrupt_read_, &byte, 1) == 1);
    }
    if (ready[0].revents == 0) continue;
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) continue;
    serve_connection(fd);
    ::close(fd);
  }
}

void FakeNode::serve_connection(int fd) {
  {
    const std::lock_guard lock(mutex_);
    channel_.emplace(wire::ChannelOptions{.assemble = true}, [] {});
    templates_.clear();
    held_.clear();
    running_.clear();
    in_flight_ = 0;
  }
  while (exchange(fd)) {
  }
}

bool FakeNode::exchange(int fd) {
  bool has_output = false;
  bool is_still = false;
  {
    const std::lock_guard lock(mutex_);
    has_output = channel_->has_output();
    is_still = is_frozen_;
  }
  pollfd ready[] = {{is_still ? -1 : fd, static_cast<short>(has_output ? POLLIN | POLLOUT : POLLIN), 0},
                    {interrupt_read_, POLLIN, 0}};
  ::poll(ready, 2, -1);
  const std::lock_guard lock(mutex_);
  if (ready[1].revents != 0) {
    char byte = 0;
    static_cast<void>(::read(interrupt_read_, &byte, 1) == 1);
  }
  if (is_stopping_ || std::exchange(is_dropping_, false)) return false;
  if (is_frozen_) return true;
  if ((ready[0].revents & POLLIN) != 0) {
    const auto space = channel_->writable();
    const ssize_t count = ::read(fd, space.data(), space.size());
    if (count <= 0) return count < 0 && errno == EAGAIN;
    channel_->commit(static_cast<std::size_t>(count));
    while (const auto frame = channel_->next()) {
      if (!handle(*frame)) break;
    }
  }
  std::array<std::span<const std::byte>, 1> segment;
  while (channel_->gather(segment) != 0) {
    const ssize_t sent = ::send(fd, segment[0].data(), segment[0].size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    channel_->consume(static_cast<std::size_t>(sent));
  }
  changed_.notify_all();
  return refusal_.empty();
}

bool FakeNode::greet() {
  if (!refusal_.empty()) {
    v1::Goodbye goodbye;
    goodbye.set_reason(refusal_);
    send({.kind = wire::FrameKind::kGoodbye}, goodbye.SerializeAsString());
    return false;
  }
  v1::Welcome welcome;
  welcome.set_version(wire::kVersions.max);
  welcome.set_node_name("fake");
  welcome.set_credits(credits_);
  welcome.set_max_frame_bytes(1 << 20);
  send({.kind = wire::FrameKind::kWelcome}, welcome.SerializeAsString());
  return true;
}

bool FakeNode::handle(const wire::FrameView& frame) {
  const wire::FrameHeader& header = frame.header;
  const std::string metadata(wire::as_text(frame.metadata));
  switch (header.kind) {
    case wire::FrameKind::kHello:
      return greet();
    case wire::FrameKind::kRegister: {
      v1::Register message;
      if (!message.ParseFromString(metadata)) return false;
      functions_.clear();
      for (const v1::Function& function : message.functions()) functions_.push_back(function.name());
      send({.kind = wire::FrameKind::kRegistered}, {});
      return true;
    }
    case wire::FrameKind::kPing: {
      wire::FrameHeader pong = header;
      pong.kind = wire::FrameKind::kPong;
      static_cast<void>(channel_->send(pong));
      return true;
    }
    case wire::FrameKind::kPrepare: {
      v1::Prepare message;
      if (!message.ParseFromString(metadata)) return false;
      templates_[header.template_or_status] = message.function().name();
      ++prepared_;
      return true;
    }
    case wire::FrameKind::kCall: {
      most_in_flight_ = std::max(most_in_flight_, ++in_flight_);
      const std::string& name = templates_.at(header.template_or_status);
      const auto at = std::find(functions_.begin(), functions_.end(), name);
      const Call call{header.call_id, static_cast<std::uint32_t>(at - functions_.begin()), header.budget_ns,
                      std::string(wire::as_text(frame.payload.bytes()))};
      is_holding_ ? held_.push_back(call) : dispatch(call);
      return true;
    }
    case wire::FrameKind::kPong:
      ++pongs_;
      return true;
    case wire::FrameKind::kYield:
      ++yields_;
      return true;
    case wire::FrameKind::kResume:
      ++resumes_;
      return true;
    case wire::FrameKind::kResult:
      ++results_;
      changed_.notify_all();  // At once: the app may be gone when it is to be passed on.
      --in_flight_;
      running_.erase(header.call_id);
      static_cast<void>(channel_->send(header, frame.metadata, frame.payload));
      return true;
    case wire::FrameKind::kCancel:
      ++cancels_;
      static_cast<void>(channel_->send(header));
      return true;
    default:
      return true;
  }
}

void FakeNode::dispatch(const Call& call) {
  running_.insert(call.id);
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kCall;
  header.template_or_status = call.function;
  header.call_id = call.id;
  header.set_attempt(1);
  header.budget_ns = call.budget_ns;
  v1::CallInfo info;
  info.set_origin(std::string(16, '\x2a'));
  info.set_epoch(3);
  info.set_sequence(7);
  send(header, info.SerializeAsString(), call.arguments);
}

void FakeNode::send(wire::FrameHeader header, std::string_view metadata, std::string_view payload) {
  static_cast<void>(channel_->send(header, wire::as_span(metadata), wire::as_span(payload)));
}

}  // namespace kaido::testing
