// The client over a real Unix socket, with both flavours of runtime; and the same programs without a node.
#include <kaido/kaido.h>
#include <kaido/sync/notify.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "sdk/client/client_test_support.h"
#include "sdk/client/fake_node.h"

int never_registered(int);  // declared only, as by an app that calls what others offer

namespace {

using namespace std::chrono_literals;

std::int64_t add(std::int64_t a, std::int64_t b) { return a + b; }
KAIDO_FUNCTION_AS("add", &add);

std::string where(kaido::Context& context) {
  return std::string(context.node()) + " " + context.task_id() + " " + std::to_string(context.attempt()) + " " +
         (context.remaining().has_value() ? "deadline" : "none");
}
KAIDO_FUNCTION_AS("where", &where);

void fail(const std::string& text) { throw std::out_of_range(text); }
KAIDO_FUNCTION_AS("fail", &fail);

std::vector<double> scale(std::vector<double> values, double factor) {
  for (double& value : values) value *= factor;
  return values;
}
KAIDO_FUNCTION_AS("scale", &scale);

/// Takes its time to be received: until somebody opens the gate.
struct Slow {
  bool is_received = false;
};
std::binary_semaphore gate{0};
kaido::Notify reached;

}  // namespace

template <>
struct kaido::Represent<Slow> {
  using type = bool;
  static type to(const Slow&) { return true; }
  static Slow from(type is_sent) {
    if (!is_sent) return {};  // cleared before it is received
    reached.notify_one();
    return {.is_received = gate.try_acquire_for(30s)};
  }
};

