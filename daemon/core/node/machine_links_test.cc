// Links carry, the node stays: a link is replaced, breaks, is full or is slow, and no attempt is lost or run twice by
// it.
#include <algorithm>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "daemon/core/node/machine_fixture.h"

namespace kaido::daemon {
namespace {

using namespace std::chrono_literals;

class MachineLinksTest : public testing::Test {
 protected:
  explicit MachineLinksTest(std::uint64_t seed = 1) : world(seed) {
    a = &world.start({.name = "a", .number = 1});
    b = &world.start({.name = "b", .number = 2, .peers = {"a"}});
    EXPECT_TRUE(world.run_until([&] { return a->peers() == 1 && b->peers() == 1; }));
    worker = &world.worker(*b, "worker", 64);
    client = &world.app(*a, "client");
    world.settle();
  }
  static bool begins(const std::string& text, const std::string& with) { return text.rfind(with, 0) == 0; }
  [[nodiscard]] std::uint64_t lost() const {
    return a->machine->peers().counters().nodes_lost + b->machine->peers().counters().nodes_lost;
  }
  /// How many frames of a kind `node` has sent so far.
  static std::size_t sent(const TestNode& node, wire::FrameKind kind) {
    return static_cast<std::size_t>(
        std::count_if(node.sent.begin(), node.sent.end(), [&](const auto& header) { return header.kind == kind; }));
  }

  World world;
  TestNode* a = nullptr;
  TestNode* b = nullptr;
  TestApp* worker = nullptr;
  TestApp* client = nullptr;
};

// ---------------------------------------------------------------- replacing

TEST_F(MachineLinksTest, ALinkIsReplacedMadeBeforeItIsBroken) {
  Wire* const former = world.wire(*a, *b);
  ASSERT_TRUE(b->machine->replace_link(world.now, b->index_of(*a)).ok());
  world.settle();
  EXPECT_FALSE(former->is_open());
  EXPECT_EQ(world.wires(*a, *b), 1U);
  EXPECT_EQ(a->peers(), 1U);
  EXPECT_EQ(b->peers(), 1U);
  EXPECT_EQ(lost(), 0U);
  client->call(1, spec_for("f"));
  world.settle();
  EXPECT_EQ(client->result(1), "succeeded did x");
  EXPECT_EQ(a->machine->peers().counters().lost_closed, 0U) << a->log_text();
  EXPECT_EQ(sent(*a, wire::FrameKind::kInquire), 0U) << "it ended in good order: nobody has to ask";
}

TEST_F(MachineLinksTest, OnlyANodeThatIsConnectedAndSaysWhereItListensGetsAnotherLink) {
  EXPECT_TRUE(absl::IsNotFound(a->machine->replace_link(world.now, NodeIndex{77})));
  TestNode& hidden = world.start({.name = "c", .number = 3, .peers = {"a"}, .address = ""});
  ASSERT_TRUE(world.run_until([&] { return hidden.peers() == 1; }));
  world.settle();
  EXPECT_TRUE(absl::IsNotFound(a->machine->replace_link(world.now, a->index_of(hidden))));
}

TEST_F(MachineLinksTest, AReplacementThatFailsHarmsNothing) {
  world.routes.erase("a");
  ASSERT_TRUE(b->machine->replace_link(world.now, b->index_of(*a)).ok());
  world.run_for(3s);
  EXPECT_EQ(b->peers(), 1U);
  EXPECT_EQ(lost(), 0U);
  client->call(1, spec_for("f"));
  world.settle();
  EXPECT_EQ(client->result(1), "succeeded did x");
  world.routes["a"] = a;
  world.run_for(1min);
  EXPECT_EQ(world.wires(*a, *b), 1U);
  EXPECT_EQ(lost(), 0U);
}

// Calls both ways, replacements from both sides, at once and again: every call has its one answer, of one run.
TEST(MachineLinks, ReplacingUnderLoadLosesNoAttempt) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    World world(seed);
    TestNode& a = world.start({.name = "a", .number = 1, .peers = {"b"}});
    TestNode& b = world.start({.name = "b", .number = 2, .peers = {"a"}});
    ASSERT_TRUE(world.run_until([&] { return a.peers() == 1 && b.peers() == 1; }));
    TestApp& f = world.worker(b, "worker of f", 64, {"f"});
    TestApp& g = world.worker(a, "worker of g", 64, {"g"});
    TestApp& to_b = world.app(a, "client");
    TestApp& to_a = world.app(b, "client");
    world.settle();
    constexpr std::uint64_t kCalls = 80;
    for (std::uint64_t id = 1; id <= kCalls; ++id) {
      to_b.call(id, spec_for("f"), std::to_string(id));
      to_a.call(id, spec_for("g"), std::to_string(id));
      for (std::uint32_t steps = world.random.below(6); steps > 0; --steps) world.step();
      if (world.random.below(15) == 0) static_cast<void>(a.machine->replace_link(world.now, a.index_of(b)));
      if (world.random.below(15) == 0) static_cast<void>(b.machine->replace_link(world.now, b.index_of(a)));
    }
    world.run_for(30s);
    for (std::uint64_t id = 1; id <= kCalls; ++id) {
      ASSERT_EQ(to_b.result(id), "succeeded did " + std::to_string(id)) << "seed " << seed;
      ASSERT_EQ(to_a.result(id), "succeeded did " + std::to_string(id)) << "seed " << seed;
    }
    EXPECT_EQ(f.work.size(), kCalls) << "each ran once; seed " << seed;
    EXPECT_EQ(g.work.size(), kCalls) << "seed " << seed;
    EXPECT_EQ(a.machine->peers().counters().nodes_lost + b.machine->peers().counters().nodes_lost, 0U);
    EXPECT_EQ(world.wires(a, b), 1U) << "seed " << seed;
    EXPECT_TRUE(a.machine->is_idle() && b.machine->is_idle()) << "seed " << seed;
  }
}

