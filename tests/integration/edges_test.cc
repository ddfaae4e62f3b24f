/// The SDK at its edges, against a real daemon: a daemon that stands still, texts and names that the wire does not
/// take, more rules than anybody remembers, and workers whose threads all compute.
#include <chrono>
#include <memory>
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

class Edges : public ::testing::Test {
 protected:
  Edges() { EXPECT_TRUE(cluster.settle()); }

  TestCluster cluster{{NodeSpec("a")}};
  TempFolder folder;
  const std::string journal = folder / "journal";
  std::unique_ptr<App> worker = App::worker(cluster["a"]);
};

TEST_F(Edges, ACallEndsThoughTheDaemonIsStopped) {
  auto runtime = Runtime::create().value();
  runtime.block_on([&]() -> Task<void> {
    NodeOptions options;
    options.socket(cluster["a"].app_socket()).call_only().ping_interval(50ms).ping_limit(1s).unavailable_after(500ms);
    auto node = (co_await NodeRuntime::connect(std::move(options))).value();
    auto held = node.spawn_fn<&hold>(journal);
    auto started = spawn_blocking([&] { return wait_started(journal); });
    EXPECT_TRUE((co_await started).value());
    cluster["a"].process().stop();
    auto limited = timeout(kPatience, held);
    const auto lost = co_await limited;
    EXPECT_TRUE(lost.error().is_unavailable()) << lost.error();
    auto later = timeout(kPatience, node.remote<&echo>().call("later"));
    EXPECT_TRUE((co_await later).error().is_unavailable());
    cluster["a"].process().cont();
    Result<std::string> back = Error(ErrorKind::kUnavailable);
    while (!back) {
      co_await sleep(5ms);
      back = co_await node.remote<&echo>().call("back");
    }
    EXPECT_EQ(*back, "back");
  });
}

TEST_F(Edges, ATextThatTheWireDoesNotTakeIsMendedForItsCall) {
  Client client(cluster["a"]);
  auto bystander = client.spawn(client.remote<&hold>().call(journal));
  ASSERT_TRUE(wait_started(journal));
  for (const std::string& text : {std::string("caf\xe9.txt"), std::string(4U << 20, 'x'), std::string(17U << 20, 'x'),
                                  std::string(3U << 20, '\xff')}) {
    const auto result = client.call(client.remote<&boom>().call(text));
    ASSERT_TRUE(result.has_error());
    EXPECT_TRUE(result.error().is_panic()) << text.size() << ": " << result.error().to_string().substr(0, 200);
    EXPECT_EQ(result.error().exception_type(), "std::runtime_error");
  }
  EXPECT_EQ(client.call(client.remote<&boom>().call("caf\xe9")).error().message(), "caf\xef\xbf\xbd");
  EXPECT_EQ(client.call(client.remote<&echo>().call("fine")).value(), "fine");
  EXPECT_EQ(count_ended(journal), 0) << "the worker was cut off";
}

TEST_F(Edges, ANameThatTheWireDoesNotTakeFailsItsCallAlone) {
  Client client(cluster["a"]);
  auto bystander = client.spawn(client.remote<&hold>().call(journal));
  ASSERT_TRUE(wait_started(journal));
  const auto kind = [&](auto call) { return client.call(std::move(call)).error().kind(); };
  EXPECT_EQ(kind(client.remote<&echo>().on_node("n\xff").call("")), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind(client.remote<&echo>().with_tag("k\xff", "v").call("")), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind(client.remote<int(int)>("f\xff").call(1)), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind(client.remote<int(int)>("").call(1)), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind(client.remote<int(int)>(std::string(3U << 20, 'f')).call(1)), ErrorKind::kInvalidArgument);
  EXPECT_FALSE(bystander.is_finished());
  EXPECT_EQ(client.call(client.remote<&echo>().call("fine")).value(), "fine");
}

TEST_F(Edges, MoreRulesThanAreRememberedAndATimeLimitForEachCall) {
  Client client(cluster["a"]);
  constexpr int kRules = 6000;  // The SDK keeps 4096.
  client.runtime().block_on([&]() -> Task<void> {
    JoinSet<std::string> calls;
    for (int i = 0; i < kRules; ++i) {
      calls.spawn(client.node().remote<&echo>().with_wait(1min + 1us * i).with_timeout(kPatience + 1ns * i).call("x"));
    }
    while (auto ended = co_await calls.join_next()) EXPECT_TRUE(ended->has_value()) << ended->error();
    const auto first_again = co_await client.node().remote<&echo>().with_wait(1min).call("again");
    EXPECT_TRUE(first_again.has_value());
  });
}

