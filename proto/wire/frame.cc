#include "proto/wire/frame.h"

namespace kaido::wire {
namespace {

// Empty: a number that is not used any more.
constexpr std::array<std::string_view, 26> kNames = {
    "",
    "hello",
    "welcome",
    "register",
    "registered",
    "prepare",
    "prepared",
    "call",
    "started",
    "result",
    "cancel",
    "redirect",
    "",
    "node info",
    "",
    "ping",
    "pong",
    "goodbye",
    "chunk",
    "window",
    "yield",
    "resume",
    "queued",
    "inquire",
    "node info delta",
    "node info wanted",
};

}  // namespace

std::string_view name(FrameKind kind) {
  const auto index = static_cast<std::size_t>(kind);
  return index < kNames.size() && !kNames[index].empty() ? kNames[index] : "unknown";
}

bool is_known(FrameKind kind) {
  const auto index = static_cast<std::size_t>(kind);
  return index < kNames.size() && !kNames[index].empty();
}

}  // namespace kaido::wire
