#include "daemon/core/session/peer_session.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace kaido::daemon {
namespace {

using namespace std::chrono_literals;

/// One side: its session, the frames that wait for the other side, and what it was told.
class Side final : public PeerSessionActions {
 public:
  Side(std::string name, std::uint8_t id, PeerSession::Role role) {
    options.node_name = std::move(name);
    options.node_id.bytes[0] = id;
    options.epoch = base::Epoch{id};
    session = std::make_unique<PeerSession>(options, role, *this, base::Instant{});
  }

  void send(const wire::FrameHeader& header, std::span<const std::byte> metadata, Payload payload) override {
    out.push_back({header, std::string(wire::as_text(metadata)), std::string(wire::as_text(payload))});
  }
  void close(base::Status reason) override { closed = std::move(reason); }
  base::Status greeted(const PeerGreeting& peer) override {
    events.push_back("greeted by " + peer.name);
    return greeting_answer;
  }
  base::Status committed(const PeerGreeting& peer) override {
    events.push_back(peer.name + " committed");
    return commitment_answer;
  }
  void established(const PeerGreeting& peer) override { events.push_back("established with " + peer.name); }
  void node_info(NodeInfo info) override { events.push_back("info of " + info.name); }
  void load(wire::Load load) override {
    events.push_back("load " + std::to_string(load.busy) + "/" + std::to_string(load.slots));
  }
  void round_trip(base::Duration time) override { events.push_back("round trip " + std::to_string(time / 1us)); }
  PlacementRef prepare(PlacementSpec spec) override {
    if (refuse_placements) return nullptr;
    events.push_back("prepared " + spec.function_name);
    return std::make_shared<PreparedPlacement>(std::move(spec), 0, 1);
  }
  void call(const PeerCall& call) override {
    events.push_back("call " + std::to_string(call.sequence) + "." + std::to_string(call.attempt) + " " +
                     call.placement->spec().function_name + " " + std::string(wire::as_text(call.payload)));
  }
  void cancel(std::uint64_t sequence, std::uint32_t attempt) override {
    events.push_back("cancel " + std::to_string(sequence) + "." + std::to_string(attempt));
  }
  void started(std::uint64_t sequence, std::uint32_t attempt) override {
    events.push_back("started " + std::to_string(sequence) + "." + std::to_string(attempt));
  }
  void result(std::uint64_t sequence, std::uint32_t attempt, wire::Outcome outcome, const TaskError* error,
              Payload payload) override {
    events.push_back("result " + std::to_string(sequence) + "." + std::to_string(attempt) + " " +
                     std::string(wire::name(outcome)) + " " +
                     (error != nullptr ? error->message : std::string(wire::as_text(payload))));
  }
  void redirected(std::uint64_t sequence, std::uint32_t attempt, RedirectReason reason, base::Duration retry_after,
                  Payload payload) override {
    events.push_back("redirect " + std::to_string(sequence) + "." + std::to_string(attempt) + " " +
                     std::string(name(reason)) + " " + std::to_string(retry_after / 1ms) + " " +
                     std::string(wire::as_text(payload)));
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
  bool refuse_placements = false;
};

class PeerSessionTest : public testing::Test {
 protected:
  void deliver(Side& from, Side& to) {
    for (const Side::Frame& frame : std::exchange(from.out, {})) {
      to.session->handle_frame(
          now, {frame.header, wire::as_span(frame.metadata), wire::Payload::copy_of(wire::as_span(frame.payload))});
    }
  }
  void exchange() {
    while (!a.out.empty() || !b.out.empty()) {
      deliver(a, b);
      deliver(b, a);
    }
  }
  void establish() {
    a.session->start();
    b.session->start();
    exchange();
    ASSERT_TRUE(a.session->is_established());
    ASSERT_TRUE(b.session->is_established());
    a.events.clear();
    b.events.clear();
  }
  PlacementRef placement(std::uint32_t index = 0, std::uint64_t serial = 1, const std::string& function = "f") {
    PlacementSpec spec;
    spec.function_name = function;
    return std::make_shared<PreparedPlacement>(spec, index, serial);
  }

