// What nodes tell each other of themselves: changes, only where there are some, and everything where a change is of no
// use.
#include <string>

#include <gtest/gtest.h>

#include "daemon/core/node/machine_fixture.h"
#include "daemon/core/node/stranger.h"
#include "daemon/core/node/two_nodes.h"
#include "daemon/core/view/node_delta.h"

namespace kaido::daemon {
namespace {

using namespace std::chrono_literals;
using wire::FrameKind;

std::ptrdiff_t sent(const TestNode& node, FrameKind kind) {
  return std::count_if(node.sent.begin(), node.sent.end(), [&](const auto& header) { return header.kind == kind; });
}

/// What `node` knows of `other`, but for its version.
NodeInfo known(const TestNode& node, const TestNode& other) {
  NodeInfo info = *node.machine->tasks().view().find(node.index_of(other))->info;
  info.version = 0;
  return info;
}

class MachineNewsTest : public TwoNodes {};

TEST_F(MachineNewsTest, WhatChangedIsToldAndNothingElse) {
  join();
  EXPECT_EQ(sent(*b, FrameKind::kNodeInfo), 1);
  TestApp& worker = world.worker(*b, "worker", 8, {"f", "g"});
  world.settle();
  EXPECT_EQ(sent(*b, FrameKind::kNodeInfoDelta), 1);
  EXPECT_EQ(known(*a, *b), in_order(b->machine->tasks().self()));
  EXPECT_EQ(known(*a, *b).functions.size(), 2U);
  world.app(*b, "client");
  world.run_for(10s);
  EXPECT_EQ(sent(*b, FrameKind::kNodeInfoDelta), 1) << "nothing that others see has changed";
  worker.close();
  world.settle();
  EXPECT_EQ(known(*a, *b), in_order(b->machine->tasks().self()));
  b->machine->drain(world.now, world.now + 1h, "test");
  world.settle();
  EXPECT_TRUE(known(*a, *b).draining);
  EXPECT_EQ(sent(*a, FrameKind::kNodeInfoWanted), 0);
}

TEST_F(MachineNewsTest, WhereLessIsLeftThanWentAllIsTold) {
  join();
  TestApp& worker = world.worker(*b, "worker", 8, {"f", "g", "h"});
  world.settle();
  EXPECT_EQ(sent(*b, FrameKind::kNodeInfoDelta), 1);
  worker.close();
  world.settle();
  EXPECT_EQ(sent(*b, FrameKind::kNodeInfo), 2) << "three that go are more than none that stays";
  EXPECT_TRUE(known(*a, *b).functions.empty());
}

TEST_F(MachineNewsTest, WhoKnowsNoDeltasIsToldAll) {
  join([](NodeMachineOptions& options) { options.peers.session.features = 0; });
  world.worker(*b, "worker", 8, {"f", "g"});
  world.settle();
  EXPECT_EQ(sent(*b, FrameKind::kNodeInfoDelta), 0);
  EXPECT_EQ(sent(*b, FrameKind::kNodeInfo), 2);
  EXPECT_EQ(known(*a, *b), in_order(b->machine->tasks().self()));
}

/// A stranger that is introduced, and what it says of itself.
class MachineNewsOfAStranger : public MachineNewsTest {
 protected:
  MachineNewsOfAStranger() {
    a = &world.start({.name = "a", .number = 1});
    stranger = std::make_unique<Stranger>(world, *a);
    stranger->say_hello(9, {{1}, 1});
    stranger->say(FrameKind::kWelcome);
    info.id = Stranger::id_of(9);
    info.life = {{1}, 1};
    info.name = "nine";
    info.version = 5;
    stranger->say_info(info);
  }
  ~MachineNewsOfAStranger() override { stranger.reset(); }

  [[nodiscard]] NodeInfo seen() const { return *a->machine->tasks().view().nodes().back().info; }
  /// The next version offers the function, too.
  NodeInfoDelta next(const std::string& function) {
    NodeInfo changed = info;
    ++changed.version;
    changed.functions.put(test_function(function));
    const NodeInfoDelta delta = difference(info, changed);
    info = in_order(changed);
    return delta;
  }