// ---------------------------------------------------------------- breaking

TEST_F(MachineLinksTest, ABrokenLinkIsMadeAgainWithinTheGraceTimeAndNothingIsLost) {
  worker->answers_at_once = false;
  client->call(1, spec_for("f"));
  world.settle();
  world.cut(*world.wire(*a, *b));
  world.settle();
  EXPECT_EQ(lost(), 0U);
  worker->answer(worker->work.at(0));
  ASSERT_TRUE(world.run_until([&] { return !client->result(1).empty(); }, 900ms));
  EXPECT_EQ(client->result(1), "succeeded 42");
  EXPECT_EQ(lost(), 0U);
  EXPECT_EQ(worker->work.size(), 1U);
}

TEST_F(MachineLinksTest, AnswersGivenWhileThereIsNoLinkAreKeptForTheNext) {
  worker->answers_at_once = false;
  for (std::uint64_t id = 1; id <= 5; ++id) client->call(id, spec_for("f"));
  world.settle();
  world.dials_hang = true;
  world.cut(*world.wire(*a, *b));
  world.settle();
  EXPECT_EQ(b->peers(), 0U);
  for (const TestApp::Work& work : worker->work) worker->answer(work);
  world.run_for(500ms);
  EXPECT_EQ(client->result(1), "");
  world.dials_hang = false;
  world.settle();
  for (std::uint64_t id = 1; id <= 5; ++id) EXPECT_EQ(client->result(id), "succeeded 42") << id;
  EXPECT_EQ(lost(), 0U);
  EXPECT_EQ(b->machine->peers().counters().replies_dropped, 0U);
}

TEST_F(MachineLinksTest, CallsMadeWhileThereIsNoLinkGoByTheNext) {
  world.routes.erase("a");
  world.cut(*world.wire(*a, *b));
  client->call(1, spec_for("f"));
  client->call(2, spec_for("f"));
  client->say(wire::FrameKind::kCancel, {}, {}, 0, 2);
  world.routes["a"] = a;
  ASSERT_TRUE(world.run_until([&] { return a->peers() == 1; }));
  world.settle();
  EXPECT_EQ(client->result(1), "succeeded did x");
  EXPECT_TRUE(begins(client->result(2), "cancelled")) << client->result(2);
  EXPECT_EQ(worker->work.size(), 1U) << "what was cancelled before it left never started";
  EXPECT_EQ(lost(), 0U);
}

