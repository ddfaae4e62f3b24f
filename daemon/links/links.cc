#include "daemon/links/links.h"

#include <array>
#include <deque>
#include <utility>

#include "daemon/core/view/memory_owner.h"
#include "daemon/links/advertised_address.h"
#include "daemon/telemetry/on_behalf_of.h"
#include "proto/kaido/v1/node.pb.h"
#include "proto/wire/frame_writer.h"

namespace kaido::daemon {
namespace {

/// What an app is told that there is no place for.
std::string farewell(std::size_t apps_max) {
  v1::Goodbye goodbye;
  goodbye.set_reason("this node has " + std::to_string(apps_max) +
                     " apps, as many as it takes (limits.max_apps); try again later");
  goodbye.set_retry(true);
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kGoodbye;
  wire::FrameWriter frame;
  frame.append(header, wire::as_span(goodbye.SerializeAsString()));
  return std::string(wire::as_text(frame.pending()));
}

}  // namespace

/// One connection: tells the machine what happens on it.
class Links::Link final : public ConnectionHandler {
 public:
  Link(Links& links, ConnectionId id, std::unique_ptr<Connection> connection)
      : links_(links), id_(id), connection_(std::move(connection)) {}

  void start() { connection_->start(*this); }

  // --- ConnectionHandler ---
  void on_frame(Connection&, const wire::FrameView& frame) override {
    const OnBehalfOf sender(connection_->remote());
    links_.machine_.frame(links_.loop_.now(), id_, frame);
  }
  void on_drained(Connection&) override {
    send_waiting();
    if (connection_->is_congested()) return;
    told_ = false;
    links_.machine_.drained(links_.loop_.now(), id_);
  }
  void on_malformed(Connection&, const base::Status& reason) override {
    links_.machine_.malformed(links_.loop_.now(), id_, reason);
    // The goodbye goes out before the connection ends. What else this turn brings, deliveries that were lost among it,
    // is not judged yet.
    while (links_.machine_.has_batch()) links_.act_on_batch();
  }
  void on_stream_end(Connection&, const wire::FrameHeader& announced, wire::StreamEnd end,
                     wire::BodyFailure failure) override {
    links_.machine_.stream_ended(links_.loop_.now(), id_, announced, end, failure);
  }
  void on_closed(Connection&, const base::Status& reason) override { links_.remove(id_, reason); }

  void send(const FrameOut& frame, std::span<const std::byte> metadata) {
    // "Nothing more comes here" comes after what waits.
    if (frame.header.kind == wire::FrameKind::kGoodbye && !waiting_.empty()) return wait(frame, metadata);
    switch (connection_->send(frame.header, metadata, frame.payload)) {
      case wire::SendResult::kTaken:
        return tell_congested();
      case wire::SendResult::kNotOpen:
        return links_.machine_.unsent(links_.loop_.now(), frame, Unsent::kEnded);
      case wire::SendResult::kTooManyStreams:
        if (is_answer(frame)) return wait(frame, metadata);
        [[fallthrough]];
      case wire::SendResult::kFull:
        tell_congested();
        return links_.machine_.unsent(links_.loop_.now(), frame, Unsent::kFull);
      case wire::SendResult::kTooLarge:
        return links_.machine_.unsent(links_.loop_.now(), frame, Unsent::kTooLarge);
      case wire::SendResult::kNoMemory:
        tell_congested();
        return links_.machine_.unsent(links_.loop_.now(), frame, Unsent::kNoMemory);
      case wire::SendResult::kUnsendable:
        return links_.machine_.unsent(links_.loop_.now(), frame, Unsent::kUnsendable);
    }
  }

  /// Bytes may have come that complete no frame yet.
  void tell_heard() {
    if (connection_->last_received() <= heard_) return;
    heard_ = connection_->last_received();
    links_.machine_.heard(links_.loop_.now(), id_);
  }

