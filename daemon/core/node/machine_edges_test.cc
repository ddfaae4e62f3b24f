// What is rare: frames that are not taken, links that end before or after their time, numbers that come twice.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/core/node/machine_fixture.h"
#include "daemon/core/session/messages.h"
#include "proto/kaido/v1/local.pb.h"
#include "proto/kaido/v1/node.pb.h"
#include "proto/kaido/v1/peer.pb.h"
#include "proto/wire/handshake.h"

namespace kaido::daemon {
namespace {

using namespace std::chrono_literals;
using wire::FrameKind;

base::NodeId id_of(std::uint8_t number) {
  base::NodeId id;
  id.bytes[0] = number;
  return id;
}

std::string hello_of(std::uint8_t number, base::Life life) {
  v1::PeerHello hello;
  hello.mutable_versions()->set_min(wire::kVersions.min);
  hello.mutable_versions()->set_max(wire::kVersions.max);
  hello.set_node_id(base::to_bytes(id_of(number)));
  hello.set_node_name("stranger");
  hello.set_epoch(life.epoch.value);
  hello.set_nonce(life.nonce);
  hello.set_max_frame_bytes(1U << 20);
  hello.set_max_metadata_bytes(1U << 20);
  hello.set_max_templates(1000);
  return hello.SerializeAsString();
}

/// A node whose every word is the test's.
class Stranger final : public WireEnd {
 public:
  Stranger(World& world, TestNode& to) : world_(world), wire_(world.connect(*this, to)) {}
  ~Stranger() override { leave(); }

  void say(FrameKind kind, const std::string& metadata = {}, std::uint64_t call_id = 0) {
    FrameInTransit frame;
    frame.header.kind = kind;
    frame.header.call_id = call_id;
    frame.metadata = metadata;
    world_.send(wire_, wire_.halves[0], frame);
    world_.settle();
  }
  /// As far as both sides agree to be joined.
  void commit(std::uint8_t number, base::Life life) {
    say(FrameKind::kHello, hello_of(number, life));
    v1::PeerWelcome welcome;
    welcome.set_version(wire::kVersions.max);
    say(FrameKind::kWelcome, welcome.SerializeAsString());
  }
  void introduce(std::uint8_t number, base::Life life) {
    commit(number, life);
    NodeInfo info;
    info.id = id_of(number);
    info.life = life;
    info.name = "stranger";
    say(FrameKind::kNodeInfo, to_message(info).SerializeAsString());
  }
  void leave() {
    wire_.halves[0].is_open = false;
    wire_.halves[1].gets_eof = true;
  }
  [[nodiscard]] ConnectionId connection() const { return wire_.halves[1].id; }

  void take(ConnectionId, const FrameInTransit& frame) override {
    if (frame.header.kind == FrameKind::kPing) pings.push_back(frame.header.call_id);
    if (frame.header.kind == FrameKind::kGoodbye) is_told_goodbye = true;
  }
  void ended(ConnectionId, const base::Status&) override {}

  std::vector<std::uint64_t> pings;
  bool is_told_goodbye = false;

 private:
  World& world_;
  Wire& wire_;
};

FrameOut frame_to(ConnectionId connection, FrameKind kind, std::uint64_t call_id = 0) {
  FrameOut frame;
  frame.connection = connection;
  frame.header.kind = kind;
  frame.header.call_id = call_id;
  return frame;
}

class MachineEdges : public testing::Test {
 protected:
  void join() {
    a = &world.start({.name = "a", .number = 1});
    b = &world.start({.name = "b", .number = 2, .life = {{1}, 20}, .peers = {"a"}});
    meet();
  }
  void meet() {
    ASSERT_TRUE(world.run_until([&] { return a->peers() == 1 && b->peers() == 1; }));
    world.settle();
  }
  [[nodiscard]] ConnectionId link_at(TestNode& node, const WireEnd& other) {
    return world.wire(node, other)->half_of(node).id;
  }