// The shell finds that the link is over before it says so: what it was given meanwhile is not lost.
TEST_F(MachineLinksTest, WhatALinkThatHasEndedIsGivenGoesByTheNext) {
  worker->answers_at_once = false;
  client->call(1, spec_for("f"));
  world.settle();
  const auto sent = std::find_if(a->sent.rbegin(), a->sent.rend(),
                                 [](const wire::FrameHeader& frame) { return frame.kind == wire::FrameKind::kCall; });
  ASSERT_NE(sent, a->sent.rend());
  FrameOut call;
  call.connection = world.wire(*a, *b)->half_of(*a).id;
  call.header = *sent;
  call.payload = Payload::copy_of(wire::as_span("x"));
  Wire& ended = *world.wire(*a, *b);
  a->machine->unsent(world.now, call, Unsent::kEnded);
  world.cut(ended);
  ASSERT_TRUE(world.run_until([&] { return worker->work.size() == 2; }, 900ms));
  worker->answer(worker->work.at(1));
  ASSERT_TRUE(world.run_until([&] { return !client->result(1).empty(); }, 900ms));
  EXPECT_EQ(client->result(1), "succeeded 42");
  EXPECT_EQ(lost(), 0U);
}

TEST_F(MachineLinksTest, CallsMadeWhileThereIsNoLinkGoElsewhereIfTheNodeIsLost) {
  TestNode& c = world.start({.name = "c", .number = 3, .peers = {"a"}});
  ASSERT_TRUE(world.run_until([&] { return a->peers() == 2; }));
  world.routes.erase("a");
  world.routes.erase("b");
  world.cut(*world.wire(*a, *b));
  PlacementSpec patient = spec_for("f");
  patient.wait = 10s;
  client->call(1, patient);
  world.worker(c, "another", 64);
  world.run_for(5s);
  EXPECT_EQ(client->result(1), "succeeded did x") << "it never left, so that it may start elsewhere";
  EXPECT_TRUE(worker->work.empty());
}

TEST_F(MachineLinksTest, WhatIsKeptForANodeWithoutALinkIsBounded) {
  TestApp& large = world.worker(*b, "large", 8, {"h"});
  large.answers_at_once = false;
  world.settle();
  for (std::uint64_t id = 1; id <= 3; ++id) client->call(id, spec_for("h"));
  world.settle();
  ASSERT_EQ(large.work.size(), 3U);
  world.dials_hang = true;
  world.cut(*world.wire(*a, *b));
  world.settle();
  for (const TestApp::Work& work : large.work) large.answer(work, std::string(Parking::kBytesMax / 2 - 1, 'x'));
  world.settle();
  EXPECT_EQ(b->machine->peers().counters().replies_dropped, 1U);
  world.dials_hang = false;
  world.settle();
  int kept = 0;
  for (std::uint64_t id = 1; id <= 3; ++id) {
    ASSERT_FALSE(client->result(id).empty()) << "no call may hang";
    if (begins(client->result(id), "succeeded")) ++kept;
  }
  EXPECT_EQ(kept, 2);
  EXPECT_EQ(lost(), 0U);
}

TEST_F(MachineLinksTest, AReplacementThatBreaksBeforeItIsKnownLeavesTheNodeKnown) {
  ASSERT_TRUE(b->machine->replace_link(world.now, b->index_of(*a)).ok());
  const std::size_t before = sent(*b, wire::FrameKind::kWelcome);
  while (sent(*b, wire::FrameKind::kWelcome) == before) ASSERT_TRUE(world.step());
  ASSERT_EQ(world.wires(*a, *b), 2U);
  world.cut(*world.wire(*a, *b));  // b has committed to it, and a has not heard of that
  world.settle();
  EXPECT_EQ(b->peers(), 1U);
  // A copy of a's identity turns up: b still knows whom it is connected with, and asks.
  world.routes["a"] = &world.start({.name = "copy", .number = 1, .life = {{9}, 0}});
  world.run_for(30s);
  EXPECT_EQ(lost(), 0U);
  EXPECT_EQ(b->peers(), 1U);
  EXPECT_EQ(b->machine->peers().conflicts().size(), 1U);
  // And once the address leads to a again, the link is replaced after all.
  world.routes["a"] = a;
  world.run_for(1min);
  EXPECT_EQ(b->machine->peers().counters().links_replaced, 1U);
  EXPECT_EQ(lost(), 0U);
}