namespace {

Slow make_slow() { return {}; }
KAIDO_FUNCTION_AS("make_slow", &make_slow);

std::atomic<int> waiting{0};
std::atomic<int> destroyed{0};

kaido::Task<int> wait_for_ever(kaido::Context& context) {
  struct Guard {
    ~Guard() { ++destroyed; }
  } guard;
  ++waiting;
  co_await context.cancelled();
  co_await kaido::sleep(std::chrono::hours(1));
  co_return 0;
}
KAIDO_FUNCTION_AS("wait_for_ever", &wait_for_ever);

kaido::NodeOptions options(const std::string& path) { return kaido::NodeOptions().socket(path).unavailable_after(2s); }

/// The same calls on anything that distributes.
template <kaido::DistributedRuntime D>
kaido::Task<void> use(D runtime) {
  const kaido::Result<std::int64_t> sum_of_two = co_await runtime.template remote<&add>().call(2, 3);
  EXPECT_EQ(sum_of_two.value(), 5);
  auto handle = runtime.template spawn_fn<&scale>(std::vector<double>{1, 2}, 3.0);
  const kaido::Result<std::vector<double>> scaled = co_await handle;
  EXPECT_EQ(scaled.value(), (std::vector<double>{3, 6}));

  const kaido::Result<void> failed = co_await runtime.template remote<&fail>().call("no such thing");
  EXPECT_TRUE(failed.has_error());
  EXPECT_TRUE(failed.error().is_panic());
  EXPECT_EQ(failed.error().exception_type(), "std::out_of_range");
  EXPECT_NE(failed.error().message().find("no such thing"), std::string::npos);

  kaido::JoinSet<std::int64_t> set;
  for (std::int64_t i = 0; i < 1000; ++i)
    set.spawn(runtime.template remote<&add>().with_tag("n", std::to_string(i % 3)).call(i, 1));
  std::int64_t sum = 0;
  while (auto next = co_await set.join_next()) sum += next->value();
  EXPECT_EQ(sum, 1000 * 999 / 2 + 1000);
}

class NodeRuntimeTest : public testing::TestWithParam<bool> {
 protected:
  kaido::Runtime runtime_ = kaido::testing::make_runtime(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Flavors, NodeRuntimeTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "MultiThread" : "CurrentThread"; });

TEST_P(NodeRuntimeTest, CallsGoThroughTheNodeWithinItsCredit) {
  const std::string path = kaido::testing::new_socket_path();
  kaido::testing::FakeNode fake(path, 32);
  runtime_.block_on([&]() -> kaido::Task<void> {
    auto node = (co_await kaido::NodeRuntime::connect(options(path))).value();
    EXPECT_EQ(node.node_name(), "fake");
    EXPECT_TRUE(node.is_connected());
    co_await use(node);
    EXPECT_EQ((co_await node.remote<&where>().with_timeout(1min).call()).value(), "fake 2a2a2a2a-3-7 1 deadline");
    co_await node.shutdown();
    EXPECT_FALSE(node.is_connected());
    const auto late = co_await node.remote<&add>().call(1, 1);
    EXPECT_TRUE(late.error().is_unavailable());
  });
  EXPECT_LE(fake.most_in_flight(), 32U);
  EXPECT_EQ(fake.prepared(), 3U + 3U + 1U);  // Three plain functions, three tags, one deadline.
  EXPECT_EQ(fake.offered(), (std::vector<std::string>{"add", "fail", "make_slow", "scale", "wait_for_ever", "where"}));
}

TEST_P(NodeRuntimeTest, TheSameProgramRunsInThisProcess) {
  runtime_.block_on([]() -> kaido::Task<void> {
    const kaido::LocalRuntime local;
    EXPECT_EQ(local.node_name(), "local");
    co_await use(local);
    EXPECT_EQ((co_await local.remote<&where>().call()).value(), "local local 1 none");
    const auto missing = co_await local.remote<&never_registered>().call(1);
    EXPECT_TRUE(missing.error().is_unschedulable());
    EXPECT_EQ(missing.error().reasons().at(0).node, "local");
  });
}

TEST_P(NodeRuntimeTest, AbortCancelsTheFunctionAndDestroysItsFrame) {
  const std::string path = kaido::testing::new_socket_path();
  kaido::testing::FakeNode fake(path);
  const int destroyed_before = destroyed.load();
  const int waiting_before = waiting.load();
  runtime_.block_on([&]() -> kaido::Task<void> {
    auto node = (co_await kaido::NodeRuntime::connect(options(path))).value();
    auto handle = node.spawn_fn<&wait_for_ever>();
    while (waiting.load() == waiting_before) co_await kaido::sleep(1ms);
    handle.abort();
    EXPECT_TRUE((co_await handle).error().is_cancelled());
    while (node.running() != 0) co_await kaido::sleep(1ms);
    EXPECT_EQ(destroyed.load(), destroyed_before + 1);

    // By its deadline, and by the end of the connection.
    const auto slow = co_await node.remote<&wait_for_ever>().with_timeout(10ms).call();
    EXPECT_TRUE(slow.error().is_timed_out()) << slow.error();
    auto last = node.spawn_fn<&wait_for_ever>();
    while (waiting.load() < waiting_before + 3) co_await kaido::sleep(1ms);
    co_await node.shutdown(1ms);
    const auto ended = co_await last;
    EXPECT_TRUE(ended.error().is_cancelled() || ended.error().is_unavailable()) << ended.error();
  });
  EXPECT_EQ(destroyed.load(), destroyed_before + 3);
}

TEST_P(NodeRuntimeTest, AfterARestartIdempotentCallsAreRepeatedAndOthersUnavailable) {
  const std::string path = kaido::testing::new_socket_path();
  kaido::testing::FakeNode fake(path);
  fake.hold();
  runtime_.block_on([&]() -> kaido::Task<void> {
    auto node = (co_await kaido::NodeRuntime::connect(options(path))).value();
    auto once = node.spawn_fn<&add>(1, 2);
    auto again = node.remote<&add>().idempotent().spawn(3, 4);
    auto held = kaido::spawn_blocking([&] { fake.await_held(2); });
    static_cast<void>(co_await held);
    fake.drop_connection();
    const auto lost = co_await once;
    EXPECT_TRUE(lost.error().is_unavailable()) << lost.error();
    auto held_again = kaido::spawn_blocking([&] { fake.await_held(1); });
    static_cast<void>(co_await held_again);
    fake.release();
    EXPECT_EQ((co_await again).value(), 7);
    EXPECT_EQ((co_await node.remote<&add>().call(5, 6)).value(), 11);
    // The functions were offered again.
    EXPECT_TRUE(node.is_connected());
  });
}

TEST_P(NodeRuntimeTest, WithoutANodeConnectFailsAndSaysWhere) {
  runtime_.block_on([]() -> kaido::Task<void> {
    const std::string path = kaido::testing::new_socket_path();
    const auto node = co_await kaido::NodeRuntime::connect(options(path));
    EXPECT_TRUE(node.has_error());
    EXPECT_TRUE(node.error().is_unavailable());
    EXPECT_NE(node.error().message().find(path), std::string::npos);
  });
}

TEST_P(NodeRuntimeTest, ARefusalIsFinalAndCarriesTheReason) {
  const std::string path = kaido::testing::new_socket_path();
  kaido::testing::FakeNode fake(path);
  fake.refuse("upgrade the application");
  runtime_.block_on([&]() -> kaido::Task<void> {
    const auto served = co_await kaido::serve_forever(options(path));
    EXPECT_TRUE(served.has_error());
    EXPECT_NE(served.error().message().find("upgrade the application"), std::string::npos);
  });
}

TEST_P(NodeRuntimeTest, FreeCallsUseTheNodeThatKaidoSocketNames) {
  const std::string path = kaido::testing::new_socket_path();
  kaido::testing::FakeNode fake(path);
  ::setenv("KAIDO_SOCKET", path.c_str(), 1);
  runtime_.block_on([]() -> kaido::Task<void> {
    auto handle = kaido::spawn_fn<&where>();
    EXPECT_EQ((co_await handle).value().substr(0, 4), "fake");
  });
  ::unsetenv("KAIDO_SOCKET");
}

TEST_P(NodeRuntimeTest, ANamedNodeThatIsNotThereIsUnavailableAndNotReplaced) {
  ::setenv("KAIDO_SOCKET", kaido::testing::new_socket_path().c_str(), 1);
  runtime_.block_on([]() -> kaido::Task<void> {
    const auto failed = co_await kaido::remote<&add>().call(1, 1);
    EXPECT_TRUE(failed.has_error() && failed.error().is_unavailable());
  });
  ::unsetenv("KAIDO_SOCKET");
}

TEST_P(NodeRuntimeTest, TheRuntimesEndResolvesWhatIsUnderWay) {
  const std::string path = kaido::testing::new_socket_path();
  kaido::testing::FakeNode fake(path);
  fake.hold();
  kaido::JoinHandle<std::int64_t> handle;
  std::unique_ptr<kaido::NodeRuntime> node;
  runtime_.block_on([&]() -> kaido::Task<void> {
    node = std::make_unique<kaido::NodeRuntime>((co_await kaido::NodeRuntime::connect(options(path))).value());
    handle = node->spawn_fn<&add>(1, 1);
    auto held = kaido::spawn_blocking([&] { fake.await_held(1); });
    static_cast<void>(co_await held);
  });
  std::move(runtime_).shutdown_timeout(5s);
  EXPECT_TRUE(handle.is_finished());
  EXPECT_FALSE(node->is_connected());
  runtime_ = kaido::testing::make_runtime(false);
}

TEST(Decoding, OfOneResultStallsNobodyElsesCall) {
  const std::string path = kaido::testing::new_socket_path();
  const kaido::testing::FakeNode fake(path);
  kaido::testing::make_runtime(true).block_on([](std::string at) -> kaido::Task<void> {
    auto node = (co_await kaido::NodeRuntime::connect(options(at))).value();
    auto slow = node.spawn_fn<&make_slow>();
    co_await reached.notified();
    // While that result is being decoded others are sent, answered and decoded.
    for (std::int64_t i = 0; i < 20; ++i) EXPECT_EQ((co_await node.remote<&add>().call(i, 1)).value(), i + 1);
    gate.release();
    const kaido::Result<Slow> received = co_await slow;
    EXPECT_TRUE(received.value().is_received);
    co_await node.shutdown();
  }(path));
}

}  // namespace
