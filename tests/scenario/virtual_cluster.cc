// Nodes and their apps; the network is in virtual_network.cc.
#include "tests/scenario/virtual_cluster.h"

#include <algorithm>
#include <cstring>

#include "proto/base/check.h"

namespace kaido::daemon::testing {
namespace {

std::string address_of(std::size_t node) { return "node:" + std::to_string(node); }

// As a connection does it: into the reader's block, at most so much a read; every complete frame to the machine.
void feed(NodeMachine& machine, base::Instant now, ConnectionId connection, wire::FrameReader& reader,
          std::string_view bytes) {
  while (!bytes.empty()) {
    const auto space = reader.writable();
    const std::size_t count = std::min(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), count);
    reader.commit(count);
    bytes.remove_prefix(count);
    bool was_complete = false;
    while (const auto frame = reader.next()) {
      machine.frame(now, connection, *frame);
      was_complete = true;
    }
    KAIDO_CHECK(!reader.failed());
    if (!was_complete) machine.heard(now, connection);
  }
}

}  // namespace

// ---------------------------------------------------------------- building

std::size_t VirtualCluster::add_node(NodeInfo info) {
  const std::size_t node = nodes_.size();
  info.id.bytes[15] = static_cast<std::uint8_t>(node + 1);
  info.life = {{1000}, seed_ + node};
  nodes_.emplace_back();
  nodes_[node].info = std::move(info);
  boot(node);
  pump();
  return node;
}

NodeMachineOptions VirtualCluster::machine_options(std::size_t index) const {
  const NodeInfo& info = nodes_[index].info;
  NodeMachineOptions options;
  options.tasks.self = info;
  options.tasks.seed = seed_ * 1000 + index;
  options.tasks.ledger = options_.ledger;
  options.tasks.executor = options_.executor;
  options.apps.node_id = info.id;
  options.apps.node_name = info.name;
  options.apps.epoch = info.life.epoch;
  options.peers.session.node_id = info.id;
  options.peers.session.node_name = info.name;
  options.peers.session.life = info.life;
  options.peers.reconnect_initial = options_.latency;
  options.peers.reconnect_max = options_.latency;
  options.peers.seed = seed_ * 1000 + index;
  for (std::size_t other = 0; other < index; ++other) options.peers.addresses.push_back(address_of(other));
  return options;
}

// A fresh process: nothing of its former life is known to it.
void VirtualCluster::boot(std::size_t index) {
  Node& node = nodes_[index];
  node.is_up = true;
  node.listens = true;
  node.running.clear();
  node.apps.clear();
  node.machine = std::make_unique<NodeMachine>(machine_options(index), now_);
  node.machine->start(now_, address_of(index));
  for (const auto& [session, worker] : node.workers) connect_worker(index, session);
}

VirtualCluster::AppEnd& VirtualCluster::open_app(std::size_t index, std::uint32_t session, const std::string& name) {
  Node& node = nodes_[index];
  node.apps.push_back(std::make_unique<AppEnd>());
  AppEnd& end = *node.apps.back();
  end.session = session;
  end.connection = node.machine->app_opened(now_, {});
  AppEvents events;
  events.on_result = [this, index, &end](std::uint64_t call, TaskResult result) {
    delivered(index, end, call, std::move(result));
  };
  events.on_call = [this, index, &end](const wire::FrameHeader& call, std::string arguments) {
    dispatched(index, end, call, std::move(arguments));
  };
  events.on_cancel = [this, index, session](std::uint64_t call) {
    for (Running& running : nodes_[index].running) {
      if (running.session != session || running.call != call) continue;
      running.cancel_seen = true;
      if (on_cancel) on_cancel(index, running);
      return;
    }
  };
  events.on_goodbye = [this](const std::string& reason) { closed_apps_.push_back(reason); };
  end.app = std::make_unique<VirtualApp>(std::move(events));
  end.app->hello(name);
  return end;
}

VirtualCluster::AppEnd* VirtualCluster::find_app(std::size_t index, std::uint32_t session) const {
  for (const auto& end : nodes_[index].apps) {
    if (end->session == session) return end.get();
  }
  return nullptr;
}

void VirtualCluster::connect_worker(std::size_t index, std::uint32_t session) {
  const Worker& worker = nodes_[index].workers.at(session);
  AppEnd& end = open_app(index, session, "worker " + std::to_string(session));
  end.functions = worker.functions;
  end.app->offer(worker.functions, worker.slots);
}

void VirtualCluster::open_worker(std::size_t index, std::uint32_t session, std::uint32_t slots,
                                 std::vector<FunctionInfo> functions) {
  nodes_[index].workers[session] = {slots, std::move(functions)};
  if (!nodes_[index].is_up) return;
  connect_worker(index, session);
  pump();
}

void VirtualCluster::lose_worker(std::size_t index, std::uint32_t session) {
  nodes_[index].workers.erase(session);
  if (const AppEnd* const end = find_app(index, session)) {
    end_app(index, end->connection, absl::UnavailableError("the app closed the connection"));
  }
  pump();
}

