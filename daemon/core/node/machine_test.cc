// What one node does, and two that are connected: calls, losses, apps, drain.
#include "daemon/core/node/machine.h"

#include <string>

#include <gtest/gtest.h>

#include "daemon/core/node/machine_fixture.h"

namespace kaido::daemon {
namespace {

using namespace std::chrono_literals;

class MachineTest : public testing::Test {
 protected:
  static bool begins(const std::string& text, const std::string& with) { return text.rfind(with, 0) == 0; }
  /// Two nodes that know each other.
  void join() {
    a = &world.start({.name = "a", .number = 1});
    b = &world.start({.name = "b", .number = 2, .peers = {"a"}});
    ASSERT_TRUE(world.run_until([&] { return a->peers() == 1 && b->peers() == 1; }));
  }
  /// A worker that keeps its work until it is told to answer.
  TestApp& slow_worker(TestNode& node, std::uint32_t slots = 8) {
    TestApp& worker = world.worker(node, "slow", slots);
    worker.answers_at_once = false;
    return worker;
  }

  World world;
  TestNode* a = nullptr;
  TestNode* b = nullptr;
};

// ---------------------------------------------------------------- calls

TEST_F(MachineTest, ACallToThisNodesWorkerGoesThrough) {
  TestNode& node = world.start({.name = "a", .number = 1});
  world.worker(node, "worker");
  TestApp& client = world.app(node, "client");
  world.settle();
  client.call(7, spec_for("f"), "arguments");
  world.settle();
  EXPECT_EQ(client.result(7), "succeeded did arguments");
  EXPECT_TRUE(node.machine->is_idle());
  EXPECT_EQ(node.machine->tasks().durations().task.count(), 1U);
  EXPECT_EQ(node.machine->tasks().durations().run.count(), 1U);
}

TEST_F(MachineTest, ACallGoesToThePeerThatOffersAndItsResultComesBack) {
  join();
  world.worker(*b, "worker");
  TestApp& client = world.app(*a, "client");
  world.settle();
  client.call(1, spec_for("f"), "there");
  world.settle();
  EXPECT_EQ(client.result(1), "succeeded did there");
  TestApp& other = world.app(*b, "client");
  world.worker(*a, "worker", 8, {"g"});
  world.settle();
  other.call(1, spec_for("g"), "and back");
  world.settle();
  EXPECT_EQ(other.result(1), "succeeded did and back") << "over the connection that the other side dialed";
}

TEST_F(MachineTest, ACancelReachesTheWorkerOnTheOtherNode) {
  join();
  TestApp& worker = slow_worker(*b);
  TestApp& client = world.app(*a, "client");
  world.settle();
  client.call(1, spec_for("f"));
  world.settle();
  ASSERT_EQ(worker.work.size(), 1U);
  client.say(wire::FrameKind::kCancel, {}, {}, 0, 1);
  world.settle();
  EXPECT_EQ(worker.cancelled, std::vector<std::uint64_t>{worker.work[0].call});
  EXPECT_TRUE(begins(client.result(1), "cancelled")) << client.result(1);
}

TEST_F(MachineTest, ADeadlineHoldsAcrossNodes) {
  join();
  TestApp& worker = slow_worker(*b);
  TestApp& client = world.app(*a, "client");
  world.settle();
  client.call(1, spec_for("f"), "x", 200ms);
  world.run_for(199ms);
  EXPECT_EQ(client.result(1), "");
  world.run_for(2ms);
  EXPECT_TRUE(begins(client.result(1), "timed out")) << client.result(1);
  EXPECT_EQ(worker.cancelled.size(), 1U);
}

TEST_F(MachineTest, AnOperatorsCallIsAnsweredOnce) {
  TestNode& node = world.start({.name = "a", .number = 1});
  world.worker(node, "worker");
  world.settle();
  node.machine->call(world.now, 77, node.machine->prepare(spec_for("f")), 0ns, Payload::copy_of(wire::as_span("x")));
  world.settle();
  ASSERT_EQ(node.commands.size(), 1U);
  EXPECT_EQ(node.commands[0].kind, Command::Kind::kAnswer);
  EXPECT_EQ(node.commands[0].call, 77U);
  EXPECT_EQ(wire::as_text(node.commands[0].result.payload.bytes()), "did x");
}

TEST_F(MachineTest, APingMeasuresARoundTripOrSaysThatThereIsNoLink) {
  join();
  world.settle();
  a->machine->ping(world.now, a->index_of(*b), 5);
  a->machine->ping(world.now, NodeIndex{77}, 6);
  world.settle();
  ASSERT_EQ(a->commands.size(), 2U);
  EXPECT_EQ(a->commands[0].call, 6U);
  EXPECT_TRUE(absl::IsUnavailable(a->commands[0].status));
  EXPECT_EQ(a->commands[1].call, 5U);
  EXPECT_TRUE(a->commands[1].status.ok()) << a->commands[1].status;
  Wire& wire = *world.wire(*a, *b);
  world.hold(wire, true);
  a->machine->ping(world.now, a->index_of(*b), 7);
  world.settle();
  world.cut(wire);
  world.settle();
  ASSERT_EQ(a->commands.size(), 3U);
  EXPECT_TRUE(absl::IsUnavailable(a->commands[2].status)) << "its link was lost";
}

// ---------------------------------------------------------------- loss and retry

TEST_F(MachineTest, ALostNodesAttemptsAreSettledOrStartedElsewhere) {
  join();
  TestNode& c = world.start({.name = "c", .number = 3, .peers = {"a"}});
  TestApp& first = slow_worker(*b);
  TestApp& client = world.app(*a, "client");
  world.settle();
  client.call(1, spec_for("f", /*idempotent=*/false));
  client.call(2, spec_for("f", /*idempotent=*/true), "again");
  world.settle();
  ASSERT_EQ(first.work.size(), 2U);
  TestApp& second = world.worker(c, "worker");
  world.settle();
  world.kill(*b);
  ASSERT_TRUE(world.run_until([&] { return !client.result(1).empty() && !client.result(2).empty(); }));
  EXPECT_TRUE(begins(client.result(1), "node lost")) << client.result(1);
  EXPECT_EQ(client.result(2), "succeeded did again");
  ASSERT_EQ(second.work.size(), 1U);
  EXPECT_EQ(second.work[0].attempt, 2U);
  EXPECT_EQ(a->machine->peers().counters().nodes_lost, 1U);
}

TEST_F(MachineTest, ANodeOfWhichNothingIsHeardIsLostAndWhatItHadUsRunIsCancelled) {
  join();
  TestApp& worker = slow_worker(*b);
  TestApp& client = world.app(*a, "client");
  world.settle();
  client.call(1, spec_for("f"));
  world.settle();
  world.hold(*world.wire(*a, *b), true);
  world.run_for(4s);
  EXPECT_EQ(client.result(1), "");
  world.run_for(2s);
  EXPECT_TRUE(begins(client.result(1), "node lost")) << client.result(1);
  EXPECT_EQ(worker.cancelled.size(), 1U);
  EXPECT_EQ(a->machine->peers().counters().lost_silent, 1U);
}

// Its process was stopped, or one turn took so long: what others said meanwhile waits to be read.
TEST_F(MachineTest, WhoIsAwayHimselfTakesNobodyForSilent) {
  join();
  TestApp& worker = slow_worker(*a);
  TestApp& client = world.app(*b, "client");
  world.settle();
  client.call(1, spec_for("f"));
  world.settle();
  for (const base::Duration away : {base::Duration(4900ms), base::Duration(28s), base::Duration(1h)}) {
    world.now += away;
    a->machine->handle_timeout(world.now);  // the timer comes before what waits to be read
    b->machine->handle_timeout(world.now);
    world.run_for(20s);
  }
  EXPECT_EQ(a->machine->peers().counters().lost_silent + b->machine->peers().counters().lost_silent, 0U);
  EXPECT_FALSE(worker.is_closed);
  ASSERT_EQ(worker.work.size(), 1U);
  worker.answer(worker.work[0]);
  world.settle();
  EXPECT_EQ(client.result(1), "succeeded 42");
}

TEST_F(MachineTest, WhoWasAwayStillNoticesWhoIsGone) {
  join();
  world.hold(*world.wire(*a, *b), true);
  world.run_for(2s);
  world.now += 28s;
  a->machine->handle_timeout(world.now);
  world.run_for(500ms);
  EXPECT_EQ(a->machine->peers().counters().lost_silent, 0U);
  world.run_for(4s);
  EXPECT_EQ(a->machine->peers().counters().lost_silent, 1U) << "5 s of being there, and nothing was heard";
}

TEST_F(MachineTest, WhatTheOtherNodeCannotServeComesBackAndGoesElsewhere) {
  join();
  TestApp& worker = world.worker(*b, "worker");
  TestApp& client = world.app(*a, "client");
  world.settle();
  // The worker goes while the call is on its way: nobody has told a yet.
  Wire& wire = *world.wire(*a, *b);
  world.hold(wire, true);
  client.call(1, spec_for("f"), "x", 10s);
  worker.close();
  world.settle();
  EXPECT_EQ(client.result(1), "");
  world.worker(*a, "late worker");
  world.settle();
  world.hold(wire, false);
  world.settle();
  EXPECT_EQ(client.result(1), "succeeded did x");
  EXPECT_EQ(a->machine->tasks().ledger().counters().redirects, 1U);
}

TEST_F(MachineTest, TasksThatWaitAreSentToALifeThatComesAfterALaterOneWasLost) {
  a = &world.start({.name = "a", .number = 1});
  TestNode& late = world.start({.name = "b", .number = 2, .life = {{900}, 0}, .peers = {"a"}});
  ASSERT_TRUE(world.run_until([&] { return a->peers() == 1; }));
  world.kill(late);
  ASSERT_TRUE(world.run_until([&] { return a->machine->peers().counters().nodes_lost == 1; }));
  TestApp& client = world.app(*a, "client");
  PlacementSpec spec = spec_for("f");
  spec.wait = 1h;
  client.call(1, spec);
  world.settle();
  // Its state folder was made anew, or its clock set back.
  TestNode& again = world.start({.name = "b", .number = 2, .life = {{2}, 0}, .peers = {"a"}});
  world.worker(again, "worker");
  ASSERT_TRUE(world.run_until([&] { return !client.result(1).empty(); }));
  EXPECT_EQ(client.result(1), "succeeded did x");
}

// ---------------------------------------------------------------- what is said of this node

TEST_F(MachineTest, ChangesAreAnnouncedOncePerBatchAndOnlyWhereTheyAreNews) {
  join();
  world.settle();
  const auto announcements = [&] {
    return std::count_if(b->sent.begin(), b->sent.end(), [](const auto& header) {
      return header.kind == wire::FrameKind::kNodeInfo || header.kind == wire::FrameKind::kNodeInfoDelta;
    });
  };
  const auto before = announcements();
  EXPECT_EQ(before, 1) << "the one of the handshake";
  TestApp& first = world.app(*b, "first");
  TestApp& second = world.app(*b, "second");
  world.settle();
  EXPECT_EQ(announcements(), before) << "clients are nobody's business";
  first.offer({"f"}, 8);
  second.offer({"g"}, 4);
  for (TestApp* const app : {&first, &second}) {  // both in one turn of the node
    Wire::Half& half = app->wire->half_of(*b);
    b->take(half.id, half.inbox.front());
    half.inbox.pop_front();
  }
  world.settle();
  EXPECT_EQ(announcements(), before + 1);
  const NodeView& seen = *a->machine->tasks().view().find(a->index_of(*b));
  EXPECT_EQ(seen.info->functions.size(), 2U);
  EXPECT_EQ(seen.info->slots, 12U);
  world.run_for(10s);
  EXPECT_EQ(announcements(), before + 1);
}

TEST_F(MachineTest, EffectsStayValidWhileTheMachineGoesOn) {
  TestNode& node = world.start({.name = "a", .number = 1});
  TestApp& worker = slow_worker(node, 1000);
  TestApp& client = world.app(node, "client");
  world.settle();
  std::vector<std::string> arguments;
  for (std::uint64_t id = 1; id <= 100; ++id) {
    client.call(id, spec_for("f"), "arguments of " + std::to_string(id));
    arguments.push_back("arguments of " + std::to_string(id));
  }
  const auto feed = [&](TestApp& app) {
    Wire::Half& half = app.wire->half_of(node);
    for (; !half.inbox.empty(); half.inbox.pop_front()) node.take(half.id, half.inbox.front());
  };
  feed(client);
  ASSERT_TRUE(node.machine->has_ready());
  const Ready& ready = node.machine->ready();
  ASSERT_EQ(ready.frames.size(), 100U);
  // Meanwhile all of it is answered, cancelled, closed and forgotten.
  for (const FrameOut& frame : ready.frames) {
    worker.say(wire::FrameKind::kResult, {}, std::string(1000, 'r'), 0, frame.header.call_id);
  }
  feed(worker);
  client.close();
  node.ended(client.wire->half_of(node).id, absl::OkStatus());
  node.ended(worker.wire->half_of(node).id, absl::OkStatus());
  for (std::size_t i = 0; i < ready.frames.size(); ++i) {
    EXPECT_EQ(wire::as_text(ready.frames[i].payload.bytes()), arguments[i]);
    EXPECT_FALSE(ready.metadata(ready.frames[i]).empty());
  }
  node.machine->advance();
  EXPECT_TRUE(node.machine->has_ready()) << "what came of it is the next batch";
}

// ---------------------------------------------------------------- drain

TEST_F(MachineTest, ADrainingNodeFinishesWhatRunsAndRefusesWhatIsNew) {
  join();
  TestApp& worker = slow_worker(*b);
  TestApp& client = world.app(*b, "client");
  TestApp& remote = world.app(*a, "remote");
  world.settle();
  client.call(1, spec_for("f"));
  remote.call(1, spec_for("f"));
  world.settle();
  ASSERT_EQ(worker.work.size(), 2U);
  b->machine->drain(world.now, world.now + 1h, "test");
  world.settle();
  EXPECT_TRUE(b->machine->is_draining());
  EXPECT_FALSE(b->machine->is_idle());
  EXPECT_FALSE(b->accepts) << "it listens no more";
  EXPECT_TRUE(a->machine->tasks().view().find(a->index_of(*b))->info->draining);
  client.call(2, spec_for("f"));
  remote.call(2, spec_for("f"));
  world.settle();
  EXPECT_TRUE(begins(client.result(2), "unavailable")) << client.result(2);
  EXPECT_TRUE(begins(remote.result(2), "unschedulable")) << remote.result(2);
  for (const TestApp::Work& work : std::vector(worker.work)) worker.answer(work);
  world.settle();
  EXPECT_EQ(client.result(1), "succeeded 42");
  EXPECT_EQ(remote.result(1), "succeeded 42");
  EXPECT_TRUE(b->machine->is_idle());
}

// The first signal hands the queue back, the second does not wait for it.
TEST(Machine, WhatIsQueuedOnANodeThatStopsIsUnavailable) {
  for (const bool at_once : {false, true}) {
    World world;
    TestNode& node = world.start({.name = "a", .number = 1});
    world.worker(node, "worker", 1).answers_at_once = false;
    TestApp& client = world.app(node, "client");
    world.settle();
    client.call(1, spec_for("f"));
    client.call(2, spec_for("f"));
    world.settle();
    node.machine->drain(world.now, at_once ? world.now : world.now + 1h, "test");
    world.settle();
    EXPECT_EQ(client.result(2).rfind("unavailable", 0), 0U) << client.result(2);
    EXPECT_EQ(client.result(1).empty(), !at_once) << client.result(1);
    node.machine->drain(world.now, world.now, "again");
    world.settle();
    EXPECT_EQ(client.result(1).rfind("unavailable", 0), 0U) << client.result(1);
  }
}

TEST_F(MachineTest, TheEndOfADrainAnswersEverybodyAndGoodbyeReachesThemAll) {
  join();
  slow_worker(*b);
  TestApp& client = world.app(*b, "client");
  TestApp& remote = world.app(*a, "remote");
  world.settle();
  client.call(1, spec_for("f"));
  remote.call(1, spec_for("f"));
  world.settle();
  b->machine->drain(world.now, world.now + 2s, "test");
  world.run_for(2s);
  EXPECT_TRUE(begins(client.result(1), "unavailable")) << client.result(1);
  EXPECT_TRUE(begins(remote.result(1), "node lost")) << remote.result(1);
  EXPECT_TRUE(b->machine->is_idle());
  b->machine->say_goodbye(world.now, "the node stops: test");
  world.settle();
  EXPECT_EQ(client.goodbye, "the node stops: test");
  EXPECT_TRUE(client.is_closed);
  EXPECT_EQ(a->peers(), 0U);
  EXPECT_EQ(a->machine->peers().counters().nodes_lost, 1U) << "it said so: nobody waits for it";
  EXPECT_EQ(b->machine->apps().count(), 0U);
}

TEST_F(MachineTest, ADeadlineThatIsNotInTheFutureEndsEverythingNow) {
  TestNode& node = world.start({.name = "a", .number = 1});
  slow_worker(node);
  TestApp& client = world.app(node, "client");
  world.settle();
  client.call(1, spec_for("f"));
  world.settle();
  node.machine->drain(world.now, world.now - 1s, "test");
  world.settle();
  EXPECT_TRUE(begins(client.result(1), "unavailable")) << client.result(1);
  EXPECT_TRUE(node.machine->is_idle());
}

TEST_F(MachineTest, LostNodesAreForgottenInTheEnd) {
  join();
  world.kill(*b);
  ASSERT_TRUE(world.run_until([&] { return a->machine->peers().counters().nodes_lost == 1; }));
  EXPECT_NE(a->index_of(*b), kNoNode);
  world.run_for(1h);
  EXPECT_EQ(a->index_of(*b), kNoNode);
  TestNode& c = world.start({.name = "c", .number = 3, .peers = {"a"}});
  ASSERT_TRUE(world.run_until([&] { return a->peers() == 1; }));
  EXPECT_EQ(a->index_of(c).value, 1U) << "its place is given to another";
  world.worker(c, "worker");
  TestApp& client = world.app(*a, "client");
  world.settle();
  client.call(1, spec_for("f"));
  world.settle();
  EXPECT_EQ(client.result(1), "succeeded did x");
}

}  // namespace
}  // namespace kaido::daemon
