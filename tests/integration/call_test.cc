/// Calls while all is well: they go where their rules say, and come back as they should.
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
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

/// a and b with a worker each; the client's node is a.
class TwoNodes : public ::testing::Test {
 protected:
  TwoNodes() { EXPECT_TRUE(cluster.settle()); }

  TestCluster cluster{{NodeSpec("a").tag("disk", "hdd"), NodeSpec("b").tag("disk", "ssd")}};
  TempFolder folder;
  std::unique_ptr<App> worker_a = App::worker(cluster["a"]);
  std::unique_ptr<App> worker_b = App::worker(cluster["b"]);
  Client client{cluster["a"]};
};

TEST_F(TwoNodes, ACallCrossesTwoHosts) {
  const auto text = client.call(client.remote<&echo>().on_node("b").call("over there"));
  ASSERT_TRUE(text.ok()) << text.error();
  EXPECT_EQ(*text, "over there");
  EXPECT_EQ(cluster["b"].metric("kaido_execution_finished_total{outcome=\"succeeded\"}"), 1);
  EXPECT_EQ(cluster["a"].metric("kaido_task_finished_total{outcome=\"succeeded\"}"), 1);
}

TEST_F(TwoNodes, RulesPlaceByNodeAndByTag) {
  EXPECT_EQ(client.call(client.remote<&where>().on_node("a").call()).value(), "a");
  EXPECT_EQ(client.call(client.remote<&where>().on_node("b").call()).value(), "b");
  EXPECT_EQ(client.call(client.remote<&where>().with_tag("disk", "ssd").call()).value(), "b");
  EXPECT_EQ(client.call(client.remote<&where>().with_tag("disk", "hdd").call()).value(), "a");
}

TEST_F(TwoNodes, MethodsAreCalledOnTheObjectThatTheWorkerServes) {
  EXPECT_EQ(client.call(client.remote<&Tally::add>().on_node("b").call(2)).value(), 2);
  EXPECT_EQ(client.call(client.remote<&Tally::add>().on_node("b").call(3)).value(), 5);
  EXPECT_EQ(client.call(client.remote<&Tally::total>().on_node("b").call()).value(), 5);
  EXPECT_EQ(client.call(client.remote<&Tally::total>().on_node("a").call()).value(), 0);
}

TEST_F(TwoNodes, AFunctionIsCalledByNameAndStatedSignature) {
  auto by_name = client.remote<double(std::vector<double>)>("kaido::test::sum");
  EXPECT_EQ(client.call(by_name.on_node("b").call(std::vector<double>{1.5, 2})).value(), 3.5);

  const auto refused = client.call(client.remote<bool(bool)>("kaido::test::sum").call(true));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind(), ErrorKind::kSignatureMismatch) << refused.error();
  EXPECT_NE(refused.error().to_string().find("repeated double"), std::string::npos) << refused.error();
}

TEST_F(TwoNodes, AThousandConcurrentCallsAllReturnRight) {
  for (const char* node : {"a", "b"}) {
    auto call = client.remote<&sum>().on_node(node);
    std::vector<JoinHandle<double>> handles;
    for (int i = 0; i < 1000; ++i) handles.push_back(client.spawn(call.call(std::vector<double>{1.0 * i, 0.5})));
    for (int i = 0; i < 1000; ++i) {
      const auto result = client.wait(handles[static_cast<std::size_t>(i)]);
      ASSERT_TRUE(result.ok()) << node << " " << i << ": " << result.error();
      EXPECT_EQ(*result, i + 0.5);
    }
  }
}

TEST_F(TwoNodes, SixteenMebibytesGoThereAndBack) {
  std::string large(16u << 20, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31 >> 3);
  for (const char* node : {"a", "b"}) {
    const auto back = client.call(client.remote<&echo>().on_node(node).call(large));
    ASSERT_TRUE(back.ok()) << node << ": " << back.error();
    EXPECT_TRUE(*back == large) << node;
  }
}

