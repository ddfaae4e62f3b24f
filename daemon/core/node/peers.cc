#include "daemon/core/node/peers.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "daemon/core/node/outbox.h"
#include "daemon/core/node/peer_link.h"
#include "daemon/core/node/task_flow.h"
#include "daemon/core/session/messages.h"

namespace kaido::daemon {
namespace {

constexpr const char* kRoom = "peers";

// What is said in place of an answer that could not be sent. Only for what was never started there is a time to retry
// after: the function of a result ran. An error keeps its outcome.
TaskResult failure_of(const FrameOut& frame, Unsent why) {
  const bool is_result = frame.header.kind == wire::FrameKind::kResult;
  const std::optional<wire::Outcome> outcome = outcome_of_error(frame);
  const std::string what = outcome ? "the error" : is_result ? "the result" : "the arguments, handed back unstarted,";
  const std::string size =
      what + " of " + std::to_string(frame.payload.empty() ? frame.metadata_size : frame.payload.size()) + " bytes: ";
  const std::string ran = is_result && !outcome ? "; the function ran" : "";
  const auto failure = [&](const std::string& message, base::Duration after) {
    return TaskResult{
        outcome.value_or(wire::Outcome::kRejected),
        make_error({.message = size + message + ran, .retry_after = is_result ? base::Duration(0) : after}),
        {}};
  };
  switch (why) {
    case Unsent::kTooLarge:
      return failure("larger than the origin takes", base::Duration(0));
    case Unsent::kNoMemory:
      return failure("as much waits for the origin already as may (limits.memory)", Peers::kLinkRetryAfter);
    case Unsent::kFull:
      return failure("the link to the origin is full (limits.queued_bytes_per_connection)", Peers::kLinkRetryAfter);
    case Unsent::kUnsendable:
    case Unsent::kEnded:
      break;
  }
  return {
      wire::Outcome::kAppLost, make_error({.message = "the result was still on its way when its worker was lost"}), {}};
}

}  // namespace

Peers::Peers(const base::Instant& now, PeersOptions options, TaskFlow& tasks, Outbox& outbox)
    : now_(now),
      options_(std::move(options)),
      tasks_(tasks),
      outbox_(outbox),
      liveness_(options_.reconnect_grace),
      conflicts_(outbox, Dialer::long_pause(options_.reconnect_max)),
      links_(Half::kPeers) {
  std::uint64_t seed = options_.seed;
  for (const std::string& address : options_.addresses) {
    dialers_.push_back(std::make_unique<Dialer>(address, options_.reconnect_initial, options_.reconnect_max, ++seed));
  }
}

Peers::~Peers() = default;

// ---------------------------------------------------------------- connections

Peers::Link& Peers::add_link(PeerSession::Role role, std::string remote, Dialer* dialer) {
  const ConnectionId connection = links_.reserve();
  Link& link = links_.set(connection, std::make_unique<Link>(*this, connection, role, std::move(remote), dialer));
  link.watch();
  return link;
}

ConnectionId Peers::accepted(std::string remote) {
  if (closing_) return kNoConnection;
  Link& link = add_link(PeerSession::Role::kAcceptor, std::move(remote), nullptr);
  link.session().start();
  return link.connection();
}

void Peers::frame(ConnectionId connection, const wire::FrameView& frame) {
  if (Link* const link = links_.find(connection)) link->session().handle_frame(now_, frame);
}

void Peers::heard(ConnectionId connection) {
  if (Link* const link = links_.find(connection)) link->session().heard(now_);
}

void Peers::malformed(ConnectionId connection, const base::Status& reason) {
  if (Link* const link = links_.find(connection)) link->session().close(reason);
}

void Peers::unsent(const FrameOut& frame, Unsent why) {
  Link* const link = links_.find(frame.connection);
  if (link == nullptr || link->index() == kNoNode) return;
  if (why == Unsent::kEnded) return ended_before(*link, frame);
  const std::uint64_t sequence = frame.header.call_id;
  const std::uint32_t attempt = frame.header.attempt();
  if (frame.header.kind == wire::FrameKind::kCall) {
    const AttemptReport report{link->index(), link->life(), sequence, attempt};
    if (why == Unsent::kUnsendable) {
      return tasks_.attempt_result(
          report, {wire::Outcome::kUnavailable,
                   make_error({.message = "the arguments were still on their way when their sender was lost"}),
                   {}});
    }
    const bool is_full = why == Unsent::kFull || why == Unsent::kNoMemory;
    if (is_full) ++counters_.link_full;
    return tasks_.attempt_redirected(report, {is_full ? RedirectReason::kLinkFull : RedirectReason::kTooLarge,
                                              is_full ? kLinkRetryAfter : base::Duration(0), frame.payload});
  }
  if (is_answer(frame) && why == Unsent::kTooLarge && frame.payload.empty()) {
    // Errors are cut to what the peer takes (PeerSession::send_result): this one takes not even a bare frame.
    return link->session().close(
        absl::FailedPreconditionError("the peer takes no answer of " + std::to_string(frame.metadata_size) + " bytes"));
  }
  if (is_answer(frame) && (why != Unsent::kFull || is_replaceable(frame))) {
    // The link may have retired since.
    return reply_result(link->key(sequence, attempt), failure_of(frame, why));
  }
  if (why == Unsent::kFull && frame.header.kind != wire::FrameKind::kGoodbye) {
    // Beyond its full queue there is room for an error for each of its calls (reserved_bytes): it has stopped reading.
    link->session().close(absl::ResourceExhaustedError("the peer does not read what it is sent"));
  }
}

// The link has ended, as its shell knows already: what was meant for it waits for the next one. A failure, of which the
// text is gone, is asked for by its origin.
void Peers::ended_before(Link& link, const FrameOut& frame) {
  const AttemptKey key = link.key(frame.header.call_id, frame.header.attempt());
  link.leave(Departure::kClosed);
  switch (frame.header.kind) {
    case wire::FrameKind::kCall:
      return tasks_.attempt_redirected({key.origin, key.origin_life, key.sequence, key.attempt},
                                       {RedirectReason::kLifeEnded, base::Duration(0), frame.payload});
    case wire::FrameKind::kCancel:
      return send_cancel(key.origin, key.sequence, key.attempt);
    case wire::FrameKind::kResult:
      if (frame.header.template_or_status != static_cast<std::uint32_t>(wire::Outcome::kSucceeded)) return;
      return reply_result(key, {wire::Outcome::kSucceeded, nullptr, frame.payload});
    default:
      return;
  }
}

void Peers::congested(ConnectionId connection) {
  if (Link* const link = links_.find(connection)) link->set_congested(true);
}

void Peers::drained(ConnectionId connection) {
  if (Link* const link = links_.find(connection)) link->set_congested(false);
}

void Peers::closed(ConnectionId connection, const base::Status& reason) {
  Link* const link = links_.find(connection);
  if (link == nullptr) return;
  if (!reason.ok() && link->session().is_retired()) {
    // All of theirs came; the rest of a large payload did not.
    const auto node = nodes_.find(link->index());
    if (node != nodes_.end() && node->second.life == link->life()) node->second.was_cut = true;
  }
  link->leave(Departure::kClosed);
  if (absl::IsInvalidArgument(reason)) ++counters_.bad_frames;
  if (!link->was_established()) {
    ++counters_.handshakes_failed;
    note_refusal(*link, reason);
  } else if (absl::IsDeadlineExceeded(reason)) {
    ++counters_.lost_silent;
  } else if (absl::IsInvalidArgument(reason)) {
    ++counters_.lost_violation;
  } else if (!reason.ok()) {
    ++counters_.lost_closed;
  }
  if (link->was_established()) {
    outbox_.info(kRoom, "link ended",
                 {{"node", link->name()},
                  {"address", link->remote()},
                  {"reason", reason.ok() ? "replaced" : std::string(reason.message())}});
  }
  if (Dialer* const dialer = link->dialer()) {
    // One that seeks is forgotten when its node has the link: until then it tries on, a replacement too.
    const bool is_known = dialer->sought() == kNoNode && dialer->id() && by_id_.contains(*dialer->id());
    const bool is_in_vain =
        absl::IsFailedPrecondition(reason) || (dialer->id() && *dialer->id() == options_.session.node_id);
    if (closing_ || (is_known && !is_in_vain)) {
      dialer->rest();
    } else if (is_in_vain) {
      dialer->wait_long(now_);
    } else {
      dialer->wait(now_);
    }
  }
  links_.release(connection);
}

// ---------------------------------------------------------------- links of a node

Peers::Link* Peers::active(NodeIndex index) const {
  return index.value < active_.size() ? active_[index.value] : nullptr;
}

Peers::Link* Peers::active(const AttemptKey& key) const {
  Link* const link = active(key.origin);
  return link != nullptr && link->life() == key.origin_life ? link : nullptr;
}

// What a link says of its node for the first time: from here on the node is known, and the link is one of its.
base::Status Peers::attach(Link& link, NodeInfo info) {
  if (link.index() == kNoNode) note_name_conflict(link, info);
  const base::NodeId id = info.id;
  std::string former_name;
  if (const NodeIndex index = tasks_.index_of(id); index != kNoNode && nodes_.contains(index)) {
    // What is older comes by a link that is slower than another one, or that took over in between.
    const NodeInfo& known = tasks_.last_said(index);
    if (nodes_[index].life == info.life && info.version < known.version) info = known;
    if (nodes_[index].life != info.life) former_name = known.name;
  }
  const ClusterTable::Seen seen = tasks_.node_seen(std::move(info));
  if (!seen.accepted()) {
    if (seen.refusal == ClusterTable::Refusal::kNoMemory) {
      return absl::ResourceExhaustedError(
          "there is no memory for all that the node says of itself (limits.memory): offer less there, or raise it "
          "here");
    }
    return seen.refusal == ClusterTable::Refusal::kTooManyNodes
               ? absl::ResourceExhaustedError("this node knows as many nodes as it can, and none of them was lost")
               : absl::UnavailableError("a later life of this node is known, and not lost yet");
  }
  if (link.index() != kNoNode) {
    tasks_.cluster_changes();
    return absl::OkStatus();
  }
  link.set_index(seen.index);
  Node former;
  Node& node = nodes_[seen.index];
  if (node.life != link.life()) {
    former = std::exchange(node, Node());
    node.id = id;
    node.life = link.life();
    node.parked =
        Parking(wire::Charge(options_.session.memory, memory_owner_of(seen.index), wire::MemoryKind::kAnswers));
  }
  node.links.push_back(&link);
  if (!seen.is_new_life) return absl::OkStatus();
  former.life = seen.lost_life;
  end_life(seen.index, former);
  if (!former_name.empty()) look_whether_name_is_free(former_name);
  return absl::OkStatus();
}

// The same change comes by each link that there is to the node.
base::Status Peers::apply_delta(Link& link, const NodeInfoDelta& delta) {
  const NodeInfo& known = tasks_.last_said(link.index());
  if (delta.version <= known.version) return absl::OkStatus();
  if (delta.base_version != known.version) {
    link.session().want_node_info();
    return absl::OkStatus();
  }
  NodeInfo next = apply(known, delta);
  KAIDO_RETURN_IF_ERROR(check_sizes(next));
  return attach(link, std::move(next));
}

void Peers::introduced(Link& link) {
  const NodeIndex index = link.index();
  Node& node = nodes_[index];
  if (index.value >= active_.size()) active_.resize(index.value + std::size_t{1});
  active_[index.value] = &link;
  by_id_[node.id] = &link;
  liveness_.met(index);
  stop_seeking(index);
  for (Link* const other : std::vector<Link*>(node.links)) {
    if (other == &link) continue;
    ++counters_.links_replaced;
    other->session().retire(now_);
    other->watch();
  }
  while (node.links.size() > kLinksMax) {
    node.links.front()->session().close(absl::ResourceExhaustedError("too many links to this node are still in use"));
  }
  unpark(node, link);
  if (std::exchange(node.was_cut, false)) inquire(index, node, link);
  link.watch();
  tasks_.cluster_changed();
}

void Peers::left(Link& link, Departure how) {
  const auto& peer = link.session().peer();
  if (peer) {
    const auto known = by_id_.find(peer->id);
    if (known != by_id_.end() && known->second == &link) {
      by_id_.erase(known);
      // It may have been meant to replace one that goes on.
      for (const auto& [other_index, node] : nodes_) {
        Link* const other = active(other_index);
        if (node.id == peer->id && other != nullptr && other != &link) by_id_[peer->id] = other;
      }
    }
  }
  const NodeIndex index = link.index();
  if (const auto found = nodes_.find(index); index != kNoNode && found != nodes_.end()) {
    Node& node = found->second;
    std::erase(node.links, &link);
    const bool was_active = active(index) == &link;
    if (was_active) {
      active_[index.value] = nullptr;
      for (Link* const other : node.links) {
        if (!other->session().is_established()) continue;
        active_[index.value] = other;
        by_id_[node.id] = other;
      }
    }
    if (link.life() == node.life && !link.session().is_retired()) node.was_cut = true;
    if (active(index) == nullptr) {
      // The end of one that had been given up before says nothing new.
      if (was_active) liveness_.left(now_, index, how);
      if (was_active) seek(index, node);
    } else if (node.was_cut) {
      node.was_cut = false;
      inquire(index, node, *active(index));
    }
  }
  // The dialer that rested because its node had a link.
  if (peer && !closing_ && !by_id_.contains(peer->id)) static_cast<void>(rouse(peer->id, &Dialer::wait));
  forget_challenges(link);
  check_liveness();
}

void Peers::check_liveness() {
  for (const NodeIndex index : liveness_.take_lost(now_)) lose(index);
}

void Peers::lose(NodeIndex index) {
  const auto found = nodes_.find(index);
  if (found == nodes_.end()) return;
  stop_seeking(index);
  Node lost = std::move(found->second);
  nodes_.erase(found);
  tasks_.node_forsaken(index);
  look_whether_name_is_free(tasks_.view().find(index)->info->name);
  end_life(index, lost);
}

// Of a node that is lost, or has begun another life: by now nothing more is placed on the one that ends. What never
// left this node starts elsewhere, or in the next life; what was under way is lost.
void Peers::end_life(NodeIndex index, Node& lost) {
  ++counters_.nodes_lost;
  outbox_.warn(kRoom, "node lost",
               {{"node", tasks_.view().find(index)->info->name}, {"epoch", std::to_string(lost.life.epoch.value)}});
  // Given up before, and still open: nothing that comes there counts any more.
  for (Link* const link : std::exchange(lost.links, {})) {
    link->session().close(absl::UnavailableError("this life of the node is over"));
  }
  for (PeerAttempt& attempt : lost.parked.take_attempts()) {
    hand_back(lost, index, std::move(attempt), RedirectReason::kLifeEnded);
  }
  tasks_.node_lost(index, lost.life);
}

// ---------------------------------------------------------------- attempts and answers

std::optional<Peers::Refusal> Peers::send_attempt(NodeIndex index, const PeerAttempt& attempt) {
  Link* const link = active(index);
  if (link == nullptr) {
    // It may be back in a moment, and is lost otherwise: then the attempt, which never left, goes elsewhere.
    const auto node = nodes_.find(index);
    if (node == nodes_.end()) return Refusal{RedirectReason::kUnreachable, kLinkRetryAfter};
    if (node->second.parked.add(attempt)) return std::nullopt;
    return Refusal{RedirectReason::kLinkFull, kLinkRetryAfter};
  }
  if (link->is_congested()) {
    ++counters_.link_full;
    return Refusal{RedirectReason::kLinkFull, kLinkRetryAfter};
  }
  if (!link->session().send_attempt(attempt)) return Refusal{RedirectReason::kTooLarge, base::Duration(0)};
  return std::nullopt;
}

void Peers::send_cancel(NodeIndex index, std::uint64_t sequence, std::uint32_t attempt) {
  if (Link* const link = active(index)) return link->session().send_cancel(sequence, attempt);
  const auto node = nodes_.find(index);
  if (node == nodes_.end()) return;
  Parking& parked = node->second.parked;
  if (parked.cancel(sequence, attempt)) return;
  // It went before the link did. Beyond what is kept it runs on, as it does when the node never comes back.
  static_cast<void>(parked.add(Parking::Cancel{sequence, attempt}));
}

void Peers::reply_queued(const AttemptKey& key) {
  if (Link* const link = active(key)) link->session().send_queued(key.sequence, key.attempt, tasks_.load());
}

void Peers::reply_started(const AttemptKey& key) {
  if (Link* const link = active(key)) link->session().send_started(key.sequence, key.attempt, tasks_.load());
}

void Peers::reply_result(const AttemptKey& key, TaskResult&& result) {
  PeerResult answer{key.sequence, key.attempt, std::move(result)};
  if (Link* const link = active(key)) [[likely]]
    return link->session().send_result(std::move(answer), tasks_.load());
  park_answer(key, std::move(answer));
}

void Peers::reply_redirect(const AttemptKey& key, TaskRedirect redirect) {
  // What comes in chunks has come no further than its first one: its origin still has it.
  if (!redirect.payload.is_whole()) redirect.payload = {};
  PeerRedirect answer{key.sequence, key.attempt, std::move(redirect)};
  if (Link* const link = active(key)) return link->session().send_redirect(std::move(answer), tasks_.load());
  park_answer(key, std::move(answer));
}

// An answer beyond what is kept: the origin asks for it, and learns that it is lost.
void Peers::park_answer(const AttemptKey& key, Parking::Item answer) {
  const auto origin = nodes_.find(key.origin);
  if (origin == nodes_.end() || origin->second.life != key.origin_life) return;
  if (!origin->second.parked.add(std::move(answer))) ++counters_.replies_dropped;
}

void Peers::unpark(Node& node, Link& link) {
  for (Parking::Item& item : node.parked.take()) {
    if (auto* const result = std::get_if<PeerResult>(&item)) {
      link.session().send_result(std::move(*result), tasks_.load());
    } else if (auto* const redirect = std::get_if<PeerRedirect>(&item)) {
      link.session().send_redirect(std::move(*redirect), tasks_.load());
    } else if (const auto* const cancel = std::get_if<Parking::Cancel>(&item)) {
      link.session().send_cancel(cancel->sequence, cancel->attempt);
    } else if (auto& attempt = std::get<PeerAttempt>(item); !link.session().send_attempt(attempt)) {
      hand_back(node, link.index(), std::move(attempt), RedirectReason::kTooLarge);
    }
  }
}

void Peers::hand_back(const Node& node, NodeIndex index, PeerAttempt attempt, RedirectReason reason) {
  tasks_.attempt_redirected({index, node.life, attempt.sequence, attempt.attempt},
                            {reason, base::Duration(0), std::move(attempt.payload)});
}

// After a link broke: what was under way on it may not have arrived, either way.
void Peers::inquire(NodeIndex index, Node& node, Link& link) {
  for (const AttemptReport& attempt : tasks_.attempts_at(index, node.life)) {
    link.session().send_inquiry(attempt.sequence, attempt.attempt);
  }
}

// ---------------------------------------------------------------- time and the rest

void Peers::handle_timeout() {
  while (const auto due = deadlines_.take_due(now_)) {
    Link* const link = links_.find(*due);
    if (link == nullptr) continue;
    link->session().handle_timeout(now_, tasks_.load());
    link->watch();
  }
  expire_challenges();
  check_liveness();
  dial_due();
}

void Peers::was_away(base::Duration time) {
  if (time < options_.session.ping_interval / kAwayDivisor) return;
  links_.for_each([&](Link& link) { link.session().was_away(now_, time); });
  for (Challenge& challenge : challenges_) challenge.deadline = base::after(challenge.deadline, time);
  liveness_.was_away(time);
}

std::optional<base::Instant> Peers::next_timeout() const {
  std::optional<base::Instant> next = deadlines_.next();
  const auto consider = [&](std::optional<base::Instant> at) {
    if (at && (!next || *at < *next)) next = at;
  };
  consider(liveness_.next_timeout());
  for (const Challenge& challenge : challenges_) consider(challenge.deadline);
  if (closing_) return next;
  for (const auto& dialer : dialers_) consider(dialer->due());
  return next;
}

void Peers::announce(const NodeInfo& self) {
  news_.update(self);
  links_.for_each([&](Link& link) { link.announce(); });
}

void Peers::ping(NodeIndex index, std::uint64_t call) {
  if (Link* const link = active(index)) return link->add_ping(call);
  Command& pong = outbox_.command(Command::Kind::kPong);
  pong.call = call;
  pong.status = absl::UnavailableError("the node is known, but not connected");
}

void Peers::close_all(const std::string& reason) {
  closing_ = true;
  links_.for_each([&](Link& link) { link.session().close(absl::UnavailableError(reason)); });
}

std::vector<PeerSummary> Peers::list() const {
  std::vector<PeerSummary> peers;
  for (const auto& [index, node] : nodes_) {
    const Link* const link = active(index);
    if (link == nullptr) continue;
    peers.push_back(
        {index, link->remote(), now_ - link->session().last_heard(), link->last_round_trip(), node.links.size()});
  }
  return peers;
}

std::uint32_t Peers::connected_count() const {
  return static_cast<std::uint32_t>(
      std::count_if(active_.begin(), active_.end(), [](const Link* link) { return link != nullptr; }));
}

}  // namespace kaido::daemon
