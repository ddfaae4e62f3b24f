/// The other nodes: whom to dial, which greeting wins, which link carries what, and when a node is lost.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/node/announcements.h"
#include "daemon/core/node/conflicts.h"
#include "daemon/core/node/connection_table.h"
#include "daemon/core/node/deadlines.h"
#include "daemon/core/node/dialer.h"
#include "daemon/core/node/liveness.h"
#include "daemon/core/node/parking.h"
#include "daemon/core/session/peer_session.h"
#include "proto/base/status.h"
#include "proto/base/time.h"

namespace kaido::daemon {

class Outbox;
class TaskFlow;
struct FrameOut;
enum class Unsent : std::uint8_t;

struct PeersOptions {
  std::vector<std::string> addresses;  ///< the static list
  PeerSessionOptions session;
  base::Duration reconnect_initial = std::chrono::milliseconds(100);
  base::Duration reconnect_max = std::chrono::seconds(10);
  /// How long a node may be without a link before it counts as lost, where its address still answers or is not known.
  base::Duration reconnect_grace = std::chrono::seconds(1);
  /// How long a node has to answer whether it lives when another daemon claims its id.
  base::Duration challenge_time = std::chrono::seconds(1);
  std::uint64_t seed = 0;  ///< of the jitter
};

/// Plain numbers for metrics; they only grow.
struct PeerCounters {
  std::uint64_t connected = 0;
  std::uint64_t connects_failed = 0;    ///< nobody answered
  std::uint64_t handshakes_failed = 0;  ///< somebody did, and it came to nothing
  std::uint64_t links_replaced = 0;     ///< by another link to the same life of the node
  std::uint64_t lost_silent = 0;        ///< links of which nothing was heard for timeouts.peer
  std::uint64_t lost_closed = 0;        ///< links whose connection ended
  std::uint64_t lost_violation = 0;     ///< links on which the peer broke the protocol
  std::uint64_t bad_frames = 0;         ///< somebody broke the protocol, also before he was a peer
  std::uint64_t nodes_lost = 0;         ///< lives of nodes that ended
  std::uint64_t announcements_refused = 0;
  std::uint64_t replies_dropped = 0;  ///< answers to a node without a link, beyond what is kept for it
  std::uint64_t link_full = 0;        ///< attempts that found the link to their node full
};

/// One line of an operator's list.
struct PeerSummary {
  NodeIndex node = kNoNode;
  std::string address;  ///< the active link's other end
  base::Duration since_heard{0};
  std::optional<base::Duration> round_trip;  ///< of the last pong
  std::size_t links = 0;
};

/// An attempt belongs to a life of a node, not to a connection: links to the same life are exchanged, made before they
/// are broken, and the node is lost when Liveness says so. What is answered while there is no link is kept for the
/// next; what was under way on a link that broke is asked for.
///
/// A part of the machine: NodeMachine owns it and calls it.
///
/// Threading: confined to the node strand.
/// Lifetime: `now`, tasks and outbox outlive it.
class Peers {
 public:
  /// Links to a node that are open at a time, those included that end as soon as the payloads on them do. Raising it
  /// lets more payloads survive that are slower than links are exchanged.
  static constexpr std::size_t kLinksMax = 8;
  /// What an attempt is told to wait whose node's link is full.
  static constexpr base::Duration kLinkRetryAfter = std::chrono::milliseconds(20);

  Peers(const base::Instant& now, PeersOptions options, TaskFlow& tasks, Outbox& outbox);
  ~Peers();
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;

  void start();

  // --- from the shell ---
  ConnectionId accepted(std::string remote);
  /// What came of a dial. kNoConnection: it is not wanted any more, the connection is to be dropped.
  ConnectionId dialed(DialId dial, std::string remote);
  void dial_failed(DialId dial, const base::Status& reason);
  void frame(ConnectionId connection, const wire::FrameView& frame);
  /// Bytes came, though no complete frame: the other side lives.
  void heard(ConnectionId connection);
  void malformed(ConnectionId connection, const base::Status& reason);
  /// A frame that could not be queued: an attempt comes back, an answer becomes an error.
  void unsent(const FrameOut& frame, Unsent why);
  void congested(ConnectionId connection);
  void drained(ConnectionId connection);
  void closed(ConnectionId connection, const base::Status& reason);
  void handle_timeout();
  /// The node did not look at its connections for so long (NodeMachine::handle_timeout).
  void was_away(base::Duration time);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;

  // --- from the tasks ---
  /// Why an attempt cannot go to a node now.
  struct Refusal {
    RedirectReason reason = RedirectReason::kUnreachable;
    base::Duration retry_after{0};
  };
  [[nodiscard]] std::optional<Refusal> send_attempt(NodeIndex node, const PeerAttempt& attempt);
  void send_cancel(NodeIndex node, std::uint64_t sequence, std::uint32_t attempt);
  void reply_queued(const AttemptKey& key);
  void reply_started(const AttemptKey& key);
  void reply_result(const AttemptKey& key, TaskResult&& result);
  void reply_redirect(const AttemptKey& key, TaskRedirect redirect);

