// Who is a peer: greetings, conflicts of ids and names, lives.
#include <string>

#include <gtest/gtest.h>

#include "daemon/core/node/machine_fixture.h"
#include "daemon/core/node/stranger.h"
#include "daemon/core/node/two_nodes.h"

namespace kaido::daemon {
namespace {

using namespace std::chrono_literals;

class MachinePeersTest : public TwoNodes {};

TEST(MachinePeers, NodesThatDialEachOtherAtOnceEndWithOneLinkAndLoseNothing) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    World world(seed);
    TestNode& a = world.add({.name = "a", .number = 1, .peers = {"b"}});
    TestNode& b = world.add({.name = "b", .number = 2, .peers = {"a"}});
    world.start(a);
    world.start(b);
    ASSERT_TRUE(world.run_until([&] { return a.peers() == 1 && b.peers() == 1; })) << "seed " << seed;
    world.run_for(10s);
    ASSERT_EQ(world.wires(a, b), 1U) << "seed " << seed;
    ASSERT_EQ(a.machine->peers().counters().nodes_lost + b.machine->peers().counters().nodes_lost, 0U)
        << "the choice is made before anything is lost by it; seed " << seed;
    ASSERT_EQ(a.machine->peers().counters().links_replaced, 0U) << "seed " << seed;
  }
}

TEST(MachinePeers, AFullMeshOfFiveConnectsWhoeverListsWhom) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world(seed);
    const std::vector<std::string> all = {"a", "b", "c", "d", "e"};  // each lists itself, too
    for (std::uint8_t i = 0; i < 5; ++i) {
      world.add({.name = all[i], .number = static_cast<std::uint8_t>(i + 1), .peers = all});
    }
    for (const auto& node : world.nodes) world.start(*node);
    ASSERT_TRUE(world.run_until([&] {
      return std::all_of(world.nodes.begin(), world.nodes.end(), [](const auto& node) { return node->peers() == 4; });
    })) << "seed "
        << seed;
    world.run_for(5s);
    for (const auto& node : world.nodes) {
      EXPECT_EQ(node->peers(), 4U) << "seed " << seed;
      EXPECT_EQ(node->machine->peers().counters().nodes_lost, 0U) << "seed " << seed;
      EXPECT_TRUE(node->machine->peers().conflicts().empty()) << "an address of its own is no conflict";
    }
  }
}

TEST_F(MachinePeersTest, AnAddressThatIsTheNodeItselfIsTriedSeldom) {
  a = &world.start({.name = "a", .number = 1, .peers = {"a"}});
  world.run_for(10min);
  EXPECT_EQ(a->peers(), 0U);
  EXPECT_LT(a->machine->peers().counters().handshakes_failed, 30U);
  EXPECT_TRUE(a->machine->peers().conflicts().empty());
}

TEST_F(MachinePeersTest, ABareHelloOfALaterLifeEvictsNobody) {
  join();
  TestApp& worker = world.worker(*b, "worker");
  worker.answers_at_once = false;
  TestApp& client = world.app(*a, "client");
  world.settle();
  client.call(1, spec_for("f"));
  world.settle();
  Stranger stranger(world, *a);
  stranger.say_hello(2, {{~std::uint64_t{0}}, 5});
  world.run_for(10s);
  EXPECT_EQ(a->peers(), 1U);
  EXPECT_EQ(a->machine->peers().counters().nodes_lost, 0U);
  stranger.leave();
  world.settle();
  worker.answer(worker.work.at(0));
  world.settle();
  EXPECT_EQ(client.result(1), "succeeded 42");
}

TEST_F(MachinePeersTest, AWelcomeOfAnotherVersionThanTheHellosAgreeOnIsRefused) {
  join();
  for (const std::uint32_t version : {wire::kVersions.max + 1, std::uint32_t{0}, ~std::uint32_t{0}}) {
    Stranger stranger(world, *a);
    stranger.say_hello(9, {{1}, 1});
    stranger.say(wire::FrameKind::kWelcome, Stranger::welcome_of(version) + std::string("\x10\x00", 2));
    EXPECT_NE(stranger.goodbye.find("protocol version " + std::to_string(version)), std::string::npos)
        << stranger.goodbye;
  }
  Stranger stranger(world, *a);
  stranger.say_hello(9, {{1}, 1});
  stranger.say(wire::FrameKind::kWelcome, "\xff\xff");
  EXPECT_NE(stranger.goodbye.find("protocol violation"), std::string::npos) << stranger.goodbye;
  EXPECT_EQ(a->peers(), 1U);
}

