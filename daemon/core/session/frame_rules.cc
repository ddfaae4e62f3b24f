#include "daemon/core/session/frame_rules.h"

#include <array>
#include <cstddef>
#include <initializer_list>

namespace kaido::daemon {
namespace {

using wire::FrameKind;

constexpr std::size_t kKinds = 256;
using Row = std::array<FrameRule, kKinds>;

constexpr Row all(FrameRule rule) {
  Row row{};
  row.fill(rule);
  return row;
}

constexpr Row only(std::initializer_list<FrameKind> handled) {
  Row row = all(FrameRule::kRefuse);
  for (const FrameKind kind : handled) row[static_cast<std::size_t>(kind)] = FrameRule::kHandle;
  return row;
}

constexpr std::initializer_list<FrameKind> kWork = {
    FrameKind::kNodeInfo, FrameKind::kNodeInfoDelta, FrameKind::kNodeInfoWanted, FrameKind::kPrepare,
    FrameKind::kPrepared, FrameKind::kCall,          FrameKind::kQueued,         FrameKind::kStarted,
    FrameKind::kResult,   FrameKind::kRedirect,      FrameKind::kCancel,         FrameKind::kInquire,
    FrameKind::kPing,     FrameKind::kPong,          FrameKind::kGoodbye,
};

constexpr std::array<Row, kAppStates> kAppRules = {
    only({FrameKind::kHello, FrameKind::kGoodbye}),
    only({FrameKind::kRegister, FrameKind::kPrepare, FrameKind::kCall, FrameKind::kResult, FrameKind::kCancel,
          FrameKind::kYield, FrameKind::kResume, FrameKind::kPing, FrameKind::kPong, FrameKind::kGoodbye}),
    all(FrameRule::kDrop),
};

constexpr std::array<Row, kPeerStates> kPeerRules = {
    only({FrameKind::kHello, FrameKind::kGoodbye}),
    only({FrameKind::kWelcome, FrameKind::kGoodbye}),
    only({FrameKind::kWelcome, FrameKind::kGoodbye}),
    only({FrameKind::kNodeInfo, FrameKind::kPing, FrameKind::kPong, FrameKind::kGoodbye}),
    only(kWork),
    only(kWork),
    only({FrameKind::kPing, FrameKind::kGoodbye}),
    all(FrameRule::kDrop),
};

}  // namespace

std::string_view name(AppState state) {
  constexpr std::array<std::string_view, kAppStates> kNames = {"before hello", "ready", "closed"};
  return kNames[static_cast<std::size_t>(state)];
}

std::string_view name(PeerState state) {
  constexpr std::array<std::string_view, kPeerStates> kNames = {"before hello",
                                                                "before the commitment",
                                                                "before the answer to the commitment",
                                                                "before node info",
                                                                "established",
                                                                "retiring",
                                                                "draining",
                                                                "closed"};
  return kNames[static_cast<std::size_t>(state)];
}

FrameRule rule_for(AppState state, FrameKind kind) {
  return kAppRules[static_cast<std::size_t>(state)][static_cast<std::size_t>(kind)];
}

FrameRule rule_for(PeerState state, FrameKind kind) {
  return kPeerRules[static_cast<std::size_t>(state)][static_cast<std::size_t>(kind)];
}

}  // namespace kaido::daemon
