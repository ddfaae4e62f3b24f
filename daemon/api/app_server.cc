#include "daemon/api/app_server.h"

#include <utility>

#include "proto/base/check.h"

namespace kaido::daemon {
namespace {

void add(ConnectionStats& sum, const ConnectionStats& stats) {
  sum.frames_in += stats.frames_in;
  sum.frames_out += stats.frames_out;
  sum.bytes_in += stats.bytes_in;
  sum.bytes_out += stats.bytes_out;
}

}  // namespace

/// One app: its connection, its session, and the words between them.
class AppServer::Link final : public ConnectionHandler, public AppSessionActions {
 public:
  Link(AppServer& server, std::uint32_t session, std::unique_ptr<Connection> connection)
      : server_(server),
        session_id_(session),
        connection_(std::move(connection)),
        session_(server.options_.session, session, *this, server.loop_.now()) {}

  void start() { connection_->start(*this); }

  AppSession& session() { return session_; }
  Connection& connection() { return *connection_; }

  // --- ConnectionHandler ---
  void on_frame(Connection& /*connection*/, const wire::FrameView& frame) override {
    const bool was_ready = session_.is_ready();
    session_.handle_frame(server_.loop_.now(), frame);
    if (!was_ready && session_.is_ready()) [[unlikely]]
      welcomed();
  }

  void on_drained(Connection& /*connection*/) override { connection_->resume_reading(); }

  void on_closed(Connection& /*connection*/, const base::Status& reason) override {
    if (absl::IsInvalidArgument(reason)) ++server_.counters_.bad_frames;
    if (!welcomed_) {
      ++server_.counters_.refused_handshake;
    } else if (absl::IsResourceExhausted(reason)) {
      ++server_.counters_.closed_stalled;
    } else if (absl::IsInvalidArgument(reason)) {
      ++server_.counters_.closed_violation;
    }
    if (welcomed_ || !reason.ok()) {
      const std::string why = reason.ok() ? "goodbye" : std::string(reason.message());
      server_.log_.info("app disconnected", {"app", session_.app_name()}, {"session", session_id_}, {"reason", why});
    }
    leave();
    server_.release(session_id_);  // destroys this
  }

  // --- AppSessionActions ---
  void send(const wire::FrameHeader& header, std::span<const std::byte> metadata, Payload payload) override {
    if (!connection_->send(header, metadata, payload)) return;
    // An app that does not read its results is not read either, until it does.
    if (connection_->is_congested()) connection_->pause_reading();
  }
  void close(base::Status reason) override {
    leave();
    connection_->close(std::move(reason));
  }
  base::Status offer(std::vector<FunctionInfo> functions, std::uint32_t slots) override {
    server_.log_.info("functions offered", {"app", session_.app_name()}, {"session", session_id_},
                      {"functions", functions.size()}, {"slots", slots});
    return server_.handler_.offer(session_id_, functions, slots);
  }
  PlacementRef prepare(PlacementSpec spec) override { return server_.handler_.prepare(std::move(spec)); }
  bool submit(const AppCall& call) override {
    return server_.handler_.submit({session_id_, call.call_id, call.placement, call.budget, call.trace, call.payload});
  }
  void cancel(std::uint64_t call_id) override { server_.handler_.cancel_call(session_id_, call_id); }
  bool worker_result(std::uint64_t call, wire::Outcome outcome, const TaskError* error, Payload payload) override {
    return server_.handler_.worker_result(session_id_, call, outcome, error, payload);
  }

 private:
  void welcomed() {
    welcomed_ = true;
    ++server_.counters_.accepted;
    const PeerIdentity identity = connection_->identity();
    server_.log_.info("app connected", {"app", session_.app_name()}, {"session", session_id_},
                      {"pid", identity.credentials ? identity.credentials->pid : 0},
                      {"uid", identity.credentials ? identity.credentials->uid : 0});
  }

  /// The node forgets the app at once, though its connection may linger to take the goodbye.
  void leave() {
    if (std::exchange(left_, true)) return;
    server_.handler_.session_closed(session_id_);
  }