TEST_F(MachinePeersTest, ACommitmentOfAnotherLifeIsHeldBackWhileTheIncumbentLives) {
  join();
  const std::uint64_t before = a->machine->peers().counters().connected;
  Stranger stranger(world, *a);
  stranger.say_hello(2, {{~std::uint64_t{0}}, 5}, "b");
  stranger.say(wire::FrameKind::kWelcome);
  world.run_for(10s);
  EXPECT_EQ(a->machine->peers().counters().nodes_lost, 0U);
  EXPECT_EQ(a->machine->peers().counters().connected, before);
  ASSERT_EQ(a->machine->peers().conflicts().size(), 1U);
  EXPECT_EQ(a->count_log("nodes are in each other's way"), 1) << a->log_text();
  EXPECT_NE(stranger.goodbye.find("two nodes have the id"), std::string::npos) << stranger.goodbye;
}

TEST_F(MachinePeersTest, WhoeverChallengesOftenDoesNotWinByIt) {
  join();
  Wire::Half& to_a = world.wire(*a, *b)->half_of(*a);
  to_a.is_held = true;
  std::vector<std::unique_ptr<Stranger>> strangers;
  for (std::uint64_t nonce = 1; nonce <= 100; ++nonce) {
    world.run_for(20ms);
    const std::size_t arrived = to_a.inbox.size();  // a round trip takes longer than the next challenger
    strangers.push_back(std::make_unique<Stranger>(world, *a));
    strangers.back()->say_hello(2, {{~std::uint64_t{0}}, nonce}, "b");
    strangers.back()->say(wire::FrameKind::kWelcome);
    for (std::size_t i = 0; i < arrived; ++i) {
      a->take(to_a.id, to_a.inbox.front());
      to_a.inbox.pop_front();
    }
  }
  EXPECT_EQ(a->machine->peers().counters().nodes_lost, 0U);
  EXPECT_EQ(a->peers(), 1U);
}

TEST_F(MachinePeersTest, AnIncumbentThatIsNotIntroducedYetIsAskedToo) {
  a = &world.start({.name = "a", .number = 1});
  for (const bool answers : {true, false}) {
    Stranger incumbent(world, *a);
    incumbent.say_hello(9, {{1}, 1}, "nine");
    incumbent.say(wire::FrameKind::kWelcome);
    Stranger challenger(world, *a);
    challenger.say_hello(9, {{2}, 2}, "nine");
    challenger.say(wire::FrameKind::kWelcome);
    ASSERT_EQ(incumbent.pings.size(), 1U);
    if (answers) incumbent.say(wire::FrameKind::kPong, {}, incumbent.pings[0]);
    world.run_for(1100ms);
    EXPECT_EQ(challenger.goodbye.empty(), !answers) << challenger.goodbye;
    EXPECT_EQ(incumbent.goodbye.empty(), answers) << incumbent.goodbye;
    incumbent.leave();
    challenger.leave();
    world.run_for(1s);
  }
}

TEST_F(MachinePeersTest, AnAnswerToAnEarlierPingIsNoneToTheChallenge) {
  a = &world.start({.name = "a", .number = 1});
  Stranger incumbent(world, *a);
  incumbent.say_hello(9, {{1}, 1}, "nine");
  incumbent.say(wire::FrameKind::kWelcome);
  incumbent.say_info(9, {{1}, 1}, "nine");
  world.run_for(1100ms);
  ASSERT_EQ(incumbent.pings.size(), 1U);
  Stranger challenger(world, *a);
  challenger.say_hello(9, {{2}, 2}, "nine");
  challenger.say(wire::FrameKind::kWelcome);
  incumbent.say(wire::FrameKind::kPong, {}, incumbent.pings[0]);  // was under way when its host went
  EXPECT_EQ(challenger.goodbye, "");
  world.run_for(1100ms);
  EXPECT_EQ(challenger.goodbye, "");
  EXPECT_NE(incumbent.goodbye.find("another life"), std::string::npos) << incumbent.goodbye;
}

