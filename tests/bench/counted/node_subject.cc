// The node of today: sessions around Execution, joined as daemon/node/wiring.h joins the rooms, without their sockets.
#include "tests/bench/counted/node_subject.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/session/app_session.h"
#include "daemon/core/session/call_info.h"
#include "daemon/core/session/peer_session.h"
#include "daemon/execution/execution.h"
#include "daemon/execution/ports.h"
#include "daemon/runtime/loop.h"
#include "proto/wire/frame_reader.h"
#include "proto/wire/frame_writer.h"

namespace kaido::bench {
namespace {

using daemon::Payload;

/// A connection without a socket: what net's Connection does between its read and its write.
class Link {
 public:
  virtual ~Link() = default;

  void receive(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const auto space = reader_.writable();
      const std::size_t count = std::min(space.size(), bytes.size());
      std::memcpy(space.data(), bytes.data(), count);
      reader_.commit(count);
      bytes = bytes.subspan(count);
      while (auto frame = reader_.next()) handle(*frame);
      if (reader_.failed()) throw std::runtime_error("the node refuses the bytes: " + reader_.error());
    }
  }

  [[nodiscard]] std::span<const std::byte> output() const { return writer_.pending(); }
  void written() { writer_.consume(writer_.pending_bytes()); }

 protected:
  virtual void handle(const wire::FrameView& frame) = 0;
  void write(const wire::FrameHeader& header, std::span<const std::byte> metadata, Payload payload) {
    writer_.append(header, metadata, payload);
  }
  [[noreturn]] static void closed(const base::Status& reason) {
    throw std::runtime_error("the node closes a connection: " + std::string(reason.message()));
  }

 private:
  wire::FrameReader reader_;
  wire::FrameWriter writer_;
};

/// As api's AppServer::Link.
class AppLink final : public Link, private daemon::AppSessionActions {
 public:
  AppLink(daemon::Execution& execution, const daemon::AppSessionOptions& options, std::uint32_t id, base::Instant now)
      : execution_(execution), id_(id), now_(now), session_(options, id, *this, now) {}

  daemon::AppSession& session() { return session_; }

 private:
  void handle(const wire::FrameView& frame) override { session_.handle_frame(now_, frame); }

  void send(const wire::FrameHeader& header, std::span<const std::byte> metadata, Payload payload) override {
    write(header, metadata, payload);
  }
  void close(base::Status reason) override { closed(reason); }
  base::Status offer(std::vector<daemon::FunctionInfo> functions, std::uint32_t slots) override {
    return execution_.offer(id_, functions, slots);
  }
  daemon::PlacementRef prepare(daemon::PlacementSpec spec) override { return execution_.prepare(std::move(spec)); }
  bool submit(const daemon::AppCall& call) override {
    return execution_.submit({id_, call.call_id, call.placement, call.budget, call.trace, call.payload});
  }
  void cancel(std::uint64_t call_id) override { execution_.cancel_call(id_, call_id); }
  bool worker_result(std::uint64_t call, wire::Outcome outcome, const daemon::TaskError* error,
                     Payload payload) override {
    return execution_.worker_result(id_, call, outcome, error, payload);
  }

  daemon::Execution& execution_;
  const std::uint32_t id_;
  const base::Instant now_;
  daemon::AppSession session_;
};

class ExecutionSubject;

/// As gossip's PeerMesh::Link.
class PeerLink final : public Link, private daemon::PeerSessionActions {
 public:
  PeerLink(ExecutionSubject& node, const daemon::PeerSessionOptions& options, daemon::PeerSession::Role role,
           base::Instant now)
      : node_(node), now_(now), session_(options, role, *this, now) {
    session_.start();
  }

  daemon::PeerSession& session() { return session_; }

 private:
  void handle(const wire::FrameView& frame) override { session_.handle_frame(now_, frame); }

