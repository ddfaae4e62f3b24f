/// Calls within calls never wait for ever, however few slots there are: who waits for a call of its own gives its slot
/// back meanwhile.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <kaido/kaido.h>

#include "tests/integration/apps.h"
#include "tests/integration/nested.h"
#include "tests/support/test_cluster.h"

namespace kaido::test {
namespace {

/// Three nodes, each with a worker of one slot of either kind.
class Nested : public ::testing::Test {
 protected:
  Nested() {
    for (const char* name : kNodes) workers.push_back(App::worker(cluster[name], 1));
    EXPECT_TRUE(cluster.settle());
  }

  static constexpr const char* kNodes[] = {"a", "b", "c"};
  TestCluster cluster{{NodeSpec("a"), NodeSpec("b"), NodeSpec("c")}};
  std::vector<std::unique_ptr<App>> workers;
};

TEST_F(Nested, FiftyCallsWithinEachOtherEndWithOneSlotPerNode) {
  Client client(cluster["a"]);
  const auto passed = client.call(client.remote<&dive>().call(50));
  ASSERT_TRUE(passed.has_value()) << passed.error();
  EXPECT_EQ(passed->size(), 51U);
  // All of them at once, which leaves no slot free for long anywhere.
  client.runtime().block_on([&]() -> Task<void> {
    JoinSet<std::string> dives;
    for (int i = 0; i < 8; ++i) dives.spawn(client.node().remote<&dive>().call(50));
    auto all = timeout(10 * kPatience, dives.join_all());
    const auto ended = co_await all;
    EXPECT_TRUE(ended.has_value());
    if (ended) {
      for (const std::string& nodes : *ended) EXPECT_EQ(nodes.size(), 51U);
    }
  });
}

TEST_F(Nested, CallsThatTasksOfTheFunctionMakeEndWithOneSlotPerNodeToo) {
  Client client(cluster["a"]);
  for (const bool by_set : {false, true}) {
    const auto passed = by_set ? client.call(client.remote<&dive_by_set>().call(12))
                               : client.call(client.remote<&dive_by_spawn>().call(12));
    ASSERT_TRUE(passed.has_value()) << (by_set ? "by a JoinSet: " : "by spawn: ") << passed.error();
    EXPECT_EQ(passed->size(), 13U);
  }
}

constexpr std::int64_t fibonacci(std::int64_t n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

TEST_F(Nested, ATreeOfCallsSpreadsOverTheNodesAndEnds) {
  constexpr std::int64_t kN = 20;  // 21 891 calls
  Client client(cluster["a"]);
  auto handle = client.spawn(client.remote<&fib>().call(kN));
  const auto sum = client.runtime().block_on([&]() -> Task<Result<std::int64_t>> {
    auto limited = timeout(10 * kPatience, handle);
    co_return co_await limited;
  });
  ASSERT_TRUE(sum.has_value()) << sum.error();
  EXPECT_EQ(*sum, fibonacci(kN));
  for (const char* name : kNodes) {
    EXPECT_GT(cluster[name].metric("kaido_execution_admitted_total"), 0) << name << " had no part in it";
  }
}

}  // namespace
}  // namespace kaido::test
