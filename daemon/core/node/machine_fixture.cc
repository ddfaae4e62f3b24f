#include "daemon/core/node/machine_fixture.h"

#include <algorithm>
#include <utility>

#include <gtest/gtest.h>

#include "proto/kaido/v1/local.pb.h"
#include "proto/kaido/v1/node.pb.h"
#include "proto/wire/handshake.h"
#include "proto/wire/outcome.h"

namespace kaido::daemon {
namespace {

std::string text_of(const Payload& payload) { return std::string(wire::as_text(payload.bytes())); }

}  // namespace

FunctionInfo test_function(const std::string& name) { return {base::function_id_of(name), name, 70, "() -> int64"}; }

PlacementSpec spec_for(const std::string& function, bool idempotent) {
  PlacementSpec spec;
  spec.function = test_function(function).id;
  spec.function_name = function;
  spec.fingerprint = 70;
  spec.idempotent = idempotent;
  return spec;
}

// ---------------------------------------------------------------- nodes

TestNode::TestNode(World& world, TestNodeOptions of) : options(std::move(of)), world_(world) {
  if (options.life.nonce == 0) options.life.nonce = world.random.below(1U << 30) + 1;
  id.bytes[0] = options.number;
  address = options.address.value_or(options.name);
  NodeMachineOptions made;
  made.tasks.self.id = id;
  made.tasks.self.name = options.name;
  made.tasks.self.life = options.life;
  made.tasks.seed = options.number;
  made.apps.node_id = id;
  made.apps.node_name = options.name;
  made.apps.epoch = options.life.epoch;
  made.peers.session.node_id = id;
  made.peers.session.node_name = options.name;
  made.peers.session.life = options.life;
  made.peers.addresses = options.peers;
  made.peers.seed = options.number;
  if (options.tune) options.tune(made);
  machine = std::make_unique<NodeMachine>(made, world.now);
}

NodeIndex TestNode::index_of(const TestNode& other) const {
  for (const NodeView& node : machine->tasks().view().nodes()) {
    if (node.is_known && node.info->id == other.id) return node.index;
  }
  return kNoNode;
}

std::string TestNode::log_text() const {
  std::string all;
  for (const std::string& line : log) all += line + "\n";
  return all;
}

int TestNode::count_log(const std::string& words) const {
  return static_cast<int>(
      std::count_if(log.begin(), log.end(), [&](const auto& line) { return line.find(words) != std::string::npos; }));
}

void TestNode::take(ConnectionId connection, const FrameInTransit& frame) {
  machine->frame(world_.now, connection, {frame.header, wire::as_span(frame.metadata), frame.payload});
}

void TestNode::ended(ConnectionId connection, const base::Status& reason) {
  machine->closed(world_.now, connection, reason);
}

// ---------------------------------------------------------------- apps

void TestApp::say(wire::FrameKind kind, const std::string& metadata, const std::string& payload,
                  std::uint32_t template_or_status, std::uint64_t call_id, base::Duration budget) {
  FrameInTransit frame;
  frame.header.kind = kind;
  frame.header.template_or_status = template_or_status;
  frame.header.call_id = call_id;
  frame.header.budget_ns = static_cast<std::uint64_t>(budget.count());
  frame.metadata = metadata;
  frame.payload = Payload::copy_of(wire::as_span(payload));
  world_.send(*wire, wire->half_of(*this), std::move(frame));
}

void TestApp::hello() {
  v1::Hello message;
  message.mutable_versions()->set_min(wire::kVersions.min);
  message.mutable_versions()->set_max(wire::kVersions.max);
  message.set_app_name(name);
  say(wire::FrameKind::kHello, message.SerializeAsString());
}

void TestApp::offer(const std::vector<std::string>& functions, std::uint32_t slots) {
  v1::Register message;
  message.set_slots(slots);
  for (const std::string& function : functions) {
    const FunctionInfo info = test_function(function);
    v1::Function& added = *message.add_functions();
    added.set_name(info.name);
    added.set_id(info.id.value);
    added.set_fingerprint(info.fingerprint);
    added.set_signature(info.signature);
  }
  say(wire::FrameKind::kRegister, message.SerializeAsString());
}

void TestApp::call(std::uint64_t id, const PlacementSpec& spec, const std::string& arguments, base::Duration budget) {
  say(wire::FrameKind::kPrepare, to_message(spec).SerializeAsString(), {}, ++templates_);
  say(wire::FrameKind::kCall, {}, arguments, templates_, id, budget);
}

void TestApp::answer(const Work& done, const std::string& result) {
  say(wire::FrameKind::kResult, {}, result, 0, done.call);
}

void TestApp::close() {
  if (!wire->half_of(*this).is_open) return;
  wire->half_of(*this).close_with = absl::OkStatus();
}

std::string TestApp::result(std::uint64_t id) const {
  const auto found = results.find(id);
  if (found == results.end()) return {};
  EXPECT_EQ(found->second.size(), 1U) << "call " << id << " was answered more than once";
  return found->second.front();
}

void TestApp::take(ConnectionId, const FrameInTransit& frame) {
  received.push_back(frame.header);
  switch (frame.header.kind) {
    case wire::FrameKind::kCall:
      work.push_back({frame.header.call_id, frame.header.attempt(), text_of(frame.payload)});
      if (answers_at_once) answer(work.back(), "did " + work.back().arguments);
      return;
    case wire::FrameKind::kCancel:
      return cancelled.push_back(frame.header.call_id);
    case wire::FrameKind::kPing:
      if (answers_pings) say(wire::FrameKind::kPong, {}, {}, 0, frame.header.call_id);
      return;
    case wire::FrameKind::kGoodbye: {
      v1::Goodbye message;
      EXPECT_TRUE(message.ParseFromString(frame.metadata));
      goodbye = message.reason();
      may_come_back = message.retry();
      return close();
    }
    case wire::FrameKind::kResult: {
      const auto outcome = wire::outcome_from(frame.header.template_or_status);
      v1::ResultError error;
      EXPECT_TRUE(outcome && error.ParseFromString(frame.metadata));
      if (error.retry_after_ns() != 0) retry_after[frame.header.call_id] = to_duration(error.retry_after_ns());
      results[frame.header.call_id].push_back(
          std::string(wire::name(*outcome)) + " " +
          (*outcome == wire::Outcome::kSucceeded ? text_of(frame.payload) : error.message()));
      return;
    }
    default:
      return;
  }
}

void TestApp::ended(ConnectionId, const base::Status&) { is_closed = true; }

// ---------------------------------------------------------------- building the world

TestNode& World::add(TestNodeOptions options) {
  nodes.push_back(std::make_unique<TestNode>(*this, std::move(options)));
  return *nodes.back();
}

TestNode& World::start(TestNodeOptions options) {
  TestNode& node = add(std::move(options));
  start(node);
  return node;
}

void World::start(TestNode& node) {
  if (!node.address.empty()) routes[node.address] = &node;
  node.machine->start(now, node.address);
}

void World::kill(TestNode& node) {
  node.is_up = false;
  std::erase_if(routes, [&](const auto& route) { return route.second == &node; });
  for (const auto& wire : wires_) {
    for (Wire::Half& half : wire->halves) {
      if (half.end != &node || !half.is_open) continue;
      half.is_open = false;
      wire->beyond(half).gets_eof = true;
    }
  }
}

TestApp& World::app(TestNode& node, const std::string& name) {
  apps.push_back(std::make_unique<TestApp>(*this, name));
  TestApp& app = *apps.back();
  wires_.push_back(std::make_unique<Wire>());
  app.wire = wires_.back().get();
  app.wire->halves[0] = {.end = &app, .id = {next_connection_++}};
  app.wire->halves[1] = {.end = &node, .id = node.machine->app_opened(now, {})};
  app.hello();
  return app;
}

Wire& World::connect(WireEnd& from, TestNode& to) {
  wires_.push_back(std::make_unique<Wire>());
  Wire& made = *wires_.back();
  made.halves[0].end = &from;
  made.halves[0].id = {next_connection_++};
  made.halves[1].end = &to;
  made.halves[1].id = to.machine->peer_accepted(now, "tcp:stranger");
  return made;
}

TestApp& World::worker(TestNode& node, const std::string& name, std::uint32_t slots,
                       const std::vector<std::string>& functions) {
  TestApp& made = app(node, name);
  made.offer(functions, slots);
  made.answers_at_once = true;
  return made;
}

// ---------------------------------------------------------------- the network

World::Found World::find(const WireEnd& end, ConnectionId id) {
  for (const auto& wire : wires_) {
    for (Wire::Half& half : wire->halves) {
      if (half.end == &end && half.id == id && half.is_open) return {wire.get(), &half};
    }
  }
  return {};
}

Wire* World::wire(const WireEnd& a, const WireEnd& b) {
  const auto found = std::find_if(wires_.rbegin(), wires_.rend(), [&](const auto& wire) {
    const bool joins = (wire->halves[0].end == &a && wire->halves[1].end == &b) ||
                       (wire->halves[0].end == &b && wire->halves[1].end == &a);
    return joins && wire->is_open();
  });
  return found == wires_.rend() ? nullptr : found->get();
}

std::size_t World::wires(const WireEnd& a, const WireEnd& b) const {
  return static_cast<std::size_t>(std::count_if(wires_.begin(), wires_.end(), [&](const auto& wire) {
    const bool joins = (wire->halves[0].end == &a && wire->halves[1].end == &b) ||
                       (wire->halves[0].end == &b && wire->halves[1].end == &a);
    return joins && wire->is_open();
  }));
}

void World::cut(Wire& wire) {
  for (Wire::Half& half : wire.halves) {
    half.inbox.clear();
    half.is_held = false;
    half.gets_eof = true;
  }
}

void World::cut_at(Wire& wire, const WireEnd& end) {
  Wire::Half& seen = wire.half_of(end);
  seen.inbox.clear();
  seen.is_held = false;
  seen.gets_eof = true;
  wire.beyond(seen).inbox.clear();
  wire.beyond(seen).is_held = true;
}

void World::hold(Wire& wire, bool held) {
  for (Wire::Half& half : wire.halves) half.is_held = held;
}

void World::send(Wire& wire, Wire::Half& from, FrameInTransit frame) {
  Wire::Half& there = wire.beyond(from);
  if (there.is_open && !there.gets_eof) there.inbox.push_back(std::move(frame));
}

void World::dial(TestNode& from, DialId id, const std::string& address) { dials_.push_back({&from, id, address}); }

void World::dial_now(const Dial& dial) {
  if (!dial.from->is_up) return;
  const auto route = routes.find(dial.address);
  TestNode* const to = route == routes.end() ? nullptr : route->second;
  if (to == nullptr || !to->accepts) {
    return dial.from->machine->dial_failed(now, dial.id, absl::UnavailableError("connection refused"));
  }
  const ConnectionId here = dial.from->machine->peer_dialed(now, dial.id, "tcp:" + to->options.name);
  if (here == kNoConnection) return;
  auto wire = std::make_unique<Wire>();
  wire->halves[0].end = dial.from;
  wire->halves[0].id = here;
  wire->halves[1].end = to;
  wire->halves[1].id = to->machine->peer_accepted(now, "tcp:" + dial.from->options.name);
  if (wire->halves[1].id == kNoConnection) {
    wire->halves[1].is_open = false;
    wire->halves[0].gets_eof = true;
  }
  wires_.push_back(std::move(wire));
}

void World::close(TestNode& node, const Command& command) {
  if (Wire::Half* const half = find(node, command.connection).half) half->close_with = command.status;
}

void World::act(TestNode& node) {
  while (node.machine->has_ready()) {
    const Ready& ready = node.machine->ready();
    for (const FrameOut& frame : ready.frames) {
      node.sent.push_back(frame.header);
      const Found found = find(node, frame.connection);
      if (found.wire == nullptr) continue;
      send(*found.wire, *found.half, {frame.header, std::string(wire::as_text(ready.metadata(frame))), frame.payload});
      if (!wire::travels_in_chunks(frame.payload)) continue;
      const wire::BodyFailure none = wire::BodyFailure::kNone;
      node.machine->stream_ended(now, frame.connection, frame.header, wire::StreamEnd::kPassedOn, none);
    }
    for (const Command& command : ready.commands) {
      switch (command.kind) {
        case Command::Kind::kClose:
          close(node, command);
          break;
        case Command::Kind::kFinish:
          close(node, command);  // here payloads travel in one piece
          break;
        case Command::Kind::kPauseReading:
        case Command::Kind::kResumeReading:
          if (Wire::Half* const half = find(node, command.connection).half) {
            half->is_paused = command.kind == Command::Kind::kPauseReading;
          }
          break;
        case Command::Kind::kDial:
          dial(node, command.dial, command.text);
          break;
        case Command::Kind::kAbandonDial:
          std::erase_if(dials_, [&](const Dial& dial) { return dial.from == &node && dial.id == command.dial; });
          break;
        case Command::Kind::kStopListening:
          node.accepts = false;
          break;
        case Command::Kind::kPeerLimits:
          break;  // these links take whatever they are given
        default:
          node.commands.push_back(command);
      }
    }
    for (const LogEvent& event : ready.events) {
      std::string line = std::string(event.room) + ": " + event.message;
      for (const auto& [key, value] : event.fields) line += " " + std::string(key) + "=" + value;
      node.log.push_back(std::move(line));
    }
    node.machine->advance();
  }
}

// ---------------------------------------------------------------- what happens

bool World::end(Wire& wire, Wire::Half& half) {
  if (!half.is_open) return false;
  Wire::Half& other = wire.beyond(half);
  if (half.close_with) {
    half.is_open = false;
    half.inbox.clear();
    other.gets_eof = true;
    half.end->ended(half.id, *half.close_with);
    return true;
  }
  if (!half.gets_eof || !half.inbox.empty() || half.is_held) return false;
  half.is_open = false;
  other.inbox.clear();
  half.end->ended(half.id, absl::UnavailableError("the connection ended"));
  return true;
}

bool World::deliver(Wire& wire, Wire::Half& half) {
  if (half.is_open && !half.close_with && !half.is_held && !half.is_paused && !half.inbox.empty()) {
    const FrameInTransit frame = std::move(half.inbox.front());
    half.inbox.pop_front();
    half.end->take(half.id, frame);
    return true;
  }
  return end(wire, half);
}

void World::bury() {
  for (auto& wire : wires_) {
    if (!wire->halves[0].is_open && !wire->halves[1].is_open) ended_.push_back(std::move(wire));
  }
  std::erase(wires_, nullptr);
}

bool World::step() {
  bury();
  bool progress = false;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (!nodes[i]->is_up || !nodes[i]->machine->has_ready()) continue;
    act(*nodes[i]);
    progress = true;
  }
  for (const Dial& dial : dials_hang ? std::vector<Dial>() : std::exchange(dials_, {})) {
    dial_now(dial);
    progress = true;
  }
  // Some of the wires move in a step, and not in the same order each time.
  const std::size_t count = wires_.size();
  const std::size_t first = count == 0 ? 0 : random.below(static_cast<std::uint32_t>(count));
  bool has_more = false;
  for (std::size_t i = 0; i < count; ++i) {
    Wire& wire = *wires_[(first + i) % count];
    for (Wire::Half& half : wire.halves) {
      if (random.below(4) == 0) {
        has_more = true;
        continue;
      }
      if (deliver(wire, half)) progress = true;
    }
  }
  if (progress || !has_more) return progress;
  for (const auto& wire : wires_) {
    for (Wire::Half& half : wire->halves) progress = deliver(*wire, half) || progress;
  }
  return progress;
}

