// Handles of distributed runtimes: calls from anywhere, by what owns nothing.
#include <kaido/kaido.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "sdk/client/client_test_support.h"
#include "sdk/client/fake_node.h"

namespace {

using namespace std::chrono_literals;

std::int64_t add(std::int64_t a, std::int64_t b) { return a + b; }
KAIDO_FUNCTION_AS("add", &add);

kaido::Notify may_end;

kaido::Task<int> wait_for_end() {
  co_await may_end.notified();
  co_return 5;
}
KAIDO_FUNCTION_AS("wait_for_end", &wait_for_end);

kaido::NodeOptions options(const std::string& path) { return kaido::NodeOptions().socket(path); }

class DistributedHandleTest : public testing::TestWithParam<bool> {
 protected:
  kaido::Runtime runtime_ = kaido::testing::make_runtime(GetParam());
  const std::string path_ = kaido::testing::new_socket_path();
};

INSTANTIATE_TEST_SUITE_P(Flavors, DistributedHandleTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "MultiThread" : "CurrentThread"; });

/// What runtimes and handles can both do, on a thread that is in no runtime.
std::vector<std::int64_t> call_from_outside(const kaido::DistributedHandle& cluster) {
  std::vector<std::int64_t> sums;
  sums.push_back(cluster.block_on(cluster.remote<&add>().call(1, 2)).value());
  auto spawned = cluster.spawn_fn<&add>(3, 4);
  sums.push_back(cluster.block_on(spawned).value());
  auto built = cluster.remote<std::int64_t(std::int64_t, std::int64_t)>("add").with_timeout(1min).spawn(5, 6);
  sums.push_back(cluster.block_on(built).value());
  sums.push_back(cluster.block_on([cluster]() -> kaido::Task<std::int64_t> {
    const auto free_call = co_await kaido::remote<&add>().call(7, 8);
    co_return free_call.value();
  }));
  return sums;
}

TEST_P(DistributedHandleTest, CallsFromThreadsThatAreInNoRuntime) {
  kaido::testing::FakeNode fake(path_);
  runtime_.block_on([&]() -> kaido::Task<void> {
    const auto node = (co_await kaido::NodeRuntime::connect(options(path_))).value();
    const kaido::LocalRuntime local;
    std::vector<kaido::DistributedHandle> handles;
    handles.push_back(node.handle());
    handles.push_back(local.handle());
    for (const kaido::DistributedHandle& handle : handles) {
      auto [sender, receiver] = kaido::oneshot::channel<std::vector<std::int64_t>>();
      std::thread plain([&handle, sender = std::move(sender)]() mutable {
        static_cast<void>(sender.send(call_from_outside(handle)));
      });
      const auto sums = co_await receiver;
      EXPECT_EQ(sums.value(), std::vector<std::int64_t>({3, 7, 11, 15}));
      plain.join();
    }
  });
}

TEST_P(DistributedHandleTest, TheCurrentOneIsWhereFreeCallsGo) {
  EXPECT_FALSE(kaido::DistributedHandle::try_current());
  EXPECT_THROW(static_cast<void>(kaido::DistributedHandle::current()), std::logic_error);
  kaido::testing::FakeNode fake(path_);
  runtime_.block_on([&]() -> kaido::Task<void> {
    const auto node = (co_await kaido::NodeRuntime::connect(options(path_))).value();
    fake.hold();
    auto call = kaido::spawn_fn<&add>(1, 2);
    auto held = kaido::spawn_blocking([&] { fake.await_held(1); });
    static_cast<void>(co_await held);
    const auto current = kaido::DistributedHandle::current();
    EXPECT_EQ(current.node_name(), "fake");
    EXPECT_EQ(current.metrics().calls_in_flight, 1U);
    EXPECT_EQ(current.runtime().id(), runtime_.handle().id());
    fake.release();
    EXPECT_EQ((co_await call).value(), 3);
    EXPECT_EQ(current.metrics().calls_in_flight, 0U);
    EXPECT_EQ(node.metrics().late_results, 0U);
  });
}

TEST_P(DistributedHandleTest, CountsWhatRuns) {
  kaido::testing::FakeNode fake(path_);
  runtime_.block_on([&]() -> kaido::Task<void> {
    const auto node = (co_await kaido::NodeRuntime::connect(options(path_))).value();
    const kaido::LocalRuntime local;
    auto by_node = node.spawn_fn<&wait_for_end>();
    auto here = local.spawn_fn<&wait_for_end>();
    while (node.metrics().functions_running == 0) co_await kaido::sleep(1ms);
    while (local.metrics().calls_in_flight == 0) co_await kaido::sleep(1ms);
    auto dropped = local.spawn_fn<&wait_for_end>();
    while (local.metrics().calls_in_flight < 2) co_await kaido::sleep(1ms);
    dropped.abort();
    static_cast<void>(co_await dropped);
    EXPECT_EQ(local.metrics().calls_in_flight, 1U);
    while (!by_node.is_finished() || !here.is_finished()) {
      may_end.notify_waiters();
      co_await kaido::sleep(1ms);
    }
    EXPECT_EQ((co_await by_node).value() + (co_await here).value(), 10);
    EXPECT_EQ(node.metrics().functions_running + node.metrics().calls_in_flight, 0U);
    EXPECT_EQ(local.metrics().calls_in_flight, 0U);
  });
}

TEST_P(DistributedHandleTest, DoesNotKeepTheConnectionOpen) {
  kaido::testing::FakeNode fake(path_);
  runtime_.block_on([&]() -> kaido::Task<void> {
    std::optional<kaido::NodeRuntime> node = (co_await kaido::NodeRuntime::connect(options(path_))).value();
    const kaido::DistributedHandle handle = node->handle();
    const kaido::DistributedHandle current = kaido::DistributedHandle::current();
    const auto prepared = handle.remote<&add>();
    EXPECT_EQ((co_await prepared.call(1, 2)).value(), 3);
    EXPECT_TRUE(node->is_connected());
    node.reset();
    std::vector<kaido::Remote<&add>> remotes;
    remotes.push_back(prepared);
    remotes.push_back(handle.remote<&add>());
    remotes.push_back(current.remote<&add>());
    for (const auto& remote : remotes) {
      const auto late = co_await remote.call(1, 2);
      EXPECT_TRUE(late.error().is_unavailable());
      EXPECT_NE(late.error().message().find("dropped the connection"), std::string::npos) << late.error();
    }
  });
}

TEST_P(DistributedHandleTest, OutlivesTheRuntime) {
  kaido::testing::FakeNode fake(path_);
  std::optional<kaido::DistributedHandle> of_node;
  std::optional<kaido::DistributedHandle> of_local;
  {
    kaido::Runtime runtime = std::move(runtime_);
    runtime.block_on([&]() -> kaido::Task<void> {
      auto node = co_await kaido::NodeRuntime::connect(options(path_));
      of_node = node.value().handle();
      of_local = kaido::LocalRuntime().handle();
    });
  }
  kaido::Runtime other = kaido::testing::make_runtime(false);
  for (const auto* handle : {&*of_node, &*of_local}) {
    auto spawned = handle->spawn_fn<&add>(1, 2);
    EXPECT_TRUE(other.block_on(spawned).error().is_cancelled());
    const auto called = other.block_on(kaido::detail::to_task(handle->remote<&add>().call(1, 2)));
    EXPECT_TRUE(called.error().is_unavailable() || called.error().is_cancelled()) << called.error();
  }
}

}  // namespace