TEST_F(MachinePeersTest, AnIncumbentThatIsDeadGivesWayToTheNextLife) {
  join();
  TestApp& worker = world.worker(*b, "worker");
  worker.answers_at_once = false;
  TestApp& client = world.app(*a, "client");
  world.settle();
  client.call(1, spec_for("f"));
  world.settle();
  // Its host vanishes without a word, and is started again before anybody noticed.
  for (Wire::Half& half : world.wire(*a, *b)->halves) half.is_held = true;
  b->is_up = false;
  TestNode& again = world.start({.name = "b", .number = 2, .life = {{2}, 0}, .peers = {"a"}});
  ASSERT_TRUE(world.run_until([&] { return again.peers() == 1; }, 3s)) << "sooner than by timeouts.peer";
  world.settle();
  EXPECT_TRUE(client.result(1).rfind("node lost", 0) == 0) << client.result(1);
  EXPECT_EQ(a->peers(), 1U);
  world.run_for(10s);
  EXPECT_EQ(a->machine->tasks().view().find(a->index_of(again))->info->life.epoch.value, 2U);
  EXPECT_EQ(a->machine->peers().counters().nodes_lost, 1U);
  EXPECT_TRUE(a->machine->peers().conflicts().empty()) << "one after the other is no conflict";
}

TEST_F(MachinePeersTest, AnEarlierLifeOfANodeThatWasLostIsTaken) {
  a = &world.start({.name = "a", .number = 1});
  b = &world.start({.name = "b", .number = 2, .life = {{900}, 0}, .peers = {"a"}});
  ASSERT_TRUE(world.run_until([&] { return a->peers() == 1; }));
  world.kill(*b);
  ASSERT_TRUE(world.run_until([&] { return a->machine->peers().counters().nodes_lost == 1; }));
  TestNode& again = world.start({.name = "b", .number = 2, .life = {{1}, 0}, .peers = {"a"}});
  EXPECT_TRUE(world.run_until([&] { return a->peers() == 1 && again.peers() == 1; }));
}

// A copied disk image: equal id, and the clone's epoch is equal, smaller or greater.
TEST(MachinePeers, AClonedIdIsReportedOnceAndNeitherFlaps) {
  for (const std::uint64_t epoch : {1U, 2U, 3U}) {
    for (std::uint64_t seed = 1; seed <= 2; ++seed) {
      World world(seed);
      TestNode& c = world.start({.name = "c", .number = 3, .peers = {"a", "b"}});
      TestNode& a = world.start({.name = "a", .number = 1, .life = {{2}, 0}, .peers = {"c"}});
      ASSERT_TRUE(world.run_until([&] { return c.peers() == 1; }));
      TestNode& clone = world.start({.name = "b", .number = 1, .life = {{epoch}, 0}, .peers = {"c"}});
      world.run_for(5min);
      EXPECT_EQ(c.peers(), 1U);
      EXPECT_EQ(a.peers(), 1U) << "who was there stays";
      EXPECT_EQ(clone.peers(), 0U);
      EXPECT_EQ(c.machine->peers().counters().nodes_lost, 0U) << "seed " << seed << ", epoch " << epoch;
      for (TestNode* const node : {&c, &clone}) {
        EXPECT_EQ(node->count_log("nodes are in each other's way"), 1) << node->log_text();
        EXPECT_EQ(node->count_log("two nodes have the id"), 1) << node->log_text();
        ASSERT_EQ(node->machine->peers().conflicts().size(), 1U) << node->options.name;
      }
      EXPECT_LT(c.machine->peers().counters().handshakes_failed, 100U) << "it knocks at the pace of reconnect_max";
    }
  }
}

