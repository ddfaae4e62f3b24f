// One algebra: abort, timeout, select, join and JoinSet mean the same for remote calls as for local tasks, here and
// through a node.
#include <kaido/kaido.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/join.h>
#include <kaido/select.h>

#include "sdk/client/client_test_support.h"
#include "sdk/client/fake_node.h"

namespace {

using namespace std::chrono_literals;

std::int64_t twice(std::int64_t value) { return 2 * value; }
KAIDO_FUNCTION_AS("algebra.twice", &twice);

std::atomic<int> waiting{0};
std::atomic<int> destroyed{0};

kaido::Task<std::int64_t> endless() {
  struct Guard {
    ~Guard() { ++destroyed; }
  } guard;
  ++waiting;
  co_await kaido::sleep(1h);
  co_return 0;
}
KAIDO_FUNCTION_AS("algebra.endless", &endless);

kaido::Task<std::int64_t> local_twice(std::int64_t value) {
  co_await kaido::yield_now();
  co_return 2 * value;
}

kaido::Task<void> until(const std::atomic<int>& count, int expected) {
  while (count.load() < expected) co_await kaido::yield_now();
}

class AlgebraTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    waiting = 0;
    destroyed = 0;
  }
  kaido::Runtime runtime_ = kaido::testing::make_runtime(GetParam());
};
INSTANTIATE_TEST_SUITE_P(Flavours, AlgebraTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "MultiThread" : "CurrentThread"; });

// Here, not in the header: every program would pay for what this instantiates.
static_assert(kaido::DistributedRuntime<kaido::LocalRuntime>);
static_assert(kaido::DistributedRuntime<kaido::NodeRuntime>);
static_assert(kaido::DistributedCaller<kaido::DistributedHandle> &&
              !kaido::DistributedRuntime<kaido::DistributedHandle>);

/// A JoinSet of local tasks and remote calls, a join and a try_join of both.
template <kaido::DistributedRuntime D>
kaido::Task<void> mix(D& runtime) {
  kaido::JoinSet<std::int64_t> set;
  for (std::int64_t i = 0; i < 50; ++i) {
    set.spawn(local_twice(i));
    set.spawn(runtime.template remote<&twice>().call(i));
    set.spawn(runtime.template spawn_fn<&twice>(i));
  }
  std::int64_t sum = 0;
  for (;;) {
    auto next = co_await set.join_next();
    if (!next) break;
    sum += next->value();
  }
  EXPECT_EQ(sum, 3 * 2 * (49 * 50 / 2));

  auto handle = runtime.template spawn_fn<&twice>(2);
  auto [local, remote, spawned] =
      co_await kaido::join(local_twice(1), runtime.template remote<&twice>().call(1), handle);
  EXPECT_EQ(local + remote.value() + spawned.value(), 8);
  const auto both = co_await kaido::try_join(runtime.template remote<&twice>().call(3), kaido::spawn(local_twice(4)));
  EXPECT_EQ(both.value(), std::tuple(6, 8));
  const auto in_time = co_await kaido::timeout(1h, runtime.template remote<&twice>().call(5));
  EXPECT_EQ(in_time.value(), 10);
}

TEST_P(AlgebraTest, LocalAndRemoteTasksMix) {
  runtime_.block_on([]() -> kaido::Task<void> {
    kaido::LocalRuntime local;
    co_await mix(local);
  });
}

TEST_P(AlgebraTest, AbortOfARemoteCallDestroysTheFunction) {
  runtime_.block_on([]() -> kaido::Task<void> {
    kaido::LocalRuntime local;
    auto handle = local.spawn_fn<&endless>();
    co_await until(waiting, 1);
    handle.abort();
    const auto result = co_await handle;
    EXPECT_TRUE(result.has_error() && result.error().is_cancelled());
    co_await until(destroyed, 1);
  });
}

TEST_P(AlgebraTest, ATimeoutCancelsTheCallItOwnsAndNotTheHandleItBorrows) {
  runtime_.block_on([]() -> kaido::Task<void> {
    kaido::LocalRuntime local;
    const auto late = co_await kaido::timeout(2ms, local.remote<&endless>().call());
    EXPECT_TRUE(late.has_error() && late.error().is_timed_out());
    co_await until(destroyed, waiting.load());

    const int before = destroyed.load();
    auto handle = local.spawn_fn<&endless>();
    co_await until(waiting, before + 1);
    const auto still_late = co_await kaido::timeout(2ms, handle);
    EXPECT_TRUE(still_late.has_error() && still_late.error().is_timed_out());
    EXPECT_FALSE(handle.is_finished());
    EXPECT_EQ(destroyed.load(), before);
    handle.abort();
    static_cast<void>(co_await handle);
    co_await until(destroyed, before + 1);
  });
}

TEST_P(AlgebraTest, SelectTakesTheFirstAndCancelsTheOther) {
  runtime_.block_on([]() -> kaido::Task<void> {
    kaido::LocalRuntime local;
    const std::int64_t won = co_await kaido::select(
        kaido::on_value(local.remote<&endless>().call(), [](std::int64_t value) { return value; }),
        kaido::on_value(local.remote<&twice>().call(21), [](std::int64_t value) { return value; }));
    EXPECT_EQ(won, 42);
    co_await until(destroyed, waiting.load());

    // A deadline by hand.
    const bool was_late = co_await kaido::select(kaido::on(local.remote<&endless>().call(), [](auto) { return false; }),
                                                 kaido::on(kaido::sleep(2ms), [] { return true; }));
    EXPECT_TRUE(was_late);
    co_await until(destroyed, waiting.load());
  });
}

TEST_P(AlgebraTest, DroppingASetAbortsTheRemoteCallsInIt) {
  runtime_.block_on([]() -> kaido::Task<void> {
    kaido::LocalRuntime local;
    {
      kaido::JoinSet<std::int64_t> set;
      set.spawn(local.remote<&endless>().call());
      set.spawn(endless());
      co_await until(waiting, 2);
    }
    co_await until(destroyed, 2);
  });
}

TEST_P(AlgebraTest, TheSameThroughANode) {
  const std::string path = kaido::testing::new_socket_path();
  kaido::testing::FakeNode fake(path);
  runtime_.block_on([&]() -> kaido::Task<void> {
    auto node = (co_await kaido::NodeRuntime::connect(kaido::NodeOptions().socket(path).unavailable_after(2s))).value();
    co_await mix(node);
    fake.hold();
    const auto late = co_await kaido::timeout(5ms, node.remote<&twice>().call(1));
    EXPECT_TRUE(late.has_error() && late.error().is_timed_out());
    auto handle = node.spawn_fn<&twice>(1);
    const auto won = co_await kaido::select(handle, kaido::sleep(5ms));
    EXPECT_EQ(won.index(), 1u);
    handle.abort();
    const auto aborted = co_await handle;
    EXPECT_TRUE(aborted.has_error() && aborted.error().is_cancelled());
  });
}

}  // namespace
