#include "tests/bench/counted/scripted_node.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <vector>

#include "tests/bench/floor_socket.h"

namespace kaido::bench {

ScriptedNode::ScriptedNode(std::string path, Role role, std::uint32_t window, std::uint32_t windows)
    : role_(role), window_(window), windows_(windows), listener_(listen_unix(path)), thread_([this] { serve(); }) {}

ScriptedNode::~ScriptedNode() {
  thread_.join();
  ::close(listener_);
}

void ScriptedNode::serve() {
  const int app = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  try {
    if (app < 0) throw std::runtime_error("accept failed");
    take_up(app);
    role_ == Role::kAnswersCalls ? answer_calls(app) : make_calls(app);
    while (read(app)) {
    }
  } catch (const std::exception& error) {
    // The app notices that its node is gone, and fails.
    std::fprintf(stderr, "scripted node: %s\n", error.what());
  }
  ::close(app);
}

void ScriptedNode::await(int app, wire::FrameKind kind) {
  while (log_.take(kind).empty()) {
    if (!read(app)) throw std::runtime_error("the app left before its " + std::string(wire::name(kind)) + " frame");
  }
}

void ScriptedNode::take_up(int app) {
  await(app, wire::FrameKind::kHello);
  script_.welcome(4 * window_);
  write(app);
  if (role_ == Role::kAnswersCalls) return;
  await(app, wire::FrameKind::kRegister);
  script_.registered();
  write(app);
}

void ScriptedNode::answer_calls(int app) {
  while (take_window(app, wire::FrameKind::kCall)) {
    for (const std::uint64_t call : window_taken_) script_.result(call);
    write(app);
  }
}

void ScriptedNode::make_calls(int app) {
  std::uint64_t next_call = 0;
  for (std::uint32_t i = 0; i < windows_; ++i) {
    for (std::uint32_t call = 0; call < window_; ++call) script_.dispatch(next_call++);
    write(app);
    if (!take_window(app, wire::FrameKind::kResult)) return;
  }
}

bool ScriptedNode::take_window(int app, wire::FrameKind kind) {
  window_taken_ = log_.take(kind);
  while (window_taken_.size() < window_) {
    if (!read(app)) return false;
    const auto come = log_.take(kind);
    window_taken_.insert(window_taken_.end(), come.begin(), come.end());
  }
  return true;
}

bool ScriptedNode::read(int app) {
  std::array<std::byte, 64 * 1024> buffer;
  ssize_t count = 0;
  do {
    count = ::read(app, buffer.data(), buffer.size());
  } while (count < 0 && errno == EINTR);
  if (count <= 0) return false;
  log_.read(std::span(buffer.data(), static_cast<std::size_t>(count)));
  return true;
}

void ScriptedNode::write(int app) {
  for (auto rest = script_.bytes(); !rest.empty();) {
    const ssize_t count = ::send(app, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;  // The next read sees that the app is gone.
    rest = rest.subspan(static_cast<std::size_t>(count));
  }
  script_.sent();
}

}  // namespace kaido::bench