TEST(RaisedLimits, AreTheAppsLimitsToo) {
  const auto spec = [](const char* name) { return NodeSpec(name).limit("max_frame_bytes", "128MiB"); };
  TestCluster cluster({spec("a"), spec("b")});
  const auto worker = App::worker(cluster["b"]);
  Client client(cluster["a"]);
  // More than what no limit of the configuration allows by default, there and back.
  constexpr std::size_t kSize = 65U << 20;
  const auto result = client.call(client.remote<&echo>().with_wait(kPatience).call(std::string(kSize, 'x')));
  ASSERT_TRUE(result.ok()) << result.error();
  EXPECT_EQ(result->size(), kSize);
  const auto refused = client.call(client.remote<&echo>().call(std::string(128U << 20, 'x')));
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().kind(), ErrorKind::kInvalidArgument) << refused.error();
  EXPECT_NE(refused.error().message().find("limits.max_frame_bytes"), std::string::npos) << refused.error();
}

// The smallest queue that there may be takes the largest message with what relays add to it. What finds it full is told
// so, and nobody is cut off.
TEST(NarrowQueues, TakeTheLargestMessageAndRejectWhatDoesNotFit) {
  const auto spec = [](const char* name) {
    return NodeSpec(name).limit("max_frame_bytes", "64KiB").limit("queued_bytes_per_connection", "64KiB");
  };
  TestCluster cluster({spec("a"), spec("b")});
  const auto worker = App::worker(cluster["b"]);
  Client client(cluster["a"]);
  constexpr std::size_t kHeaderBytes = 64;
  constexpr std::size_t kFieldBytes = 4;  // before a text of this size, as an argument and as a result
  constexpr std::size_t kLargest = (64U << 10) - kHeaderBytes - kFieldBytes;
  ASSERT_TRUE(client.call(client.remote<&echo>().with_wait(kPatience).call("first")).ok());
  const auto largest = client.call(client.remote<&echo>().call(std::string(kLargest, 'x')));
  ASSERT_TRUE(largest.ok()) << largest.error();
  EXPECT_EQ(largest->size(), kLargest);
  // A queue is full when a turn of its daemon brings it three of these, which a burst need not do: then there is
  // another.
  const auto count_rejected = [&] {
    std::vector<JoinHandle<std::string>> burst;
    for (int i = 0; i < 100; ++i) burst.push_back(client.spawn(client.remote<&echo>().call(std::string(30'000, 'x'))));
    int rejected = 0;
    for (auto& call : burst) {
      const auto result = client.wait(call);
      if (result.ok()) continue;
      EXPECT_EQ(result.error().kind(), ErrorKind::kRejected) << result.error();
      ++rejected;
    }
    return rejected;
  };
  EXPECT_TRUE(wait_until([&] { return count_rejected() > 0; })) << "no queue was full";
  for (const char* const name : {"a", "b"}) {
    EXPECT_EQ(cluster[name].connected_peers(), 1);
    EXPECT_EQ(cluster[name].log().find("does not read"), std::string::npos) << cluster[name].log();
  }
  EXPECT_TRUE(client.call(client.remote<&echo>().call("again")).ok());
}

TEST_F(Edges, AnAbortReachesFunctionsThoughTheyKeepEveryThread) {
  Client client(cluster["a"]);
  // The worker has two threads.
  auto first = client.spawn(client.remote<&hold_plainly>().call(journal));
  auto second = client.spawn(client.remote<&hold_plainly>().call(journal));
  ASSERT_TRUE(wait_started(journal, 2));
  first.abort();
  second.abort();
  EXPECT_TRUE(wait_until([&] { return count_ended(journal) == 2; }));
}

TEST_F(Edges, CallsOfOtherAppsArriveWhileEverySlotOfOneComputes) {
  constexpr int kCalls = 200;
  constexpr int kThreads = 2;
  const std::unique_ptr<App> busy = App::worker(cluster["a"], kThreads);
  worker.reset();  // That one has more slots than threads: here no thread is left for what the node would send it.
  Client first(cluster["a"]);
  std::vector<JoinHandle<void>> computing;
  for (int i = 0; i < kThreads; ++i) computing.push_back(first.spawn(first.remote<&hold_plainly>().call(journal)));
  ASSERT_TRUE(wait_started(journal, kThreads));

  worker = App::worker(cluster["a"]);
  Client second(cluster["a"]);
  const auto arrived = second.runtime().block_on([&]() -> Task<int> {
    JoinSet<std::string> calls;
    for (int i = 0; i < kCalls; ++i) calls.spawn(second.node().remote<&echo>().call(std::to_string(i)));
    int count = 0;
    while (auto echoed = co_await calls.join_next()) count += echoed->has_value() ? 1 : 0;
    co_return count;
  });
  EXPECT_EQ(arrived, kCalls);
  EXPECT_EQ(count_ended(journal), 0) << "all of them while the others compute";
  for (auto& call : computing) call.abort();
  EXPECT_TRUE(wait_until([&] { return count_ended(journal) == kThreads; }));
}

}  // namespace
}  // namespace kaido::test
