/// Test support: both sides of a connection between nodes, and what each was told.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/core/session/peer_session.h"

namespace kaido::daemon {

using namespace std::chrono_literals;

inline Payload payload(std::string_view text) { return Payload::copy_of(wire::as_span(text)); }
inline std::string text(const Payload& payload) { return std::string(wire::as_text(payload.bytes())); }

/// One side: its session, the frames that wait for the other side, and what it was told.
class Side final : public PeerSessionActions {
 public:
  Side(std::string name, std::uint8_t id, PeerSession::Role role) {
    options.node_name = std::move(name);
    options.node_id.bytes[0] = id;
    options.life = {base::Epoch{id}, id * 1000U};
    session = std::make_unique<PeerSession>(options, role, *this, base::Instant{});
  }

  void send(const wire::FrameHeader& header, std::span<const std::byte> metadata, Payload&& payload) override {
    out.push_back({header, std::string(wire::as_text(metadata)), text(payload)});
  }
  void close(base::Status reason, bool said_goodbye) override {
    closed = std::move(reason);
    heard_goodbye = said_goodbye;
  }
  void twin_reported(PeerTwin twin) override { events.push_back("twin " + twin.name + " at " + twin.address); }
  void finish() override {
    EXPECT_TRUE(session->is_retired());
    EXPECT_EQ(session->state(), PeerState::kDraining);
    closed = absl::OkStatus();  // nothing large is under way here
  }
  base::Status greeted(const PeerGreeting& peer) override {
    events.push_back("greeted by " + peer.name);
    return greeting_answer;
  }
  void committed(const PeerGreeting& peer) override {
    events.push_back(peer.name + " committed");
    if (!commitment_answer.ok()) return session->close(commitment_answer);
    session->agree();
  }
  void established(const PeerGreeting& peer) override {
    events.push_back("established with " + peer.name);
    if (!introduces_itself) return;
    EXPECT_TRUE(session->send_node_info(info()));
  }
  base::Status node_info(NodeInfo info) override {
    events.push_back("info of " + info.name);
    return info_answer;
  }
  void introduced() override { events.push_back("introduced"); }
  bool may_retire() override { return has_another_link; }
  base::Status node_info_delta(NodeInfoDelta delta) override {
    events.push_back("delta " + std::to_string(delta.base_version) + " to " + std::to_string(delta.version));
    return info_answer;
  }
  void node_info_wanted() override { events.push_back("node info wanted"); }
  void announcement_refused(const base::Status& why) override {
    events.push_back("refused " + std::string(why.message()));
  }
  void load(wire::Load load) override {
    events.push_back("load " + std::to_string(load.busy) + "/" + std::to_string(load.slots));
  }
  void round_trip(base::Duration time) override { events.push_back("round trip " + std::to_string(time / 1us)); }
  PlacementRef prepare(PlacementSpec spec) override {
    if (refuse_placements) return nullptr;
    events.push_back("prepared " + spec.function_name);
    return std::make_shared<PreparedPlacement>(std::move(spec), 0, 1);
  }
  void call(PeerAttempt&& attempt) override {
    events.push_back("call " + named(attempt.sequence, attempt.attempt) + " " +
                     attempt.placement->spec().function_name + " " + text(attempt.payload));
  }
  void cancel(std::uint64_t sequence, std::uint32_t attempt) override {
    events.push_back("cancel " + named(sequence, attempt));
  }
  void answer(PeerResult&& result) override { session->send_result(std::move(result), {}); }
  void hand_back(PeerRedirect redirect) override { session->send_redirect(std::move(redirect), {}); }
  void inquired(std::uint64_t sequence, std::uint32_t attempt) override {
    events.push_back("inquired " + named(sequence, attempt));
  }
  void queued(std::uint64_t sequence, std::uint32_t attempt) override {
    events.push_back("queued " + named(sequence, attempt));
  }
  void started(std::uint64_t sequence, std::uint32_t attempt) override {
    events.push_back("started " + named(sequence, attempt));
  }
  void result(PeerResult&& result) override {
    events.push_back("result " + named(result.sequence, result.attempt) + " " +
                     std::string(wire::name(result.result.outcome)) + " " +
                     (result.result.error != nullptr ? result.result.error->message : text(result.result.payload)));
  }
  void redirected(PeerRedirect answer) override {
    const TaskRedirect& redirect = answer.redirect;
    events.push_back("redirect " + named(answer.sequence, answer.attempt) + " " + std::string(name(redirect.reason)) +
                     " " + std::to_string(redirect.retry_after / 1ms) + " " + text(redirect.payload));
  }

  [[nodiscard]] NodeInfo info() const {
    NodeInfo info;
    info.id = options.node_id;
    info.life = options.life;
    info.name = options.node_name;
    return info;
  }
  static std::string named(std::uint64_t sequence, std::uint32_t attempt) {
    return std::to_string(sequence) + "." + std::to_string(attempt);
  }

  struct Frame {
    wire::FrameHeader header;
    std::string metadata;
    std::string payload;
  };
  PeerSessionOptions options;
  std::unique_ptr<PeerSession> session;
  std::vector<Frame> out;
  std::vector<std::string> events;
  std::optional<base::Status> closed;
  base::Status greeting_answer;
  base::Status commitment_answer;
  base::Status info_answer;
  bool refuse_placements = false;
  bool introduces_itself = true;
  bool has_another_link = false;
  bool heard_goodbye = false;
};

using Events = std::vector<std::string>;

class PeerSessionTest : public testing::Test {
 protected:
  void deliver(Side& from, Side& to) {
    for (const Side::Frame& frame : std::exchange(from.out, {})) {
      to.session->handle_frame(
          now, {frame.header, wire::as_span(frame.metadata), wire::Payload::copy_of(wire::as_span(frame.payload))});
    }
  }
  void exchange(Side& one, Side& other) {
    while (!one.out.empty() || !other.out.empty()) {
      deliver(one, other);
      deliver(other, one);
    }
  }
  void exchange() { exchange(a, b); }
  void establish(Side& dialer, Side& acceptor) {
    dialer.session->start();
    acceptor.session->start();
    exchange(dialer, acceptor);
    ASSERT_TRUE(dialer.session->is_established());
    ASSERT_TRUE(acceptor.session->is_established());
    dialer.events.clear();
    acceptor.events.clear();
  }
  void establish() { establish(a, b); }
  PlacementRef placement(std::uint32_t index = 0, std::uint64_t serial = 1, const std::string& function = "f") {
    PlacementSpec spec;
    spec.function_name = function;
    return std::make_shared<PreparedPlacement>(spec, index, serial);
  }

  base::Instant now{};
  Side a{"a", 1, PeerSession::Role::kDialer};
  Side b{"b", 2, PeerSession::Role::kAcceptor};
};

}  // namespace kaido::daemon
