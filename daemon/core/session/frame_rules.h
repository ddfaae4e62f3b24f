/// What a session does with each kind of frame in each of its states: the table that leaves no cell to chance.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/wire/frame.h"

namespace kaido::daemon {

/// The states of an app's session, from the node's side.
enum class AppState : std::uint8_t {
  kAwaitHello,
  kReady,
  kClosed,  ///< a goodbye was said by either side: whatever still comes is dropped
};
inline constexpr std::size_t kAppStates = 3;
[[nodiscard]] std::string_view name(AppState state);

/// The states of a connection between two nodes, either side of it.
enum class PeerState : std::uint8_t {
  kAwaitHello,
  kAwaitCommit,  ///< acceptor: hello was said both ways, the dialer's welcome is due
  kCommitted,    ///< dialer: our welcome is out, the answer is due
  kAwaitInfo,    ///< the handshake is done but for the peer's node info, without which it cannot be given work
  kEstablished,
  kRetiring,  ///< another link took over: we send nothing more, and take what is still on its way
  kDraining,  ///< both sides gave it up: what is left of large payloads goes on to its end
  kClosed,
};
inline constexpr std::size_t kPeerStates = 8;
[[nodiscard]] std::string_view name(PeerState state);

/// What is done with a frame.
enum class FrameRule : std::uint8_t {
  kHandle,
  kDrop,    ///< the session has ended
  kRefuse,  ///< the sender breaks the protocol: the session ends with a goodbye that names the frame and the state
};

/// For any kind, also one that this version does not know: those are refused unless they carry kIgnorable, which is the
/// caller's question.
[[nodiscard]] FrameRule rule_for(AppState state, wire::FrameKind kind);
[[nodiscard]] FrameRule rule_for(PeerState state, wire::FrameKind kind);

}  // namespace kaido::daemon
