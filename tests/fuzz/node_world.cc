#include "tests/fuzz/node_world.h"

#include <algorithm>
#include <utility>

#include "proto/base/check.h"
#include "proto/kaido/v1/local.pb.h"
#include "proto/wire/handshake.h"

namespace kaido::daemon::testing {
namespace {

template <class Connections>
auto find(Connections& connections, ConnectionId id) {
  return std::find_if(connections.begin(), connections.end(), [&](const auto& c) { return c.connection == id; });
}

// One of the answers that are due is given.
void settle(std::map<std::uint64_t, int>& due, std::uint64_t id) {
  const auto found = due.find(id);
  KAIDO_CHECK(found != due.end());
  if (--found->second == 0) due.erase(found);
}

}  // namespace

NodeWorld::NodeWorld(NodeMachineOptions options) : machine_(std::move(options), now_) {
  machine_.start(now_, "node:0");
  pump();
}

// ---------------------------------------------------------------- events

NodeWorld::App* NodeWorld::open_app() {
  App& app = apps_.emplace_back();
  app.connection = machine_.app_opened(now_, {});
  return &app;
}

NodeWorld::Peer* NodeWorld::accept_peer() {
  const ConnectionId connection = machine_.peer_accepted(now_, "remote");
  if (connection == kNoConnection) return nullptr;
  Peer& peer = peers_.emplace_back();
  peer.connection = connection;
  return &peer;
}

NodeWorld::Peer* NodeWorld::answer_dial(bool has_failed) {
  if (dials_.empty()) return nullptr;
  const DialId dial = dials_.front();
  dials_.erase(dials_.begin());
  if (has_failed) {
    machine_.dial_failed(now_, dial, absl::UnavailableError("nobody listens there"));
    return nullptr;
  }
  const ConnectionId connection = machine_.peer_dialed(now_, dial, "remote");
  if (connection == kNoConnection) return nullptr;
  Peer& peer = peers_.emplace_back();
  peer.connection = connection;
  peer.is_dialed = true;
  return &peer;
}

// A shell reads nothing more of a connection that it was told to close, but may have read before it was told.
void NodeWorld::frame(ConnectionId to, const wire::FrameHeader& header, std::string_view metadata,
                      const Payload& payload) {
  wire::FrameView view(header, wire::as_span(metadata), payload);
  view.header.metadata_length = static_cast<std::uint32_t>(metadata.size());
  view.header.length = static_cast<std::uint32_t>(wire::kHeaderBytes + metadata.size() + payload.size());
  if (header.kind == wire::FrameKind::kCall) {
    if (const auto app = find(apps_, to); app != apps_.end()) ++app->calls[header.call_id];
  }
  machine_.frame(now_, to, view);
}

void NodeWorld::close(ConnectionId connection, const base::Status& reason) {
  forget(connection);
  std::erase(closing_, connection);
  machine_.closed(now_, connection, reason);
}

void NodeWorld::forget(ConnectionId connection) {
  std::erase_if(apps_, [&](const App& app) { return app.connection == connection; });
  std::erase_if(peers_, [&](const Peer& peer) { return peer.connection == connection; });
}

void NodeWorld::advance(base::Duration time) {
  now_ += time;
  for (int turn = 0; machine_.next_timeout().value_or(now_ + base::Duration(1)) <= now_; ++turn) {
    KAIDO_CHECK(turn < kTurnMax);
    machine_.handle_timeout(now_);
  }
}

void NodeWorld::operator_call(const PlacementSpec& spec, base::Duration budget, const Payload& arguments) {
  const PlacementRef placement = machine_.prepare(spec);
  if (placement == nullptr) return;
  ++operator_calls_[next_operator_call_];
  machine_.call(now_, next_operator_call_++, placement, budget, arguments);
}

void NodeWorld::ping(NodeIndex node) {
  ++pings_[next_operator_call_];
  machine_.ping(now_, node, next_operator_call_++);
}

// ---------------------------------------------------------------- batches

void NodeWorld::pump() {
  for (int turn = 0; machine_.has_ready(); ++turn) {
    KAIDO_CHECK(turn < kTurnMax);
    act(machine_.ready());
    machine_.advance();
    for (const ConnectionId connection : std::exchange(closing_, {})) {
      machine_.closed(now_, connection, absl::OkStatus());
    }
  }
}

void NodeWorld::act(const Ready& ready) {
  for (const FrameOut& frame : ready.frames) {
    const auto metadata = ready.metadata(frame);
    if (const auto app = find(apps_, frame.connection); app != apps_.end()) {
      app_frame(*app, frame, metadata);
    } else if (const auto peer = find(peers_, frame.connection); peer != peers_.end()) {
      peer_frame(*peer, frame);
    } else {
      // Said before the machine knew that the connection ended; never after it was told to close.
      KAIDO_CHECK(!told_to_close_.contains(frame.connection.value));
    }
  }
  for (const Command& command : ready.commands) act(command);
}

void NodeWorld::app_frame(App& app, const FrameOut& frame, std::span<const std::byte> metadata) {
  switch (frame.header.kind) {
    case wire::FrameKind::kWelcome: {
      v1::Welcome welcome;
      KAIDO_CHECK(welcome.ParseFromArray(metadata.data(), static_cast<int>(metadata.size())));
      app.takes_results_again = (welcome.features() & wire::kFeatureResultsFollow) != 0;
      KAIDO_CHECK(!std::exchange(app.is_welcome, true));
      return;
    }
    case wire::FrameKind::kResult:
      if (!wire::travels_in_chunks(frame.payload)) return settle(app.calls, frame.header.call_id);
      return app_stream(app, frame);
    case wire::FrameKind::kCall:
      app.dispatched.push_back(frame.header.call_id);
      return;
    default:
      return;
  }
}

// A large result: one in three loses its sender, and one in eight is not taken. Then another one is due.
void NodeWorld::app_stream(App& app, const FrameOut& result) {
  wire::StreamEnd end = wire::StreamEnd::kPassedOn;
  if (result.header.call_id % 3 == 0) end = wire::StreamEnd::kFailed;
  if (result.header.call_id % 8 == 1) end = wire::StreamEnd::kStalled;
  const bool is_followed = end != wire::StreamEnd::kPassedOn && app.takes_results_again;
  if (!is_followed) settle(app.calls, result.header.call_id);
  machine_.stream_ended(now_, result.connection, result.header, end,
                        end == wire::StreamEnd::kFailed ? wire::BodyFailure::kAborted : wire::BodyFailure::kNone);
}

void NodeWorld::peer_frame(Peer& peer, const FrameOut& frame) {
  if (frame.header.kind == wire::FrameKind::kCall)
    peer.attempts.push_back({frame.header.call_id, frame.header.attempt()});
  if (frame.header.kind == wire::FrameKind::kPing) peer.last_ping = frame.header.call_id;
}

void NodeWorld::act(const Command& command) {
  switch (command.kind) {
    case Command::Kind::kFinish:
      if (command.connection.value % 2 == 0) return;  // something large is still under way on it
      [[fallthrough]];
    case Command::Kind::kClose:
      if (find(apps_, command.connection) == apps_.end() && find(peers_, command.connection) == peers_.end()) return;
      forget(command.connection);
      closing_.push_back(command.connection);
      told_to_close_.insert(command.connection.value);
      return;
    case Command::Kind::kDial:
      dials_.push_back(command.dial);
      return;
    case Command::Kind::kAbandonDial:
      std::erase(dials_, command.dial);
      return;
    case Command::Kind::kAnswer:
      return settle(operator_calls_, command.call);
    case Command::Kind::kPong:
      return settle(pings_, command.call);
    default:
      return;
  }
}

// ---------------------------------------------------------------- the end

// Drained now, every caller learns how his call ended; whoever is cut off before that learns nothing, and costs
// nothing.
void NodeWorld::end(bool drains_first) {
  pump();
  if (drains_first) {
    machine_.drain(now_, now_, "the end");
    pump();
    for (const App& app : apps_) KAIDO_CHECK(!app.is_welcome || app.calls.empty());
    KAIDO_CHECK(operator_calls_.empty());
    KAIDO_CHECK(machine_.tasks().ledger().task_count() == 0);
    machine_.say_goodbye(now_, "the end");
    pump();
    KAIDO_CHECK(apps_.empty() && peers_.empty());
  }
  while (!apps_.empty()) close(apps_.back().connection, absl::UnavailableError("cut"));
  while (!peers_.empty()) close(peers_.back().connection, absl::UnavailableError("cut"));
  pump();
  // No node is there, and whoever waits for one has waited long enough.
  for (int tries = 0; !dials_.empty() && tries < kTurnMax; ++tries) {
    static_cast<void>(answer_dial(/*has_failed=*/true));
    pump();
  }
  for (std::uint64_t call = 1; call < next_operator_call_; ++call) cancel_operator_call(call);
  // By a clock that is never late: who was away himself waits for longer.
  const base::Instant over = now_ + std::chrono::hours(2);
  for (auto next = machine_.next_timeout(); next && *next <= over; next = machine_.next_timeout()) {
    advance(std::max(*next - now_, base::Duration(0)));
    pump();
  }
  check_idle();
}

void NodeWorld::check_idle() const {
  const Ledger& ledger = machine_.tasks().ledger();
  const Executor& executor = machine_.tasks().executor();
  KAIDO_CHECK(operator_calls_.empty() && pings_.empty());
  KAIDO_CHECK(machine_.is_idle());
  KAIDO_CHECK(ledger.task_count() == 0 && ledger.waiting_count() == 0 && ledger.kept_bytes() == 0);
  KAIDO_CHECK(executor.queued_count() == 0 && executor.queued_bytes() == 0);
  KAIDO_CHECK(executor.load().busy == 0 && executor.load().slots == 0);
  KAIDO_CHECK(machine_.apps().count() == 0 && machine_.peers().connected_count() == 0);
  for (const NodeView& node : machine_.tasks().view().nodes()) {
    KAIDO_CHECK(machine_.tasks().chooser().loads().in_flight(node.index) == 0);
    KAIDO_CHECK(node.index == kSelf || !node.alive);
  }
}

}  // namespace kaido::daemon::testing
