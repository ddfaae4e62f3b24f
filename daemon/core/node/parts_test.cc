// The small parts of the machine, each by itself.
#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/core/node/conflicts.h"
#include "daemon/core/node/connection_table.h"
#include "daemon/core/node/deadlines.h"
#include "daemon/core/node/dialer.h"
#include "daemon/core/node/liveness.h"
#include "daemon/core/node/outbox.h"
#include "proto/base/random.h"

namespace kaido::daemon {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSeed = 20261129;
constexpr base::Instant kStart = base::Instant{} + 1h;

// ---------------------------------------------------------------- ConnectionTable

using Table = ConnectionTable<int>;

ConnectionId open(Table& table, int value) {
  const ConnectionId id = table.reserve();
  table.set(id, std::make_unique<int>(value));
  return id;
}

TEST(ConnectionTable, AStaleIdFindsNobody) {
  Table table(Half::kApps);
  const ConnectionId first = open(table, 1);
  ASSERT_NE(first, kNoConnection);
  EXPECT_EQ(*table.find(first), 1);
  table.release(first);
  EXPECT_EQ(table.find(first), nullptr);
  const ConnectionId second = open(table, 2);
  EXPECT_EQ(slot_of(second), slot_of(first)) << "its place is taken again";
  EXPECT_NE(second, first);
  EXPECT_EQ(table.find(first), nullptr);
  EXPECT_EQ(*table.find(second), 2);
  EXPECT_EQ(table.size(), 1U);
}

TEST(ConnectionTable, TheTwoHalvesNeverMixUp) {
  Table apps(Half::kApps);
  Table peers(Half::kPeers);
  const ConnectionId app = open(apps, 1);
  const ConnectionId peer = open(peers, 2);
  EXPECT_NE(app, peer);
  EXPECT_EQ(app.value & kHalfBit, 0U);
  EXPECT_NE(peer.value & kHalfBit, 0U);
  EXPECT_EQ(apps.find(peer), nullptr);
  EXPECT_EQ(peers.find(app), nullptr);
  EXPECT_EQ(apps.find(kNoConnection), nullptr);
  EXPECT_EQ(peers.find({~0U}), nullptr);
}

TEST(ConnectionTable, AGenerationComesBackOnlyAfterAllOthersAndIsNeverZero) {
  Table table(Half::kPeers);
  std::set<std::uint32_t> seen;
  for (int round = 0; round < 16383; ++round) {
    const ConnectionId id = open(table, round);
    ASSERT_NE(id.value >> kConnectionSlotBits, 0U);
    ASSERT_TRUE(seen.insert(id.value).second) << round;
    table.release(id);
  }
  EXPECT_FALSE(seen.insert(open(table, 0).value).second);
}

TEST(ConnectionTable, AgreesWithAMapOverRandomSteps) {
  base::Random random(kSeed);
  Table table(Half::kApps);
  std::map<ConnectionId, int> model;
  std::vector<ConnectionId> gone;
  for (int step = 0; step < 5000; ++step) {
    if (random.below(2) == 0 || model.empty()) {
      model[open(table, step)] = step;
    } else {
      const auto victim = std::next(model.begin(), random.below(static_cast<std::uint32_t>(model.size())));
      table.release(victim->first);
      gone.push_back(victim->first);
      model.erase(victim);
    }
    ASSERT_EQ(table.size(), model.size());
  }
  for (const auto& [id, value] : model) ASSERT_EQ(*table.find(id), value);
  for (const ConnectionId id : gone) ASSERT_EQ(table.find(id), nullptr);
  std::multiset<int> visited, expected;
  table.for_each([&](int value) { visited.insert(value); });
  for (const auto& [id, value] : model) expected.insert(value);
  EXPECT_EQ(visited, expected);
}

// ---------------------------------------------------------------- Deadlines

TEST(Deadlines, RingInOrderAndOnceEach) {
  Deadlines deadlines;
  EXPECT_EQ(deadlines.next(), std::nullopt);
  deadlines.set({1}, kStart + 3s);
  deadlines.set({2}, kStart + 1s);
  deadlines.set({3}, kStart + 2s);
  EXPECT_EQ(deadlines.next(), kStart + 1s);
  EXPECT_EQ(deadlines.take_due(kStart), std::nullopt);
  EXPECT_EQ(deadlines.take_due(kStart + 2s), ConnectionId{2});
  EXPECT_EQ(deadlines.take_due(kStart + 2s), ConnectionId{3});
  EXPECT_EQ(deadlines.take_due(kStart + 2s), std::nullopt);
  EXPECT_EQ(deadlines.next(), kStart + 3s);
}

TEST(Deadlines, SettingAgainReplacesAndNothingSilences) {
  Deadlines deadlines;
  deadlines.set({1}, kStart + 3s);
  deadlines.set({1}, kStart + 5s);
  EXPECT_EQ(deadlines.next(), kStart + 5s);
  deadlines.set({1}, std::nullopt);
  EXPECT_EQ(deadlines.next(), std::nullopt);
  deadlines.set({9}, std::nullopt);
  EXPECT_EQ(deadlines.take_due(kStart + 1h), std::nullopt);
}

TEST(Deadlines, ALaterConnectionOfTheSlotHasTheAlarm) {
  Deadlines deadlines;
  const ConnectionId former{1U << kConnectionSlotBits | 4};
  const ConnectionId later{2U << kConnectionSlotBits | 4};
  deadlines.set(former, kStart);
  deadlines.set(later, kStart + 1s);
  EXPECT_EQ(deadlines.take_due(kStart + 1h), later);
  EXPECT_EQ(deadlines.take_due(kStart + 1h), std::nullopt);
}

// ---------------------------------------------------------------- Dialer

TEST(Dialer, WaitsLongerFromTryToTryUntilItSucceeds) {
  Dialer dialer("b", 100ms, 10s, kSeed);
  EXPECT_EQ(dialer.state(), Dialer::State::kResting);
  EXPECT_EQ(dialer.due(), std::nullopt);
  base::Duration longest{0};
  for (int i = 0; i < 20; ++i) {
    dialer.dialing({1});
    EXPECT_EQ(dialer.due(), std::nullopt);
    dialer.wait(kStart);
    ASSERT_TRUE(dialer.due());
    longest = std::max(longest, *dialer.due() - kStart);
    ASSERT_LE(*dialer.due() - kStart, 10s);
  }
  EXPECT_GT(longest, 1s);
  dialer.succeeded();
  dialer.wait(kStart);
  EXPECT_LE(*dialer.due() - kStart, 200ms) << "from the shortest pause again";
}

TEST(Dialer, HurriesOrWaitsLongWhenTold) {
  Dialer dialer("b", 100ms, 10s, kSeed);
  dialer.hurry(kStart);
  EXPECT_EQ(dialer.due(), kStart);
  dialer.wait_long(kStart);
  EXPECT_GT(*dialer.due(), kStart + 10s);
  dialer.rest();
  EXPECT_EQ(dialer.due(), std::nullopt);
}

TEST(Dialer, TwoOfDifferentSeedsDoNotKnockInStep) {
  Dialer one("b", 100ms, 10s, 1);
  Dialer other("b", 100ms, 10s, 2);
  int together = 0;
  for (int i = 0; i < 20; ++i) {
    one.wait(kStart);
    other.wait(kStart);
    together += one.due() == other.due() ? 1 : 0;
  }
  EXPECT_LT(together, 5);
}

TEST(Dialer, AFailureIsNewsOnceUntilSomebodyAnswered) {
  Dialer dialer("b", 100ms, 10s, kSeed);
  EXPECT_TRUE(dialer.take_first_failure());
  EXPECT_FALSE(dialer.take_first_failure());
  dialer.answered();
  EXPECT_TRUE(dialer.take_first_failure());
}

// ---------------------------------------------------------------- PingLiveness

constexpr NodeIndex kB{1};
constexpr NodeIndex kC{2};

TEST(PingLiveness, ANodeThatSaidGoodbyeOrFellSilentIsLostAtOnce) {
  PingLiveness liveness(1s);
  liveness.left(kStart, kB, Departure::kGoodbye);
  liveness.left(kStart, kC, Departure::kSilent);
  EXPECT_EQ(liveness.take_lost(kStart), (std::vector<NodeIndex>{kB, kC}));
  EXPECT_TRUE(liveness.take_lost(kStart + 1h).empty()) << "each is named once";
  EXPECT_EQ(liveness.next_timeout(), std::nullopt);
}

TEST(PingLiveness, ABrokenLinkHasAGraceTime) {
  PingLiveness liveness(1s);
  liveness.left(kStart, kB, Departure::kClosed);
  EXPECT_TRUE(liveness.take_lost(kStart + 1s - 1ns).empty());
  EXPECT_EQ(liveness.next_timeout(), kStart + 1s);
  EXPECT_EQ(liveness.take_lost(kStart + 1s), std::vector<NodeIndex>{kB});
}

TEST(PingLiveness, WhoComesBackInTimeIsNotLost) {
  PingLiveness liveness(1s);
  liveness.left(kStart, kB, Departure::kClosed);
  liveness.met(kB);
  EXPECT_EQ(liveness.next_timeout(), std::nullopt);
  EXPECT_TRUE(liveness.take_lost(kStart + 1h).empty());
}

TEST(PingLiveness, NobodyAtItsAddressEndsTheGraceTimeOfANodeWithoutALinkOnly) {
  PingLiveness liveness(1s);
  liveness.met(kC);
  liveness.nobody_there(kStart, kC);
  EXPECT_TRUE(liveness.take_lost(kStart).empty());
  liveness.left(kStart, kB, Departure::kClosed);
  liveness.nobody_there(kStart + 1ms, kB);
  EXPECT_EQ(liveness.take_lost(kStart + 1ms), std::vector<NodeIndex>{kB});
}

TEST(PingLiveness, NobodyComesBackToANodeThatIsAwayItself) {
  PingLiveness liveness(1s);
  liveness.left(kStart, NodeIndex{1}, Departure::kClosed);
  liveness.was_away(10s);
  EXPECT_TRUE(liveness.take_lost(kStart + 10s).empty());
  EXPECT_EQ(liveness.take_lost(kStart + 11s), std::vector{NodeIndex{1}});
}

TEST(PingLiveness, AGraceTimeWithoutEndNeverOverflows) {
  PingLiveness liveness(base::Duration::max());
  liveness.left(kStart, kB, Departure::kClosed);
  EXPECT_TRUE(liveness.take_lost(kStart + 24h * 365).empty());
}

// ---------------------------------------------------------------- Conflicts

constexpr base::Life kFirst{base::Epoch{1}, 7};

Conflict conflict_of(std::uint8_t id, Conflict::Kind kind = Conflict::Kind::kId) {
  Conflict conflict;
  conflict.kind = kind;
  conflict.id.bytes[0] = id;
  conflict.challenger = kFirst;
  conflict.first = {"n" + std::to_string(id), "tcp:1"};
  conflict.second = {"n" + std::to_string(id), "tcp:2"};
  return conflict;
}

std::size_t lines_of(Outbox& outbox) {
  const std::size_t lines = outbox.ready().events.size();
  outbox.advance();
  return lines;
}

TEST(Conflicts, IsLoggedOnceAndListedWhileItLasts) {
  Outbox outbox;
  Conflicts conflicts(outbox, 10s);
  conflicts.noticed(kStart, conflict_of(1));
  EXPECT_EQ(lines_of(outbox), 1U);
  for (int minute = 1; minute <= 10; ++minute) conflicts.noticed(kStart + minute * 1min, conflict_of(1));
  EXPECT_EQ(lines_of(outbox), 0U);
  ASSERT_EQ(conflicts.list(kStart + 10min).size(), 1U);
  EXPECT_EQ(conflicts.list(kStart + 10min)[0].since, kStart);
  EXPECT_EQ(conflicts.list(kStart + 10min)[0].last, kStart + 10min);
  EXPECT_TRUE(conflicts.is_current(kStart + 10min, conflict_of(1).id, kFirst));
  EXPECT_FALSE(conflicts.is_current(kStart + 10min, conflict_of(2).id, kFirst));
  EXPECT_FALSE(conflicts.is_current(kStart + 10min, conflict_of(1).id, {base::Epoch{2}, 7})) << "of another life";
  const base::Instant over = kStart + 10min + Conflicts::kShownForMin + 1ns;
  EXPECT_TRUE(conflicts.list(over).empty());
  EXPECT_FALSE(conflicts.is_current(over, conflict_of(1).id, kFirst));
  conflicts.noticed(kStart + 1h, conflict_of(1));
  EXPECT_EQ(lines_of(outbox), 1U) << "it is back";
  EXPECT_EQ(conflicts.list(kStart + 1h)[0].since, kStart + 1h);
}

TEST(Conflicts, OneThatKnocksSeldomHasNoGaps) {
  Outbox outbox;
  Conflicts conflicts(outbox, 6h);
  for (int knock = 0; knock < 10; ++knock) {
    conflicts.noticed(kStart + knock * 6h, conflict_of(1));
    EXPECT_EQ(conflicts.list(kStart + (knock + 1) * 6h).size(), 1U);
  }
  EXPECT_EQ(lines_of(outbox), 1U);
}

TEST(Conflicts, ANameIsSaidOnceUntilItIsFree) {
  Outbox outbox;
  Conflicts conflicts(outbox, 10s);
  conflicts.noticed(kStart, conflict_of(1));
  conflicts.noticed(kStart, conflict_of(1, Conflict::Kind::kName));
  EXPECT_EQ(lines_of(outbox), 2U) << "ids and names are different matters";
  EXPECT_EQ(conflicts.list(kStart).size(), 1U) << "of names the view knows better";
  conflicts.noticed(kStart + 24h, conflict_of(1, Conflict::Kind::kName));
  EXPECT_EQ(lines_of(outbox), 0U);
  conflicts.name_is_free("n1");
  conflicts.noticed(kStart + 24h, conflict_of(1, Conflict::Kind::kName));
  EXPECT_EQ(lines_of(outbox), 1U);
}

TEST(Conflicts, TheListIsBounded) {
  Outbox outbox;
  Conflicts conflicts(outbox, 10s);
  for (std::uint8_t id = 1; id <= 40; ++id) conflicts.noticed(kStart, conflict_of(id));
  EXPECT_EQ(conflicts.list(kStart).size(), Conflicts::kMax);
  const base::Instant later = kStart + Conflicts::kShownForMin + 1s;
  conflicts.noticed(later, conflict_of(50));
  ASSERT_EQ(conflicts.list(later).size(), 1U) << "old ones make room";
  EXPECT_EQ(conflicts.list(later)[0].id.bytes[0], 50);
}

TEST(Conflicts, TheSentenceNamesBothAndWhatToDo) {
  const std::string id = describe(conflict_of(7));
  EXPECT_NE(id.find("n7 (tcp:1)"), std::string::npos) << id;
  EXPECT_NE(id.find("tcp:2"), std::string::npos) << id;
  EXPECT_NE(id.find("node.state_dir"), std::string::npos) << id;
  const std::string name = describe(conflict_of(7, Conflict::Kind::kName));
  EXPECT_NE(name.find("two nodes are named n7: tcp:1 and tcp:2"), std::string::npos) << name;
  EXPECT_NE(name.find("node.name"), std::string::npos) << name;
}

// ---------------------------------------------------------------- Outbox

TEST(Outbox, WhatIsAddedWhileABatchIsActedOnIsInTheNext) {
  Outbox outbox;
  EXPECT_FALSE(outbox.has_ready());
  wire::FrameHeader header;
  header.call_id = 1;
  outbox.send({5}, header, wire::as_span("one"), Payload::copy_of(wire::as_span("first")));
  ASSERT_TRUE(outbox.has_ready());
  const Ready& ready = outbox.ready();
  for (std::uint64_t id = 2; id < 1000; ++id) {
    header.call_id = id;
    outbox.send({5}, header, wire::as_span("others"), Payload::copy_of(wire::as_span("later")));
  }
  EXPECT_EQ(&outbox.ready(), &ready) << "the same one until it is acknowledged";
  ASSERT_EQ(ready.frames.size(), 1U);
  EXPECT_EQ(wire::as_text(ready.metadata(ready.frames[0])), "one");
  EXPECT_EQ(wire::as_text(ready.frames[0].payload.bytes()), "first");
  outbox.advance();
  ASSERT_TRUE(outbox.has_ready());
  EXPECT_EQ(outbox.ready().frames.size(), 998U);
  outbox.advance();
  EXPECT_FALSE(outbox.has_ready());
}

}  // namespace
}  // namespace kaido::daemon