  /// Every link is told what is new in it.
  void announce(const NodeInfo& self);
  /// One round trip, answered by Command::kPong.
  void ping(NodeIndex node, std::uint64_t call);
  /// Makes another link to the node and retires those that there are. Errors: kNotFound if the node is not connected,
  /// or no address of it is known.
  [[nodiscard]] base::Status replace_link(NodeIndex node);

  /// No more dialing.
  void stop_connecting();
  /// Says goodbye to every peer; whatever was in flight is settled at once.
  void close_all(const std::string& reason);

  [[nodiscard]] bool has(ConnectionId connection) const { return links_.find(connection) != nullptr; }
  [[nodiscard]] std::vector<PeerSummary> list() const;
  /// What is in the way now: of ids as noticed, of names as the view has it; Conflicts::kMax of each at most.
  [[nodiscard]] std::vector<Conflict> conflicts() const;
  [[nodiscard]] std::uint32_t connected_count() const;
  [[nodiscard]] std::size_t configured_count() const { return options_.addresses.size(); }
  [[nodiscard]] const PeerCounters& counters() const { return counters_; }

 private:
  class Link;

  /// A node that has, or had until lately, a link.
  struct Node {
    base::NodeId id;
    base::Life life;
    std::vector<Link*> links;  ///< introduced, the newest last
    bool was_cut = false;      ///< a link broke: what was under way on it is to be asked for
    Parking parked;
  };
  /// Another daemon claims the id of a node that is connected: the node is asked whether it lives.
  struct Challenge {
    ConnectionId incumbent;
    ConnectionId challenger;  ///< kNoConnection: it was turned away and will come back
    base::Life life;          ///< the challenger's
    base::Instant asked;      ///< when the incumbent was: only what it answered since then counts
    base::Instant deadline;
  };

  void ended_before(Link& link, const FrameOut& frame);

  // --- dialing ---
  Link& add_link(PeerSession::Role role, std::string remote, Dialer* dialer);
  void dial(Dialer& dialer);
  [[nodiscard]] Dialer* find_dialer(DialId dial) const;
  [[nodiscard]] bool rouse(const base::NodeId& id, void (Dialer::*resume)(base::Instant));
  void seek(NodeIndex index, const Node& node);
  void stop_seeking(NodeIndex index);
  void dial_due();

  // --- greetings ---
  [[nodiscard]] base::Status judge_greeting(Link& link, const PeerGreeting& peer);
  void judge_commitment(Link& link, const PeerGreeting& peer);
  [[nodiscard]] base::Status greeted_self(Link& link, const PeerGreeting& peer);
  void told_of_twin(Link& link, const PeerTwin& twin);
  void challenge(Link& incumbent, ConnectionId challenger, const base::Life& life);
  void incumbent_lives(const Link& incumbent, base::Instant asked);
  void forget_challenges(const Link& link);
  void expire_challenges();

  // --- links ---
  [[nodiscard]] base::Status attach(Link& link, NodeInfo info);
  [[nodiscard]] base::Status apply_delta(Link& link, const NodeInfoDelta& delta);
  void introduced(Link& link);
  void note_name_conflict(const Link& link, const NodeInfo& info);
  void look_whether_name_is_free(const std::string& name);
  [[nodiscard]] std::vector<Conflict> name_conflicts() const;
  [[nodiscard]] std::string whereabouts(const NodeView& node) const;
  void note_refusal(const Link& link, const base::Status& reason);
  void left(Link& link, Departure how);
  void lose(NodeIndex index);
  void end_life(NodeIndex index, Node& lost);
  void check_liveness();
  [[nodiscard]] Link* active(NodeIndex index) const;
  [[nodiscard]] Link* active(const AttemptKey& key) const;
  void park_answer(const AttemptKey& key, Parking::Item answer);
  void hand_back(const Node& node, NodeIndex index, PeerAttempt attempt, RedirectReason reason);
  void unpark(Node& node, Link& link);
  void inquire(NodeIndex index, Node& node, Link& link);

  const base::Instant& now_;
  const PeersOptions options_;
  TaskFlow& tasks_;
  Outbox& outbox_;
  Announcements news_;
  PingLiveness liveness_;
  Conflicts conflicts_;
  ConnectionTable<Link> links_;
  Deadlines deadlines_;
  std::vector<std::unique_ptr<Dialer>> dialers_;
  std::uint32_t next_dial_ = 1;
  std::map<base::NodeId, Link*> by_id_;  ///< the link that is introduced, or committed to, last
  std::map<NodeIndex, Node> nodes_;
  std::vector<Link*> active_;  ///< by NodeIndex: what attempts and answers go by; null: no link
  std::vector<Challenge> challenges_;
  bool closing_ = false;
  PeerCounters counters_;
};

}  // namespace kaido::daemon
