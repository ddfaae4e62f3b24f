#include "daemon/core/node/peer_link.h"

namespace kaido::daemon {
namespace {

constexpr const char* kRoom = "peers";

}  // namespace

void Peers::Link::close(base::Status reason, bool said_goodbye) {
  const bool is_silent = absl::IsDeadlineExceeded(reason);
  // When this node closes everything, it is as if the others had left: nobody waits for a grace time.
  leave(said_goodbye || peers_.closing_ ? Departure::kGoodbye : is_silent ? Departure::kSilent : Departure::kClosed);
  peers_.outbox_.close(connection_, std::move(reason));
}

base::Status Peers::Link::greeted(const PeerGreeting& peer) {
  if (dialer_ != nullptr) dialer_->reached(peer.id);
  return peers_.judge_greeting(*this, peer);
}

void Peers::Link::established(const PeerGreeting& peer) {
  was_established_ = true;
  ++peers_.counters_.connected;
  peers_.by_id_[peer.id] = this;
  if (dialer_ != nullptr) dialer_->succeeded();
  peers_.outbox_.info(kRoom, "peer connected",
                      {{"node", peer.name},
                       {"id", to_string(peer.id)},
                       {"epoch", std::to_string(peer.life.epoch.value)},
                       {"address", remote_},
                       {"dialed", session_.role() == PeerSession::Role::kDialer ? "true" : "false"}});
  Command& limits = peers_.outbox_.command(Command::Kind::kPeerLimits);
  limits.connection = connection_;
  limits.bytes = peer.max_frame_bytes;
  peers_.announce(peers_.tasks_.self());
  watch();
}

void Peers::Link::announcement_refused(const base::Status& why) {
  ++peers_.counters_.announcements_refused;
  if (std::exchange(said_refused_, true)) return;  // Counted; a line for each would be a way to fill the log.
  peers_.outbox_.warn(kRoom, "an announcement of a peer was refused; it stays what it was known as",
                      {{"node", name()}, {"reason", std::string(why.message())}});
}

void Peers::Link::call(PeerAttempt&& attempt) {
  AdmitRequest request;
  request.key = key(attempt.sequence, attempt.attempt);
  request.placement = std::move(attempt.placement);
  request.budget = attempt.budget;
  request.trace = attempt.trace;
  request.payload = std::move(attempt.payload);
  peers_.tasks_.admit(std::move(request));
}

void Peers::Link::announce() {
  const PeerState state = session_.state();
  if (state != PeerState::kEstablished && state != PeerState::kAwaitInfo) return;
  const Announcements& news = peers_.news_;
  if (announced_ == news.version()) return;
  const NodeInfoDelta* const changes = session_.takes_deltas() ? news.since(announced_) : nullptr;
  if (changes == nullptr || !session_.send_node_info_delta(*changes)) return announce_all();
  announced_ = news.version();
}

void Peers::Link::announce_all() {
  const NodeInfo& all = peers_.news_.all();
  announced_all_ = all.version;
  if (session_.send_node_info(all)) {
    announced_ = all.version;
    return;
  }
  if (std::exchange(said_too_large_, true)) return;
  peers_.outbox_.error(kRoom, "what this node says of itself is larger than the peer takes; offer fewer functions",
                       {{"node", name()}, {"functions", std::to_string(all.functions.size())}});
}

// Once a version: the same would not help again, and somebody might ask for it for ever.
void Peers::Link::node_info_wanted() {
  if (session_.is_established() && announced_all_ != peers_.news_.version()) announce_all();
}

void Peers::Link::round_trip(base::Duration time) {
  round_trip_ = time;
  peers_.incumbent_lives(*this, peers_.now_ - time);
  for (const std::uint64_t call : std::exchange(pings_, {})) {
    Command& pong = peers_.outbox_.command(Command::Kind::kPong);
    pong.call = call;
    pong.duration = time;
  }
}

void Peers::Link::add_ping(std::uint64_t call) {
  pings_.push_back(call);
  session_.ping(peers_.now_, peers_.tasks_.load());
}

void Peers::Link::watch() { peers_.deadlines_.set(connection_, left_ ? std::nullopt : session_.next_timeout()); }

void Peers::Link::leave(Departure how) {
  if (std::exchange(left_, true)) return;
  peers_.deadlines_.set(connection_, std::nullopt);
  for (const std::uint64_t call : std::exchange(pings_, {})) {
    Command& pong = peers_.outbox_.command(Command::Kind::kPong);
    pong.call = call;
    pong.status = absl::UnavailableError("the link to the node was lost before it answered; try again");
  }
  peers_.left(*this, how);
}

}  // namespace kaido::daemon