TEST(MachinePeers, AConflictThatKnocksSeldomIsSaidOnceAndShownWithoutGaps) {
  World world;
  const auto seldom = [](NodeMachineOptions& options) { options.peers.reconnect_max = 1min; };
  TestNode& c = world.start({.name = "c", .number = 3, .tune = seldom});
  TestNode& a = world.start({.name = "a", .number = 1, .life = {{2}, 0}, .peers = {"c"}, .tune = seldom});
  ASSERT_TRUE(world.run_until([&] { return a.peers() == 1; }));
  TestNode& clone = world.start({.name = "b", .number = 1, .life = {{2}, 0}, .peers = {"c"}, .tune = seldom});
  world.run_for(10s);
  for (int minute = 0; minute < 60; ++minute) {
    for (TestNode* const node : {&c, &clone}) {
      ASSERT_EQ(node->machine->peers().conflicts().size(), 1U) << node->options.name << ", minute " << minute;
    }
    world.run_for(1min);
  }
  for (TestNode* const node : {&c, &clone}) {
    EXPECT_EQ(node->count_log("nodes are in each other's way"), 1) << node->log_text();
  }
  const Conflict told = clone.machine->peers().conflicts()[0];
  EXPECT_EQ(told.first.address, "this node");
  EXPECT_EQ(told.second.name, "a");
  EXPECT_NE(told.second.address.find(", linked with c"), std::string::npos) << told.second.address;
  EXPECT_EQ(clone.count_log("there can be no link"), 0) << "that was said already";
}

// Its link has died without a word, and its copy is gone, which others have not forgotten yet.
TEST(MachinePeers, ANodeThatIsBackBeforeItsFormerLinkIsKnownToBeDeadHasNoTwin) {
  World world;
  const auto often = [](NodeMachineOptions& options) { options.peers.reconnect_max = 200ms; };
  TestNode& c = world.start({.name = "c", .number = 3, .peers = {"a", "elsewhere"}, .tune = often});
  TestNode& a = world.start({.name = "a", .number = 1, .life = {{2}, 0}});
  ASSERT_TRUE(world.run_until([&] { return c.peers() == 1; }));
  TestNode& clone = world.start({.name = "b", .number = 1, .life = {{2}, 0}, .peers = {"c"}});
  ASSERT_TRUE(world.run_until([&] { return clone.count_log("nodes are in each other's way") == 1; }));
  world.kill(clone);
  world.routes.erase("a");
  world.hold(*world.wire(a, c), true);
  const std::uint64_t refused = c.machine->peers().counters().handshakes_failed;
  TestNode& again = world.start({.name = "a", .number = 1, .life = {{3}, 0}, .address = "elsewhere"});
  ASSERT_TRUE(world.run_until([&] { return again.peers() == 1; }));
  EXPECT_GT(c.machine->peers().counters().handshakes_failed, refused) << "it came while the former link was there";
  EXPECT_EQ(c.machine->peers().conflicts().size(), 1U) << "the conflict was still shown";
  EXPECT_TRUE(again.machine->peers().conflicts().empty());
  EXPECT_EQ(again.count_log("nodes are in each other's way"), 0) << again.log_text();
}

TEST(MachinePeers, AnAddressThatCannotBeJoinedHasOneLine) {
  World world;
  TestNode& a = world.start({.name = "a", .number = 1, .peers = {"b"}});
  const auto newer = [](NodeMachineOptions& options) { options.peers.session.versions = {98, 99}; };
  TestNode& b = world.start({.name = "b", .number = 2, .peers = {"a"}, .tune = newer});
  world.run_for(1h);
  EXPECT_EQ(a.peers() + b.peers(), 0U);
  for (TestNode* const node : {&a, &b}) {
    EXPECT_EQ(node->count_log("there can be no link"), 1) << node->log_text();
    EXPECT_EQ(node->count_log("upgrade"), 1) << node->log_text();
    EXPECT_GT(node->machine->peers().counters().handshakes_failed, 10U) << "it is tried again";
  }
}

TEST(MachinePeers, WhatTwoNodesDoAnywayIsNoRefusal) {
  World world;
  // Each dials the other, and itself; then one of them stops in good order, and the other waits for it.
  TestNode& a = world.start({.name = "a", .number = 1, .peers = {"a", "b"}});
  TestNode& b = world.start({.name = "b", .number = 2, .peers = {"a", "b"}});
  ASSERT_TRUE(world.run_until([&] { return a.peers() == 1 && b.peers() == 1; }));
  b.machine->say_goodbye(world.now, "stopping");
  world.run_for(1min);
  EXPECT_EQ(a.count_log("there can be no link") + b.count_log("there can be no link"), 0) << a.log_text();
}