TEST_F(TwoNodes, AnExceptionComesBackWithTypeTextAndPlace) {
  for (const char* node : {"a", "b"}) {
    const auto result = client.call(client.remote<&boom>().on_node(node).call("kaputt"));
    ASSERT_FALSE(result.ok());
    EXPECT_TRUE(result.error().is_panic()) << result.error();
    EXPECT_EQ(result.error().message(), "kaputt");
    EXPECT_EQ(result.error().exception_type(), "std::runtime_error");
    EXPECT_EQ(result.error().node(), node);
  }
}

TEST_F(TwoNodes, UnschedulableNamesEveryNodeAndReasonAtOnce) {
  const auto nowhere = client.call(client.remote<&where>().with_tag("disk", "tape").call());
  ASSERT_FALSE(nowhere.ok());
  EXPECT_TRUE(nowhere.error().is_unschedulable()) << nowhere.error();
  std::map<std::string, std::string> reasons;
  for (const NodeReason& reason : nowhere.error().reasons()) reasons[reason.node] = reason.reason;
  ASSERT_EQ(reasons.size(), 2u);
  EXPECT_NE(reasons["a"].find("disk"), std::string::npos) << reasons["a"];
  EXPECT_NE(reasons["b"].find("disk"), std::string::npos) << reasons["b"];

  const auto unknown = client.call(client.remote<&offered_by_nobody>().call(1));
  ASSERT_FALSE(unknown.ok());
  EXPECT_TRUE(unknown.error().is_unschedulable()) << unknown.error();
  ASSERT_EQ(unknown.error().reasons().size(), 2u);
  EXPECT_NE(unknown.error().reasons()[0].reason.find("no app offers"), std::string::npos);
}

TEST_F(TwoNodes, WithWaitResolvesWhenAWorkerAppears) {
  worker_b.reset();
  ASSERT_TRUE(cluster.settle());
  auto handle = client.spawn(client.remote<&where>().on_node("b").with_wait(kPatience).call());
  ASSERT_TRUE(wait_until([&] { return cluster["a"].metric("kaido_task_waiting") == 1; }));
  worker_b = App::worker(cluster["b"]);
  const auto node = client.wait(handle);
  ASSERT_TRUE(node.ok()) << node.error();
  EXPECT_EQ(*node, "b");
}

TEST_F(TwoNodes, WithWaitEndsAsUnschedulable) {
  const auto result = client.call(client.remote<&where>().on_node("c").with_wait(50ms).call());
  ASSERT_FALSE(result.ok());
  EXPECT_TRUE(result.error().is_unschedulable()) << result.error();
}

TEST_F(TwoNodes, ATimeoutReachesTheWorkerAndTheCaller) {
  for (const char* node : {"a", "b"}) {
    const std::string journal = folder / node;
    const auto result = client.call(client.remote<&hold>().on_node(node).with_timeout(300ms).call(journal));
    ASSERT_FALSE(result.ok());
    EXPECT_TRUE(result.error().is_timed_out()) << result.error();
    EXPECT_TRUE(wait_until([&] { return count_ended(journal) == count_started(journal); }));
  }
}

TEST_F(TwoNodes, AbortingACallCancelsTheFunction) {
  for (const char* node : {"a", "b"}) {
    const std::string journal = folder / node;
    auto handle = client.spawn(client.remote<&hold>().on_node(node).call(journal));
    ASSERT_TRUE(wait_started(journal));
    handle.abort();
    EXPECT_TRUE(wait_until([&] { return count_ended(journal) == 1; })) << node;
    const auto result = client.wait(handle);
    ASSERT_FALSE(result.ok());
    EXPECT_TRUE(result.error().is_cancelled()) << result.error();
  }
}

TEST_F(TwoNodes, APlainFunctionSeesItsCancellation) {
  const std::string journal = folder / "journal";
  auto handle = client.spawn(client.remote<&hold_plainly>().on_node("b").call(journal));
  ASSERT_TRUE(wait_started(journal));
  handle.abort();
  EXPECT_TRUE(wait_until([&] { return count_ended(journal) == 1; }));
}