  /// A goodbye that waits behind answers goes now or never.
  void close(const base::Status& reason) {
    for (const Answer& waiting : waiting_) {
      if (waiting.header.kind == wire::FrameKind::kGoodbye) {
        static_cast<void>(connection_->send(waiting.header, waiting.metadata.bytes(), waiting.payload));
      }
    }
    connection_->close(reason);
  }
  /// Ends the connection as soon as nothing is under way on it. False: not yet.
  bool finish() {
    if (has_streams() || connection_->streams_in() != 0) return false;
    connection_->close(absl::OkStatus());
    return true;
  }

  [[nodiscard]] bool has_streams() const { return connection_->streams_out() != 0 || !waiting_.empty(); }
  [[nodiscard]] ConnectionId id() const { return id_; }
  [[nodiscard]] Connection& connection() { return *connection_; }

 private:
  void tell_congested() {
    if (connection_->is_congested() && !std::exchange(told_, true)) {
      links_.machine_.congested(links_.loop_.now(), id_);
    }
  }
  void wait(const FrameOut& frame, std::span<const std::byte> metadata) {
    waiting_.push_back({frame.header, wire::Payload::copy_of(metadata), frame.payload});
  }

  struct Answer {
    wire::FrameHeader header;
    wire::Payload metadata;
    wire::Payload payload;
  };

  void send_waiting() {
    // All that wait are large, but for a goodbye at their end: the first for which there is no stream ends the row.
    for (std::size_t count = waiting_.size(); count != 0; --count) {
      if (!connection_->takes_streams() && waiting_.front().header.kind != wire::FrameKind::kGoodbye) return;
      const Answer next = std::move(waiting_.front());
      waiting_.pop_front();
      FrameOut frame;
      frame.connection = id_;
      frame.header = next.header;
      frame.payload = next.payload;
      send(frame, next.metadata.bytes());
    }
  }