TEST(MachinePeers, TwoClonesThatMeetSayWhatIsWrong) {
  World world;
  TestNode& a = world.start({.name = "a", .number = 1, .life = {{2}, 0}});
  TestNode& clone = world.start({.name = "b", .number = 1, .life = {{2}, 0}, .peers = {"a"}});
  world.run_for(5min);
  EXPECT_EQ(a.peers() + clone.peers(), 0U);
  for (TestNode* const node : {&a, &clone}) {
    EXPECT_EQ(node->count_log("nodes are in each other's way"), 1) << node->log_text();
    EXPECT_EQ(node->machine->peers().conflicts().size(), 1U);
  }
}

TEST(MachinePeers, TwoNodesOfOneNameAreBothThereAndReportedOnce) {
  World world;
  TestNode& a = world.start({.name = "a", .number = 1});
  world.start({.name = "same", .number = 2, .peers = {"a"}, .address = "x"});
  TestNode& second = world.start({.name = "same", .number = 3, .peers = {"a"}, .address = "y"});
  ASSERT_TRUE(world.run_until([&] { return a.peers() == 2; }));
  world.run_for(1h);
  EXPECT_EQ(a.peers(), 2U);
  EXPECT_EQ(a.count_log("nodes are in each other's way"), 1) << a.log_text();
  ASSERT_EQ(a.machine->peers().conflicts().size(), 1U) << "for as long as it lasts";
  EXPECT_EQ(a.machine->peers().conflicts()[0].kind, Conflict::Kind::kName);
  world.kill(second);
  ASSERT_TRUE(world.run_until([&] { return a.machine->peers().counters().nodes_lost == 1; }));
  EXPECT_TRUE(a.machine->peers().conflicts().empty());
  world.start({.name = "same", .number = 4, .peers = {"a"}, .address = "z"});
  ASSERT_TRUE(world.run_until([&] { return a.peers() == 2; }));
  EXPECT_EQ(a.machine->peers().conflicts().size(), 1U);
  EXPECT_EQ(a.count_log("nodes are in each other's way"), 2) << "it is back: " << a.log_text();
}

TEST(MachinePeers, ANameIsFreeWhenItsNodeComesBackWithAnotherBeforeItIsLost) {
  World world;
  TestNode& a = world.start({.name = "a", .number = 1});
  world.start({.name = "same", .number = 2, .peers = {"a"}, .address = "x"});
  TestNode& second = world.start({.name = "same", .number = 3, .peers = {"a"}, .address = "y"});
  ASSERT_TRUE(world.run_until([&] { return a.peers() == 2; }));
  world.kill(second);
  world.start({.name = "other", .number = 3, .life = {{2}, 0}, .peers = {"a"}, .address = "y"});
  ASSERT_TRUE(world.run_until([&] { return a.peers() == 2; }));
  ASSERT_EQ(a.machine->peers().counters().nodes_lost, 1U) << "its former life, which ended when the new one came";
  EXPECT_TRUE(a.machine->peers().conflicts().empty());
  EXPECT_EQ(a.count_log("nodes are in each other's way"), 1) << a.log_text();
  world.start({.name = "same", .number = 4, .peers = {"a"}, .address = "z"});
  ASSERT_TRUE(world.run_until([&] { return a.peers() == 3; }));
  EXPECT_EQ(a.count_log("nodes are in each other's way"), 2) << "two have it again: " << a.log_text();
}

TEST(MachinePeers, ANodeNamedLikeThisOneIsReportedByBoth) {
  World world;
  TestNode& one = world.start({.name = "same", .number = 1, .address = "x"});
  TestNode& other = world.start({.name = "same", .number = 2, .peers = {"x"}, .address = "y"});
  ASSERT_TRUE(world.run_until([&] { return one.peers() == 1 && other.peers() == 1; }));
  EXPECT_EQ(one.machine->peers().conflicts().size(), 1U);
  EXPECT_EQ(other.machine->peers().conflicts().size(), 1U);
}