  AppServer& server_;
  const std::uint32_t session_id_;
  std::unique_ptr<Connection> connection_;
  AppSession session_;
  bool welcomed_ = false;
  bool left_ = false;
};

AppServer::AppServer(Loop& loop, Transport& transport, AppServerOptions options, AppHandler& handler, Logger log)
    : loop_(loop),
      transport_(transport),
      options_(std::move(options)),
      handler_(handler),
      log_(std::move(log)),
      handshake_timer_(loop, [this] { expire_handshakes(); }) {}

AppServer::~AppServer() = default;

base::Status AppServer::start() {
  auto listener = transport_.listen(options_.address, options_.listen,
                                    [this](std::unique_ptr<Connection> connection) { accept(std::move(connection)); });
  if (!listener.ok()) return listener.status();
  listener_ = *std::move(listener);
  log_.info("listening for apps", {"address", listener_->address().to_string()});
  return absl::OkStatus();
}

void AppServer::accept(std::unique_ptr<Connection> connection) {
  if (free_slots_.empty()) {
    KAIDO_CHECK(slots_.size() < (1U << kSlotBits));  // the listener's connections_max is far below
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t index = free_slots_.back();
  free_slots_.pop_back();
  Slot& slot = slots_[index];
  const std::uint32_t session = static_cast<std::uint32_t>(slot.generation) << kSlotBits | index;
  slot.link = std::make_unique<Link>(*this, session, std::move(connection));
  ++live_;
  handshakes_.push_back(session);
  if (!handshake_timer_.expiry()) handshake_timer_.set(slot.link->session().next_timeout());
  slot.link->start();
}

void AppServer::expire_handshakes() {
  while (!handshakes_.empty()) {
    Link* const link = find(handshakes_.front());
    const auto deadline = link != nullptr ? link->session().next_timeout() : std::nullopt;
    if (deadline && *deadline > loop_.now()) return handshake_timer_.set(deadline);
    handshakes_.pop_front();
    if (deadline) link->session().handle_timeout(loop_.now());
  }
}

AppServer::Link* AppServer::find(std::uint32_t session) const {
  const std::uint32_t index = session & ((1U << kSlotBits) - 1);
  if (index >= slots_.size() || slots_[index].generation != session >> kSlotBits) return nullptr;
  return slots_[index].link.get();
}

void AppServer::release(std::uint32_t session) {
  const std::uint32_t index = session & ((1U << kSlotBits) - 1);
  Slot& slot = slots_[index];
  add(closed_traffic_, slot.link->connection().stats());
  counters_.calls_over_credit += slot.link->session().calls_over_credit();
  if (++slot.generation == kGenerations) slot.generation = 1;
  --live_;
  free_slots_.push_back(index);
  slot.link.reset();
}

void AppServer::close_all(const std::string& reason) {
  for (Slot& slot : slots_) {
    if (slot.link != nullptr) slot.link->session().close(absl::UnavailableError(reason), /*retry=*/true);
  }
}

void AppServer::deliver(std::uint32_t session, std::uint64_t call_id, wire::Outcome outcome, const TaskError* error,
                        Payload payload) {
  if (Link* const link = find(session)) link->session().deliver(call_id, outcome, error, payload);
}

void AppServer::dispatch(std::uint32_t session, std::uint32_t function_index, std::uint64_t call, std::uint32_t attempt,
                         base::Duration budget, const wire::TraceContext& trace, std::span<const std::byte> info,
                         Payload payload) {
  if (Link* const link = find(session)) {
    link->session().dispatch(function_index, call, attempt, budget, trace, info, payload);
  }
}

void AppServer::cancel_at_worker(std::uint32_t session, std::uint64_t call) {
  if (Link* const link = find(session)) link->session().cancel_at_worker(call);
}

std::vector<AppSummary> AppServer::apps() const {
  std::vector<AppSummary> apps;
  for (const Slot& slot : slots_) {
    if (slot.link == nullptr || !slot.link->session().is_ready()) continue;
    const PeerIdentity identity = slot.link->connection().identity();
    AppSummary app;
    app.session =
        static_cast<std::uint32_t>(slot.generation) << kSlotBits | static_cast<std::uint32_t>(&slot - slots_.data());
    app.name = slot.link->session().app_name();
    if (identity.credentials) {
      app.pid = identity.credentials->pid;
      app.uid = identity.credentials->uid;
    }
    app.calls_in_flight = slot.link->session().calls_in_flight();
    apps.push_back(std::move(app));
  }
  return apps;
}

std::string AppServer::app_name(std::uint32_t session) const {
  Link* const link = find(session);
  return link != nullptr ? link->session().app_name() : std::string();
}

AppServerCounters AppServer::counters() const {
  AppServerCounters counters = counters_;
  for (const Slot& slot : slots_) {
    if (slot.link != nullptr) counters.calls_over_credit += slot.link->session().calls_over_credit();
  }
  return counters;
}

ConnectionStats AppServer::traffic() const {
  ConnectionStats sum = closed_traffic_;
  for (const Slot& slot : slots_) {
    if (slot.link != nullptr) add(sum, slot.link->connection().stats());
  }
  return sum;
}

std::size_t AppServer::queued_bytes() const {
  std::size_t bytes = 0;
  for (const Slot& slot : slots_) {
    if (slot.link != nullptr) bytes += slot.link->connection().queued_bytes();
  }
  return bytes;
}

}  // namespace kaido::daemon