TEST_F(TwoNodes, ADroppedCallCancelsTheFunction) {
  const std::string journal = folder / "journal";
  client.runtime().block_on([&]() -> Task<void> {
    auto dropped = kaido::timeout(500ms, client.remote<&hold>().on_node("b").call(journal));
    const auto result = co_await dropped;
    EXPECT_FALSE(result.ok());
  });
  EXPECT_TRUE(wait_until([&] { return count_ended(journal) == count_started(journal); }));
  EXPECT_TRUE(wait_until([&] { return cluster["a"].metric("kaido_task_in_flight") == 0; }));
}

TEST_F(TwoNodes, ADefaultRuntimeFindsItsNodeByTheEnvironment) {
  ::setenv("KAIDO_SOCKET", cluster["a"].app_socket().c_str(), 1);
  auto runtime = RuntimeBuilder::new_current_thread().enable_all().build().value();
  const std::string node = runtime.block_on([]() -> Task<std::string> {
    auto result = co_await kaido::remote<&where>().on_node("b").call();
    co_return std::move(result).value();
  });
  ::unsetenv("KAIDO_SOCKET");
  EXPECT_EQ(node, "b");
}

TEST(ThreeNodes, ShareCallsThatMayRunAnywhere) {
  TestCluster cluster({NodeSpec("a"), NodeSpec("b"), NodeSpec("c")});
  const TempFolder folder;
  std::vector<std::unique_ptr<App>> workers;
  for (const char* name : {"a", "b", "c"}) workers.push_back(App::worker(cluster[name], 4));
  ASSERT_TRUE(cluster.settle());
  Client client(cluster["a"]);
  std::vector<JoinHandle<std::string>> handles;
  for (int i = 0; i < 12; ++i) {
    handles.push_back(client.spawn(client.remote<&await_release>().call(folder / "journal", folder / "release")));
  }
  // All twelve run at once only if each node takes four.
  EXPECT_TRUE(wait_started(folder / "journal", 12));
  static_cast<void>(folder.write("release", ""));
  std::map<std::string, int> calls;
  for (auto& handle : handles) ++calls[client.wait(handle).value()];
  EXPECT_EQ(calls, (std::map<std::string, int>{{"a", 4}, {"b", 4}, {"c", 4}}));
}

TEST(WithoutADaemon, TheSameProgramRunsLocally) {
  const TempFolder folder;
  ::setenv("XDG_RUNTIME_DIR", folder.path().c_str(), 1);
  auto runtime = RuntimeBuilder::new_current_thread().enable_all().build().value();
  const std::string node = runtime.block_on([]() -> Task<std::string> {
    const std::vector<double> values{1, 2, 3.5};
    auto total = co_await kaido::spawn_fn<&sum>(values);
    EXPECT_EQ(total.value(), 6.5);
    auto failed = co_await kaido::remote<&boom>().call("kaputt");
    EXPECT_TRUE(failed.error().is_panic());
    EXPECT_EQ(failed.error().exception_type(), "std::runtime_error");
    auto result = co_await kaido::remote<&where>().on_node("b").call();
    co_return std::move(result).value();
  });
  EXPECT_EQ(node, "local");
}

TEST(WithoutADaemon, ANamedSocketIsExpectedToAnswer) {
  const TempFolder folder;
  auto runtime = RuntimeBuilder::new_current_thread().enable_all().build().value();
  const auto node = runtime.block_on(NodeRuntime::connect(NodeOptions().socket(folder / "nobody.sock")));
  ASSERT_FALSE(node.ok());
  EXPECT_TRUE(node.error().is_unavailable()) << node.error();
  EXPECT_NE(node.error().message().find("nobody.sock"), std::string::npos) << node.error();
}

}  // namespace
}  // namespace kaido::test