TEST_F(MachinePeersTest, ALoadIsAsOldAsTheFrameThatBroughtIt) {
  join();
  // Nothing happens here for as long as it may, and then b says something.
  world.run_for(10s);
  const base::Instant before = world.now;
  world.now = *a->machine->next_timeout() - 1ms;
  ASSERT_GT(world.now - before, LoadTable::kHalfLife);
  Wire* const wire = world.wire(*a, *b);
  FrameInTransit frame;
  frame.header.kind = wire::FrameKind::kPong;
  frame.header.set_load({.busy = 8, .slots = 4});
  world.send(*wire, wire->half_of(*b), frame);
  world.settle();
  // The time by which loads age moves on with a call.
  world.app(*a, "client").call(1, spec_for("nowhere"));
  world.settle();
  EXPECT_EQ(a->machine->tasks().chooser().loads().busy(a->index_of(*b)), 8U);
}

// What crashed the version before this one: a load before anything is known of the node.
TEST_F(MachinePeersTest, WorkBeforeNodeInfoHasNoPlaceAndALoadOfNobodyIsNoLoad) {
  a = &world.start({.name = "a", .number = 1});
  std::uint64_t refused = 0;
  for (const wire::FrameKind kind :
       {wire::FrameKind::kResult, wire::FrameKind::kStarted, wire::FrameKind::kQueued, wire::FrameKind::kRedirect,
        wire::FrameKind::kCall, wire::FrameKind::kCancel, wire::FrameKind::kInquire, wire::FrameKind::kPrepare}) {
    Stranger stranger(world, *a);
    stranger.say_hello(9, {{1}, 1});
    stranger.say(wire::FrameKind::kWelcome);
    stranger.say(wire::FrameKind::kPing, {}, 5, {3, 8});
    EXPECT_EQ(stranger.goodbye, "") << "a ping belongs there";
    stranger.say(kind, {}, 1, {3, 8});
    EXPECT_NE(stranger.goodbye.find("before node info"), std::string::npos) << stranger.goodbye;
    EXPECT_EQ(a->machine->peers().counters().bad_frames, ++refused);
    EXPECT_EQ(a->peers(), 0U);
    EXPECT_EQ(a->count_log("node lost"), 0);
    EXPECT_EQ(a->machine->tasks().view().nodes().size(), 1U);
  }
}

TEST_F(MachinePeersTest, AnAnnouncementThatCannotBeUsedIsRefusedAndCountedAndEndsNothing) {
  a = &world.start({.name = "a", .number = 1});
  Stranger stranger(world, *a);
  stranger.say_hello(9, {{1}, 1});
  stranger.say(wire::FrameKind::kWelcome);
  stranger.say_info(9, {{1}, 1}, "nine");
  ASSERT_EQ(a->peers(), 1U);
  stranger.say_info(9, {{1}, 1}, "");
  stranger.say(wire::FrameKind::kNodeInfo, "\xff\xff");
  EXPECT_EQ(a->peers(), 1U);
  EXPECT_EQ(a->machine->peers().counters().announcements_refused, 2U);
  EXPECT_EQ(a->machine->tasks().view().nodes().back().info->name, "nine") << "it stays what it was known as";
}

TEST_F(MachinePeersTest, GoodbyeIsALossAtOnceAndWhoSaidItIsDialedAgain) {
  join();
  b->machine->say_goodbye(world.now, "test");
  world.settle();
  EXPECT_EQ(a->peers(), 0U);
  EXPECT_EQ(a->machine->peers().counters().nodes_lost, 1U);
  EXPECT_EQ(b->machine->peers().counters().nodes_lost, 1U) << "what was in flight is settled at once";
  world.kill(*b);
  TestNode& again = world.start({.name = "b", .number = 2, .life = {{2}, 0}, .peers = {"a"}});
  EXPECT_TRUE(world.run_until([&] { return a->peers() == 1 && again.peers() == 1; }));
}

TEST_F(MachinePeersTest, WhoIsStoppingTakesNobody) {
  a = &world.start({.name = "a", .number = 1});
  a->machine->drain(world.now, world.now + 1h, "test");
  EXPECT_EQ(a->machine->peer_accepted(world.now, "tcp:x"), kNoConnection);
}

}  // namespace
}  // namespace kaido::daemon
