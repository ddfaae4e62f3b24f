/// One connection of the mesh and the dialer that a configured address has. Inside of peer_mesh.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/gossip/peer_mesh.h"
#include "proto/base/backoff.h"

namespace kaido::daemon {

/// Tries one address until it answers, and again after it was lost.
class PeerMesh::Dialer final {
 public:
  Dialer(PeerMesh& mesh, Address address, std::uint64_t seed);

  void dial();
  /// The link that this dialer made is gone, or came to nothing.
  void link_ended();
  /// The node behind the address is known; it may be this node itself.
  void reached(const base::NodeId& id) { id_ = id; }
  void succeeded() { backoff_.reset(); }
  /// The node was lost on whatever connection: do not wait for the long pause.
  void wake();
  void stop();

  [[nodiscard]] const Address& address() const { return address_; }
  [[nodiscard]] const std::optional<base::NodeId>& id() const { return id_; }

 private:
  void connected(base::StatusOr<std::unique_ptr<Connection>> connection);
  void retry();

  PeerMesh& mesh_;
  const Address address_;
  std::optional<base::NodeId> id_;
  base::Backoff backoff_;
  bool has_link_ = false;
  bool reported_ = false;  ///< that nobody answers was logged; once is enough
  std::unique_ptr<ConnectOperation> operation_;
  Timer timer_;
};

/// One connection: accepted or dialed, before and after its handshake.
class PeerMesh::Link final : public ConnectionHandler, public PeerSessionActions {
 public:
  Link(PeerMesh& mesh, PeerSession::Role role, std::unique_ptr<Connection> connection, Dialer* dialer)
      : mesh_(mesh),
        connection_(std::move(connection)),
        dialer_(dialer),
        session_(mesh.options_.session, role, *this, mesh.loop_.now()) {}

  void start() {
    connection_->start(*this);
    session_.start();
  }

  // --- ConnectionHandler ---
  void on_frame(Connection&, const wire::FrameView& frame) override { session_.handle_frame(mesh_.loop_.now(), frame); }
  void on_drained(Connection&) override {}
  void on_closed(Connection&, const base::Status& reason) override { mesh_.release(*this, reason); }

  // --- PeerSessionActions ---
  void send(const wire::FrameHeader& header, std::span<const std::byte> metadata, Payload payload) override {
    // False means that the connection is ending; what was in flight is settled when it has.
    static_cast<void>(connection_->send(header, metadata, payload));
  }
  void close(base::Status reason) override;
  base::Status greeted(const PeerGreeting& peer) override;
  base::Status committed(const PeerGreeting& peer) override { return mesh_.judge_commitment(*this, peer); }
  void established(const PeerGreeting& peer) override;
  void node_info(NodeInfo info) override;
  void load(wire::Load load) override { mesh_.handler_.load_reported(index_, load); }
  void round_trip(base::Duration time) override;
  PlacementRef prepare(PlacementSpec spec) override { return mesh_.handler_.prepare(std::move(spec)); }
  void call(const PeerCall& call) override;
  void cancel(std::uint64_t sequence, std::uint32_t attempt) override;
  void started(std::uint64_t sequence, std::uint32_t attempt) override;
  void result(std::uint64_t sequence, std::uint32_t attempt, wire::Outcome outcome, const TaskError* error,
              Payload payload) override;
  void redirected(std::uint64_t sequence, std::uint32_t attempt, RedirectReason reason, base::Duration retry_after,
                  Payload payload) override;

  /// Takes the link out of the mesh's tables and settles what was in flight; once.
  void leave();
  void add_ping(PingDone done);

  [[nodiscard]] PeerSession& session() { return session_; }
  [[nodiscard]] Connection& connection() { return *connection_; }
  [[nodiscard]] Dialer* dialer() const { return dialer_; }
  [[nodiscard]] NodeIndex index() const { return index_; }
  [[nodiscard]] base::Epoch epoch() const { return session_.peer()->epoch; }
  [[nodiscard]] bool was_established() const { return was_established_; }
  [[nodiscard]] const std::optional<base::Duration>& last_round_trip() const { return round_trip_; }

 private:
  [[nodiscard]] AttemptReport report(std::uint64_t sequence, std::uint32_t attempt) const {
    return {index_, epoch(), sequence, attempt};
  }
  [[nodiscard]] AttemptKey key(std::uint64_t sequence, std::uint32_t attempt) const {
    return {index_, attempt, epoch(), sequence};
  }
  /// Attempts before the node info: the peer breaks the protocol.
  [[nodiscard]] bool is_introduced();

  PeerMesh& mesh_;
  std::unique_ptr<Connection> connection_;
  Dialer* const dialer_;  ///< null for an accepted connection
  PeerSession session_;
  NodeIndex index_ = kNoNode;
  bool was_established_ = false;
  bool left_ = false;
  std::optional<base::Duration> round_trip_;
  std::vector<PingDone> pings_;
};

}  // namespace kaido::daemon
