// Which greeting wins: of two links to one node, of two lives of one node, of two daemons with one id. And who has the
// name of another.
#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "daemon/core/node/outbox.h"
#include "daemon/core/node/peer_link.h"
#include "daemon/core/node/peers.h"

namespace kaido::daemon {

// A greeting evicts nobody: it is only somebody's word so far. What it leads to is decided when both sides commit.
base::Status Peers::judge_greeting(Link& link, const PeerGreeting& peer) {
  if (peer.id == options_.session.node_id) return greeted_self(link, peer);
  if (closing_) return absl::UnavailableError("the node is stopping");
  const bool is_dialer = link.session().role() == PeerSession::Role::kDialer;
  if (const auto known = by_id_.find(peer.id); known != by_id_.end() && is_dialer) {
    Link& other = *known->second;
    const bool is_replacement = link.dialer() != nullptr && link.dialer()->sought() != kNoNode;
    if (peer.life != other.life() && other.session().is_established()) {
      challenge(other, kNoConnection, peer.life);
      // Not of any life: the node that `other` was, when it is back before that link is known to be dead, has no twin.
      if (conflicts_.is_current(now_, peer.id, peer.life)) link.session().report_twin({other.name(), other.remote()});
      return absl::UnavailableError("another life of this node is connected; it is asked whether it lives");
    }
    if (!is_replacement) return absl::AlreadyExistsError("the nodes are connected already");
  }
  // A dialer commits by agreeing here; an acceptor waits for the other side's commitment.
  if (is_dialer) by_id_[peer.id] = &link;
  return absl::OkStatus();
}

base::Status Peers::greeted_self(Link& link, const PeerGreeting& peer) {
  if (peer.life == options_.session.life) return absl::AlreadyExistsError("the address leads to this node itself");
  Conflict conflict;
  conflict.id = peer.id;
  conflict.first = {options_.session.node_name, "this node"};
  conflict.second = {peer.name, link.remote()};
  const std::string what = describe(conflict);
  conflicts_.noticed(now_, std::move(conflict));
  link.set_twins();
  return absl::FailedPreconditionError(what);
}

// A third node has met both, and turns this one away.
void Peers::told_of_twin(Link& link, const PeerTwin& twin) {
  const std::string teller = link.session().peer() ? link.name() : link.remote();
  Conflict conflict;
  conflict.id = options_.session.node_id;
  conflict.first = {options_.session.node_name, "this node"};
  conflict.second = {twin.name, twin.address + ", linked with " + teller};
  conflicts_.noticed(now_, std::move(conflict));
  link.set_twins();
}

void Peers::judge_commitment(Link& link, const PeerGreeting& peer) {
  const auto known = by_id_.find(peer.id);
  if (known == by_id_.end() || known->second == &link) return link.session().agree();
  Link& other = *known->second;
  if (other.session().is_committed()) {
    // We dialed at the same moment, and the connection that the smaller id dialed is the one that lives.
    if (options_.session.node_id < peer.id) {
      return link.session().close(absl::AlreadyExistsError("the nodes are connected already"));
    }
    other.session().close(absl::UnavailableError("replaced by another connection"));
    return link.session().agree();
  }
  // The same life: the other side would not have committed unless it had lost the link that we still have, or wanted
  // another. The old one retires when the new one has been introduced.
  if (other.life() == peer.life) return link.session().agree();
  challenge(other, link.connection(), peer.life);
}

// Two lives of one node: one is over, or there are two daemons with one id. Who is connected is asked whether it lives.
void Peers::challenge(Link& incumbent, ConnectionId challenger, const base::Life& life) {
  const auto earlier = std::find_if(challenges_.begin(), challenges_.end(), [&](const Challenge& challenge) {
    return challenge.incumbent == incumbent.connection();
  });
  // Asked once: if the answer had to be younger than the latest challenge, who challenges often enough would win.
  const bool is_asked = earlier != challenges_.end();
  const base::Instant asked = is_asked ? earlier->asked : now_;
  challenges_.push_back({incumbent.connection(), challenger, life, asked, base::after(now_, options_.challenge_time)});
  if (!is_asked) incumbent.session().ping(now_, tasks_.load());
}

// `asked`: when the ping was sent that it has answered.
void Peers::incumbent_lives(const Link& incumbent, base::Instant asked) {
  for (const Challenge& challenge : std::exchange(challenges_, {})) {
    if (challenge.incumbent != incumbent.connection() || challenge.asked > asked) {
      challenges_.push_back(challenge);
      continue;
    }
    Link* const challenger = links_.find(challenge.challenger);
    Conflict conflict;
    conflict.id = incumbent.session().peer()->id;
    conflict.challenger = challenge.life;
    conflict.first = incumbent.claimant();
    conflict.second = challenger != nullptr ? challenger->claimant() : Claimant{"another daemon", "turned away before"};
    const std::string what = describe(conflict);
    conflicts_.noticed(now_, std::move(conflict));
    if (challenger == nullptr) continue;
    challenger->session().report_twin({incumbent.name(), incumbent.remote()});
    challenger->session().close(absl::FailedPreconditionError(what));
  }
}

// The link is gone: whoever was waiting for its answer may come in, and nobody waits for it any more.
void Peers::forget_challenges(const Link& link) {
  std::vector<ConnectionId> admitted;
  std::erase_if(challenges_, [&](const Challenge& challenge) {
    if (challenge.challenger == link.connection()) return true;
    if (challenge.incumbent != link.connection()) return false;
    admitted.push_back(challenge.challenger);
    return true;
  });
  for (const ConnectionId connection : admitted) {
    Link* const challenger = links_.find(connection);
    if (challenger != nullptr) judge_commitment(*challenger, *challenger->session().peer());
  }
}

void Peers::expire_challenges() {
  std::vector<ConnectionId> silent;
  for (const Challenge& challenge : challenges_) {
    if (challenge.deadline <= now_) silent.push_back(challenge.incumbent);
  }
  for (const ConnectionId connection : silent) {
    Link* const incumbent = links_.find(connection);
    if (incumbent == nullptr) continue;
    incumbent->session().close(
        absl::DeadlineExceededError("another life of the node came, and this one did not answer"));
  }
  // Whoever had no link any more when it was looked for.
  std::erase_if(challenges_, [&](const Challenge& challenge) { return challenge.deadline <= now_; });
}

// ---------------------------------------------------------------- names

std::string Peers::whereabouts(const NodeView& node) const {
  if (node.index == kSelf) return "this node";
  const Link* const link = active(node.index);
  return link != nullptr ? link->remote() : "no link";
}

void Peers::note_name_conflict(const Link& link, const NodeInfo& info) {
  for (const NodeView& other : tasks_.view().nodes()) {
    if (!other.is_known || !other.alive || other.info->name != info.name || other.info->id == info.id) continue;
    Conflict conflict;
    conflict.kind = Conflict::Kind::kName;
    conflict.id = info.id;
    conflict.first = {info.name, whereabouts(other)};
    conflict.second = {info.name, link.remote()};
    conflicts_.noticed(now_, std::move(conflict));
  }
}

void Peers::look_whether_name_is_free(const std::string& name) {
  const auto nodes = tasks_.view().nodes();
  const auto has_it = [&](const NodeView& node) { return node.is_known && node.alive && node.info->name == name; };
  if (std::count_if(nodes.begin(), nodes.end(), has_it) < 2) conflicts_.name_is_free(name);
}

std::vector<Conflict> Peers::name_conflicts() const {
  std::vector<Conflict> found;
  std::map<std::string_view, const NodeView*> first_of;
  for (const NodeView& node : tasks_.view().nodes()) {
    if (!node.is_known || !node.alive) continue;
    const auto [first, is_alone] = first_of.emplace(node.info->name, &node);
    if (is_alone) continue;
    Conflict conflict;
    conflict.kind = Conflict::Kind::kName;
    conflict.id = node.info->id;
    conflict.first = {node.info->name, whereabouts(*first->second)};
    conflict.second = {node.info->name, whereabouts(node)};
    found.push_back(std::move(conflict));
    if (found.size() == Conflicts::kMax) break;
  }
  return found;
}

std::vector<Conflict> Peers::conflicts() const {
  std::vector<Conflict> all = conflicts_.list(now_);
  for (Conflict& conflict : name_conflicts()) all.push_back(std::move(conflict));
  return all;
}

}  // namespace kaido::daemon
