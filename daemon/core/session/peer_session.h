/// One connection to another node as a state machine: handshake, liveness, templates, attempts both ways.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/session/messages.h"
#include "daemon/core/session/frame_rules.h"
#include "daemon/core/session/sent_templates.h"
#include "daemon/core/session/template_table.h"
#include "daemon/core/task/attempt.h"
#include "daemon/core/view/node_delta.h"
#include "daemon/core/view/placement.h"
#include "proto/base/ids.h"
#include "proto/base/status.h"
#include "proto/base/time.h"
#include "proto/kaido/v1/peer.pb.h"
#include "proto/wire/frame.h"
#include "proto/wire/handshake.h"
#include "proto/wire/limits.h"
#include "proto/wire/memory_budget.h"
#include "proto/wire/outcome.h"

namespace kaido::daemon {

/// What a node tells its peers, and how long it bears their silence.
struct PeerSessionOptions {
  base::NodeId node_id;
  std::string node_name;
  base::Life life;
  wire::VersionRange versions = wire::kVersions;
  std::uint64_t features = wire::kPeerFeatures;
  std::uint32_t templates_max = wire::kMaxTemplates;
  /// What the templates of one link may take, as they lie in memory; further ones are refused, and their calls go back.
  std::size_t template_bytes_max = wire::kMaxTemplateBytes;
  /// The node's memory, from which they are taken; null: none.
  wire::MemoryBudget* memory = nullptr;
  std::uint32_t max_frame_bytes = wire::kMaxFrameBytes;
  std::uint32_t max_metadata_bytes = wire::kMaxMetadataBytes;
  base::Duration handshake_timeout = std::chrono::seconds(5);
  base::Duration ping_interval = std::chrono::seconds(1);
  base::Duration silence_timeout = std::chrono::seconds(5);
};

/// Who the other side says it is, and what it takes.
struct PeerGreeting {
  base::NodeId id;
  std::string name;
  base::Life life;
  std::uint32_t max_frame_bytes = 0;
  std::uint32_t max_metadata_bytes = 0;
  std::uint32_t max_templates = 0;
  std::uint64_t features = 0;  ///< that both sides have
};

/// An attempt as it goes from its origin to its executor.
struct PeerAttempt {
  std::uint64_t sequence = 0;
  std::uint32_t attempt = 0;
  PlacementRef placement;
  base::Duration budget{0};
  wire::TraceContext trace;
  Payload payload;
};

/// The end of an attempt as it goes back.
struct PeerResult {
  std::uint64_t sequence = 0;
  std::uint32_t attempt = 0;
  TaskResult result;
};

struct PeerRedirect {
  std::uint64_t sequence = 0;
  std::uint32_t attempt = 0;
  TaskRedirect redirect;
};

/// Another daemon with the id of whom it is told.
struct PeerTwin {
  std::string name;
  std::string address;  ///< of its connection with whoever tells
};

/// What a session does to the world; implemented by core/node. Spans are valid during the call only.
class PeerSessionActions {
 public:
  virtual void send(const wire::FrameHeader& header, std::span<const std::byte> metadata, Payload&& payload) = 0;
  /// A Goodbye has been sent where one was due; the connection ends. Nothing more is called. `said_goodbye`: the other
  /// side did, so that it is known to leave.
  virtual void close(base::Status reason, bool said_goodbye) = 0;
  /// The other side says goodbye because another daemon has this node's id. close() follows.
  virtual void twin_reported(PeerTwin twin) = 0;
  /// Nothing more is said on either side: the connection ends in good order once no large payload is under way on it.
  virtual void finish() = 0;

  /// The other side said who it is. A refusal closes the session with its text. For a dialer, agreeing commits to this
  /// connection.
  [[nodiscard]] virtual base::Status greeted(const PeerGreeting& peer) = 0;
  /// Acceptor only: the dialer committed to this connection. It is answered by agree(), or by close().
  virtual void committed(const PeerGreeting& peer) = 0;
  /// The handshake is done on this side; send_node_info() is due.
  virtual void established(const PeerGreeting& peer) = 0;

