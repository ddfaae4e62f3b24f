#include "daemon/gossip/peer_link.h"

#include <string>

namespace kaido::daemon {

PeerMesh::Dialer::Dialer(PeerMesh& mesh, Address address, std::uint64_t seed)
    : mesh_(mesh),
      address_(std::move(address)),
      backoff_(mesh.options_.reconnect_initial, mesh.options_.reconnect_max, seed),
      timer_(mesh.loop_, [this] { dial(); }) {}

void PeerMesh::Dialer::dial() {
  if (has_link_ || operation_ != nullptr) return;
  if (id_ && *id_ == mesh_.options_.session.node_id) return;  // the address is our own
  if (id_ && mesh_.kept(*id_) != nullptr) return;             // wake() comes when that connection is lost
  operation_ = mesh_.transport_.connect(address_, mesh_.loop_.now() + mesh_.options_.connect_timeout,
                                        mesh_.options_.listen_options.connection,
                                        [this](auto connection) { connected(std::move(connection)); });
}

void PeerMesh::Dialer::connected(base::StatusOr<std::unique_ptr<Connection>> connection) {
  operation_.reset();
  if (!connection.ok()) {
    ++mesh_.counters_.connects_failed;
    if (!std::exchange(reported_, true)) {
      mesh_.log_.warn("peer does not answer; trying on", {"address", address_.to_string()},
                      {"reason", std::string(connection.status().message())});
    }
    return retry();
  }
  reported_ = false;
  has_link_ = true;
  mesh_.add_link(PeerSession::Role::kDialer, *std::move(connection), this).start();
}

void PeerMesh::Dialer::link_ended() {
  has_link_ = false;
  retry();
}

void PeerMesh::Dialer::retry() {
  if (!mesh_.closing_) timer_.set_after(backoff_.next());
}

void PeerMesh::Dialer::wake() {
  if (has_link_ || operation_ != nullptr || mesh_.closing_) return;
  retry();
}

void PeerMesh::Dialer::stop() {
  operation_.reset();
  timer_.clear();
}

void PeerMesh::Link::close(base::Status reason) {
  leave();
  connection_->close(std::move(reason));
}

base::Status PeerMesh::Link::greeted(const PeerGreeting& peer) {
  if (dialer_ != nullptr) dialer_->reached(peer.id);
  return mesh_.judge_greeting(*this, peer);
}

void PeerMesh::Link::established(const PeerGreeting& peer) {
  was_established_ = true;
  ++mesh_.counters_.connected;
  ++mesh_.connected_;
  mesh_.by_id_[peer.id] = this;
  if (dialer_ != nullptr) dialer_->succeeded();
  mesh_.log_.info("peer connected", {"node", peer.name}, {"id", peer.id}, {"epoch", peer.epoch.value},
                  {"address", connection_->remote()}, {"dialed", dialer_ != nullptr});
  session_.send_node_info(mesh_.handler_.self());
  mesh_.watch_timeouts();
}

void PeerMesh::Link::node_info(NodeInfo info) {
  const NodeIndex index = mesh_.handler_.node_seen(std::move(info));
  if (index == kNoNode) {
    return session_.close(
        absl::FailedPreconditionError("a later life of this node is known, or there are too many nodes"),
        /*retry=*/false);
  }
  index_ = index;
  if (index.value >= mesh_.by_index_.size()) mesh_.by_index_.resize(index.value + 1);
  mesh_.by_index_[index.value] = this;
  mesh_.handler_.cluster_changed();
}

bool PeerMesh::Link::is_introduced() {
  if (index_ != kNoNode) [[likely]]
    return true;
  session_.close(absl::InvalidArgumentError("protocol violation: attempts before node info"), /*retry=*/false);
  return false;
}

void PeerMesh::Link::call(const PeerCall& call) {
  if (!is_introduced()) return;
  AdmitRequest request;
  request.key = key(call.sequence, call.attempt);
  request.placement = call.placement.get();
  request.budget = call.budget;
  request.trace = call.trace;
  request.payload = call.payload;
  request.report_start = true;
  mesh_.handler_.admit(request);
}

void PeerMesh::Link::cancel(std::uint64_t sequence, std::uint32_t attempt) {
  if (is_introduced()) mesh_.handler_.cancel_attempt(key(sequence, attempt));
}

void PeerMesh::Link::started(std::uint64_t sequence, std::uint32_t attempt) {
  if (is_introduced()) mesh_.handler_.attempt_started(report(sequence, attempt));
}

void PeerMesh::Link::result(std::uint64_t sequence, std::uint32_t attempt, wire::Outcome outcome,
                            const TaskError* error, Payload payload) {
  if (is_introduced()) mesh_.handler_.attempt_result(report(sequence, attempt), outcome, error, payload);
}

void PeerMesh::Link::redirected(std::uint64_t sequence, std::uint32_t attempt, RedirectReason reason,
                                base::Duration retry_after, Payload payload) {
  if (is_introduced()) mesh_.handler_.attempt_redirected(report(sequence, attempt), reason, retry_after, payload);
}

void PeerMesh::Link::round_trip(base::Duration time) {
  round_trip_ = time;
  for (PingDone& done : std::exchange(pings_, {})) done(time);
}

void PeerMesh::Link::add_ping(PingDone done) {
  pings_.push_back(std::move(done));
  session_.ping(mesh_.loop_.now());
}

void PeerMesh::Link::leave() {
  if (std::exchange(left_, true)) return;
  const auto& peer = session_.peer();
  if (peer) {
    const auto kept = mesh_.by_id_.find(peer->id);
    if (kept != mesh_.by_id_.end() && kept->second == this) mesh_.by_id_.erase(kept);
  }
  if (was_established_) --mesh_.connected_;
  for (PingDone& done : std::exchange(pings_, {})) done(absl::UnavailableError("the node was lost before it answered"));
  if (index_ != kNoNode) {
    if (mesh_.by_index_[index_.value] == this) mesh_.by_index_[index_.value] = nullptr;
    mesh_.handler_.node_lost(index_, epoch());
  }
}

}  // namespace kaido::daemon
