/// The shell for peers: dials the configured ones, accepts others, keeps one connection to each node and drives its
/// PeerSession.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/core/session/peer_session.h"
#include "daemon/gossip/peer_handler.h"
#include "daemon/net/address.h"
#include "daemon/net/transport.h"
#include "daemon/runtime/loop.h"
#include "daemon/runtime/timer.h"
#include "daemon/telemetry/log.h"
#include "proto/base/status.h"

namespace kaido::daemon {

struct PeerMeshOptions {
  std::optional<Address> listen;  ///< none: only dials
  ListenOptions listen_options;
  std::vector<Address> peers;  ///< the static list
  PeerSessionOptions session;
  base::Duration connect_timeout = std::chrono::seconds(5);
  base::Duration reconnect_initial = std::chrono::milliseconds(100);
  base::Duration reconnect_max = std::chrono::seconds(10);
  std::uint64_t seed = 0;  ///< of the jitter
};

/// Plain numbers for metrics; they only grow.
struct PeerMeshCounters {
  std::uint64_t connected = 0;
  std::uint64_t connects_failed = 0;    ///< nobody answered
  std::uint64_t handshakes_failed = 0;  ///< somebody did, and it came to nothing
  std::uint64_t lost_silent = 0;        ///< nothing was heard for timeouts.peer
  std::uint64_t lost_closed = 0;        ///< the connection ended
  std::uint64_t lost_violation = 0;     ///< the peer broke the protocol
  std::uint64_t bad_frames = 0;         ///< somebody broke the protocol, also before he was a peer
};

/// One line of an operator's list.
struct PeerSummary {
  NodeIndex node = kNoNode;
  std::string address;  ///< the connection's other end
  base::Duration since_heard{0};
  std::optional<base::Duration> round_trip;  ///< of the last pong
};

/// Dialers come back with growing, jittered pauses, and rest while the node that their address led to is connected by
/// another connection. Which of two connections lives is the rule of docs/protocol/peer.md.
///
/// Threading: confined to the node strand.
/// Lifetime: transport and handler outlive it. close_all() first for a polite end.
class PeerMesh {
 public:
  using PingDone = std::function<void(base::StatusOr<base::Duration>)>;

  PeerMesh(Loop& loop, Transport& transport, PeerMeshOptions options, PeerHandler& handler, Logger log);
  ~PeerMesh();
  PeerMesh(const PeerMesh&) = delete;
  PeerMesh& operator=(const PeerMesh&) = delete;

  /// Listens and begins to dial. Errors: the transport's, for the listening address.
  [[nodiscard]] base::Status start();
  /// The address as bound; nothing if it does not listen.
  [[nodiscard]] std::optional<Address> address() const;

  /// No more dialing and accepting.
  void stop_connecting();
  /// Says goodbye to every peer.
  void close_all(const std::string& reason);

  // --- to peers; false or ignored where there is no connection ---
  [[nodiscard]] bool send_attempt(NodeIndex node, const PreparedPlacement& placement, std::uint64_t sequence,
                                  std::uint32_t attempt, base::Duration budget, const wire::TraceContext& trace,
                                  Payload payload);
  void send_cancel(NodeIndex node, std::uint64_t sequence, std::uint32_t attempt);
  void reply_started(const AttemptKey& key, wire::Load load);
  void reply_result(const AttemptKey& key, wire::Outcome outcome, const TaskError* error, Payload payload,
                    wire::Load load);
  void reply_redirect(const AttemptKey& key, RedirectReason reason, base::Duration retry_after, Payload payload,
                      wire::Load load);
  void announce(const NodeInfo& self);

  /// One round trip; kUnavailable if the node is not connected or is lost meanwhile. The caller bounds the time.
  void ping(NodeIndex node, PingDone done);

  [[nodiscard]] std::vector<PeerSummary> peers() const;
  [[nodiscard]] std::uint32_t connected_count() const { return connected_; }
  [[nodiscard]] std::size_t configured_count() const { return options_.peers.size(); }
  [[nodiscard]] const PeerMeshCounters& counters() const { return counters_; }
  [[nodiscard]] ConnectionStats traffic() const;
  [[nodiscard]] std::size_t queued_bytes() const;
  /// Connections that were closed because there were too many.
  [[nodiscard]] std::uint64_t refused_by_limit() const {
    return listener_ != nullptr ? listener_->stats().refused_limit : 0;
  }

 private:
  class Link;
  class Dialer;

  void accept(std::unique_ptr<Connection> connection);
  Link& add_link(PeerSession::Role role, std::unique_ptr<Connection> connection, Dialer* dialer);
  void release(Link& link, const base::Status& reason);
  void watch_timeouts();
  void check_timeouts();
  void wake_dialers(const base::NodeId& lost);

  /// The connection to the node of this id that is established, or committed to; null if there is none.
  [[nodiscard]] Link* kept(const base::NodeId& id) const;
  [[nodiscard]] base::Status judge_greeting(Link& link, const PeerGreeting& peer);
  [[nodiscard]] base::Status judge_commitment(Link& link, const PeerGreeting& peer);
  [[nodiscard]] Link* at(NodeIndex node) const {
    return node.value < by_index_.size() ? by_index_[node.value] : nullptr;
  }
  [[nodiscard]] Link* at(const AttemptKey& key) const;

  Loop& loop_;
  Transport& transport_;
  const PeerMeshOptions options_;
  PeerHandler& handler_;
  Logger log_;
  std::unique_ptr<Listener> listener_;
  std::vector<std::unique_ptr<Dialer>> dialers_;
  std::vector<std::unique_ptr<Link>> links_;
  std::unordered_map<base::NodeId, Link*> by_id_;  ///< kept connections
  std::vector<Link*> by_index_;                    ///< those whose node info has come
  std::uint32_t connected_ = 0;
  bool closing_ = false;
  PeerMeshCounters counters_;
  ConnectionStats closed_traffic_;
  Timer timer_;
};

}  // namespace kaido::daemon
