/// One connection to another node, before and after its handshake. Inside of Peers.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "daemon/core/node/outbox.h"
#include "daemon/core/node/peers.h"
#include "daemon/core/node/task_flow.h"
#include "daemon/core/view/memory_owner.h"

namespace kaido::daemon {

/// Threading: confined to the node strand.
/// Lifetime: until the shell reports that the connection is closed.
class Peers::Link final : public PeerSessionActions {
 public:
  Link(Peers& peers, ConnectionId connection, PeerSession::Role role, std::string remote, Dialer* dialer)
      : peers_(peers),
        connection_(connection),
        remote_(std::move(remote)),
        dialer_(dialer),
        session_(peers.options_.session, role, *this, peers.now_) {
    session_.set_memory_owner(memory_owner_of_connection(connection.value));
  }

  // --- PeerSessionActions ---
  void send(const wire::FrameHeader& header, std::span<const std::byte> metadata, Payload&& payload) override {
    peers_.outbox_.send(connection_, header, metadata, std::move(payload));
  }
  void close(base::Status reason, bool said_goodbye) override;
  void twin_reported(PeerTwin twin) override { peers_.told_of_twin(*this, twin); }
  void finish() override { peers_.outbox_.command(Command::Kind::kFinish).connection = connection_; }
  base::Status greeted(const PeerGreeting& peer) override;
  void committed(const PeerGreeting& peer) override { peers_.judge_commitment(*this, peer); }
  void established(const PeerGreeting& peer) override;
  base::Status node_info(NodeInfo info) override { return peers_.attach(*this, std::move(info)); }
  void introduced() override { peers_.introduced(*this); }
  bool may_retire() override { return peers_.active(index_) != this; }
  base::Status node_info_delta(NodeInfoDelta delta) override { return peers_.apply_delta(*this, delta); }
  void node_info_wanted() override;
  void announcement_refused(const base::Status& why) override;
  void load(wire::Load load) override { peers_.tasks_.load_reported(index_, load); }
  void round_trip(base::Duration time) override;
  PlacementRef prepare(PlacementSpec spec) override {
    return peers_.tasks_.prepare(std::move(spec), memory_owner_of_connection(connection_.value));
  }
  void call(PeerAttempt&& attempt) override;
  void cancel(std::uint64_t sequence, std::uint32_t attempt) override {
    peers_.tasks_.cancel_attempt(key(sequence, attempt));
  }
  void answer(PeerResult&& result) override {
    peers_.reply_result(key(result.sequence, result.attempt), std::move(result.result));
  }
  void hand_back(PeerRedirect redirect) override {
    peers_.reply_redirect(key(redirect.sequence, redirect.attempt), std::move(redirect.redirect));
  }
  void inquired(std::uint64_t sequence, std::uint32_t attempt) override {
    peers_.tasks_.inquire(key(sequence, attempt));
  }
  void queued(std::uint64_t sequence, std::uint32_t attempt) override {
    peers_.tasks_.attempt_queued(report(sequence, attempt));
  }
  void started(std::uint64_t sequence, std::uint32_t attempt) override {
    peers_.tasks_.attempt_started(report(sequence, attempt));
  }
  void result(PeerResult&& result) override {
    peers_.tasks_.attempt_result(report(result.sequence, result.attempt), std::move(result.result));
  }
  void redirected(PeerRedirect redirect) override {
    peers_.tasks_.attempt_redirected(report(redirect.sequence, redirect.attempt), std::move(redirect.redirect));
  }

  /// Takes the link out of all tables; once.
  void leave(Departure how);
  /// What is news on this link.
  void announce();
  void add_ping(std::uint64_t call);
  void watch();
  /// It carries work for this node from here on.
  void set_index(NodeIndex index) { index_ = index; }
  void set_congested(bool congested) { congested_ = congested; }
  /// This node's id is the other side's, too, or a third one's: that was said.
  void set_twins() { is_of_twins_ = true; }
  /// Its dialer has other things to do.
  void forget_dialer() { dialer_ = nullptr; }

  [[nodiscard]] PeerSession& session() { return session_; }
  [[nodiscard]] const PeerSession& session() const { return session_; }
  [[nodiscard]] ConnectionId connection() const { return connection_; }
  [[nodiscard]] const std::string& remote() const { return remote_; }
  [[nodiscard]] Dialer* dialer() const { return dialer_; }
  [[nodiscard]] NodeIndex index() const { return index_; }
  [[nodiscard]] const base::Life& life() const { return session_.peer()->life; }
  [[nodiscard]] const std::string& name() const { return session_.peer()->name; }
  [[nodiscard]] bool was_established() const { return was_established_; }
  [[nodiscard]] bool is_of_twins() const { return is_of_twins_; }
  [[nodiscard]] bool is_congested() const { return congested_; }
  [[nodiscard]] const std::optional<base::Duration>& last_round_trip() const { return round_trip_; }
  [[nodiscard]] Claimant claimant() const { return {name(), remote_}; }
  [[nodiscard]] AttemptKey key(std::uint64_t sequence, std::uint32_t attempt) const {
    return {index_, attempt, life(), sequence};
  }

 private:
  void announce_all();
  [[nodiscard]] AttemptReport report(std::uint64_t sequence, std::uint32_t attempt) const {
    return {index_, life(), sequence, attempt};
  }

  Peers& peers_;
  const ConnectionId connection_;
  const std::string remote_;
  Dialer* dialer_;  ///< null for an accepted connection
  PeerSession session_;
  NodeIndex index_ = kNoNode;
  bool was_established_ = false;
  bool congested_ = false;
  bool is_of_twins_ = false;
  bool left_ = false;
  std::uint64_t announced_ = 0;  ///< the version that the peer was told last
  bool said_refused_ = false;
  bool said_too_large_ = false;
  std::uint64_t announced_all_ = 0;  ///< the last one of which it was told everything
  std::optional<base::Duration> round_trip_;
  std::vector<std::uint64_t> pings_;  ///< of operators, by their call
};

}  // namespace kaido::daemon