TEST_F(MachineLinksTest, WhatWasUnderWayOnABrokenLinkIsAskedFor) {
  worker->answers_at_once = false;
  client->call(1, spec_for("f"));
  world.settle();
  Wire& wire = *world.wire(*a, *b);
  wire.half_of(*b).is_held = true;
  client->call(2, spec_for("f"));                 // never arrives
  client->call(3, spec_for("f", true), "again");  // neither, but may be started again
  for (int i = 0; i < 20; ++i) world.step();
  world.cut(wire);
  ASSERT_TRUE(world.run_until([&] { return !client->result(2).empty(); }, 900ms));
  EXPECT_TRUE(begins(client->result(2), "node lost")) << client->result(2);
  EXPECT_NE(client->result(2).find("link"), std::string::npos) << client->result(2);
  EXPECT_EQ(client->result(1), "") << "it runs, and was found there";
  EXPECT_EQ(lost(), 0U);
  ASSERT_EQ(worker->work.size(), 2U);
  EXPECT_EQ(worker->work[1].arguments, "again");
  EXPECT_EQ(worker->work[1].attempt, 2U);
  for (const TestApp::Work& work : std::vector(worker->work)) worker->answer(work);
  world.settle();
  EXPECT_EQ(client->result(1), "succeeded 42");
  EXPECT_EQ(client->result(3), "succeeded 42");
}

// One side sees the break and comes back before the other one noticed anything.
TEST_F(MachineLinksTest, ABreakThatOnlyOneSideSawLosesNothingOfTheOthers) {
  TestApp& here = world.worker(*a, "worker of g", 64, {"g"});
  TestApp& there = world.app(*b, "client");
  world.settle();
  worker->answers_at_once = false;
  Wire& wire = *world.wire(*a, *b);
  for (Wire::Half& half : wire.halves) half.is_held = true;
  client->call(1, spec_for("f"));  // of the side that sees nothing
  there.call(1, spec_for("g"));
  world.settle();
  world.cut_at(wire, *b);
  ASSERT_TRUE(world.run_until([&] { return world.wires(*a, *b) >= 1 && a->peers() == 1 && b->peers() == 1; }));
  world.run_for(20s);
  EXPECT_FALSE(client->result(1).empty()) << "no call may hang";
  EXPECT_FALSE(there.result(1).empty());
  EXPECT_EQ(lost(), 0U);
  EXPECT_TRUE(here.work.empty());
}

TEST_F(MachineLinksTest, ANodeThatDoesNotComeBackWithinTheGraceTimeIsLost) {
  TestNode& hidden = world.start({.name = "c", .number = 3, .peers = {"a"}, .address = ""});
  TestApp& slow = world.worker(hidden, "worker", 8, {"h"});
  slow.answers_at_once = false;
  ASSERT_TRUE(world.run_until([&] { return hidden.peers() == 1 && a->peers() == 2; }));
  world.settle();
  client->call(1, spec_for("h"));
  world.settle();
  ASSERT_EQ(slow.work.size(), 1U);
  world.kill(hidden);
  world.run_for(900ms);
  EXPECT_EQ(client->result(1), "") << "nobody knows where it listens: it may come back";
  world.run_for(200ms);
  EXPECT_TRUE(begins(client->result(1), "node lost")) << client->result(1);
}

