#include "daemon/gossip/peer_mesh.h"

#include <algorithm>
#include <utility>

#include "daemon/gossip/peer_link.h"

namespace kaido::daemon {

PeerMesh::PeerMesh(Loop& loop, Transport& transport, PeerMeshOptions options, PeerHandler& handler, Logger log)
    : loop_(loop),
      transport_(transport),
      options_(std::move(options)),
      handler_(handler),
      log_(std::move(log)),
      timer_(loop, [this] { check_timeouts(); }) {
  base::Random seeds(options_.seed);
  for (const Address& address : options_.peers)
    dialers_.push_back(std::make_unique<Dialer>(*this, address, seeds.next()));
}

PeerMesh::~PeerMesh() = default;

base::Status PeerMesh::start() {
  if (options_.listen) {
    auto listener =
        transport_.listen(*options_.listen, options_.listen_options,
                          [this](std::unique_ptr<Connection> connection) { accept(std::move(connection)); });
    if (!listener.ok()) return listener.status();
    listener_ = *std::move(listener);
    log_.info("listening for peers", {"address", listener_->address().to_string()});
  }
  for (const auto& dialer : dialers_) dialer->dial();
  return absl::OkStatus();
}

std::optional<Address> PeerMesh::address() const {
  if (listener_ == nullptr) return std::nullopt;
  return listener_->address();
}

void PeerMesh::accept(std::unique_ptr<Connection> connection) {
  add_link(PeerSession::Role::kAcceptor, std::move(connection), nullptr).start();
}

PeerMesh::Link& PeerMesh::add_link(PeerSession::Role role, std::unique_ptr<Connection> connection, Dialer* dialer) {
  Link& link = *links_.emplace_back(std::make_unique<Link>(*this, role, std::move(connection), dialer));
  watch_timeouts();
  return link;
}

void PeerMesh::release(Link& link, const base::Status& reason) {
  const bool had_peer = link.session().peer().has_value();
  const base::NodeId id = had_peer ? link.session().peer()->id : base::NodeId{};
  if (absl::IsInvalidArgument(reason)) ++counters_.bad_frames;
  if (!link.was_established()) {
    ++counters_.handshakes_failed;
    log_.debug("peer connection came to nothing", {"address", link.connection().remote()},
               {"reason", std::string(reason.message())});
  } else {
    ++(absl::IsDeadlineExceeded(reason)  ? counters_.lost_silent
       : absl::IsInvalidArgument(reason) ? counters_.lost_violation
                                         : counters_.lost_closed);
    log_.warn("peer lost", {"node", link.session().peer()->name}, {"id", id},
              {"reason", std::string(reason.message())});
  }
  link.leave();
  const ConnectionStats& stats = link.connection().stats();
  closed_traffic_.frames_in += stats.frames_in;
  closed_traffic_.frames_out += stats.frames_out;
  closed_traffic_.bytes_in += stats.bytes_in;
  closed_traffic_.bytes_out += stats.bytes_out;
  Dialer* const dialer = link.dialer();
  const auto at = std::find_if(links_.begin(), links_.end(), [&](const auto& other) { return other.get() == &link; });
  const std::unique_ptr<Link> ended = std::move(*at);
  links_.erase(at);
  if (dialer != nullptr) dialer->link_ended();
  if (had_peer) wake_dialers(id);
}

void PeerMesh::wake_dialers(const base::NodeId& lost) {
  for (const auto& dialer : dialers_) {
    if (dialer->id() == lost) dialer->wake();
  }
}

PeerMesh::Link* PeerMesh::kept(const base::NodeId& id) const {
  const auto found = by_id_.find(id);
  return found != by_id_.end() ? found->second : nullptr;
}

base::Status PeerMesh::judge_greeting(Link& link, const PeerGreeting& peer) {
  if (peer.id == options_.session.node_id) {
    return absl::AlreadyExistsError("this address leads to the node itself");
  }
  if (Link* const other = kept(peer.id)) {
    if (peer.epoch < other->epoch()) return absl::FailedPreconditionError("a later life of this node is connected");
    if (peer.epoch > other->epoch()) {
      other->session().close(absl::UnavailableError("a later life of this node has come"), /*retry=*/false);
    } else if (link.session().role() == PeerSession::Role::kDialer) {
      return absl::AlreadyExistsError("the nodes are connected already");
    }
  }
  // A dialer commits by agreeing here; an acceptor waits for the other side's commitment.
  if (link.session().role() == PeerSession::Role::kDialer) by_id_[peer.id] = &link;
  return absl::OkStatus();
}

base::Status PeerMesh::judge_commitment(Link& /*link*/, const PeerGreeting& peer) {
  Link* const other = kept(peer.id);
  if (other == nullptr) return absl::OkStatus();
  if (peer.epoch < other->epoch()) return absl::FailedPreconditionError("a later life of this node is connected");
  if (other->session().is_committed() && options_.session.node_id < peer.id) {
    // We dialed at the same moment, and the connection that the smaller id dialed is the one that lives.
    return absl::AlreadyExistsError("the nodes are connected already");
  }
  // Either ours gives way by the same rule; or the peer would not have committed unless the established connection were
  // gone for it, which we had not noticed yet.
  other->session().close(absl::UnavailableError("replaced by another connection"), /*retry=*/false);
  return absl::OkStatus();
}

void PeerMesh::watch_timeouts() {
  std::optional<base::Instant> next;
  for (const auto& link : links_) {
    const auto timeout = link->session().next_timeout();
    if (timeout && (!next || *timeout < *next)) next = timeout;
  }
  timer_.set(next);
}

void PeerMesh::check_timeouts() {
  // A session that times out closes, and its link is released in a later turn: the list stands still here.
  for (std::size_t i = 0; i < links_.size(); ++i) {
    PeerSession& session = links_[i]->session();
    const auto timeout = session.next_timeout();
    if (timeout && *timeout <= loop_.now()) session.handle_timeout(loop_.now());
  }
  watch_timeouts();
}

void PeerMesh::stop_connecting() {
  closing_ = true;
  listener_.reset();
  for (const auto& dialer : dialers_) dialer->stop();
}

void PeerMesh::close_all(const std::string& reason) {
  for (std::size_t i = 0; i < links_.size(); ++i) {
    links_[i]->session().close(absl::UnavailableError(reason), /*retry=*/true);
  }
}

bool PeerMesh::send_attempt(NodeIndex node, const PreparedPlacement& placement, std::uint64_t sequence,
                            std::uint32_t attempt, base::Duration budget, const wire::TraceContext& trace,
                            Payload payload) {
  Link* const link = at(node);
  return link != nullptr && link->session().send_attempt(placement, sequence, attempt, budget, trace, payload);
}

void PeerMesh::send_cancel(NodeIndex node, std::uint64_t sequence, std::uint32_t attempt) {
  if (Link* const link = at(node)) link->session().send_cancel(sequence, attempt);
}

PeerMesh::Link* PeerMesh::at(const AttemptKey& key) const {
  Link* const link = at(key.origin);
  return link != nullptr && link->epoch() == key.origin_epoch ? link : nullptr;
}

void PeerMesh::reply_started(const AttemptKey& key, wire::Load load) {
  if (Link* const link = at(key)) link->session().send_started(key.sequence, key.attempt, load);
}

void PeerMesh::reply_result(const AttemptKey& key, wire::Outcome outcome, const TaskError* error, Payload payload,
                            wire::Load load) {
  if (Link* const link = at(key)) link->session().send_result(key.sequence, key.attempt, outcome, error, payload, load);
}

void PeerMesh::reply_redirect(const AttemptKey& key, RedirectReason reason, base::Duration retry_after, Payload payload,
                              wire::Load load) {
  if (Link* const link = at(key)) {
    link->session().send_redirect(key.sequence, key.attempt, reason, retry_after, payload, load);
  }
}

void PeerMesh::announce(const NodeInfo& self) {
  for (const auto& link : links_) link->session().send_node_info(self);
}

void PeerMesh::ping(NodeIndex node, PingDone done) {
  Link* const link = at(node);
  if (link == nullptr) return done(absl::UnavailableError("the node is known, but not connected"));
  link->add_ping(std::move(done));
}

std::vector<PeerSummary> PeerMesh::peers() const {
  std::vector<PeerSummary> peers;
  for (const auto& link : links_) {
    if (link->index() == kNoNode || at(link->index()) != link.get()) continue;
    peers.push_back({link->index(), link->connection().remote(), loop_.now() - link->session().last_heard(),
                     link->last_round_trip()});
  }
  return peers;
}

ConnectionStats PeerMesh::traffic() const {
  ConnectionStats sum = closed_traffic_;
  for (const auto& link : links_) {
    const ConnectionStats& stats = link->connection().stats();
    sum.frames_in += stats.frames_in;
    sum.frames_out += stats.frames_out;
    sum.bytes_in += stats.bytes_in;
    sum.bytes_out += stats.bytes_out;
  }
  return sum;
}

std::size_t PeerMesh::queued_bytes() const {
  std::size_t bytes = 0;
  for (const auto& link : links_) bytes += link->connection().queued_bytes();
  return bytes;
}

}  // namespace kaido::daemon