  World world;
  TestNode* a = nullptr;
  TestNode* b = nullptr;
};

// ---------------------------------------------------------------- frames that are not taken

TEST_F(MachineEdges, AFrameThatWasNotTakenByAConnectionThatEndedHarmsNobody) {
  join();
  const ConnectionId ended = link_at(*a, *b);
  world.cut(*world.wire(*a, *b));
  world.settle();
  for (const FrameKind kind : {FrameKind::kCall, FrameKind::kResult, FrameKind::kNodeInfo}) {
    a->machine->unsent(world.now, frame_to(ended, kind), Unsent::kFull);
  }
  meet();
}

TEST_F(MachineEdges, AFrameThatWasNotTakenByAPeerThatIsNobodyYetDoesNotEndIt) {
  a = &world.start({.name = "a", .number = 1});
  Stranger stranger(world, *a);
  stranger.say(FrameKind::kHello, hello_of(9, {{1}, 1}));
  a->machine->unsent(world.now, frame_to(stranger.connection(), FrameKind::kPing), Unsent::kFull);
  world.settle();
  EXPECT_FALSE(stranger.is_told_goodbye);
}

TEST_F(MachineEdges, OnlyAPeerThatDoesNotReadIsCutOffForAnAnnouncement) {
  join();
  const ConnectionId link = link_at(*a, *b);
  a->machine->unsent(world.now, frame_to(link, FrameKind::kNodeInfo), Unsent::kTooLarge);
  a->machine->unsent(world.now, frame_to(link, FrameKind::kGoodbye), Unsent::kFull);
  world.settle();
  EXPECT_EQ(a->peers(), 1U);
  a->machine->unsent(world.now, frame_to(link, FrameKind::kNodeInfo), Unsent::kFull);
  world.settle();
  EXPECT_NE(a->log_text().find("does not read what it is sent"), std::string::npos);
}

TEST_F(MachineEdges, AnAppIsCutOffOnlyWhenNotEvenAnErrorFits) {
  a = &world.start({.name = "a", .number = 1});
  TestApp& app = world.app(*a, "app");
  world.worker(*a, "worker").answers_at_once = false;
  world.settle();
  app.call(1, spec_for("f"));
  world.settle();
  const ConnectionId connection = app.wire->half_of(*a).id;
  a->machine->unsent(world.now, frame_to(connection, FrameKind::kResult, 1), Unsent::kTooLarge);
  world.settle();
  EXPECT_FALSE(app.goodbye);
  a->machine->unsent(world.now, frame_to(connection, FrameKind::kResult, 1), Unsent::kFull);
  world.settle();
  EXPECT_EQ(app.goodbye, "the app does not read what it is sent");
}

// What fills an app's connection is its own results: each that finds no room is told to it in few words.
TEST_F(MachineEdges, AResultWithoutRoomAtItsAppIsRejectedAndSaysThatItRan) {
  a = &world.start({.name = "a", .number = 1});
  TestApp& app = world.app(*a, "app");
  world.worker(*a, "worker").answers_at_once = false;
  world.settle();
  const ConnectionId connection = app.wire->half_of(*a).id;
  std::uint64_t calls = 0;
  for (const Unsent why : {Unsent::kFull, Unsent::kNoMemory}) {
    FrameOut result = frame_to(connection, FrameKind::kResult, ++calls);
    result.payload = Payload::copy_of(wire::as_span("xxx"));
    a->machine->unsent(world.now, result, why);
    world.settle();
    EXPECT_FALSE(app.goodbye) << *app.goodbye;
    EXPECT_EQ(app.result(calls).find("rejected the result of 3 bytes"), 0U) << app.result(calls);
    EXPECT_NE(app.result(calls).find("the function ran"), std::string::npos) << app.result(calls);
    EXPECT_EQ(app.retry_after[calls], 0ns) << "that stands for \"nothing was started\"";
  }
}

FrameOut error_to(ConnectionId connection, std::uint64_t call_id, wire::Outcome outcome) {
  FrameOut error = frame_to(connection, FrameKind::kResult, call_id);
  error.header.template_or_status = static_cast<std::uint32_t>(outcome);
  error.metadata_size = wire::kLeastErrorBytes + 1;
  return error;
}

// Only its text needs room: what threw is not "rejected", or it would be tried again and throw again.
TEST_F(MachineEdges, AnErrorWithoutRoomForItsTextKeepsItsOutcome) {
  join();
  world.worker(*a, "worker").answers_at_once = false;
  TestApp& app = world.app(*b, "app");
  world.settle();
  const ConnectionId link = link_at(*a, *b);
  const ConnectionId connection = app.wire->half_of(*b).id;
  std::uint64_t calls = 0;
  for (const Unsent why : {Unsent::kFull, Unsent::kNoMemory}) {
    b->machine->unsent(world.now, error_to(connection, ++calls, wire::Outcome::kPanicked), why);
    world.settle();
    EXPECT_EQ(app.result(calls).find("panicked the error of 1025 bytes"), 0U) << app.result(calls);
    EXPECT_EQ(app.retry_after[calls], 0ns);
    app.call(++calls, spec_for("f"));
    world.settle();
    const auto sent = std::find_if(b->sent.rbegin(), b->sent.rend(),
                                   [](const wire::FrameHeader& frame) { return frame.kind == FrameKind::kCall; });
    ASSERT_NE(sent, b->sent.rend());
    FrameOut error = error_to(link, sent->call_id, wire::Outcome::kPanicked);
    error.header.set_attempt(sent->attempt());
    a->machine->unsent(world.now, error, why);
    world.settle();
    EXPECT_EQ(app.result(calls).find("panicked the error of 1025 bytes"), 0U) << app.result(calls);
  }
  EXPECT_FALSE(app.goodbye) << *app.goodbye;
}

TEST_F(MachineEdges, ArgumentsWithoutRoomAtTheirWorkerAreRejectedWithARetryAfter) {
  a = &world.start({.name = "a", .number = 1});
  TestApp& app = world.app(*a, "app");
  TestApp& worker = world.worker(*a, "worker");
  worker.answers_at_once = false;
  world.settle();
  std::uint64_t calls = 0;
  for (const Unsent why : {Unsent::kFull, Unsent::kNoMemory}) {
    app.call(++calls, spec_for("f"));
    world.settle();
    ASSERT_EQ(worker.work.size(), calls);
    FrameOut call = frame_to(worker.wire->half_of(*a).id, FrameKind::kCall, worker.work.back().call);
    call.payload = Payload::copy_of(wire::as_span("xxx"));
    a->machine->unsent(world.now, call, why);
    world.settle();
    EXPECT_EQ(app.result(calls).find("rejected the arguments of 3 bytes"), 0U) << app.result(calls);
    EXPECT_EQ(app.retry_after[calls], AppSessionOptions().retry_after);
  }
}

// What is said of an answer that has no room names it: arguments that come back are no result. The link goes on.
TEST_F(MachineEdges, AnAnswerWithoutRoomIsNamedToItsCaller) {
  join();
  world.worker(*a, "worker").answers_at_once = false;
  TestApp& app = world.app(*b, "app");
  world.settle();
  const ConnectionId link = link_at(*a, *b);
  std::uint64_t calls = 0;
  const std::string arguments = "the arguments, handed back unstarted, of 3 bytes: ";
  const std::string result = "the result of 3 bytes: ";
  for (const auto& [kind, why, words] : {std::tuple(FrameKind::kRedirect, Unsent::kNoMemory, arguments),
                                         std::tuple(FrameKind::kResult, Unsent::kNoMemory, result),
                                         std::tuple(FrameKind::kRedirect, Unsent::kFull, arguments),
                                         std::tuple(FrameKind::kResult, Unsent::kFull, result)}) {
    app.call(++calls, spec_for("f"));
    world.settle();
    const auto sent = std::find_if(b->sent.rbegin(), b->sent.rend(),
                                   [](const wire::FrameHeader& frame) { return frame.kind == FrameKind::kCall; });
    ASSERT_NE(sent, b->sent.rend());
    FrameOut answer = frame_to(link, kind, sent->call_id);
    answer.header.set_attempt(sent->attempt());
    answer.payload = Payload::copy_of(wire::as_span("xxx"));
    a->machine->unsent(world.now, answer, why);
    world.settle();
    EXPECT_EQ(app.result(calls).find("rejected " + words), 0U) << app.result(calls);
    const bool has_run = kind == FrameKind::kResult;
    EXPECT_EQ(app.retry_after[calls], has_run ? base::Duration(0) : Peers::kLinkRetryAfter);
    EXPECT_EQ(app.result(calls).find("the function ran") != std::string::npos, has_run) << app.result(calls);
  }
  EXPECT_TRUE(a->peers() == 1 && b->peers() == 1);
}

// ---------------------------------------------------------------- links

TEST_F(MachineEdges, APeerThatBreaksTheProtocolIsCountedAsThat) {
  a = &world.start({.name = "a", .number = 1});
  Stranger stranger(world, *a);
  stranger.introduce(9, {{1}, 1});
  ASSERT_EQ(a->peers(), 1U);
  stranger.say(FrameKind::kRegister);
  EXPECT_TRUE(stranger.is_told_goodbye);
  const PeerCounters& counters = a->machine->peers().counters();
  EXPECT_EQ(counters.lost_violation, 1U);
  EXPECT_EQ(counters.bad_frames, 1U);
  EXPECT_EQ(counters.lost_closed + counters.lost_silent + counters.handshakes_failed, 0U);
}

TEST_F(MachineEdges, ANameIsFreeWhenTheNodeThatHadItIsLost) {
  join();
  world.kill(*b);
  ASSERT_TRUE(world.run_until([&] { return a->machine->peers().counters().nodes_lost == 1; }));
  TestNode& other = world.start({.name = "b", .number = 3, .peers = {"a"}});
  ASSERT_TRUE(world.run_until([&] { return other.peers() == 1; }));
  EXPECT_TRUE(a->machine->peers().conflicts().empty());
}

TEST_F(MachineEdges, WhoChallengedAndLeftIsNoConflict) {
  a = &world.start({.name = "a", .number = 1});
  Stranger incumbent(world, *a);
  incumbent.introduce(9, {{1}, 1});
  Stranger challenger(world, *a);
  challenger.commit(9, {{1}, 2});
  ASSERT_EQ(incumbent.pings.size(), 1U);
  challenger.leave();
  world.settle();
  incumbent.say(FrameKind::kPong, {}, incumbent.pings[0]);
  EXPECT_TRUE(a->machine->peers().conflicts().empty());
  EXPECT_EQ(a->peers(), 1U);
}

// The address that a node is configured to dial rests while that node has a link, whoever made it.
TEST_F(MachineEdges, AnAddressIsDialedAgainWhenTheLinkThatMadeItRestEndsBeforeItsNodeWasKnown) {
  world.dials_hang = true;
  a = &world.start({.name = "a", .number = 1, .peers = {"b"}});
  world.settle();
  Stranger first(world, *a);
  first.commit(2, {{1}, 20});
  // The dial, too, leads to that node, which has a link by now.
  const ConnectionId dialed = a->machine->peer_dialed(world.now, DialId{1}, "tcp:b");
  ASSERT_NE(dialed, kNoConnection);
  const std::string hello = hello_of(2, {{1}, 20});
  a->machine->frame(world.now, dialed, {{.kind = FrameKind::kHello}, wire::as_span(hello), {}});
  world.settle();
  a->machine->closed(world.now, dialed, absl::AlreadyExistsError("the nodes are connected already"));
  world.run_for(1s);
  b = &world.start({.name = "b", .number = 2, .life = {{1}, 20}});
  first.leave();
  world.dials_hang = false;
  meet();
}

// ---------------------------------------------------------------- calls

TEST_F(MachineEdges, ACallIdThatIsInFlightEndsItsAppWhereverTheFirstOneRuns) {
  a = &world.start({.name = "a", .number = 1});
  world.worker(*a, "worker", 8).answers_at_once = false;
  TestApp& app = world.app(*a, "app");
  world.settle();
  app.call(1, spec_for("f"));
  app.call(1, spec_for("f"));
  world.settle();
  ASSERT_TRUE(app.goodbye);
  EXPECT_NE(app.goodbye->find("call id 1 is in flight already"), std::string::npos) << *app.goodbye;
}

TEST_F(MachineEdges, ALocalCallIsCountedAsOthersAre) {
  a = &world.start({.name = "a", .number = 1});
  world.worker(*a, "worker", 8);
  TestApp& app = world.app(*a, "app");
  world.settle();
  for (std::uint64_t call = 1; call <= 3; ++call) app.call(call, spec_for("f"));
  world.settle();
  const ExecutorCounters& counters = a->machine->tasks().executor().counters();
  EXPECT_EQ(counters.finished[static_cast<std::size_t>(wire::Outcome::kSucceeded)], 3U);
  EXPECT_EQ(counters.admitted, 3U);
  EXPECT_EQ(counters.dispatched, 3U);
}

// What a worker is told of a call's origin is of the life that calls.
TEST_F(MachineEdges, AWorkerLearnsWhichLifeOfWhichNodeCalls) {
  join();
  TestApp& worker = world.worker(*b, "worker");
  ASSERT_TRUE(world.run_until([&] { return a->machine->tasks().view().find(a->index_of(*b))->info->slots == 8; }));
  const auto info_of_a_call = [&](TestNode& origin) -> v1::CallInfo {
    TestApp& app = world.app(origin, "app");
    world.settle();
    world.hold(*worker.wire, true);
    app.call(1, spec_for("f"));
    EXPECT_TRUE(world.run_until([&] { return !worker.wire->half_of(worker).inbox.empty(); }));
    v1::CallInfo info;
    for (const FrameInTransit& frame : worker.wire->half_of(worker).inbox) {
      if (frame.header.kind != FrameKind::kCall) continue;
      EXPECT_TRUE(info.ParseFromString(frame.metadata));
    }
    world.hold(*worker.wire, false);
    EXPECT_TRUE(world.run_until([&] { return !app.result(1).empty(); }));
    return info;
  };
  const v1::CallInfo first = info_of_a_call(*a);
  EXPECT_EQ(first.origin(), base::to_bytes(a->id));
  EXPECT_EQ(first.epoch(), 1U);
  EXPECT_NE(first.sequence(), 0U);
  world.kill(*a);
  ASSERT_TRUE(world.run_until([&] { return b->peers() == 0; }));
  a = &world.start({.name = "a", .number = 1, .life = {{2}, 0}});
  ASSERT_TRUE(world.run_until([&] { return a->peers() == 1 && b->peers() == 1; }));
  ASSERT_TRUE(world.run_until([&] { return a->machine->tasks().view().find(a->index_of(*b))->info->slots == 8; }));
  const v1::CallInfo second = info_of_a_call(*a);
  EXPECT_EQ(second.origin(), base::to_bytes(a->id));
  EXPECT_EQ(second.epoch(), 2U);
}

}  // namespace
}  // namespace kaido::daemon