// The node's daemon is started again before anybody gave it up: what had left for its former life is lost, what waited
// here for a link has never left.
TEST_F(MachineLinksTest, WhatWaitedForALinkGoesToTheNextLifeAndWhatHadLeftIsLost) {
  for (const bool offers_at_once : {true, false}) {
    const std::string name = offers_at_once ? "c" : "d";
    const auto number = static_cast<std::uint8_t>(offers_at_once ? 3 : 4);
    TestNode& hidden = world.start({.name = name, .number = number, .peers = {"a"}, .address = ""});
    world.worker(hidden, "worker", 8, {"h"}).answers_at_once = false;
    ASSERT_TRUE(world.run_until([&] { return hidden.peers() == 1 && a->peers() == 2; }));
    world.settle();
    const std::uint64_t id = offers_at_once ? 10 : 20;
    client->call(id, spec_for("h"));
    world.settle();
    world.kill(hidden);
    world.settle();
    PlacementSpec spec = spec_for("h");
    if (!offers_at_once) spec.wait = 10s;
    client->call(id + 1, spec, "parked");
    world.settle();
    EXPECT_EQ(client->result(id + 1), "");
    TestNode& again = world.add({.name = name, .number = number, .life = {{2}, 0}, .peers = {"a"}, .address = ""});
    TestApp* next = offers_at_once ? &world.worker(again, "worker", 8, {"h"}) : nullptr;
    world.settle();
    world.start(again);
    ASSERT_TRUE(world.run_until([&] { return again.peers() == 1; }, 900ms));
    if (!offers_at_once) next = &world.worker(again, "worker", 8, {"h"});
    world.settle();
    EXPECT_TRUE(begins(client->result(id), "node lost")) << client->result(id);
    EXPECT_EQ(client->result(id + 1), "succeeded did parked");
    EXPECT_EQ(next->work.size(), 1U);
    world.kill(again);
    world.run_for(2s);
  }
  EXPECT_EQ(a->machine->peers().counters().nodes_lost, 4U) << "lives that ended";
}

TEST_F(MachineLinksTest, WhatComesLateOnALinkThatWasGivenUpBringsNoLostNodeBack) {
  Wire& former = *world.wire(*a, *b);
  world.hold(former, true);
  world.worker(*b, "another", 8, {"late"});  // announced on the link that is slow
  world.settle();
  ASSERT_TRUE(b->machine->replace_link(world.now, b->index_of(*a)).ok());
  world.settle();
  ASSERT_EQ(world.wires(*a, *b), 2U);
  const NodeIndex index = a->index_of(*b);
  world.routes.clear();
  world.cut(*world.wire(*a, *b));
  world.run_for(10ms);
  ASSERT_EQ(a->machine->peers().counters().nodes_lost, 1U);
  world.hold(former, false);
  world.settle();
  EXPECT_FALSE(a->machine->tasks().view().find(index)->alive);
  client->call(1, spec_for("late"));
  world.settle();
  EXPECT_TRUE(begins(client->result(1), "unschedulable")) << client->result(1);
}

// A cancel goes by the new link while its call is still on its way on the old one.
TEST_F(MachineLinksTest, ACancelThatOvertakesItsCallIsNotLost) {
  worker->answers_at_once = false;
  Wire& former = *world.wire(*a, *b);
  former.half_of(*b).is_held = true;
  client->call(1, spec_for("f"));
  world.settle();
  ASSERT_TRUE(a->machine->replace_link(world.now, a->index_of(*b)).ok());
  world.settle();
  ASSERT_EQ(a->machine->peers().counters().links_replaced, 1U);
  ASSERT_FALSE(former.half_of(*b).inbox.empty());
  client->say(wire::FrameKind::kCancel, {}, {}, 0, 1);
  world.settle();
  EXPECT_TRUE(begins(client->result(1), "cancelled")) << client->result(1);
  world.hold(former, false);
  world.settle();
  EXPECT_TRUE(worker->work.empty()) << "nobody would take its result";
  EXPECT_EQ(b->machine->tasks().load().busy, 0U);
}

TEST_F(MachineLinksTest, ANodeAtWhoseAddressNobodyAnswersIsLostAtOnce) {
  worker->answers_at_once = false;
  client->call(1, spec_for("f"));
  world.settle();
  world.kill(*b);
  world.run_for(10ms);
  EXPECT_TRUE(begins(client->result(1), "node lost")) << client->result(1);
}

