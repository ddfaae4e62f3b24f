/// Apps and daemons that are killed or stand still: what was lost is said, what may be repeated is repeated, and
/// nothing else notices.
#include <signal.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <kaido/kaido.h>

#include "tests/integration/apps.h"
#include "tests/integration/functions.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_cluster.h"
#include "tests/support/wait_until.h"

namespace kaido::test {
namespace {

using namespace std::chrono_literals;

/// The client's node is a, which has no worker; b and c have one each.
class Loss : public ::testing::Test {
 protected:
  Loss() { EXPECT_TRUE(cluster.settle()); }

  static NodeSpec spec(const char* name) {
    NodeSpec spec(name);
    spec.tag("role", *name == 'a' ? "origin" : "worker");
    return spec;
  }
  /// Of the node that wrote the first line into a journal.
  [[nodiscard]] std::string first_starter() const { return read_file(journal).substr(8, 1); }
  [[nodiscard]] std::unique_ptr<App>& worker_of(const std::string& node) { return node == "b" ? worker_b : worker_c; }
  /// A call that runs on b or c, wherever it is, until release() is called.
  [[nodiscard]] Remote<&await_release> somewhere() {
    return client.remote<&await_release>().with_tag("role", "worker");
  }
  void release_all() { static_cast<void>(folder.write("release", "")); }