  Links& links_;
  const ConnectionId id_;
  std::unique_ptr<Connection> connection_;
  bool told_ = false;  ///< that it is congested
  /// Large answers for which the other side has no stream free: no more than it has calls here, each one chunk.
  std::deque<Answer> waiting_;
  base::Instant heard_;
};

Links::Links(Loop& loop, Transport& app_transport, Transport& peer_transport, LinksOptions options,
             NodeMachine& machine, Logger log)
    : loop_(loop),
      app_transport_(app_transport),
      peer_transport_(peer_transport),
      options_(std::move(options)),
      machine_(machine),
      log_(std::move(log)),
      timer_(loop, [this] { handle_timeout(); }) {
  for (ListenOptions* const listen : {&options_.app_listen, &options_.peer_listen}) {
    listen->connection.assemble = false;  // large payloads are passed on as they come
    listen->connection.budget = &window_;
    listen->connection.memory = &machine.memory();
  }
  options_.app_listen.connection.ends_if_nothing_is_taken = true;  // its own fault, whatever the reason
  options_.app_listen.farewell = farewell(options_.app_listen.connections_max);
  options_.app_listen.on_refused = [this] { refused_app(); };
  loop_.add_hook(*this);
}

Links::~Links() { loop_.remove_hook(*this); }

base::Status Links::start() {
  auto apps =
      app_transport_.listen(options_.app_address, options_.app_listen,
                            [this](std::unique_ptr<Connection> connection) { accept_app(std::move(connection)); });
  if (!apps.ok()) return apps.status();
  app_listener_ = *std::move(apps);
  log_.info("listening for apps", {"address", app_listener_->address().to_string()});
  std::string advertised;
  if (options_.peer_address) {
    auto peers =
        peer_transport_.listen(*options_.peer_address, options_.peer_listen,
                               [this](std::unique_ptr<Connection> connection) { accept_peer(std::move(connection)); });
    if (!peers.ok()) return peers.status();
    peer_listener_ = *std::move(peers);
    advertised = options_.advertise ? options_.advertise->to_string()
                                    : advertised_address(peer_listener_->address(), reachable_hosts());
    log_.info("listening for peers", {"address", peer_listener_->address().to_string()}, {"advertised", advertised});
  }
  machine_.start(loop_.now(), advertised);
  on_turn_end(loop_.now());
  return absl::OkStatus();
}

std::optional<Address> Links::peer_address() const {
  if (peer_listener_ == nullptr) return std::nullopt;
  return peer_listener_->address();
}

// ---------------------------------------------------------------- connections

// One line for a row of them: who is refused tries again.
void Links::refused_app() {
  if (std::exchange(refusals_told_, true)) return;
  log_.warn("an app was refused: there are as many as there may be", {"limit", "limits.max_apps"},
            {"max_apps", options_.app_listen.connections_max});
}

void Links::accept_app(std::unique_ptr<Connection> connection) {
  refusals_told_ = false;
  AppIdentity identity;
  if (const auto credentials = connection->identity().credentials) {
    identity = {credentials->pid, credentials->uid};
  }
  const ConnectionId id = machine_.app_opened(loop_.now(), identity);
  add(id, std::move(connection));
}

void Links::accept_peer(std::unique_ptr<Connection> connection) {
  const ConnectionId id = machine_.peer_accepted(loop_.now(), connection->remote());
  add(id, std::move(connection));
}

void Links::add(ConnectionId id, std::unique_ptr<Connection> connection) {
  if (id == kNoConnection) return;
  auto& links = (id.value & kHalfBit) != 0 ? peer_links_ : app_links_;
  const std::uint32_t slot = slot_of(id);
  if (slot >= links.size()) links.resize(slot + std::size_t{1});
  connection->set_memory_owner(memory_owner_of_connection(id.value));
  links[slot] = std::make_unique<Link>(*this, id, std::move(connection));
  links[slot]->start();
}

void Links::remove(ConnectionId id, const base::Status& reason) {
  const bool is_peer = (id.value & kHalfBit) != 0;
  std::unique_ptr<Link>& link = (is_peer ? peer_links_ : app_links_)[slot_of(id)];
  LinkTraffic& closed = is_peer ? closed_peers_ : closed_apps_;
  closed.bytes += link->connection().stats();
  closed.streams += link->connection().stream_stats();
  machine_.closed(loop_.now(), id, reason);
  link.reset();
}

Links::Link* Links::find_link(ConnectionId id) const {
  const auto& links = (id.value & kHalfBit) != 0 ? peer_links_ : app_links_;
  const std::uint32_t slot = slot_of(id);
  const bool is_there = slot < links.size() && links[slot] != nullptr && links[slot]->id() == id;
  return is_there ? links[slot].get() : nullptr;
}

Connection* Links::find(ConnectionId id) const {
  Link* const link = find_link(id);
  return link != nullptr ? &link->connection() : nullptr;
}

void Links::dial(DialId id, const std::string& text) {
  const auto address = Address::parse(text);
  if (!address.ok()) return machine_.dial_failed(loop_.now(), id, address.status());
  dials_[id.value] =
      peer_transport_.connect(*address, loop_.now() + options_.connect_timeout, options_.peer_listen.connection,
                              [this, id](auto connection) { dialed(id, std::move(connection)); });
}

void Links::dialed(DialId id, base::StatusOr<std::unique_ptr<Connection>> connection) {
  dials_.erase(id.value);
  if (!connection.ok()) return machine_.dial_failed(loop_.now(), id, connection.status());
  const ConnectionId made = machine_.peer_dialed(loop_.now(), id, (*connection)->remote());
  add(made, *std::move(connection));
}

// ---------------------------------------------------------------- batches

// Before the machine judges who is silent, it is told of those who are in the middle of a large frame.
void Links::handle_timeout() {
  if (loop_.now() - heard_told_ >= kHeardInterval) {
    heard_told_ = loop_.now();
    for (const auto* links : {&app_links_, &peer_links_}) {
      for (const auto& link : *links) {
        if (link != nullptr) link->tell_heard();
      }
    }
  }
  machine_.handle_timeout(loop_.now());
}

void Links::act_on_batch() {
  act_on(machine_.ready());
  machine_.advance();
}

void Links::on_turn_end(base::Instant now) {
  while (machine_.has_ready()) act_on_batch();
  std::erase_if(finishing_, [&](ConnectionId id) {
    Link* const link = find_link(id);
    return link == nullptr || link->finish();
  });
  static_cast<void>(now);
  timer_.set(machine_.next_timeout());
}

void Links::act_on(const Ready& ready) {
  for (const FrameOut& frame : ready.frames) {
    const auto& links = (frame.connection.value & kHalfBit) != 0 ? peer_links_ : app_links_;
    const std::uint32_t slot = slot_of(frame.connection);
    if (slot >= links.size() || links[slot] == nullptr || links[slot]->id() != frame.connection) continue;
    links[slot]->send(frame, ready.metadata(frame));
  }
  for (const Command& command : ready.commands) act_on(command);
  for (const LogEvent& event : ready.events) write(event);
}

void Links::act_on(const Command& command) {
  switch (command.kind) {
    case Command::Kind::kClose:
      if (Link* const link = find_link(command.connection)) link->close(command.status);
      return;
    case Command::Kind::kFinish:
      finishing_.push_back(command.connection);
      return;
    case Command::Kind::kPauseReading:
      if (Connection* const connection = find(command.connection)) connection->pause_reading();
      return;
    case Command::Kind::kResumeReading:
      if (Connection* const connection = find(command.connection)) connection->resume_reading();
      return;
    case Command::Kind::kPeerLimits:
      if (Connection* const connection = find(command.connection)) connection->set_peer_limits(command.bytes);
      return;
    case Command::Kind::kDial:
      return dial(command.dial, command.text);
    case Command::Kind::kAbandonDial:
      dials_.erase(command.dial.value);
      return;
    case Command::Kind::kStopListening:
      app_listener_.reset();
      peer_listener_.reset();
      return;
    case Command::Kind::kAnswer:
      if (on_answer_) on_answer_(command.call, command.result);
      return;
    case Command::Kind::kPong:
      if (!on_pong_) return;
      if (!command.status.ok()) return on_pong_(command.call, command.status);
      return on_pong_(command.call, command.duration);
  }
}

// The fields of an event are few; a line takes them by place.
void Links::write(const LogEvent& event) {
  const Logger log = log_.named(event.room);
  std::array<LogField, 8> fields;
  for (std::size_t i = 0; i < event.fields.size() && i < fields.size(); ++i) {
    fields[i] = LogField(event.fields[i].first, event.fields[i].second);
  }
  const auto line = [&](auto verb) {
    (log.*verb)(event.message, fields[0], fields[1], fields[2], fields[3], fields[4], fields[5], fields[6], fields[7]);
  };
  switch (event.level) {
    case LogEvent::Level::kInfo:
      return line(&Logger::info);
    case LogEvent::Level::kWarn:
      return line(&Logger::warn);
    case LogEvent::Level::kError:
      return line(&Logger::error);
  }
}

// ---------------------------------------------------------------- looking

LinkTraffic Links::traffic(bool of_peers, const LinkTraffic& closed, const Listener* listener) const {
  LinkTraffic sum = closed;
  for (const auto& link : of_peers ? peer_links_ : app_links_) {
    if (link == nullptr) continue;
    sum.bytes += link->connection().stats();
    sum.streams += link->connection().stream_stats();
    sum.queued_bytes += link->connection().queued_bytes();
  }
  if (listener != nullptr) sum.refused_by_limit = listener->stats().refused_limit;
  return sum;
}

LinkTraffic Links::app_traffic() const { return traffic(false, closed_apps_, app_listener_.get()); }
LinkTraffic Links::peer_traffic() const { return traffic(true, closed_peers_, peer_listener_.get()); }
bool Links::has_streams() const {
  for (const auto* links : {&app_links_, &peer_links_}) {
    for (const auto& link : *links) {
      if (link != nullptr && link->has_streams()) return true;
    }
  }
  return false;
}

std::size_t Links::unsent_bytes() const { return app_traffic().queued_bytes + peer_traffic().queued_bytes; }

}  // namespace kaido::daemon