TEST_F(MachineLinksTest, TheEndOfALinkThatWasGivenUpBeforeProlongsNoGraceTime) {
  Wire& former = *world.wire(*a, *b);
  world.hold(former, true);
  ASSERT_TRUE(b->machine->replace_link(world.now, b->index_of(*a)).ok());
  world.settle();
  ASSERT_EQ(world.wires(*a, *b), 2U);
  world.dials_hang = true;
  world.cut(*world.wire(*a, *b));
  world.run_for(600ms);
  world.cut(former);
  world.run_for(390ms);
  EXPECT_EQ(lost(), 0U);
  world.run_for(20ms);
  EXPECT_EQ(lost(), 2U);
}

// Links break and are replaced at random while calls go both ways: each call is answered once, and what may start once
// runs once at most.
TEST(MachineLinks, WhateverBreaksEveryCallIsAnsweredOnceAndRunsAtMostOnce) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    World world(seed);
    TestNode& a = world.start({.name = "a", .number = 1, .peers = {"b"}});
    TestNode& b = world.start({.name = "b", .number = 2, .peers = {"a"}});
    ASSERT_TRUE(world.run_until([&] { return a.peers() == 1 && b.peers() == 1; }));
    TestApp& f = world.worker(b, "worker of f", 4, {"f"});
    TestApp& g = world.worker(a, "worker of g", 4, {"g"});
    TestApp& to_b = world.app(a, "client");
    TestApp& to_a = world.app(b, "client");
    world.settle();
    constexpr std::uint64_t kCalls = 100;
    for (std::uint64_t id = 1; id <= kCalls; ++id) {
      to_b.call(id, spec_for("f"), std::to_string(id));
      to_a.call(id, spec_for("g"), std::to_string(id));
      for (std::uint32_t steps = world.random.below(8); steps > 0; --steps) world.step();
      if (world.random.below(10) == 0) {
        if (Wire* const wire = world.wire(a, b)) world.cut(*wire);
      }
      if (world.random.below(20) == 0) {
        if (Wire* const wire = world.wire(a, b)) world.cut_at(*wire, world.random.below(2) == 0 ? a : b);
      }
      if (world.random.below(20) == 0) static_cast<void>(a.machine->replace_link(world.now, a.index_of(b)));
      if (world.random.below(10) == 0) world.run_for(base::Duration(1ms) * world.random.below(300));
    }
    world.run_for(30s);
    for (std::uint64_t id = 1; id <= kCalls; ++id) {
      ASSERT_FALSE(to_b.result(id).empty()) << "call " << id << " of a hangs; seed " << seed;
      ASSERT_FALSE(to_a.result(id).empty()) << "call " << id << " of b hangs; seed " << seed;
    }
    for (const TestApp* const worker : {&f, &g}) {
      std::map<std::string, int> runs;
      for (const TestApp::Work& work : worker->work) ++runs[work.arguments];
      for (const auto& [arguments, times] : runs) ASSERT_EQ(times, 1) << "call " << arguments << ", seed " << seed;
    }
    EXPECT_EQ(a.peers(), 1U) << "seed " << seed;
    EXPECT_EQ(world.wires(a, b), 1U) << "seed " << seed;
    EXPECT_TRUE(a.machine->is_idle() && b.machine->is_idle()) << "seed " << seed;
  }
}

// ---------------------------------------------------------------- full

TEST_F(MachineLinksTest, AnAttemptThatFindsItsLinkFullGoesElsewhere) {
  TestNode& c = world.start({.name = "c", .number = 3, .peers = {"a"}});
  TestApp& other = world.worker(c, "worker");
  ASSERT_TRUE(world.run_until([&] { return a->peers() == 2 && c.peers() == 1; }));
  world.settle();
  a->machine->congested(world.now, world.wire(*a, *b)->half_of(*a).id);
  for (std::uint64_t id = 1; id <= 20; ++id) client->call(id, spec_for("f"), std::to_string(id));
  world.settle();
  for (std::uint64_t id = 1; id <= 20; ++id) EXPECT_TRUE(begins(client->result(id), "succeeded")) << client->result(id);
  EXPECT_EQ(other.work.size(), 20U);
  EXPECT_TRUE(worker->work.empty());
}

