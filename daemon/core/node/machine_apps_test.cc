// What one app does to the node, and what it cannot do to others.
#include <string>

#include <gtest/gtest.h>

#include "daemon/core/node/machine_fixture.h"
#include "proto/kaido/v1/local.pb.h"

namespace kaido::daemon {
namespace {

using namespace std::chrono_literals;

class MachineAppsTest : public testing::Test {
 protected:
  static bool begins(const std::string& text, const std::string& with) { return text.rfind(with, 0) == 0; }
  [[nodiscard]] const AppCounters counters() const { return node.machine->apps().counters(); }

  World world;
  TestNode& node = world.start({.name = "a", .number = 1});
};

TEST_F(MachineAppsTest, AreListedWhileTheyAreConnected) {
  TestApp& shop = world.app(node, "shop");
  world.settle();
  ASSERT_EQ(node.machine->apps().list().size(), 1U);
  EXPECT_EQ(node.machine->apps().list()[0].name, "shop");
  EXPECT_EQ(counters().accepted, 1U);
  shop.close();
  world.settle();
  EXPECT_EQ(node.machine->apps().count(), 0U);
  EXPECT_EQ(counters().closed_violation, 0U);
}

TEST_F(MachineAppsTest, AWorkersEndFailsItsAttemptsAndTakesItsFunctionsBack) {
  TestApp& worker = world.worker(node, "worker");
  worker.answers_at_once = false;
  TestApp& client = world.app(node, "client");
  world.settle();
  client.call(1, spec_for("f"));
  world.settle();
  worker.close();
  world.settle();
  EXPECT_TRUE(begins(client.result(1), "app lost")) << client.result(1);
  client.call(2, spec_for("f"));
  world.settle();
  EXPECT_TRUE(begins(client.result(2), "unschedulable")) << client.result(2);
}

TEST_F(MachineAppsTest, AnIdempotentCallGoesToAnotherWorkerWhenItsOwnEnds) {
  TestApp& first = world.worker(node, "first", 1);
  first.answers_at_once = false;
  TestApp& client = world.app(node, "client");
  world.settle();
  client.call(1, spec_for("f", /*idempotent=*/true));
  world.settle();
  ASSERT_EQ(first.work.size(), 1U);
  world.worker(node, "second");
  world.settle();
  first.close();
  world.settle();
  EXPECT_EQ(client.result(1), "succeeded did x");
}

TEST_F(MachineAppsTest, WhoseFunctionsIdAnotherAppHasTakenMayComeBack) {
  // Two names of one id, as whoever wants to be in the way can make them.
  TestApp& first = world.app(node, "first");
  first.offer({"8yn0iYCKYHlIj4-BwPqk"}, 1);
  world.settle();
  EXPECT_FALSE(first.goodbye);
  TestApp& second = world.app(node, "second");
  second.offer({"GReLUrM4wMqfg9yzV3KQ"}, 1);
  world.settle();
  ASSERT_TRUE(second.goodbye);
  EXPECT_TRUE(second.may_come_back) << *second.goodbye;
}

TEST_F(MachineAppsTest, AClientsEndCancelsWhatItHadInFlight) {
  TestApp& worker = world.worker(node, "worker");
  worker.answers_at_once = false;
  TestApp& client = world.app(node, "client");
  world.settle();
  client.call(1, spec_for("f"));
  world.settle();
  client.close();
  world.settle();
  EXPECT_EQ(worker.cancelled, std::vector<std::uint64_t>{worker.work.at(0).call});
  EXPECT_TRUE(client.results.empty());
}

TEST_F(MachineAppsTest, ASilentAppIsClosedAndWhatItRanEndsAsAppLost) {
  TestApp& worker = world.worker(node, "worker");
  worker.answers_at_once = false;
  TestApp& client = world.app(node, "client");
  world.settle();
  client.call(1, spec_for("f"));
  world.run_for(20s);
  EXPECT_FALSE(worker.is_closed) << "it answers its pings";
  worker.answers_pings = false;
  world.run_for(4s);
  EXPECT_FALSE(worker.is_closed);
  world.run_for(3s);
  EXPECT_TRUE(worker.is_closed);
  EXPECT_TRUE(begins(client.result(1), "app lost")) << client.result(1);
  EXPECT_EQ(counters().closed_silent, 1U);
  EXPECT_NE(worker.goodbye.value_or("").find("timeouts.app"), std::string::npos) << worker.goodbye.value_or("none");
  EXPECT_FALSE(client.is_closed) << "nobody else notices";
}

TEST_F(MachineAppsTest, BytesThatCompleteNoFrameYetAreAProofOfLife) {
  TestApp& app = world.app(node, "slow sender");
  app.answers_pings = false;
  world.settle();
  for (int second = 0; second < 20; ++second) {
    world.run_for(1s);
    node.machine->heard(world.now, app.wire->half_of(node).id);
  }
  EXPECT_FALSE(app.is_closed);
}

TEST_F(MachineAppsTest, SilenceInsteadOfHelloEndsTheConnection) {
  TestApp& app = world.app(node, "mute");
  app.wire->half_of(node).inbox.clear();  // its hello never comes
  world.run_for(6s);
  EXPECT_TRUE(app.is_closed);
  EXPECT_EQ(app.goodbye, "no hello came in time");
  EXPECT_EQ(counters().refused_handshake, 1U);
}

TEST_F(MachineAppsTest, AnAppThatDoesNotReadIsNotReadAndGetsNoWork) {
  TestApp& stalled = world.worker(node, "stalled", 8);
  stalled.answers_at_once = false;
  TestApp& client = world.app(node, "client");
  world.settle();
  const ConnectionId connection = stalled.wire->half_of(node).id;
  node.machine->congested(world.now, connection);
  node.machine->congested(world.now, connection);
  world.settle();
  EXPECT_TRUE(stalled.wire->half_of(node).is_paused);
  EXPECT_TRUE(node.machine->apps().list().at(0).is_stalled);
  client.call(1, spec_for("f"));
  world.settle();
  EXPECT_TRUE(stalled.work.empty());
  EXPECT_EQ(node.machine->tasks().executor().queued_count(), 1U);
  TestApp& other = world.worker(node, "other", 1);
  world.settle();
  EXPECT_EQ(other.work.size(), 1U);
  EXPECT_EQ(client.result(1), "succeeded did x");
  other.answers_at_once = false;
  client.call(2, spec_for("f"));
  client.call(3, spec_for("f"));
  world.settle();
  EXPECT_TRUE(stalled.work.empty());
  node.machine->drained(world.now, connection);
  world.settle();
  EXPECT_FALSE(stalled.wire->half_of(node).is_paused);
  EXPECT_EQ(stalled.work.size(), 1U) << "what waited is its";
  EXPECT_FALSE(node.machine->apps().list().at(0).is_stalled);
}

TEST_F(MachineAppsTest, AnAppThatReadAgainIsHeardThoughNothingItSaidWasReadMeanwhile) {
  TestApp& app = world.app(node, "slow reader");
  world.run_for(10s);
  const ConnectionId connection = app.wire->half_of(node).id;
  node.machine->congested(world.now, connection);
  world.run_for(3s);
  node.machine->drained(world.now, connection);
  app.wire->half_of(node).is_held = true;
  world.run_for(3s);
  EXPECT_FALSE(app.is_closed);
}

TEST_F(MachineAppsTest, AnAppThatBreaksTheProtocolLosesItsSessionAndNobodyElseNotices) {
  TestApp& bad = world.app(node, "bad");
  TestApp& good = world.app(node, "good");
  world.settle();
  bad.say(wire::FrameKind::kWelcome);
  world.settle();
  EXPECT_TRUE(bad.is_closed);
  EXPECT_NE(bad.goodbye.value_or("").find("a welcome frame (kind 2) has no place"), std::string::npos);
  EXPECT_TRUE(bad.may_come_back);
  EXPECT_EQ(counters().closed_violation, 1U);
  EXPECT_EQ(node.machine->apps().count(), 1U);
  good.say(wire::FrameKind::kPing, {}, {}, 0, 5);
  world.settle();
  EXPECT_EQ(good.received.back().kind, wire::FrameKind::kPong);
  EXPECT_EQ(good.received.back().call_id, 5U);
}

TEST_F(MachineAppsTest, OneFaultHarmsOneCall) {
  TestApp& worker = world.worker(node, "worker");
  TestApp& client = world.app(node, "client");
  world.settle();
  client.say(wire::FrameKind::kCall, {}, "x", 99, 1);
  worker.answers_at_once = false;
  client.call(2, spec_for("f"));
  client.call(3, spec_for("f"));
  client.call(4, spec_for("f"));
  world.settle();
  EXPECT_TRUE(begins(client.result(1), "invalid argument")) << client.result(1);
  ASSERT_EQ(worker.work.size(), 3U);
  worker.say(wire::FrameKind::kResult, {}, {}, 999, worker.work[0].call);
  worker.say(wire::FrameKind::kResult, "\xff\xff", {}, static_cast<std::uint32_t>(wire::Outcome::kPanicked),
             worker.work[1].call);
  v1::ResultError error;
  error.set_message(std::string(17U << 20, '\xe9'));
  worker.say(wire::FrameKind::kResult, error.SerializeAsString(), {},
             static_cast<std::uint32_t>(wire::Outcome::kPanicked), worker.work[2].call);
  world.settle();
  EXPECT_TRUE(begins(client.result(2), "internal")) << client.result(2);
  EXPECT_TRUE(begins(client.result(3), "panicked")) << client.result(3);
  EXPECT_TRUE(begins(client.result(4), "panicked")) << client.result(4).substr(0, 100);
  EXPECT_LT(client.result(4).size(), 100'000U);
  EXPECT_FALSE(worker.is_closed);
  EXPECT_FALSE(client.is_closed);
}

TEST_F(MachineAppsTest, BrokenFramingEndsTheConnectionWithAGoodbyeThatSaysWhy) {
  TestApp& app = world.app(node, "app");
  world.settle();
  node.machine->malformed(world.now, app.wire->half_of(node).id, absl::InvalidArgumentError("a frame of 3 bytes"));
  world.settle();
  EXPECT_EQ(app.goodbye, "a frame of 3 bytes");
  EXPECT_TRUE(app.may_come_back);
  EXPECT_EQ(counters().bad_frames, 1U);
}

TEST_F(MachineAppsTest, StaleSessionsReachNobody) {
  TestApp& first = world.worker(node, "first");
  world.settle();
  const ConnectionId former = first.wire->half_of(node).id;
  first.close();
  world.settle();
  TestApp& second = world.app(node, "second");
  world.settle();
  ASSERT_EQ(slot_of(second.wire->half_of(node).id), slot_of(former)) << "it takes the first one's place";
  const std::size_t before = second.received.size();
  const FrameInTransit frame{{.kind = wire::FrameKind::kWelcome}, {}, {}};
  node.take(former, frame);
  node.ended(former, absl::OkStatus());
  node.machine->congested(world.now, former);
  world.settle();
  EXPECT_EQ(second.received.size(), before);
  EXPECT_FALSE(second.is_closed);
  EXPECT_TRUE(node.machine->apps().name_of(former.value).empty());
}

TEST_F(MachineAppsTest, CallsBeyondTheCreditsAreRejectedAndCounted) {
  World other;
  TestNode& small =
      other.start({.name = "a", .number = 1, .tune = [](NodeMachineOptions& options) { options.apps.credits = 2; }});
  TestApp& worker = other.worker(small, "worker");
  worker.answers_at_once = false;
  TestApp& client = other.app(small, "client");
  other.settle();
  for (std::uint64_t id = 1; id <= 3; ++id) client.call(id, spec_for("f"));
  other.settle();
  EXPECT_TRUE(begins(client.result(3), "rejected")) << client.result(3);
  EXPECT_EQ(small.machine->apps().counters().calls_over_credit, 1U);
  client.close();
  other.settle();
  EXPECT_EQ(small.machine->apps().counters().calls_over_credit, 1U) << "counted when it has gone, too";
}

}  // namespace
}  // namespace kaido::daemon
