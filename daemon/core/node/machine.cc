#include "daemon/core/node/machine.h"

#include <algorithm>
#include <utility>

#include "proto/base/check.h"

namespace kaido::daemon {

namespace {

NodeMachineOptions with(wire::MemoryBudget& memory, NodeMachineOptions options) {
  options.tasks.memory = options.tasks.ledger.memory = options.tasks.executor.memory = &memory;
  options.apps.memory = options.peers.session.memory = &memory;
  return options;
}

}  // namespace

NodeMachine::NodeMachine(NodeMachineOptions options, base::Instant now)
    : now_(now),
      memory_(options.memory_bytes),
      tasks_(now_, with(memory_, options).tasks, outbox_),
      apps_(now_, with(memory_, options).apps, tasks_, outbox_),
      peers_(now_, with(memory_, options).peers, tasks_, outbox_) {
  tasks_.bind(apps_, peers_);
}

NodeMachine::~NodeMachine() = default;

void NodeMachine::start(base::Instant now, std::string address) {
  now_ = now;
  tasks_.set_address(std::move(address));
  tasks_.start();
  peers_.start();
}

// ---------------------------------------------------------------- connections

ConnectionId NodeMachine::app_opened(base::Instant now, const AppIdentity& identity) {
  now_ = now;
  return apps_.opened(identity);
}

ConnectionId NodeMachine::peer_accepted(base::Instant now, std::string remote) {
  now_ = now;
  return peers_.accepted(std::move(remote));
}

ConnectionId NodeMachine::peer_dialed(base::Instant now, DialId dial, std::string remote) {
  now_ = now;
  return peers_.dialed(dial, std::move(remote));
}

void NodeMachine::dial_failed(base::Instant now, DialId dial, const base::Status& reason) {
  now_ = now;
  peers_.dial_failed(dial, reason);
}

void NodeMachine::frame(base::Instant now, ConnectionId connection, const wire::FrameView& frame) {
  now_ = now;
  if ((connection.value & kHalfBit) == 0) return apps_.frame(connection, frame);
  peers_.frame(connection, frame);
}

void NodeMachine::heard(base::Instant now, ConnectionId connection) {
  now_ = now;
  if ((connection.value & kHalfBit) == 0) return apps_.heard(connection);
  peers_.heard(connection);
}

void NodeMachine::malformed(base::Instant now, ConnectionId connection, const base::Status& reason) {
  now_ = now;
  if ((connection.value & kHalfBit) == 0) return apps_.malformed(connection, reason);
  peers_.malformed(connection, reason);
}

void NodeMachine::unsent(base::Instant now, const FrameOut& frame, Unsent why) {
  now_ = now;
  if ((frame.connection.value & kHalfBit) == 0) return apps_.unsent(frame, why);
  peers_.unsent(frame, why);
}

// A peer's attempt ends with its result, passed on or not.
void NodeMachine::stream_ended(base::Instant now, ConnectionId connection, const wire::FrameHeader& announced,
                               wire::StreamEnd end, wire::BodyFailure failure) {
  now_ = now;
  const bool is_delivery = (connection.value & kHalfBit) == 0 && announced.kind == wire::FrameKind::kResult;
  if (is_delivery) apps_.stream_ended(connection, announced.call_id, end, failure);
}

void NodeMachine::congested(base::Instant now, ConnectionId connection) {
  now_ = now;
  if ((connection.value & kHalfBit) == 0) return apps_.congested(connection);
  peers_.congested(connection);
}

void NodeMachine::drained(base::Instant now, ConnectionId connection) {
  now_ = now;
  if ((connection.value & kHalfBit) == 0) return apps_.drained(connection);
  peers_.drained(connection);
}

void NodeMachine::closed(base::Instant now, ConnectionId connection, const base::Status& reason) {
  now_ = now;
  if ((connection.value & kHalfBit) == 0) return apps_.closed(connection, reason);
  peers_.closed(connection, reason);
}

// ---------------------------------------------------------------- time

// Who comes late to a deadline did not read what came before it either: a turn was long, or the process was stopped.
// Of those whose words wait in the kernel nobody is taken for silent.
void NodeMachine::handle_timeout(base::Instant now) {
  now_ = now;
  if (const auto due = next_timeout(); due && *due < now) {
    apps_.was_away(now - *due);
    peers_.was_away(now - *due);
  }
  tasks_.handle_timeout();
  apps_.handle_timeout();
  peers_.handle_timeout();
}

std::optional<base::Instant> NodeMachine::next_timeout() const {
  std::optional<base::Instant> next;
  for (const auto at : {tasks_.next_timeout(), apps_.next_timeout(), peers_.next_timeout()}) {
    if (at && (!next || *at < *next)) next = at;
  }
  return next;
}

// ---------------------------------------------------------------- operators

void NodeMachine::call(base::Instant now, std::uint64_t call, PlacementRef placement, base::Duration budget,
                       Payload arguments) {
  now_ = now;
  SubmitRequest task;
  task.session = kOperatorSession;
  task.call_id = call;
  task.placement = std::move(placement);
  task.budget = budget;
  task.payload = std::move(arguments);
  KAIDO_CHECK(tasks_.submit(std::move(task)));  // no id comes twice
}

void NodeMachine::cancel_call(base::Instant now, std::uint64_t call) {
  now_ = now;
  tasks_.cancel_call(kOperatorSession, call);
}

void NodeMachine::ping(base::Instant now, NodeIndex node, std::uint64_t call) {
  now_ = now;
  peers_.ping(node, call);
}

base::Status NodeMachine::replace_link(base::Instant now, NodeIndex node) {
  now_ = now;
  return peers_.replace_link(node);
}

// ---------------------------------------------------------------- the end

void NodeMachine::drain(base::Instant now, base::Instant deadline, const std::string& why) {
  now_ = now;
  if (!tasks_.is_draining()) {
    outbox_.info("node", "draining", {{"why", why}});
    outbox_.command(Command::Kind::kStopListening);
    peers_.stop_connecting();
  }
  tasks_.drain(deadline);
}

void NodeMachine::say_goodbye(base::Instant now, const std::string& reason) {
  now_ = now;
  apps_.close_all(reason);
  peers_.close_all(reason);
}

// What others said of themselves is seen, and what changed here is announced, in the batch that ends the turn: however
// much it was. Lost deliveries come last of all events of a turn: until then a sender that is gone may seem to be
// there.
bool NodeMachine::has_ready() {
  tasks_.show_changes();
  apps_.settle_lost_deliveries();
  if (tasks_.take_announcement()) peers_.announce(tasks_.self());
  return outbox_.has_ready();
}

}  // namespace kaido::daemon
