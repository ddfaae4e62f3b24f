/// One connection to another node as a state machine: handshake, liveness, templates, attempts both ways.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/session/messages.h"
#include "daemon/core/task/attempt.h"
#include "daemon/core/view/placement.h"
#include "proto/base/ids.h"
#include "proto/base/status.h"
#include "proto/base/time.h"
#include "proto/kaido/v1/peer.pb.h"
#include "proto/wire/frame.h"
#include "proto/wire/handshake.h"
#include "proto/wire/limits.h"
#include "proto/wire/outcome.h"

namespace kaido::daemon {

/// What a node tells its peers, and how long it bears their silence.
struct PeerSessionOptions {
  base::NodeId node_id;
  std::string node_name;
  base::Epoch epoch;
  wire::VersionRange versions = wire::kVersions;
  std::uint64_t features = wire::kFeatures;
  std::uint32_t templates_max = wire::kMaxTemplates;
  std::uint32_t max_frame_bytes = wire::kMaxFrameBytes;
  base::Duration handshake_timeout = std::chrono::seconds(5);
  base::Duration ping_interval = std::chrono::seconds(1);
  base::Duration silence_timeout = std::chrono::seconds(5);
};

/// Who the other side says it is.
struct PeerGreeting {
  base::NodeId id;
  std::string name;
  base::Epoch epoch;
  std::uint32_t max_frame_bytes = 0;
};

/// An attempt as a peer sent it.
struct PeerCall {
  std::uint64_t sequence = 0;
  std::uint32_t attempt = 0;
  PlacementRef placement;
  base::Duration budget{0};
  wire::TraceContext trace;
  Payload payload;
};

/// What a session does to the world; implemented by the gossip shell. Spans are valid during the call only.
class PeerSessionActions {
 public:
  virtual void send(const wire::FrameHeader& header, std::span<const std::byte> metadata, Payload payload) = 0;
  /// A Goodbye has been sent where one was due; the connection ends. Nothing more is called.
  virtual void close(base::Status reason) = 0;

  /// The other side said who it is. A refusal closes the session with its text. For a dialer, agreeing commits to this
  /// connection.
  [[nodiscard]] virtual base::Status greeted(const PeerGreeting& peer) = 0;
  /// Acceptor only: the dialer committed to this connection. A refusal closes the session.
  [[nodiscard]] virtual base::Status committed(const PeerGreeting& peer) = 0;
  /// The handshake is done on this side; send_node_info() is due.
  virtual void established(const PeerGreeting& peer) = 0;

  virtual void node_info(NodeInfo info) = 0;
  virtual void load(wire::Load load) = 0;
  virtual void round_trip(base::Duration time) = 0;

  [[nodiscard]] virtual PlacementRef prepare(PlacementSpec spec) = 0;
  virtual void call(const PeerCall& call) = 0;
  virtual void cancel(std::uint64_t sequence, std::uint32_t attempt) = 0;

  virtual void started(std::uint64_t sequence, std::uint32_t attempt) = 0;
  virtual void result(std::uint64_t sequence, std::uint32_t attempt, wire::Outcome outcome, const TaskError* error,
                      Payload payload) = 0;
  virtual void redirected(std::uint64_t sequence, std::uint32_t attempt, RedirectReason reason,
                          base::Duration retry_after, Payload payload) = 0;

 protected:
  ~PeerSessionActions() = default;
};

/// The protocol of docs/protocol/peer.md, either side of it.
///
/// Both say hello at once. The dialer, once it knows whom it reached, commits (Welcome) or leaves; the acceptor answers
/// Welcome or leaves. Only then is the connection used, so that of two connections that two nodes open to each other at
/// the same moment one is chosen before anything travels on either.
///
/// Threading: confined to the node strand.
/// Cost: about 20 ns a frame, no allocation.
class PeerSession {
 public:
  enum class Role : std::uint8_t { kDialer, kAcceptor };

  PeerSession(const PeerSessionOptions& options, Role role, PeerSessionActions& actions, base::Instant now);
  PeerSession(const PeerSession&) = delete;
  PeerSession& operator=(const PeerSession&) = delete;

  /// Says hello. Called once, first.
  void start();

  // --- from the peer ---
  void handle_frame(base::Instant now, const wire::FrameView& frame);
  void handle_timeout(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;

  // --- from the node; all of it is dropped unless the session is established ---
  void send_node_info(const NodeInfo& info);
  /// False if the frame would be larger than the peer takes.
  [[nodiscard]] bool send_attempt(const PreparedPlacement& placement, std::uint64_t sequence, std::uint32_t attempt,
                                  base::Duration budget, const wire::TraceContext& trace, Payload payload);
  void send_cancel(std::uint64_t sequence, std::uint32_t attempt);
  void send_started(std::uint64_t sequence, std::uint32_t attempt, wire::Load load);
  void send_result(std::uint64_t sequence, std::uint32_t attempt, wire::Outcome outcome, const TaskError* error,
                   Payload payload, wire::Load load);
  void send_redirect(std::uint64_t sequence, std::uint32_t attempt, RedirectReason reason, base::Duration retry_after,
                     Payload payload, wire::Load load);
  /// Measures a round trip now; its time is reported by round_trip().
  void ping(base::Instant now);
  void close(base::Status reason, bool retry);

  [[nodiscard]] bool is_established() const { return state_ == State::kEstablished; }
  [[nodiscard]] bool is_closed() const { return state_ == State::kClosed; }
  /// The dialer's between its commitment and the answer to it.
  [[nodiscard]] bool is_committed() const { return state_ == State::kCommitted; }
  [[nodiscard]] Role role() const { return role_; }
  [[nodiscard]] const std::optional<PeerGreeting>& peer() const { return peer_; }
  [[nodiscard]] base::Instant last_heard() const { return last_heard_; }

 private:
  enum class State : std::uint8_t {
    kAwaitHello,
    kAwaitCommit,  ///< acceptor: hello was said both ways, the dialer's Welcome is due
    kCommitted,    ///< dialer: our Welcome is out, the answer is due
    kEstablished,
    kClosed,
  };
  struct Sent {
    std::uint64_t serial = 0;  ///< of the placement that this template id stands for; 0: none
  };

  void handle_handshake(const wire::FrameView& frame);
  void handle_hello(const wire::FrameView& frame);
  void handle_welcome();
  void handle_established(base::Instant now, const wire::FrameView& frame);
  void handle_prepare(const wire::FrameView& frame);
  void handle_call(const wire::FrameView& frame);
  void handle_result(const wire::FrameView& frame);
  void handle_redirect(const wire::FrameView& frame);
  void handle_node_info(const wire::FrameView& frame);
  void send_welcome();
  void violation(std::string what);

  const PeerSessionOptions& options_;
  const Role role_;
  PeerSessionActions& actions_;
  const base::Instant handshake_deadline_;
  State state_ = State::kAwaitHello;
  std::optional<PeerGreeting> peer_;
  std::uint32_t version_ = 0;
  base::Instant last_heard_;
  base::Instant next_ping_;
  std::vector<Sent> sent_templates_;              ///< by placement index
  std::vector<PlacementRef> received_templates_;  ///< by template id minus one; null: refused
};

}  // namespace kaido::daemon