void World::settle() {
  for (int steps = 0; step(); ++steps) {
    if (steps > 1'000'000) {
      ADD_FAILURE() << "the machines do not come to rest";
      return;
    }
  }
}

bool World::fire_timers() {
  bool fired = false;
  for (const auto& node : nodes) {
    const auto at = node->machine->next_timeout();
    if (!node->is_up || !at || *at > now) continue;
    node->machine->handle_timeout(now);
    fired = true;
  }
  return fired;
}

void World::run_for(base::Duration duration) {
  const base::Instant until = now + duration;
  int at_one_instant = 0;
  for (;;) {
    settle();
    base::Instant next = until;
    for (const auto& node : nodes) {
      if (const auto at = node->machine->next_timeout(); node->is_up && at) next = std::min(next, *at);
    }
    at_one_instant = next > now ? 0 : at_one_instant + 1;
    if (at_one_instant > 1000) {
      ADD_FAILURE() << "a timer rings again and again at one instant";
      return;
    }
    now = std::max(now, next);
    if (!fire_timers() && now >= until) return;
  }
}

bool World::run_until(const std::function<bool()>& done, base::Duration at_most) {
  const base::Instant end = now + at_most;
  settle();
  while (!done()) {
    if (now >= end) return false;
    run_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace kaido::daemon