void VirtualCluster::end_app(std::size_t index, ConnectionId connection, const base::Status& reason) {
  Node& node = nodes_[index];
  const auto end = std::find_if(node.apps.begin(), node.apps.end(),
                                [&](const auto& candidate) { return candidate->connection == connection; });
  if (end == node.apps.end()) return;
  const std::uint32_t session = (*end)->session;
  if (session != 0) std::erase_if(node.running, [&](const Running& running) { return running.session == session; });
  node.machine->closed(now_, connection, reason);
  node.apps.erase(end);
}

// ---------------------------------------------------------------- apps

void VirtualCluster::submit(std::size_t index, const std::string& task, PlacementSpec spec, base::Duration budget,
                            const std::string& arguments) {
  AppEnd* end = find_app(index, 0);
  if (end == nullptr) end = &open_app(index, 0, "caller");
  names_.push_back(task);
  const std::uint64_t call = end->app->call(spec, budget, names_.size(), arguments);
  end->calls[call] = {task};
  pump();
}

bool VirtualCluster::cancel(std::size_t index, const std::string& task) {
  AppEnd* const end = find_app(index, 0);
  if (end == nullptr) return false;
  for (const auto& [call_id, call] : end->calls) {
    if (call.task != task || !call.is_open) continue;
    end->app->cancel(call_id);
    pump();
    return true;
  }
  return false;
}

void VirtualCluster::close_session(std::size_t index) {
  if (const AppEnd* const end = find_app(index, 0)) {
    end_app(index, end->connection, absl::UnavailableError("the app closed the connection"));
  }
  pump();
}

bool VirtualCluster::answer(std::size_t index, const std::string& task, wire::Outcome outcome,
                            const std::string& value_or_message) {
  Node& node = nodes_[index];
  const auto it = std::find_if(node.running.begin(), node.running.end(),
                               [&](const Running& running) { return running.task == task; });
  if (it == node.running.end()) return false;
  find_app(index, it->session)->app->result(it->call, outcome, value_or_message);
  node.running.erase(it);
  pump();
  return true;
}

void VirtualCluster::in_one_turn(const std::function<void()>& act) {
  is_corked_ = true;
  act();
  is_corked_ = false;
  pump();
}

void VirtualCluster::set_stalled(std::size_t index, std::uint32_t session, bool is_stalled) {
  const AppEnd* const end = find_app(index, session);
  if (end == nullptr) return;
  NodeMachine& machine = *nodes_[index].machine;
  is_stalled ? machine.congested(now_, end->connection) : machine.drained(now_, end->connection);
  pump();
}

void VirtualCluster::dispatched(std::size_t index, const AppEnd& app, const wire::FrameHeader& call,
                                std::string arguments) {
  Running running;
  running.session = app.session;
  running.call = call.call_id;
  running.attempt = call.attempt();
  running.task = names_.at(call.trace.span_id - 1);
  running.function = app.functions.at(call.template_or_status).name;
  running.arguments = std::move(arguments);
  ++executions_[running.task];
  nodes_[index].running.push_back(running);
  if (on_dispatch) on_dispatch(index, running);
}

void VirtualCluster::delivered(std::size_t index, AppEnd& app, std::uint64_t call_id, TaskResult result) {
  AppEnd::Call& call = app.calls.at(call_id);
  call.is_open = false;
  Delivery delivery{.outcome = result.outcome, .value = std::string(wire::as_text(result.payload.bytes()))};
  if (result.error != nullptr) delivery.error = *result.error;
  nodes_[index].deliveries[call.task].push_back(std::move(delivery));
}

// ---------------------------------------------------------------- turns

// What one node says may be another's news at once, so all are asked until none has any.
void VirtualCluster::pump() {
  if (is_pumping_ || is_corked_) return;
  is_pumping_ = true;
  for (bool progress = true; progress;) {
    progress = false;
    for (std::size_t node = 0; node < nodes_.size(); ++node) progress |= nodes_[node].is_up && pump(node);
    progress |= deliver_due();
  }
  is_pumping_ = false;
}

bool VirtualCluster::pump(std::size_t index) {
  bool progress = read_apps(index);
  NodeMachine& machine = *nodes_[index].machine;
  for (; machine.has_ready(); progress = true) {
    act(index, machine.ready());
    machine.advance();
  }
  return progress;
}

bool VirtualCluster::read_apps(std::size_t index) {
  bool progress = false;
  Node& node = nodes_[index];
  for (const auto& end : node.apps) {
    if (end->is_paused) continue;
    const std::string bytes = end->app->take_output();
    progress |= !bytes.empty();
    feed(*node.machine, now_, end->connection, end->reader, bytes);
  }
  return progress;
}

void VirtualCluster::read(LinkEnd& end) {
  const std::string bytes = std::exchange(end.arrived, {});
  for (std::size_t at = 0; at < bytes.size(); at += options_.read_bytes) {
    feed(*nodes_[end.node].machine, now_, end.connection, end.reader,
         std::string_view(bytes).substr(at, options_.read_bytes));
  }
}