  /// What the peer says of itself. A refusal closes the session while it is the first.
  [[nodiscard]] virtual base::Status node_info(NodeInfo info) = 0;
  /// The first node info was accepted: work may travel both ways.
  virtual void introduced() = 0;
  /// The other side sends nothing more here, since another link takes over. True if this side has that link, too.
  [[nodiscard]] virtual bool may_retire() = 0;
  /// What changed in that. If it builds on what is not known here, want_node_info() is the answer.
  [[nodiscard]] virtual base::Status node_info_delta(NodeInfoDelta delta) = 0;
  /// The peer cannot use the last delta: send_node_info() is due, unless all of it has gone there since.
  virtual void node_info_wanted() = 0;
  /// An announcement that cannot be used: the node stays what it was known as.
  virtual void announcement_refused(const base::Status& why) = 0;
  virtual void load(wire::Load load) = 0;
  virtual void round_trip(base::Duration time) = 0;

  [[nodiscard]] virtual PlacementRef prepare(PlacementSpec spec) = 0;
  virtual void call(PeerAttempt&& attempt) = 0;
  virtual void cancel(std::uint64_t sequence, std::uint32_t attempt) = 0;
  /// An attempt that cannot be served here, to be sent back by whatever link there is.
  virtual void hand_back(PeerRedirect redirect) = 0;
  /// The answer to one that came to nothing here, by whatever link there is.
  virtual void answer(PeerResult&& result) = 0;
  /// The origin asks whether the answer to an attempt is still to come.
  virtual void inquired(std::uint64_t sequence, std::uint32_t attempt) = 0;

  virtual void queued(std::uint64_t sequence, std::uint32_t attempt) = 0;
  virtual void started(std::uint64_t sequence, std::uint32_t attempt) = 0;
  virtual void result(PeerResult&& result) = 0;
  virtual void redirected(PeerRedirect redirect) = 0;

 protected:
  ~PeerSessionActions() = default;
};

/// The protocol of docs/protocol/peer.md, either side of it.
///
/// Both say hello at once. The dialer, once it knows whom it reached, commits (Welcome) or leaves; the acceptor answers
/// Welcome or leaves. Only then is the connection used, so that of two connections that two nodes open to each other at
/// the same moment one is chosen before anything travels on either. The first node info belongs to the handshake:
/// before it, nothing is asked of the peer and nothing is done for it.
///
/// One fault harms one call: an attempt that cannot be served goes back, a result that cannot be read ends its task.
/// Only a broken handshake, or a frame that has no place in the session's state (frame_rules.h), ends the connection.
///
/// Threading: confined to the node strand.
/// Cost: about 20 ns a frame, no allocation.
class PeerSession {
 public:
  enum class Role : std::uint8_t { kDialer, kAcceptor };

  PeerSession(const PeerSessionOptions& options, Role role, PeerSessionActions& actions, base::Instant now);
  PeerSession(const PeerSession&) = delete;
  PeerSession& operator=(const PeerSession&) = delete;

  /// Whose memory the other side's templates are; before start().
  void set_memory_owner(wire::MemoryOwner owner);
  /// Says hello. Called once, first.
  void start();

  // --- from the peer ---
  void handle_frame(base::Instant now, const wire::FrameView& frame);
  /// Some bytes of a frame that is not complete yet: a proof of life, too.
  void heard(base::Instant now) { last_heard_ = now; }
  void handle_timeout(base::Instant now, wire::Load load);
  /// The node did not look at what came for so long: of this time nobody can be blamed for his silence.
  void was_away(base::Instant now, base::Duration time);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;

