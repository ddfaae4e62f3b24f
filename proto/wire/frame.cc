#include "proto/wire/frame.h"

namespace kaido::wire {
namespace {

constexpr std::array<std::string_view, 24> kNames = {
    "unknown", "hello",   "welcome", "register", "registered", "prepare",   "prepared", "call",
    "started", "result",  "cancel",  "redirect", "credit",     "node info", "load",     "ping",
    "pong",    "goodbye", "chunk",   "window",   "yield",      "resume",    "queued",   "inquire",
};

}  // namespace

std::string_view name(FrameKind kind) {
  const auto index = static_cast<std::size_t>(kind);
  return index < kNames.size() ? kNames[index] : kNames[0];
}

bool is_known(FrameKind kind) {
  const auto index = static_cast<std::size_t>(kind);
  return index != 0 && index < kNames.size();
}

}  // namespace kaido::wire