void VirtualCluster::act(std::size_t index, const Ready& ready) {
  for (const FrameOut& frame : ready.frames) {
    const auto metadata = ready.metadata(frame);
    if ((frame.connection.value & kHalfBit) != 0) {
      send(index, frame.connection, frame.header, std::string(wire::as_text(metadata)), frame.payload);
      continue;
    }
    for (const auto& end : nodes_[index].apps) {
      if (end->connection != frame.connection) continue;
      if (frame.header.kind == wire::FrameKind::kResult && wire::travels_in_chunks(frame.payload)) {
        pass_on(index, *end, frame);
      } else {
        end->app->handle({frame.header, metadata, frame.payload});
      }
      break;
    }
  }
  for (const Command& command : ready.commands) act(index, command);
}

// A large result is with its app at once, or its sender was lost before.
void VirtualCluster::pass_on(std::size_t index, AppEnd& app, const FrameOut& result) {
  NodeMachine& machine = *nodes_[index].machine;
  if (loses_result && loses_result()) {
    return machine.stream_ended(now_, result.connection, result.header, wire::StreamEnd::kFailed,
                                wire::BodyFailure::kConnectionLost);
  }
  app.app->handle({result.header, {}, result.payload});
  machine.stream_ended(now_, result.connection, result.header, wire::StreamEnd::kPassedOn, wire::BodyFailure::kNone);
}

void VirtualCluster::act(std::size_t index, const Command& command) {
  Node& node = nodes_[index];
  switch (command.kind) {
    case Command::Kind::kFinish:  // here payloads travel in one piece
    case Command::Kind::kClose:
      if ((command.connection.value & kHalfBit) == 0) return end_app(index, command.connection, command.status);
      if (const auto found = ends_.find({index, command.connection.value}); found != ends_.end()) {
        const auto [link, end] = found->second;
        enqueue({.link = link, .to = 1 - end, .is_end = true}, options_.latency);
        close_end(link, end, command.status);
      }
      return;
    case Command::Kind::kPauseReading:
    case Command::Kind::kResumeReading:
      for (const auto& end : node.apps) {
        if (end->connection == command.connection) end->is_paused = command.kind == Command::Kind::kPauseReading;
      }
      return;
    case Command::Kind::kDial:
      return dial({index, command.dial, static_cast<std::size_t>(std::stoul(command.text.substr(5)))});
    case Command::Kind::kAbandonDial:
      std::erase_if(dials_, [&](const PendingDial& d) { return d.from == index && d.dial == command.dial; });
      return;
    case Command::Kind::kStopListening:
      node.listens = false;
      return;
    case Command::Kind::kPeerLimits:
      return;  // these links take whatever they are given
    case Command::Kind::kAnswer:
    case Command::Kind::kPong:
      return;  // no operator asks anything here
  }
}

// ---------------------------------------------------------------- time

std::optional<base::Instant> VirtualCluster::next_event() const {
  std::optional<base::Instant> next;
  const auto consider = [&](std::optional<base::Instant> at) {
    if (at && (!next || *at < *next)) next = *at;
  };
  if (!in_flight_.empty()) consider(in_flight_.begin()->first.first);
  for (const Node& node : nodes_) {
    if (node.is_up) consider(node.machine->next_timeout());
  }
  return next;
}

void VirtualCluster::advance(base::Duration duration) {
  constexpr int kTurnsAtOneInstant = 10'000;
  const base::Instant end = now_ + duration;
  int turns = 0;
  for (auto next = next_event(); next && *next <= end; next = next_event()) {
    turns = *next > now_ ? 0 : turns + 1;
    KAIDO_CHECK(turns < kTurnsAtOneInstant);  // a machine whose timer always rings
    now_ = std::max(now_, *next);
    pump();
    for (const Node& node : nodes_) {
      if (node.is_up && node.machine->next_timeout().value_or(end + options_.latency) <= now_) {
        node.machine->handle_timeout(now_);
      }
    }
    pump();
  }
  now_ = end;
}

void VirtualCluster::drain(std::size_t index, base::Duration duration) {
  nodes_[index].machine->drain(now_, now_ + duration, "the test says so");
  pump();
}

// ---------------------------------------------------------------- looking

const std::vector<Delivery>& VirtualCluster::deliveries(std::size_t node, const std::string& task) const {
  static const std::vector<Delivery> kNone;
  const auto it = nodes_[node].deliveries.find(task);
  return it == nodes_[node].deliveries.end() ? kNone : it->second;
}

int VirtualCluster::executions(const std::string& task) const {
  const auto it = executions_.find(task);
  return it == executions_.end() ? 0 : it->second;
}

const Running* VirtualCluster::running(std::size_t node, const std::string& task) const {
  for (const Running& running : nodes_[node].running) {
    if (running.task == task) return &running;
  }
  return nullptr;
}

}  // namespace kaido::daemon::testing
