/// The node as one machine without I/O: connections, frames, timers and operators in; frames and commands out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "daemon/core/node/apps.h"
#include "daemon/core/node/outbox.h"
#include "daemon/core/node/peers.h"
#include "daemon/core/node/ready.h"
#include "daemon/core/node/task_flow.h"
#include "daemon/core/view/memory_owner.h"
#include "proto/base/status.h"
#include "proto/base/time.h"
#include "proto/wire/frame.h"
#include "proto/wire/memory_budget.h"
#include "proto/wire/stream_end.h"

namespace kaido::daemon {

struct NodeMachineOptions {
  TaskFlowOptions tasks;
  AppSessionOptions apps;
  PeersOptions peers;
  std::size_t memory_bytes = 512U << 20;  ///< limits.memory
};

/// Decides all that a node decides: which session gets a frame, what the ledger's and the executor's effects lead to
/// and in which order, whom to dial, which greeting wins, what is announced when, and how the node drains and stops.
/// Sockets, TLS, files, the clock and the log's sink are shells. The daemon, tests/scenario and simulations run this
/// same machine.
///
///     machine.frame(now, connection, frame);           // events, as they come
///     while (machine.has_ready()) {                    // at each turn's end
///       act_on(machine.ready());                       // frames first, then commands
///       machine.advance();
///     }
///     timer.set(machine.next_timeout());
///
/// Promise: the same events with the same instants, and the same options, lead to the same batches.
///
/// Threading: confined to the node strand.
/// Lifetime: it owns what it keeps. A FrameView's metadata is used during frame() only; payloads are counted.
/// Errors: a peer's, app's or operator's mistake is answered, counted and logged; it never ends the machine.
class NodeMachine {
 public:
  /// `now`: when the node starts.
  NodeMachine(NodeMachineOptions options, base::Instant now);
  ~NodeMachine();
  NodeMachine(const NodeMachine&) = delete;
  NodeMachine& operator=(const NodeMachine&) = delete;

  /// Begins to dial. `address` is where others reach this node; empty: it does not listen.
  void start(base::Instant now, std::string address);

  // --- connections ---
  [[nodiscard]] ConnectionId app_opened(base::Instant now, const AppIdentity& identity);
  /// kNoConnection: no peer is taken any more, the connection is to be dropped.
  [[nodiscard]] ConnectionId peer_accepted(base::Instant now, std::string remote);
  [[nodiscard]] ConnectionId peer_dialed(base::Instant now, DialId dial, std::string remote);
  void dial_failed(base::Instant now, DialId dial, const base::Status& reason);
  void frame(base::Instant now, ConnectionId connection, const wire::FrameView& frame);
  /// Bytes came that complete no frame yet.
  void heard(base::Instant now, ConnectionId connection);
  /// The framing is broken: the shell closes the connection after the batch that says goodbye.
  void malformed(base::Instant now, ConnectionId connection, const base::Status& reason);
  /// A frame of the batch at work was not taken; whoever waits for it is told. Not for connections that were
  /// reported closed.
  void unsent(base::Instant now, const FrameOut& frame, Unsent why);
  /// How the sending of a payload ended that travels in chunks (wire::travels_in_chunks), `announced` being its frame.
  /// Not after unsent(), nor for connections that have ended; before any frame that the other side sent since.
  void stream_ended(base::Instant now, ConnectionId connection, const wire::FrameHeader& announced, wire::StreamEnd end,
                    wire::BodyFailure failure);
  /// More waits to be sent than the shell likes; drained() follows when it was taken.
  void congested(base::Instant now, ConnectionId connection);
  void drained(base::Instant now, ConnectionId connection);
  /// The end, once, whoever caused it.
  void closed(base::Instant now, ConnectionId connection, const base::Status& reason);

  // --- time ---
  /// To be called at next_timeout(). Later, the node was away, and the time since then is not held against others.
  void handle_timeout(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;

  // --- operators ---
  /// The one placement of all equal specs; null at the bound, or the operators' share of it.
  [[nodiscard]] PlacementRef prepare(PlacementSpec spec) {
    return tasks_.prepare(std::move(spec), memory_owner_of_connection(kOperatorSession));
  }
  /// A task of nobody's session; Command::kAnswer is its one answer. `call` is not reused.
  void call(base::Instant now, std::uint64_t call, PlacementRef placement, base::Duration budget, Payload arguments);
  void cancel_call(base::Instant now, std::uint64_t call);
  /// One round trip to a node; Command::kPong is the answer.
  void ping(base::Instant now, NodeIndex node, std::uint64_t call);
  /// A new link to the node is made before the present one is given up, as after a certificate was renewed.
  [[nodiscard]] base::Status replace_link(base::Instant now, NodeIndex node);

  // --- the end ---
  /// Takes no new apps, peers and tasks; what runs may finish until `deadline`. A deadline that is not in the future
  /// ends everything now: every caller learns that the node stopped.
  void drain(base::Instant now, base::Instant deadline, const std::string& why);
  [[nodiscard]] bool is_draining() const { return tasks_.is_draining(); }
  /// Nothing is queued, running or undelivered: goodbyes may be said.
  [[nodiscard]] bool is_idle() const { return tasks_.is_idle(); }
  void say_goodbye(base::Instant now, const std::string& reason);

  // --- what to do ---
  [[nodiscard]] bool has_ready();
  /// Whether there is a batch already: of what is not the end of a turn.
  [[nodiscard]] bool has_batch() const { return outbox_.has_ready(); }
  [[nodiscard]] const Ready& ready() { return outbox_.ready(); }
  void advance() { outbox_.advance(); }

  // --- looking ---
  [[nodiscard]] const TaskFlow& tasks() const { return tasks_; }
  [[nodiscard]] const Apps& apps() const { return apps_; }
  [[nodiscard]] const Peers& peers() const { return peers_; }
  /// What the node keeps for others; the shell takes what it queues from it, too.
  [[nodiscard]] wire::MemoryBudget& memory() { return memory_; }
  [[nodiscard]] const wire::MemoryBudget& memory() const { return memory_; }

 private:
  base::Instant now_;
  wire::MemoryBudget memory_;
  Outbox outbox_;
  TaskFlow tasks_;
  Apps apps_;
  Peers peers_;
};

}  // namespace kaido::daemon