TEST_F(MachineLinksTest, WhereEveryLinkIsFullTheCallIsRejectedWithARetryAfter) {
  const ConnectionId link = world.wire(*a, *b)->half_of(*a).id;
  a->machine->congested(world.now, link);
  client->call(1, spec_for("f"));
  world.settle();
  EXPECT_TRUE(begins(client->result(1), "rejected")) << client->result(1);
  EXPECT_EQ(a->machine->peers().counters().link_full, 1U);
  EXPECT_EQ(lost(), 0U) << "a slow link is no loss";
  a->machine->drained(world.now, link);
  client->call(2, spec_for("f"));
  world.settle();
  EXPECT_EQ(client->result(2), "succeeded did x");
}

TEST_F(MachineLinksTest, AnswersGoThroughAFullLink) {
  worker->answers_at_once = false;
  client->call(1, spec_for("f"));
  world.settle();
  b->machine->congested(world.now, world.wire(*a, *b)->half_of(*b).id);
  worker->answer(worker->work.at(0));
  world.settle();
  EXPECT_EQ(client->result(1), "succeeded 42");
}

TEST(MachineLinks, WhatThePeerDoesNotTakeIsSaidToTheCaller) {
  World world;
  TestNode& a = world.start({.name = "a", .number = 1});
  TestNode& b = world.start({.name = "b", .number = 2, .peers = {"a"}, .tune = [](NodeMachineOptions& options) {
                               options.peers.session.max_frame_bytes = 1000;
                             }});
  ASSERT_TRUE(world.run_until([&] { return a.peers() == 1 && b.peers() == 1; }));
  TestApp& worker = world.worker(b, "worker");
  TestApp& client = world.app(a, "client");
  world.settle();
  client.call(1, spec_for("f"), std::string(2000, 'x'));
  world.settle();
  EXPECT_EQ(client.result(1).rfind("unschedulable", 0), 0U) << client.result(1);
  EXPECT_TRUE(worker.work.empty());
  TestApp& back = world.app(b, "client");
  world.worker(a, "worker of g", 8, {"g"}).answers_at_once = false;
  world.settle();
  back.call(1, spec_for("g"));
  world.settle();
  TestApp& g = *world.apps.back();
  ASSERT_EQ(g.work.size(), 1U);
  g.answer(g.work[0], std::string(2000, 'y'));
  world.settle();
  EXPECT_EQ(back.result(1).rfind("rejected the result of 2000 bytes", 0), 0U) << back.result(1);
}

// A peer that remembers few templates: they are prepared again and again, and every call runs what it asked for.
TEST(MachineLinks, MorePlacementsThanThePeerRemembersAllRunRight) {
  World world;
  TestNode& a = world.start({.name = "a", .number = 1});
  TestNode& b = world.start({.name = "b", .number = 2, .peers = {"a"}, .tune = [](NodeMachineOptions& options) {
                               options.peers.session.templates_max = 3;
                             }});
  ASSERT_TRUE(world.run_until([&] { return a.peers() == 1 && b.peers() == 1; }));
  TestApp& worker = world.worker(b, "worker", 64, {"f", "g"});
  TestApp& client = world.app(a, "client");
  world.settle();
  for (std::uint64_t id = 1; id <= 200; ++id) {
    PlacementSpec spec = spec_for(id % 2 == 0 ? "f" : "g");
    spec.priority = static_cast<std::int32_t>(id % 10);
    client.call(id, spec, std::to_string(id));
  }
  world.settle();
  for (std::uint64_t id = 1; id <= 200; ++id) EXPECT_EQ(client.result(id), "succeeded did " + std::to_string(id));
  EXPECT_EQ(worker.work.size(), 200U);
}

}  // namespace
}  // namespace kaido::daemon