  void send(const wire::FrameHeader& header, std::span<const std::byte> metadata, Payload payload) override {
    write(header, metadata, payload);
  }
  void close(base::Status reason) override { closed(reason); }
  base::Status greeted(const daemon::PeerGreeting&) override { return absl::OkStatus(); }
  base::Status committed(const daemon::PeerGreeting&) override { return absl::OkStatus(); }
  void established(const daemon::PeerGreeting& peer) override;
  void node_info(daemon::NodeInfo info) override;
  void load(wire::Load load) override;
  void round_trip(base::Duration) override {}
  daemon::PlacementRef prepare(daemon::PlacementSpec spec) override;
  void call(const daemon::PeerCall& call) override;
  void cancel(std::uint64_t, std::uint32_t) override {}
  void started(std::uint64_t sequence, std::uint32_t attempt) override;
  void result(std::uint64_t sequence, std::uint32_t attempt, wire::Outcome outcome, const daemon::TaskError* error,
              Payload payload) override;
  void redirected(std::uint64_t, std::uint32_t, daemon::RedirectReason reason, base::Duration, Payload) override {
    throw std::runtime_error("an attempt was handed back: " + std::string(daemon::name(reason)));
  }

  ExecutionSubject& node_;
  const base::Instant now_;
  daemon::PeerSession session_;
  daemon::NodeIndex index_ = daemon::kNoNode;
};

class ExecutionSubject final : public NodeSubject, private daemon::AppPort, private daemon::PeerPort {
 public:
  ExecutionSubject(daemon::Loop& loop, std::uint8_t number)
      : now_(loop.now()), info_(id_of(number), kEpoch), execution_(loop, execution_options(number), *this, *this) {
    app_options_.node_id = peer_options_.node_id = id_of(number);
    app_options_.node_name = peer_options_.node_name = execution_.self().name;
    app_options_.epoch = peer_options_.epoch = kEpoch;
  }

  ConnectionId open_app() override {
    apps_.push_back(std::make_unique<AppLink>(execution_, app_options_, next_id(), now_));
    links_.push_back({apps_.back().get(), apps_.back().get()});
    return next_id() - 1;
  }
  ConnectionId accept_peer() override { return open_peer(daemon::PeerSession::Role::kAcceptor); }
  ConnectionId dial_peer() override { return open_peer(daemon::PeerSession::Role::kDialer); }

  void receive(ConnectionId connection, std::span<const std::byte> bytes) override {
    links_[connection].link->receive(bytes);
  }
  void end_turn() override { execution_.on_turn_end(now_); }

  std::span<const std::byte> output(ConnectionId connection) const override {
    return links_[connection].link->output();
  }
  void written(ConnectionId connection) override { links_[connection].link->written(); }

  daemon::Execution& execution() { return execution_; }

  /// Attempts can be sent to the node from here on.
  void reached(daemon::NodeIndex index, PeerLink& link) {
    if (peers_by_index_.size() <= index.value) peers_by_index_.resize(index.value + std::size_t{1});
    peers_by_index_[index.value] = &link;
    execution_.cluster_changed();
  }

 private:
  struct Opened {
    Link* link = nullptr;
    AppLink* app = nullptr;  // Null for a peer.
  };
  static constexpr base::Epoch kEpoch{7};

  static base::NodeId id_of(std::uint8_t number) {
    base::NodeId id;
    id.bytes[15] = number;
    return id;
  }

  static daemon::ExecutionOptions execution_options(std::uint8_t number) {
    daemon::ExecutionOptions options;
    options.self.id = id_of(number);
    options.self.name = "node-" + std::to_string(number);
    options.self.epoch = kEpoch;
    options.seed = number;
    return options;
  }

  [[nodiscard]] ConnectionId next_id() const { return static_cast<ConnectionId>(links_.size()); }
  ConnectionId open_peer(daemon::PeerSession::Role role) {
    peers_.push_back(std::make_unique<PeerLink>(*this, peer_options_, role, now_));
    links_.push_back({peers_.back().get(), nullptr});
    return next_id() - 1;
  }
  [[nodiscard]] daemon::PeerSession& peer(daemon::NodeIndex index) { return peers_by_index_[index.value]->session(); }

  // --- AppPort ---
  void deliver(std::uint32_t session, std::uint64_t call_id, wire::Outcome outcome, const daemon::TaskError* error,
               Payload payload) override {
    links_[session].app->session().deliver(call_id, outcome, error, payload);
  }
  void dispatch(std::uint32_t session, std::uint32_t function_index, std::uint64_t call, const daemon::AttemptKey& key,
                const base::NodeId&, base::Duration budget, const wire::TraceContext& trace, Payload payload) override {
    links_[session].app->session().dispatch(function_index, call, key.attempt, budget, trace,
                                            info_.for_task(key.sequence), payload);
  }
  void cancel_at_worker(std::uint32_t session, std::uint64_t call) override {
    links_[session].app->session().cancel_at_worker(call);
  }