  NodeInfo info;
  std::unique_ptr<Stranger> stranger;
};

TEST_F(MachineNewsOfAStranger, AMissedChangeLeadsToAllOfIt) {
  static_cast<void>(next("lost"));
  stranger->say_delta(next("f"));
  EXPECT_EQ(seen().version, 5U);
  EXPECT_TRUE(seen().functions.empty()) << "no half of it";
  EXPECT_EQ(stranger->count(FrameKind::kNodeInfoWanted), 1);
  stranger->say_delta(next("g"));
  EXPECT_EQ(stranger->count(FrameKind::kNodeInfoWanted), 1) << "it is on its way";
  stranger->say_info(info);
  EXPECT_EQ(seen(), info);
  stranger->say_delta(next("h"));
  EXPECT_EQ(seen(), info);
  EXPECT_EQ(seen().functions.size(), 4U);
  EXPECT_EQ(a->machine->peers().counters().announcements_refused, 0U);
}

TEST_F(MachineNewsOfAStranger, WhatIsKnownAlreadyChangesNothing) {
  const NodeInfo former = info;
  const NodeInfoDelta delta = next("f");
  stranger->say_delta(delta);
  stranger->say_delta(delta);
  stranger->say_info(former);
  EXPECT_EQ(seen(), info);
  EXPECT_EQ(stranger->count(FrameKind::kNodeInfoWanted), 0);
}

TEST_F(MachineNewsOfAStranger, WhatChangesAddUpToIsBounded) {
  int refused_at = 0;
  for (int i = 1; i <= 10 && refused_at == 0; ++i) {
    NodeInfoDelta delta;
    delta.base_version = seen().version;
    delta.version = delta.base_version + 1;
    FunctionInfo large = test_function("f" + std::to_string(i));
    large.schema = Schema(std::string(900'000, 'x'));
    delta.offered = {large};
    stranger->say_delta(delta);
    if (a->machine->peers().counters().announcements_refused != 0) refused_at = i;
  }
  EXPECT_EQ(refused_at, 5);
  EXPECT_EQ(seen().functions.size(), 4U) << "it stays what it was known as";
  EXPECT_EQ(a->peers(), 1U);
}

TEST_F(MachineNewsOfAStranger, WhoAsksAgainAndAgainIsToldOnceAVersion) {
  for (int i = 0; i < 5; ++i) stranger->say(FrameKind::kNodeInfoWanted);
  EXPECT_EQ(stranger->count(FrameKind::kNodeInfo), 1) << "it has all of it already";
  world.worker(*a, "worker", 8, {"f"});
  world.settle();
  EXPECT_EQ(stranger->count(FrameKind::kNodeInfoDelta), 1);
  for (int i = 0; i < 5; ++i) stranger->say(FrameKind::kNodeInfoWanted);
  EXPECT_EQ(stranger->count(FrameKind::kNodeInfo), 2);
  EXPECT_EQ(stranger->goodbye, "");
}

// Functions come and go while links break, are slow and are replaced: whenever it is quiet, both know of each other
// what each says of itself.
TEST(MachineNews, WhateverHappensToLinksBothKnowInTheEndWhatIs) {
  int deltas = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world(seed);
    TestNode& a = world.start({.name = "a", .number = 1, .peers = {"b"}});
    TestNode& b = world.start({.name = "b", .number = 2, .peers = {"a"}});
    ASSERT_TRUE(world.run_until([&] { return a.peers() == 1 && b.peers() == 1; }));
    std::vector<TestApp*> workers;
    std::uint32_t names = 0;
    for (int step = 0; step < 120; ++step) {
      const std::uint32_t choice = world.random.below(20);
      TestNode& node = world.random.below(2) == 0 ? a : b;
      if (choice < 7 || workers.empty()) {
        std::vector<std::string> functions;
        for (std::uint32_t i = 0; i <= world.random.below(3); ++i) functions.push_back(std::to_string(++names % 40));
        workers.push_back(&world.worker(node, "w", world.random.below(4) + 1, functions));
      } else if (choice < 12) {
        const auto leaves = workers.begin() + world.random.below(static_cast<std::uint32_t>(workers.size()));
        (*leaves)->close();
        workers.erase(leaves);
      } else if (choice == 12) {
        if (Wire* const wire = world.wire(a, b)) world.cut(*wire);
      } else if (choice == 13) {
        if (Wire* const wire = world.wire(a, b)) world.cut_at(*wire, node);
      } else if (choice < 17) {
        TestNode& other = &node == &a ? b : a;
        static_cast<void>(node.machine->replace_link(world.now, node.index_of(other)));
      } else if (choice == 17) {
        if (Wire* const wire = world.wire(a, b)) wire->half_of(node).is_held = world.random.below(2) == 0;
      }
      for (std::uint32_t steps = world.random.below(10); steps > 0; --steps) world.step();
      if (world.random.below(10) == 0) world.run_for(base::Duration(1ms) * world.random.below(300));
    }
    if (Wire* const wire = world.wire(a, b)) world.hold(*wire, false);
    world.run_for(30s);
    ASSERT_EQ(a.peers() + b.peers(), 2U) << "seed " << seed;
    EXPECT_EQ(known(a, b), in_order(b.machine->tasks().self())) << "seed " << seed;
    EXPECT_EQ(known(b, a), in_order(a.machine->tasks().self())) << "seed " << seed;
    deltas += sent(a, FrameKind::kNodeInfoDelta) + sent(b, FrameKind::kNodeInfoDelta);
    EXPECT_EQ(a.machine->peers().counters().announcements_refused, 0U) << a.log_text();
  }
  EXPECT_GT(deltas, 200) << "links were hardly ever there when something changed";
}

}  // namespace
}  // namespace kaido::daemon
