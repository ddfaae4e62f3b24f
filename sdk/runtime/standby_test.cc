// However long tasks compute, sockets and timers are looked after.
#include <kaido/runtime.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <kaido/detail/io.h>
#include <kaido/detail/turn_hook.h>
#include <kaido/join_handle.h>
#include <kaido/metrics.h>
#include <kaido/spawn.h>
#include <kaido/time.h>

namespace kaido {
namespace {

using namespace std::chrono_literals;

/// A bound for what would otherwise be a hang.
constexpr auto kPatience = 60s;

/// Computes until the flag is set; false if that never happens.
bool compute_until(const std::atomic<bool>& flag) {
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  while (!flag.load()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
  }
  return true;
}

struct Served final : detail::TurnHook {
  void end_of_turn() noexcept override {}
  void serve_without_driver() noexcept override { is_served = true; }

  std::atomic<bool> is_served{false};
};

/// Registered for a scope.
class Hook {
 public:
  explicit Hook(Runtime& runtime) { detail::register_turn_hook(runtime.handle(), served_); }
  [[nodiscard]] std::atomic<bool>& is_served() { return served_->is_served; }

 private:
  std::shared_ptr<Served> served_ = std::make_shared<Served>();
};

Runtime make_runtime(std::size_t workers) {
  return RuntimeBuilder::new_multi_thread().worker_threads(workers).enable_all().build().value();
}

Task<void> wait_3ms() { co_await sleep(3ms); }

Task<bool> compute(std::atomic<bool>& began, std::atomic<bool>& flag) {
  began = true;
  co_return compute_until(flag);
}

TEST(StandBy, TimersFireWhileEveryWorkerComputes) {
  Runtime runtime = make_runtime(2);
  const Hook hook(runtime);
  std::atomic<bool> began[2]{};
  std::atomic<bool> is_over{false};
  JoinHandle<bool> first = runtime.spawn(compute(began[0], is_over));
  JoinHandle<bool> second = runtime.spawn(compute(began[1], is_over));
  // The root waits on its own thread; both workers compute until its timer has fired.
  runtime.block_on([&]() -> Task<void> {
    co_await sleep(5ms);
    EXPECT_TRUE(compute_until(began[0]) && compute_until(began[1]));
    co_await sleep(5ms);
    is_over = true;
    EXPECT_TRUE((co_await first).value());
    EXPECT_TRUE((co_await second).value());
  });
}

TEST(StandBy, HandlersRunWhileEveryWorkerComputes) {
  Runtime runtime = make_runtime(1);
  const Hook hook(runtime);
  std::atomic<bool> began{false};
  std::atomic<bool> is_over{false};
  JoinHandle<bool> computing = runtime.spawn(compute(began, is_over));
  ASSERT_TRUE(compute_until(began));
  boost::asio::post(detail::io_context(runtime.handle()), [&] { is_over = Handle::try_current().has_value(); });
  EXPECT_TRUE(runtime.block_on(computing).value());
}

TEST(StandBy, WorkersTakeTheDriverBack) {
  Runtime runtime = make_runtime(2);
  const Hook hook(runtime);
  for (int round = 0; round < 20; ++round) {
    std::atomic<bool> began{false};
    std::atomic<bool> is_over{false};
    JoinHandle<bool> computing = runtime.spawn(compute(began, is_over));
    ASSERT_TRUE(compute_until(began));
    runtime.block_on([&]() -> Task<void> {
      co_await sleep(3ms);
      is_over = true;
      EXPECT_TRUE((co_await computing).value());
      // Workers that are idle again wait in the driver themselves, and timers go on.
      auto sleeper = spawn([]() -> Task<void> { co_await sleep(1ms); });
      static_cast<void>(co_await sleeper);
    });
  }
}

// The worker would wait in the driver, which the stand-by gives back when the handler returns.
TEST(StandBy, AHandlerThatItIsInKeepsNoWorkFromAnIdleWorker) {
  Runtime runtime = make_runtime(1);
  const Hook hook(runtime);
  std::atomic<bool> began{false};
  std::atomic<bool> is_in_handler{false};
  std::atomic<bool> has_run{false};
  std::promise<bool> has_run_meanwhile;
  JoinHandle<bool> computing = runtime.spawn(compute(began, is_in_handler));
  ASSERT_TRUE(compute_until(began));
  const std::uint64_t parks = runtime.metrics().worker_park_count(0);
  boost::asio::post(detail::io_context(runtime.handle()), [&] {
    const auto give_up = std::chrono::steady_clock::now() + 10s;
    is_in_handler = true;
    while (!has_run && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
    has_run_meanwhile.set_value(has_run);
  });
  ASSERT_TRUE(compute_until(is_in_handler));
  EXPECT_TRUE(runtime.block_on(computing).value());
  while (runtime.metrics().worker_park_count(0) == parks) std::this_thread::yield();
  auto task = runtime.spawn([&]() -> Task<void> {
    has_run = true;
    co_return;
  });
  EXPECT_TRUE(has_run_meanwhile.get_future().get());
  EXPECT_TRUE(runtime.block_on(task).has_value());
}

TEST(StandBy, ShutsDownWhetherItSleepsLooksOrHoldsTheDriver) {
  for (int round = 0; round < 30; ++round) {
    Runtime runtime = make_runtime(2);
    const Hook hook(runtime);
    std::atomic<bool> began{false};
    std::atomic<bool> is_over{false};
    JoinHandle<bool> computing;
    if (round % 3 != 0) {
      computing = runtime.spawn(compute(began, is_over));
      EXPECT_TRUE(compute_until(began));
    }
    if (round % 3 == 1) runtime.block_on(wait_3ms);
    is_over = true;
    std::move(runtime).shutdown_timeout(kPatience);
  }
}

// The thread that runs the handler cannot wait for itself.
TEST(StandBy, AHandlerThatItRunsShutsItsRuntimeDown) {
  for (int round = 0; round < 10; ++round) {
    std::optional<Runtime> runtime = make_runtime(1);
    const Handle handle = runtime->handle();
    const Hook hook(*runtime);
    std::atomic<bool> began{false};
    std::atomic<bool> is_over{false};
    JoinHandle<bool> computing = runtime->spawn(compute(began, is_over));
    JoinHandle<void> waiting = runtime->spawn([]() -> Task<void> { co_await sleep(1h); });
    ASSERT_TRUE(compute_until(began));
    boost::asio::post(detail::io_context(handle), [&] {
      std::move(*runtime).shutdown_background();
      is_over = true;
    });
    EXPECT_TRUE(handle.block_on(computing).value());
    EXPECT_TRUE(handle.block_on(waiting).error().is_cancelled());
  }
}

TEST(StandBy, ServesThoseWhoAskWhileTheOnlyThreadComputes) {
  Runtime runtime = RuntimeBuilder::new_current_thread().enable_all().build().value();
  Hook hook(runtime);
  runtime.block_on([&]() -> Task<void> {
    EXPECT_TRUE(compute_until(hook.is_served()));
    co_await sleep(1ms);
    // Again after it has slept.
    co_await sleep(100ms);
    hook.is_served() = false;
    EXPECT_TRUE(compute_until(hook.is_served()));
  });
}

TEST(StandBy, ARuntimeThatNobodyDrivesIsLeftAlone) {
  Runtime runtime = RuntimeBuilder::new_current_thread().enable_all().build().value();
  Hook hook(runtime);
  Runtime other = make_runtime(1);
  other.block_on([]() -> Task<void> { co_await sleep(20ms); });
  EXPECT_FALSE(hook.is_served());
}

}  // namespace
}  // namespace kaido