  // --- from the node; all of it is dropped unless the session is established ---
  /// Acceptor, after committed(): this side keeps the connection, too.
  void agree();
  /// False if the announcement is larger than the peer takes: nothing was sent.
  [[nodiscard]] bool send_node_info(const NodeInfo& info);
  /// Only to a peer that takes_deltas(). False: as above.
  [[nodiscard]] bool send_node_info_delta(const NodeInfoDelta& delta);
  /// Asks for all of the peer's node info; once, until it comes.
  void want_node_info();
  /// False if the frame would be larger than the peer takes: nothing was sent.
  [[nodiscard]] bool send_attempt(const PeerAttempt& attempt);
  void send_cancel(std::uint64_t sequence, std::uint32_t attempt);
  void send_inquiry(std::uint64_t sequence, std::uint32_t attempt);
  void send_queued(std::uint64_t sequence, std::uint32_t attempt, wire::Load load);
  void send_started(std::uint64_t sequence, std::uint32_t attempt, wire::Load load);
  void send_result(PeerResult&& result, wire::Load load);
  void send_redirect(PeerRedirect answer, wire::Load load);
  /// Measures a round trip now; its time is reported by round_trip(). Once the handshake is agreed on.
  void ping(base::Instant now, wire::Load load);
  /// A goodbye from here on tells the other side of another daemon with its id.
  void report_twin(PeerTwin twin) { twin_ = std::move(twin); }
  /// Says goodbye. Whether the other side is told that it may come back follows from the reason: not where the same
  /// would happen again (kFailedPrecondition, kInvalidArgument).
  void close(base::Status reason);
  /// Another link to the node takes over: nothing more is sent here, and what is on its way is still taken.
  void retire(base::Instant now);

  [[nodiscard]] bool is_established() const { return state_ == PeerState::kEstablished; }
  [[nodiscard]] bool is_closed() const { return state_ == PeerState::kClosed; }
  /// The dialer's between its commitment and the answer to it.
  [[nodiscard]] bool is_committed() const { return state_ == PeerState::kCommitted; }
  /// Both sides gave it up for another link, so that all that the other side sent has come, but for the rest of large
  /// payloads. False while only this side did: the other one may never have heard of it, as where the connection was
  /// broken already; and after close(), which waits for no rest.
  [[nodiscard]] bool is_retired() const { return is_retired_; }
  [[nodiscard]] bool takes_deltas() const { return peer_ && (peer_->features & wire::kFeatureNodeInfoDeltas) != 0; }
  [[nodiscard]] PeerState state() const { return state_; }
  [[nodiscard]] Role role() const { return role_; }
  [[nodiscard]] const std::optional<PeerGreeting>& peer() const { return peer_; }
  [[nodiscard]] base::Instant last_heard() const { return last_heard_; }

 private:
  void handle_hello(const wire::FrameView& frame);
  void handle_welcome(const wire::FrameView& frame);
  void handle_established(base::Instant now, const wire::FrameView& frame);
  void handle_prepare(const wire::FrameView& frame);
  void handle_call(const wire::FrameView& frame);
  void handle_result(const wire::FrameView& frame);
  void handle_redirect(const wire::FrameView& frame);
  void handle_node_info(const wire::FrameView& frame);
  void handle_node_info_delta(const wire::FrameView& frame);
  void handle_pong(base::Instant now, const wire::FrameHeader& header);
  void handle_goodbye(const wire::FrameView& frame);
  void send_goodbye(const std::string& reason, bool may_return, bool replaced);
  void send_welcome();
  void drain(base::Instant now);
  [[nodiscard]] std::size_t error_bytes_max() const;
  void violation(std::string what);
  [[nodiscard]] PlacementRef prepare(const wire::FrameView& frame, std::size_t& bytes);
  [[nodiscard]] bool send_message(wire::FrameKind kind, const std::string& message);
  [[nodiscard]] std::optional<std::uint32_t> template_for(const PreparedPlacement& placement);

  const PeerSessionOptions& options_;
  const Role role_;
  PeerSessionActions& actions_;
  base::Instant handshake_deadline_;
  PeerState state_ = PeerState::kAwaitHello;
  std::optional<PeerGreeting> peer_;
  std::uint32_t version_ = 0;
  base::Instant last_heard_;
  base::Instant next_ping_;
  std::uint64_t ping_sent_ = 0;      ///< the call id of the last ping: when it was sent
  std::uint64_t ping_answered_ = 0;  ///< of the last one that was answered
  base::Instant retire_deadline_;
  bool info_wanted_ = false;  ///< all of the peer's node info was asked for
  bool is_retired_ = false;
  bool peer_retired_ = false;     ///< the other side sends nothing more here
  wire::Load load_;               ///< as last told to us by handle_timeout(), ping() or an answer: for pongs
  std::optional<PeerTwin> twin_;  ///< the other side's
  SentTemplates sent_templates_;
  TemplateTable<PlacementRef> received_templates_;  ///< null: refused
};

}  // namespace kaido::daemon