  TestCluster cluster{{spec("a"), spec("b"), spec("c")}};
  TempFolder folder;
  const std::string journal = folder / "journal";
  const std::string release = folder / "release";
  std::unique_ptr<App> worker_b = App::worker(cluster["b"]);
  std::unique_ptr<App> worker_c = App::worker(cluster["c"]);
  Client client{cluster["a"]};
};

TEST_F(Loss, AKilledWorkerIsAppLost) {
  auto handle = client.spawn(somewhere().call(journal, release));
  ASSERT_TRUE(wait_started(journal));
  worker_of(first_starter())->process().kill();
  const auto result = client.wait(handle);
  ASSERT_FALSE(result.ok());
  EXPECT_TRUE(result.error().is_app_lost()) << result.error();
  EXPECT_EQ(result.error().node(), first_starter());
  EXPECT_EQ(count_started(journal), 1);
}

TEST_F(Loss, AnIdempotentCallSurvivesItsWorker) {
  auto handle = client.spawn(somewhere().idempotent().call(journal, release));
  ASSERT_TRUE(wait_started(journal));
  const std::string killed = first_starter();
  worker_of(killed)->process().kill();
  ASSERT_TRUE(wait_started(journal, 2));
  release_all();
  const auto node = client.wait(handle);
  ASSERT_TRUE(node.ok()) << node.error();
  EXPECT_NE(*node, killed);
}

TEST_F(Loss, ARetryAfterACrashCountsItsAttempts) {
  const auto attempt = client.call(client.remote<&crash_once>().with_retries(2).call());
  ASSERT_TRUE(attempt.ok()) << attempt.error();
  EXPECT_EQ(*attempt, 2u);
}

TEST_F(Loss, AKilledExecutorIsNodeLostAndNothingIsStartedTwice) {
  auto handle = client.spawn(somewhere().call(journal, release));
  ASSERT_TRUE(wait_started(journal));
  const std::string killed = first_starter();
  cluster[killed].kill();
  const auto result = client.wait(handle);
  ASSERT_FALSE(result.ok());
  EXPECT_TRUE(result.error().is_node_lost()) << result.error();
  EXPECT_EQ(result.error().node(), killed);
  EXPECT_EQ(count_started(journal), 1);
  EXPECT_TRUE(wait_until([&] { return count_ended(journal) == 1; })) << "its worker goes on for nobody";
}

TEST_F(Loss, AnIdempotentCallSurvivesItsExecutor) {
  auto handle = client.spawn(somewhere().idempotent().call(journal, release));
  ASSERT_TRUE(wait_started(journal));
  const std::string killed = first_starter();
  cluster[killed].kill();
  ASSERT_TRUE(wait_started(journal, 2));
  release_all();
  const auto node = client.wait(handle);
  ASSERT_TRUE(node.ok()) << node.error();
  EXPECT_NE(*node, killed);

  // The daemon comes back, its worker finds it by itself, and works again.
  ASSERT_TRUE(cluster[killed].start());
  const auto back = client.call(client.remote<&where>().on_node(killed).with_wait(kPatience).call());
  ASSERT_TRUE(back.ok()) << back.error();
  EXPECT_EQ(*back, killed);
}

TEST_F(Loss, AKilledCallerTakesItsCallsAlong) {
  auto holder = App::holder(cluster["a"], journal);
  ASSERT_TRUE(wait_started(journal));
  EXPECT_NE(cluster["a"].ctl("tasks").find("kaido::test::hold"), std::string::npos);
  holder->process().kill();
  EXPECT_TRUE(wait_until([&] { return count_ended(journal) == 1; }));
  for (const char* node : {"a", "b", "c"}) {
    EXPECT_TRUE(wait_until([&] { return cluster[node].ctl("tasks").find("\"total\": 0") != std::string::npos; }))
        << node;
  }
}

TEST_F(Loss, AKilledOriginCancelsWhatItHadStarted) {
  auto holder = App::holder(cluster["a"], journal);
  ASSERT_TRUE(wait_started(journal));
  cluster["a"].kill();
  EXPECT_TRUE(wait_until([&] { return count_ended(journal) == 1; }));
  ASSERT_TRUE(cluster["a"].start());
  EXPECT_TRUE(cluster.settle());
}

TEST_F(Loss, ARestartedOriginSettlesTheCallsOfItsApps) {
  auto once = client.spawn(somewhere().call(folder / "once", release));
  auto again = client.spawn(somewhere().idempotent().call(journal, release));
  ASSERT_TRUE(wait_started(folder / "once"));
  ASSERT_TRUE(wait_started(journal));
  cluster["a"].kill();
  const auto unknown = client.wait(once);
  ASSERT_FALSE(unknown.ok());
  EXPECT_TRUE(unknown.error().is_unavailable()) << unknown.error();

  ASSERT_TRUE(cluster["a"].start());
  // The first answer may be that no node is there yet: the node has only just begun to look for its peers.
  ASSERT_TRUE(cluster.settle());
  release_all();
  const auto later = client.call(client.remote<&echo>().with_wait(kPatience).call("later"));
  ASSERT_TRUE(later.ok()) << later.error();
  EXPECT_EQ(*later, "later");
  EXPECT_EQ(count_started(folder / "once"), 1);
  const auto repeated = client.wait(again);
  ASSERT_TRUE(repeated.ok()) << repeated.error();
}

TEST_F(Loss, IdempotentCallsSurviveAPoliteRestartOfTheirOwnNode) {
  constexpr int kCalls = 200;
  std::vector<JoinHandle<std::string>> calls;
  for (int i = 0; i < kCalls; ++i) calls.push_back(client.spawn(somewhere().idempotent().call(journal, release)));
  ASSERT_TRUE(wait_started(journal, kCalls / 4));
  // Twice: the second ends the drain, which would wait for what runs.
  cluster["a"].process().send(SIGTERM);
  ASSERT_TRUE(wait_until([&] { return !cluster["a"].is_ready(); }));
  cluster["a"].process().send(SIGTERM);
  ASSERT_EQ(cluster["a"].process().wait(), ExitStatus{});
  ASSERT_TRUE(cluster["a"].start());
  ASSERT_TRUE(cluster.settle());
  release_all();
  int survived = 0;
  for (auto& call : calls) {
    const auto result = client.wait(call);
    if (result.ok())
      ++survived;
    else
      ADD_FAILURE() << result.error();
  }
  EXPECT_EQ(survived, kCalls);
}

TEST_F(Loss, AWorkerThatStandsStillHarmsOnlyItsOwnAttempts) {
  worker_b->process().stop();
  auto stuck = client.spawn(client.remote<&where>().on_node("b").with_timeout(500ms).call());
  for (int i = 0; i < 50; ++i) {
    const auto other = client.call(client.remote<&where>().on_node("c").call());
    ASSERT_TRUE(other.ok()) << other.error();
  }
  const auto result = client.wait(stuck);
  ASSERT_FALSE(result.ok());
  EXPECT_TRUE(result.error().is_timed_out()) << result.error();
  worker_b->process().cont();
  const auto woken = client.call(client.remote<&where>().on_node("b").call());
  ASSERT_TRUE(woken.ok()) << woken.error();
}

TEST(Silence, OfADaemonIsItsLossAndItMayComeBack) {
  NodeSpec a("a");
  a.timeout("peer", "1s");
  TestCluster cluster({a, NodeSpec("b")});
  const TempFolder folder;
  const auto worker = App::worker(cluster["b"]);
  Client client(cluster["a"]);
  ASSERT_TRUE(cluster.settle());
  auto handle = client.spawn(client.remote<&hold>().on_node("b").call(folder / "journal"));
  ASSERT_TRUE(wait_started(folder / "journal"));

  cluster["b"].process().stop();
  const auto lost = client.wait(handle);
  ASSERT_FALSE(lost.ok());
  EXPECT_TRUE(lost.error().is_node_lost()) << lost.error();
  const auto nowhere = client.call(client.remote<&where>().on_node("b").call());
  ASSERT_FALSE(nowhere.ok());
  EXPECT_TRUE(nowhere.error().is_unschedulable()) << nowhere.error();

  cluster["b"].process().cont();
  const auto back = client.call(client.remote<&where>().on_node("b").with_wait(kPatience).call());
  ASSERT_TRUE(back.ok()) << back.error();
  EXPECT_EQ(*back, "b");
  EXPECT_TRUE(wait_until([&] { return count_ended(folder / "journal") == 1; })) << "nobody waits for it any more";
}

}  // namespace
}  // namespace kaido::test
