// A connection between nodes: handshake, attempts and answers, liveness, and how it ends.
#include "daemon/core/session/peer_session.h"

#include "daemon/core/session/peer_session_fixture.h"

namespace kaido::daemon {
namespace {

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
  EXPECT_FALSE(b.session->is_established()) << "it does not know yet what a is";
  deliver(b, a);
  EXPECT_EQ(a.events, (Events{"greeted by b", "established with b", "info of b", "introduced"}));
  EXPECT_TRUE(a.session->is_established());
  deliver(a, b);
  EXPECT_TRUE(b.session->is_established());
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
  b.options.versions = {3, 4};
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
  a.session->handle_timeout(now + 5s, {});
  ASSERT_TRUE(a.closed);
  EXPECT_TRUE(absl::IsDeadlineExceeded(*a.closed));
}

TEST_F(PeerSessionTest, NothingButTheHandshakeComesDuringTheHandshake) {
  wire::FrameView frame;
  frame.header.kind = wire::FrameKind::kCall;
  b.session->handle_frame(now, frame);
  ASSERT_TRUE(b.closed);
  EXPECT_NE(b.closed->message().find("a call frame (kind 7) has no place in a connection that is before hello"),
            std::string::npos);
}

TEST_F(PeerSessionTest, AttemptsCarryTheirTemplateOnce) {
  establish();
  EXPECT_TRUE(a.session->send_attempt({10, 1, placement(), 5ms, {}, payload("x")}));
  EXPECT_TRUE(a.session->send_attempt({11, 2, placement(), 5ms, {}, payload("y")}));
  EXPECT_EQ(a.out.size(), 3U) << "one prepare, two calls";
  exchange();
  EXPECT_EQ(b.events, (Events{"prepared f", "call 10.1 f x", "call 11.2 f y"}));
}

TEST_F(PeerSessionTest, AReusedPlacementIndexIsPreparedAgain) {
  establish();
  EXPECT_TRUE(a.session->send_attempt({10, 1, placement(4, 1, "old"), 0ms, {}, {}}));
  EXPECT_TRUE(a.session->send_attempt({11, 1, placement(4, 2, "new"), 0ms, {}, {}}));
  exchange();
  EXPECT_EQ(b.events, (Events{"prepared old", "call 10.1 old ", "prepared new", "call 11.1 new "}));
}

TEST_F(PeerSessionTest, AnswersCarryTheLoad) {
  establish();
  b.session->send_queued(10, 1, {4, 8});
  b.session->send_started(10, 1, {3, 8});
  b.session->send_result({10, 1, {wire::Outcome::kSucceeded, nullptr, payload("42")}}, {2, 8});
  TaskError error;
  error.message = "boom";
  b.session->send_result({11, 1, {wire::Outcome::kPanicked, make_error(error), {}}}, {1, 8});
  b.session->send_redirect({12, 1, {RedirectReason::kQueueFull, 7ms, payload("arguments")}}, {9, 8});
  exchange();
  EXPECT_EQ(a.events, (Events{"load 4/8", "queued 10.1", "load 3/8", "started 10.1", "load 2/8",
                              "result 10.1 succeeded 42", "load 1/8", "result 11.1 panicked boom", "load 9/8",
                              "redirect 12.1 " + std::string(name(RedirectReason::kQueueFull)) + " 7 arguments"}));
}

TEST_F(PeerSessionTest, ARefusedTemplateSendsItsCallsBackWhole) {
  establish();
  b.refuse_placements = true;
  EXPECT_TRUE(a.session->send_attempt({10, 1, placement(), 0ms, {}, payload("arguments")}));
  exchange();
  ASSERT_EQ(a.events.size(), 1U);
  EXPECT_EQ(a.events[0], "redirect 10.1 " + std::string(name(RedirectReason::kQueueFull)) + " 0 arguments");
}

TEST_F(PeerSessionTest, ARefusedTemplateIsPreparedAgainWhenItIsNeededNext) {
  establish();
  b.refuse_placements = true;
  const PlacementRef rules = placement();
  EXPECT_TRUE(a.session->send_attempt({10, 1, rules, 0ms, {}, payload("arguments")}));
  exchange();
  b.refuse_placements = false;
  EXPECT_TRUE(a.session->send_attempt({11, 1, rules, 0ms, {}, payload("arguments")}));
  exchange();
  ASSERT_FALSE(b.events.empty());
  EXPECT_EQ(b.events.back().rfind("call 11.1", 0), 0U) << b.events.back();
}

TEST_F(PeerSessionTest, ATemplateThatThereIsNoMemoryForIsRefusedAndTheLinkGoesOn) {
  wire::MemoryBudget memory(1000);
  b.options.memory = &memory;
  b.session->set_memory_owner({1});
  establish();
  EXPECT_TRUE(a.session->send_attempt({10, 1, placement(), 0ms, {}, payload("arguments")}));
  exchange();
  ASSERT_EQ(a.events.size(), 1U);
  EXPECT_EQ(a.events[0].rfind("redirect 10.1", 0), 0U) << a.events[0];
  EXPECT_LT(memory.used(), 100U) << "the table alone";
  EXPECT_EQ(memory.refused(wire::MemoryKind::kTemplates), 1U);
  EXPECT_TRUE(a.session->is_established() && b.session->is_established());
  b.session.reset();
  EXPECT_EQ(memory.used(), 0U);
}

TEST_F(PeerSessionTest, WhatThePeerDoesNotTakeIsNotSent) {
  b.options.max_frame_bytes = 100;
  establish();
  EXPECT_FALSE(a.session->send_attempt({10, 1, placement(), 0ms, {}, payload(std::string(37, 'x'))}));
  EXPECT_TRUE(a.session->send_attempt({10, 1, placement(), 0ms, {}, payload(std::string(36, 'x'))}));
}

TEST_F(PeerSessionTest, AResultTooLargeForTheOriginBecomesAnErrorThatSaysSo) {
  a.options.max_frame_bytes = 1000;
  establish();
  b.session->send_result({10, 1, {wire::Outcome::kSucceeded, nullptr, payload(std::string(937, 'x'))}}, {});
  exchange();
  ASSERT_EQ(a.events.size(), 1U);
  EXPECT_EQ(a.events[0].rfind("result 10.1 rejected the result of 937 bytes is larger than the origin takes (1000)", 0),
            0U)
      << a.events[0];
}

// The message of an error counts as a whole, as the origin said, not only its metadata.
TEST_F(PeerSessionTest, AnErrorTooLargeForTheOriginIsCutToWhatItTakes) {
  a.options.max_frame_bytes = 1000;
  establish();
  const auto error = make_error({.message = std::string(950, 'x')});
  b.session->send_result({10, 1, {wire::Outcome::kPanicked, error, {}}}, {});
  EXPECT_LE(wire::kHeaderBytes + b.out.at(0).metadata.size(), 1000U);
  exchange();
  ASSERT_EQ(a.events.size(), 1U);
  EXPECT_EQ(a.events[0].rfind("result 10.1 panicked the error takes ", 0), 0U) << a.events[0];
}

TEST_F(PeerSessionTest, WhereNoWordFitsTheStatusSaysHowACallEnded) {
  a.options.max_frame_bytes = 100;
  establish();
  b.session->send_result({10, 1, {wire::Outcome::kPanicked, make_error({.message = std::string(100, 'x')}), {}}}, {});
  EXPECT_LE(wire::kHeaderBytes + b.out.at(0).metadata.size(), 100U);
  exchange();
  ASSERT_EQ(a.events.size(), 1U);
  EXPECT_EQ(a.events[0].rfind("result 10.1 panicked", 0), 0U) << a.events[0];
}

TEST_F(PeerSessionTest, PingsMeasureTheRoundTripAndSilenceEndsTheConnection) {
  establish();
  now += 1s;
  a.session->handle_timeout(now, {});
  deliver(a, b);
  now += 250us;
  deliver(b, a);
  EXPECT_EQ(a.events, Events{"round trip 250"});
  const base::Instant heard = now;
  now = heard + 5s - 1ns;
  a.session->handle_timeout(now, {});
  EXPECT_FALSE(a.closed);
  now = heard + 5s;
  a.session->handle_timeout(now, {});
  ASSERT_TRUE(a.closed);
  EXPECT_TRUE(absl::IsDeadlineExceeded(*a.closed)) << *a.closed;
}

TEST_F(PeerSessionTest, AGoodbyeSaysWhetherComingBackMakesSense) {
  for (const auto& [reason, may_return] : {std::pair{absl::UnavailableError("x"), true},
                                           {absl::AlreadyExistsError("x"), true},
                                           {absl::ResourceExhaustedError("x"), true},
                                           {absl::FailedPreconditionError("x"), false},
                                           {absl::InvalidArgumentError("x"), false}}) {
    Side one("one", 3, PeerSession::Role::kDialer);
    Side other("other", 4, PeerSession::Role::kAcceptor);
    establish(one, other);
    one.session->close(reason);
    exchange(one, other);
    ASSERT_TRUE(other.closed);
    EXPECT_EQ(absl::IsUnavailable(*other.closed), may_return) << reason;
    EXPECT_EQ(absl::IsFailedPrecondition(*other.closed), !may_return) << reason;
    EXPECT_TRUE(other.heard_goodbye);
  }
}

TEST_F(PeerSessionTest, AGoodbyeMayTellOfATwin) {
  a.session->start();
  b.session->start();
  b.session->report_twin({"twin", "tcp:192.0.2.7:1"});
  b.session->close(absl::FailedPreconditionError("two nodes have the id"));
  exchange();
  ASSERT_FALSE(a.events.empty());
  EXPECT_EQ(a.events.back(), "twin twin at tcp:192.0.2.7:1");
  ASSERT_TRUE(a.closed);
  EXPECT_TRUE(absl::IsFailedPrecondition(*a.closed)) << *a.closed;
}

TEST_F(PeerSessionTest, ATwinWhoseNameNobodyCouldShowIsNotTold) {
  a.session->start();
  a.out.clear();
  b.session->report_twin({std::string(wire::kMaxNameBytes + 1, 'x'), "tcp:1"});
  b.session->close(absl::FailedPreconditionError("two nodes have the id"));
  exchange();
  EXPECT_TRUE(a.events.empty()) << a.events.back();
  EXPECT_TRUE(a.closed);
}

TEST_F(PeerSessionTest, OneFaultHarmsOneCall) {
  establish();
  const auto say = [&](wire::FrameKind kind, std::uint32_t template_or_status, std::uint64_t call_id,
                       std::string_view metadata = {}) {
    wire::FrameView frame;
    frame.header.kind = kind;
    frame.header.template_or_status = template_or_status;
    frame.header.call_id = call_id;
    frame.header.set_attempt(1);
    frame.metadata = wire::as_span(metadata);
    frame.payload = payload("arguments");
    b.session->handle_frame(now, frame);
  };
  say(wire::FrameKind::kPrepare, 0, 0);
  say(wire::FrameKind::kPrepare, b.options.templates_max + 1, 0);
  say(wire::FrameKind::kPrepare, 7, 0, "\xff\xff");
  for (const std::uint32_t id : {0U, 1U, 7U, b.options.templates_max + 1}) say(wire::FrameKind::kCall, id, 10 + id);
  ASSERT_EQ(b.out.size(), 5U);
  EXPECT_EQ(b.out.front().header.kind, wire::FrameKind::kPrepared) << "one that cannot be read is refused";
  EXPECT_EQ(b.out.front().header.call_id, 7U);
  b.out.erase(b.out.begin());
  for (const Side::Frame& frame : b.out) {
    EXPECT_EQ(frame.header.kind, wire::FrameKind::kRedirect);
    EXPECT_EQ(frame.payload, "arguments") << "back whole";
  }
  say(wire::FrameKind::kResult, 99, 20);
  say(wire::FrameKind::kResult, static_cast<std::uint32_t>(wire::Outcome::kPanicked), 21, "\xff\xff");
  ASSERT_EQ(b.events.size(), 2U);
  EXPECT_EQ(b.events[0].rfind("result 20.1 internal ", 0), 0U) << b.events[0];
  EXPECT_EQ(b.events[1].rfind("result 21.1 panicked ", 0), 0U) << b.events[1];
  EXPECT_FALSE(b.closed);
}

TEST_F(PeerSessionTest, FramesThatHaveNoPlaceEndTheConnectionWithAReason) {
  struct Case {
    wire::FrameKind kind;
    const char* says;
  };
  for (const Case& c : {Case{wire::FrameKind::kRegister, "a register frame (kind 3) has no place"},
                        Case{wire::FrameKind::kHello, "a hello frame (kind 1) has no place"},
                        Case{static_cast<wire::FrameKind>(99), "kind 99"}}) {
    Side x("x", 3, PeerSession::Role::kAcceptor);
    Side y("y", 4, PeerSession::Role::kDialer);
    establish(y, x);
    wire::FrameView frame;
    frame.header.kind = c.kind;
    x.session->handle_frame(now, frame);
    ASSERT_TRUE(x.closed) << c.says;
    EXPECT_NE(x.closed->message().find(c.says), std::string::npos) << *x.closed;
    EXPECT_EQ(x.out.back().header.kind, wire::FrameKind::kGoodbye);
  }
}

TEST_F(PeerSessionTest, OnlyThePongOfTheAwaitedPingCounts) {
  establish();
  wire::FrameView pong;
  pong.header.kind = wire::FrameKind::kPong;
  a.session->handle_frame(now, pong);
  now += 3s;
  a.session->ping(now, {});
  pong.header.call_id = a.out.back().header.call_id + 1;
  a.session->handle_frame(now, pong);
  EXPECT_TRUE(a.events.empty()) << "inventions";
  pong.header.call_id = a.out.back().header.call_id;
  now += 5us;
  a.session->handle_frame(now, pong);
  a.session->handle_frame(now, pong);
  EXPECT_EQ(a.events, Events{"round trip 5"}) << "once";
}

TEST_F(PeerSessionTest, ARoundTripThatIsLongerThanThePingIntervalIsMeasured) {
  establish();
  for (int second = 1; second <= 3; ++second) {
    now += 1s;
    a.session->handle_timeout(now, {});
  }
  const std::vector<Side::Frame> pings = std::exchange(a.out, {});
  ASSERT_EQ(pings.size(), 3U);
  now += 500ms;
  for (const Side::Frame& ping : pings) {
    wire::FrameView pong;
    pong.header.kind = wire::FrameKind::kPong;
    pong.header.call_id = ping.header.call_id;
    a.session->handle_frame(now, pong);
    now += 1s;
  }
  EXPECT_EQ(a.events, (Events{"round trip 2500000", "round trip 2500000", "round trip 2500000"}));
}

TEST_F(PeerSessionTest, ALifeWithoutEpochAndNonceIsNone) {
  a.options.life = {};
  a.session->start();
  b.session->start();
  deliver(a, b);
  ASSERT_TRUE(b.closed);
  EXPECT_TRUE(absl::IsInvalidArgument(*b.closed)) << *b.closed;
  EXPECT_NE(b.closed->message().find("hello has neither epoch nor nonce"), std::string::npos) << *b.closed;
  EXPECT_TRUE(b.events.empty()) << "nobody is greeted by it";
}

TEST_F(PeerSessionTest, BytesOfAFrameThatIsNotCompleteAreAProofOfLife) {
  establish();
  a.session->heard(now + 4s);
  a.session->handle_timeout(now + 5s, {});
  EXPECT_FALSE(a.closed);
  a.session->handle_timeout(now + 9s, {});
  EXPECT_TRUE(a.closed);
}

TEST_F(PeerSessionTest, InquiriesArrive) {
  establish();
  a.session->send_inquiry(10, 2);
  exchange();
  EXPECT_EQ(b.events, Events{"inquired 10.2"});
}

TEST_F(PeerSessionTest, ARetiredLinkTakesWhatIsOnItsWayAndEndsWhenBothHaveRetired) {
  establish();
  EXPECT_TRUE(a.session->send_attempt({10, 1, placement(), 0ms, {}, payload("x")}));
  b.session->send_result({11, 1, {wire::Outcome::kSucceeded, nullptr, payload("42")}}, {1, 8});
  a.session->retire(now);
  EXPECT_FALSE(a.session->send_attempt({12, 1, placement(), 0ms, {}, {}}));
  EXPECT_EQ(a.session->next_timeout(), now + 5s);
  deliver(b, a);
  EXPECT_EQ(a.events, Events{"result 11.1 succeeded 42"}) << "and its load is older than the new link's";
  deliver(a, b);
  EXPECT_EQ(b.events, (Events{"prepared f", "call 10.1 f x"}));
  EXPECT_TRUE(b.session->is_established()) << "it has no other link yet";
  b.session->send_result({10, 1, {wire::Outcome::kSucceeded, nullptr, payload("43")}}, {});
  b.session->retire(now);
  ASSERT_TRUE(b.closed);
  EXPECT_TRUE(b.closed->ok());
  EXPECT_TRUE(b.session->is_retired());
  deliver(b, a);
  EXPECT_EQ(a.events.back(), "result 10.1 succeeded 43");
  ASSERT_TRUE(a.closed);
  EXPECT_TRUE(a.closed->ok());
  EXPECT_FALSE(a.heard_goodbye) << "the node does not leave";
  EXPECT_TRUE(a.session->is_retired());
}

TEST_F(PeerSessionTest, BothSidesMayRetireAtTheSameMoment) {
  establish();
  a.session->retire(now);
  b.session->retire(now);
  exchange();
  ASSERT_TRUE(a.closed && b.closed);
  EXPECT_TRUE(a.closed->ok() && b.closed->ok());
}

TEST_F(PeerSessionTest, WhoHasTheOtherLinkAlreadyRetiresWhenToldSo) {
  establish();
  b.has_another_link = true;
  a.session->retire(now);
  exchange();
  ASSERT_TRUE(a.closed && b.closed);
  EXPECT_TRUE(a.session->is_retired() && b.session->is_retired());
}

TEST_F(PeerSessionTest, ALinkThatOnlyOneSideRetiredDidNotEndInGoodOrder) {
  establish();
  a.session->retire(now);
  EXPECT_FALSE(a.session->is_retired()) << "what b sent may still be on its way, or lost";
  a.session->handle_timeout(now + 5s, {});
  ASSERT_TRUE(a.closed);
  EXPECT_FALSE(a.session->is_retired());
}

// Both gave it up, and a large payload is still under way on it.
TEST_F(PeerSessionTest, ADrainingLinkIsKeptAliveByPingsAndEndsWhenNothingIsHeard) {
  establish();
  a.session->retire(now);
  b.session->retire(now);
  exchange();
  a.closed.reset();
  const base::Instant heard = now;
  now += 1s;
  EXPECT_EQ(a.session->next_timeout(), now);
  a.session->handle_timeout(now, {});
  ASSERT_EQ(a.out.size(), 1U);
  EXPECT_EQ(a.out[0].header.kind, wire::FrameKind::kPing);
  deliver(a, b);
  EXPECT_TRUE(b.out.empty()) << "nothing more is said but that one lives";
  EXPECT_EQ(b.session->last_heard(), now);
  EXPECT_FALSE(a.session->send_attempt({12, 1, placement(), 0ms, {}, {}}));
  now = heard + 5s;
  a.session->handle_timeout(now, {});
  ASSERT_TRUE(a.closed);
  EXPECT_TRUE(absl::IsDeadlineExceeded(*a.closed)) << *a.closed;
  EXPECT_FALSE(a.session->is_retired()) << "what was under way is to be asked for";
  EXPECT_TRUE(a.out.empty()) << "goodbye was said";
}

TEST_F(PeerSessionTest, GoodbyeCarriesItsReasonAndNothingIsSentAfterIt) {
  establish();
  a.session->close(absl::UnavailableError("the node stops"));
  exchange();
  ASSERT_TRUE(b.closed);
  EXPECT_NE(b.closed->message().find("the node stops"), std::string::npos);
  EXPECT_TRUE(b.heard_goodbye);
  EXPECT_FALSE(a.heard_goodbye);
  EXPECT_FALSE(b.session->send_attempt({1, 1, placement(), 0ms, {}, {}}));
  b.session->send_cancel(1, 1);
  EXPECT_TRUE(b.out.empty());
}

}  // namespace
}  // namespace kaido::daemon