  base::Instant now{};
  Side a{"a", 1, PeerSession::Role::kDialer};
  Side b{"b", 2, PeerSession::Role::kAcceptor};
};

using Events = std::vector<std::string>;

TEST_F(PeerSessionTest, TheDialerCommitsAndTheAcceptorAgrees) {
  a.session->start();
  b.session->start();
  deliver(a, b);
  EXPECT_EQ(b.events, Events{"greeted by a"});
  EXPECT_FALSE(b.session->is_established());
  deliver(b, a);
  EXPECT_TRUE(a.session->is_committed());
  deliver(a, b);
  EXPECT_EQ(b.events, (Events{"greeted by a", "a committed", "established with a"}));
  deliver(b, a);
  EXPECT_EQ(a.events, (Events{"greeted by b", "established with b"}));
}

TEST_F(PeerSessionTest, EitherSideCanRefuseWithAReason) {
  a.greeting_answer = absl::AlreadyExistsError("connected already");
  a.session->start();
  b.session->start();
  exchange();
  ASSERT_TRUE(a.closed && b.closed);
  EXPECT_NE(b.closed->message().find("connected already"), std::string::npos) << *b.closed;
}

TEST_F(PeerSessionTest, AnAcceptorCanRefuseTheCommitment) {
  b.commitment_answer = absl::AlreadyExistsError("mine is better");
  a.session->start();
  b.session->start();
  exchange();
  ASSERT_TRUE(a.closed && b.closed);
  EXPECT_NE(a.closed->message().find("mine is better"), std::string::npos) << *a.closed;
  EXPECT_FALSE(a.session->is_established());
}

TEST_F(PeerSessionTest, NoCommonVersionIsSaidByBoth) {
  b.options.versions = {2, 3};
  a.session->start();
  b.session->start();
  deliver(b, a);
  deliver(a, b);
  ASSERT_TRUE(a.closed && b.closed);
  EXPECT_NE(a.closed->message().find("upgrade this side"), std::string::npos);
  EXPECT_NE(b.closed->message().find("upgrade the other side"), std::string::npos);
}

TEST_F(PeerSessionTest, TheHandshakeMustComeInTime) {
  EXPECT_EQ(a.session->next_timeout(), now + 5s);
  a.session->handle_timeout(now + 5s);
  ASSERT_TRUE(a.closed);
  EXPECT_TRUE(absl::IsDeadlineExceeded(*a.closed));
}

TEST_F(PeerSessionTest, NothingButTheHandshakeComesDuringTheHandshake) {
  wire::FrameView frame;
  frame.header.kind = wire::FrameKind::kCall;
  b.session->handle_frame(now, frame);
  ASSERT_TRUE(b.closed);
  EXPECT_NE(b.closed->message().find("a call frame came during the handshake"), std::string::npos);
}

TEST_F(PeerSessionTest, AttemptsCarryTheirTemplateOnce) {
  establish();
  EXPECT_TRUE(a.session->send_attempt(*placement(), 10, 1, 5ms, {}, wire::as_span("x")));
  EXPECT_TRUE(a.session->send_attempt(*placement(), 11, 2, 5ms, {}, wire::as_span("y")));
  EXPECT_EQ(a.out.size(), 3U) << "one prepare, two calls";
  exchange();
  EXPECT_EQ(b.events, (Events{"prepared f", "call 10.1 f x", "call 11.2 f y"}));
}

TEST_F(PeerSessionTest, AReusedPlacementIndexIsPreparedAgain) {
  establish();
  EXPECT_TRUE(a.session->send_attempt(*placement(4, 1, "old"), 10, 1, 0ms, {}, {}));
  EXPECT_TRUE(a.session->send_attempt(*placement(4, 2, "new"), 11, 1, 0ms, {}, {}));
  exchange();
  EXPECT_EQ(b.events, (Events{"prepared old", "call 10.1 old ", "prepared new", "call 11.1 new "}));
}

TEST_F(PeerSessionTest, AnswersCarryTheLoad) {
  establish();
  b.session->send_started(10, 1, {3, 8});
  b.session->send_result(10, 1, wire::Outcome::kSucceeded, nullptr, wire::as_span("42"), {2, 8});
  TaskError error;
  error.message = "boom";
  b.session->send_result(11, 1, wire::Outcome::kPanicked, &error, {}, {1, 8});
  b.session->send_redirect(12, 1, RedirectReason::kQueueFull, 7ms, wire::as_span("arguments"), {9, 8});
  exchange();
  EXPECT_EQ(a.events, (Events{"load 3/8", "started 10.1", "load 2/8", "result 10.1 succeeded 42", "load 1/8",
                              "result 11.1 panicked boom", "load 9/8",
                              "redirect 12.1 " + std::string(name(RedirectReason::kQueueFull)) + " 7 arguments"}));
}

TEST_F(PeerSessionTest, ARefusedTemplateSendsItsCallsBackWhole) {
  establish();
  b.refuse_placements = true;
  EXPECT_TRUE(a.session->send_attempt(*placement(), 10, 1, 0ms, {}, wire::as_span("arguments")));
  exchange();
  ASSERT_EQ(a.events.size(), 1U);
  EXPECT_EQ(a.events[0], "redirect 10.1 " + std::string(name(RedirectReason::kQueueFull)) + " 0 arguments");
}

TEST_F(PeerSessionTest, WhatThePeerDoesNotTakeIsNotSent) {
  b.options.max_frame_bytes = 100;
  establish();
  EXPECT_FALSE(a.session->send_attempt(*placement(), 10, 1, 0ms, {}, wire::as_span(std::string(37, 'x'))));
  EXPECT_TRUE(a.session->send_attempt(*placement(), 10, 1, 0ms, {}, wire::as_span(std::string(36, 'x'))));
}

TEST_F(PeerSessionTest, AResultTooLargeForTheOriginBecomesAnErrorThatSaysSo) {
  a.options.max_frame_bytes = 100;
  establish();
  b.session->send_result(10, 1, wire::Outcome::kSucceeded, nullptr, wire::as_span(std::string(37, 'x')), {});
  exchange();
  ASSERT_EQ(a.events.size(), 1U);
  EXPECT_EQ(a.events[0].rfind("result 10.1 rejected the result of 37 bytes is larger than the origin takes (100)", 0),
            0U)
      << a.events[0];
}

TEST_F(PeerSessionTest, PingsMeasureTheRoundTripAndSilenceEndsTheConnection) {
  establish();
  now += 1s;
  a.session->handle_timeout(now);
  deliver(a, b);
  now += 250us;
  deliver(b, a);
  EXPECT_EQ(a.events, Events{"round trip 250"});
  const base::Instant heard = now;
  now = heard + 5s - 1ns;
  a.session->handle_timeout(now);
  EXPECT_FALSE(a.closed);
  now = heard + 5s;
  a.session->handle_timeout(now);
  ASSERT_TRUE(a.closed);
  EXPECT_TRUE(absl::IsDeadlineExceeded(*a.closed)) << *a.closed;
}

TEST_F(PeerSessionTest, NodeInfoMustSpeakOfWhoSaidHello) {
  establish();
  NodeInfo info;
  info.id = b.options.node_id;
  info.epoch = b.options.epoch;
  info.name = "b";
  b.session->send_node_info(info);
  exchange();
  EXPECT_EQ(a.events, Events{"info of b"});
  info.id = a.options.node_id;
  b.session->send_node_info(info);
  exchange();
  ASSERT_TRUE(a.closed);
  EXPECT_NE(a.closed->message().find("another node than hello"), std::string::npos);
}

TEST_F(PeerSessionTest, ProtocolViolationsEndTheConnectionWithAReason) {
  struct Case {
    wire::FrameKind kind;
    std::uint32_t template_or_status;
    const char* says;
  };
  for (const Case& c : {Case{wire::FrameKind::kCall, 1, "template 1, which was not prepared"},
                        Case{wire::FrameKind::kPrepare, 0, "template id 0 is out of range"},
                        Case{wire::FrameKind::kPrepare, 70000, "template id 70000 is out of range"},
                        Case{wire::FrameKind::kResult, 99, "unknown status 99"},
                        Case{wire::FrameKind::kRegister, 0, "a node does not take register frames"},
                        Case{static_cast<wire::FrameKind>(99), 0, "kind 99"}}) {
    Side x("x", 3, PeerSession::Role::kAcceptor);
    Side y("y", 4, PeerSession::Role::kDialer);
    x.session->start();
    y.session->start();
    deliver(x, y);
    deliver(y, x);
    deliver(x, y);
    ASSERT_TRUE(x.session->is_established());
    wire::FrameView frame;
    frame.header.kind = c.kind;
    frame.header.template_or_status = c.template_or_status;
    x.session->handle_frame(now, frame);
    ASSERT_TRUE(x.closed) << c.says;
    EXPECT_NE(x.closed->message().find(c.says), std::string::npos) << *x.closed;
    EXPECT_EQ(x.out.back().header.kind, wire::FrameKind::kGoodbye);
  }
}

TEST_F(PeerSessionTest, GoodbyeCarriesItsReasonAndNothingIsSentAfterIt) {
  establish();
  a.session->close(absl::UnavailableError("the node stops"), /*retry=*/true);
  exchange();
  ASSERT_TRUE(b.closed);
  EXPECT_NE(b.closed->message().find("the node stops"), std::string::npos);
  EXPECT_FALSE(b.session->send_attempt(*placement(), 1, 1, 0ms, {}, {}));
  b.session->send_cancel(1, 1);
  EXPECT_TRUE(b.out.empty());
}

}  // namespace
}  // namespace kaido::daemon