  // --- PeerPort ---
  bool send_attempt(daemon::NodeIndex node, const daemon::PreparedPlacement& placement, std::uint64_t sequence,
                    std::uint32_t attempt, base::Duration budget, const wire::TraceContext& trace,
                    Payload payload) override {
    return peer(node).send_attempt(placement, sequence, attempt, budget, trace, payload);
  }
  void send_cancel(daemon::NodeIndex node, std::uint64_t sequence, std::uint32_t attempt) override {
    peer(node).send_cancel(sequence, attempt);
  }
  void reply_started(const daemon::AttemptKey& key, wire::Load load) override {
    peer(key.origin).send_started(key.sequence, key.attempt, load);
  }
  void reply_result(const daemon::AttemptKey& key, wire::Outcome outcome, const daemon::TaskError* error,
                    Payload payload, wire::Load load) override {
    peer(key.origin).send_result(key.sequence, key.attempt, outcome, error, payload, load);
  }
  void reply_redirect(const daemon::AttemptKey& key, daemon::RedirectReason reason, base::Duration retry_after,
                      Payload payload, wire::Load load) override {
    peer(key.origin).send_redirect(key.sequence, key.attempt, reason, retry_after, payload, load);
  }
  void announce(const daemon::NodeInfo& self) override {
    for (const auto& link : peers_) link->session().send_node_info(self);
  }

  const base::Instant now_;
  daemon::AppSessionOptions app_options_;
  daemon::PeerSessionOptions peer_options_;
  daemon::CallInfo info_;
  daemon::Execution execution_;
  std::vector<std::unique_ptr<AppLink>> apps_;
  std::vector<std::unique_ptr<PeerLink>> peers_;
  std::vector<Opened> links_;  // By ConnectionId, which is an app's session id, too.
  std::vector<PeerLink*> peers_by_index_;
};

void PeerLink::established(const daemon::PeerGreeting&) { session_.send_node_info(node_.execution().self()); }

void PeerLink::node_info(daemon::NodeInfo info) {
  index_ = node_.execution().node_seen(std::move(info));
  if (index_ == daemon::kNoNode) throw std::runtime_error("the node refuses what its peer says of itself");
  node_.reached(index_, *this);
}

void PeerLink::load(wire::Load load) { node_.execution().load_reported(index_, load); }

daemon::PlacementRef PeerLink::prepare(daemon::PlacementSpec spec) {
  return node_.execution().prepare(std::move(spec));
}

void PeerLink::call(const daemon::PeerCall& call) {
  daemon::AdmitRequest request;
  request.key = {index_, call.attempt, session_.peer()->epoch, call.sequence};
  request.placement = call.placement.get();
  request.budget = call.budget;
  request.trace = call.trace;
  request.payload = call.payload;
  request.report_start = true;
  node_.execution().admit(request);
}

void PeerLink::started(std::uint64_t sequence, std::uint32_t attempt) {
  node_.execution().attempt_started({index_, session_.peer()->epoch, sequence, attempt});
}

void PeerLink::result(std::uint64_t sequence, std::uint32_t attempt, wire::Outcome outcome,
                      const daemon::TaskError* error, Payload payload) {
  node_.execution().attempt_result({index_, session_.peer()->epoch, sequence, attempt}, outcome, error, payload);
}

class ExecutionFactory final : public NodeFactory {
 public:
  explicit ExecutionFactory(daemon::Loop& loop) : loop_(loop) {}
  std::unique_ptr<NodeSubject> make(std::uint8_t number) override {
    return std::make_unique<ExecutionSubject>(loop_, number);
  }

 private:
  daemon::Loop& loop_;
};

}  // namespace

// Everything happens within one of the loop's turns, so that its clock is read once, as in a node.
void with_nodes(const std::function<void(NodeFactory&)>& harness) {
  daemon::Loop loop;
  ExecutionFactory factory(loop);
  bool done = false;
  loop.post([&] {
    harness(factory);
    done = true;
  });
  loop.run_until([&] { return done; }, std::chrono::hours(1));
}

}  // namespace kaido::bench
