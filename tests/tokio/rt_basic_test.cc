/// tokio's rt_basic.rs: the current-thread runtime.
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/detail/random.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/sync/mpsc.h>
#include <kaido/sync/oneshot.h>
#include <kaido/time.h>

#include "tests/tokio/poll_fn.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using namespace std::chrono_literals;

Task<void> yield_once() { co_await yield_now(); }

TEST(rt_basic, spawned_task_does_not_progress_without_block_on) {
  auto [sender, receiver] = oneshot::channel<std::string>();
  Runtime runtime = current_thread();
  start_on(runtime, [sender = std::move(sender)]() mutable -> Task<void> {
    send(sender, "hello");
    co_return;
  });
  EXPECT_FALSE(receiver.try_recv().has_value());
  EXPECT_EQ(runtime.block_on(receiver).value(), "hello");
}

/// Counts the polls of a receive.
class CountedRecv {
 public:
  CountedRecv(mpsc::UnboundedReceiver<int>& receiver, int& polls) : inner_(receiver.recv()), polls_(polls) {}
  bool poll(PollContext& context) {
    ++polls_;
    return inner_.poll(context);
  }
  auto take() { return inner_.take(); }

 private:
  decltype(std::declval<mpsc::UnboundedReceiver<int>&>().recv()) inner_;
  int& polls_;
};

TEST(rt_basic, no_extra_poll) {
  auto [sender, receiver] = mpsc::unbounded_channel<int>();
  int polls = 0;
  Runtime runtime = current_thread();
  start_on(runtime, [&polls, receiver = std::move(receiver)]() mutable -> Task<void> {
    for (;;) {
      const bool more = (co_await CountedRecv(receiver, polls)).has_value();
      if (!more) co_return;
    }
  });
  runtime.block_on(yield_once());
  EXPECT_EQ(polls, 1);
  EXPECT_TRUE(sender.send(1).has_value());
  runtime.block_on(yield_once());
  EXPECT_EQ(polls, 3);  // Once to receive, once to wait again.
  {
    auto dropped = std::move(sender);
  }
  runtime.block_on(yield_once());
  EXPECT_EQ(polls, 4);
}

TEST(rt_basic, acquire_mutex_in_drop) {
  auto [sender1, receiver1] = oneshot::channel<int>();
  auto [sender2, receiver2] = oneshot::channel<int>();
  bool resumed = false;
  {
    Runtime runtime = current_thread();
    start_on(runtime, [&resumed, receiver = std::move(receiver2)]() mutable -> Task<void> {
      static_cast<void>(co_await receiver);
      resumed = true;
    });
    start_on(runtime, [&resumed, receiver = std::move(receiver1), sender = std::move(sender2)]() mutable -> Task<void> {
      static_cast<void>(co_await receiver);
      resumed = true;
      send(sender, 1);
    });
    start_on(runtime, [sender = std::move(sender1)]() mutable -> Task<void> { co_await pending(); });
    runtime.block_on(yield_once());
  }
  EXPECT_FALSE(resumed);
}

TEST(rt_basic, drop_tasks_in_context) {
  std::atomic<bool> saw_runtime = false;
  struct Look {
    std::atomic<bool>& saw;
    ~Look() { saw = Handle::try_current().has_value(); }
  };
  {
    Runtime runtime = current_thread();
    start_on(runtime, [&saw_runtime]() -> Task<void> {
      Look look{saw_runtime};
      co_await pending();
    });
    runtime.block_on(yield_once());
  }
  EXPECT_TRUE(saw_runtime);
}

TEST(rt_basic, wake_in_drop_after_panic) {
  struct SendOnDrop {
    oneshot::Sender<int> sender;
    ~SendOnDrop() { send(sender, 1); }
  };
  bool resumed = false;
  const auto run = [&resumed] {
    auto [sender1, receiver1] = oneshot::channel<int>();
    auto [sender2, receiver2] = oneshot::channel<int>();
    Runtime runtime = current_thread();
    const auto wait = [&resumed](oneshot::Sender<int> sender, oneshot::Receiver<int> receiver) -> Task<void> {
      SendOnDrop send{std::move(sender)};
      static_cast<void>(co_await receiver);
      resumed = true;
    };
    start_on(runtime, wait(std::move(sender2), std::move(receiver1)));
    start_on(runtime, wait(std::move(sender1), std::move(receiver2)));
    runtime.block_on([]() -> Task<void> {
      co_await yield_now();
      throw std::runtime_error("root");
    });
  };
  EXPECT_THROW(run(), std::runtime_error);
  EXPECT_FALSE(resumed);
}

TEST(rt_basic, spawn_two) {
  std::optional<Runtime> runtime(current_thread());
  const std::string out = runtime->block_on([]() -> Task<std::string> {
    auto [sender, receiver] = oneshot::channel<std::string>();
    start([sender = std::move(sender)]() mutable -> Task<void> {
      start([sender = std::move(sender)]() mutable -> Task<void> {
        send(sender, "ZOMG");
        co_return;
      });
      co_return;
    });
    co_return (co_await receiver).value();
  });
  EXPECT_EQ(out, "ZOMG");
  const RuntimeMetrics metrics = runtime->metrics();
  runtime.reset();
  EXPECT_EQ(metrics.remote_schedule_count(), 0u);
  EXPECT_EQ(metrics.worker_local_schedule_count(0), 2u);
}

TEST(rt_basic, spawn_remote) {
  std::optional<Runtime> runtime(current_thread());
  std::thread thread;
  const std::string out = runtime->block_on([&thread]() -> Task<std::string> {
    auto [sender, receiver] = oneshot::channel<std::string>();
    auto handle =
        spawn([&thread, sender = std::move(sender), receiver = std::move(receiver)]() mutable -> Task<std::string> {
          // The thread sends once the task waits: its waker then comes from outside.
          thread = std::thread([sender = std::move(sender), runtime = Handle::current()]() mutable {
            while (runtime.metrics().worker_park_count(0) == 0) std::this_thread::yield();
            send(sender, "ZOMG");
          });
          co_return (co_await receiver).value();
        });
    co_return (co_await handle).value();
  });
  thread.join();
  EXPECT_EQ(out, "ZOMG");
  const RuntimeMetrics metrics = runtime->metrics();
  runtime.reset();
  EXPECT_EQ(metrics.remote_schedule_count(), 1u);
  EXPECT_EQ(metrics.worker_local_schedule_count(0), 1u);
}

TEST(rt_basic, timeout_panics_when_no_time_handle) {
  Runtime runtime = RuntimeBuilder::new_current_thread().build().value();
  std::string text;
  runtime.block_on([&text]() -> Task<void> {
    auto [sender, receiver] = oneshot::channel<int>();
    try {
      static_cast<void>(co_await timeout(20ms, receiver));
    } catch (const std::logic_error& failure) {
      text = failure.what();
    }
  });
  EXPECT_NE(text.find("timers are disabled"), std::string::npos) << text;
}

TEST(rt_basic, default_runtime_name_should_be_none) {
  Runtime runtime = current_thread();
  EXPECT_EQ(runtime.handle().name(), std::nullopt);
}

TEST(rt_basic, different_runtime_names) {
  Runtime first = RuntimeBuilder::new_current_thread().name("test-runtime-1").build().value();
  Runtime second = RuntimeBuilder::new_current_thread().name("test-runtime-2").build().value();
  EXPECT_EQ(first.handle().name(), "test-runtime-1");
  EXPECT_EQ(second.handle().name(), "test-runtime-2");
}

Runtime fragile() {
  return RuntimeBuilder::new_current_thread()
      .unhandled_panic(UnhandledPanic::kShutdownRuntime)
      .enable_all()
      .build()
      .value();
}

Task<void> panic() {
  throw std::runtime_error("boom");
  co_return;
}

TEST(rt_basic, unstable__shutdown_on_panic) {
  Runtime runtime = fragile();
  const auto run = [&] {
    runtime.block_on([]() -> Task<void> {
      start(panic());
      co_await pending();
    });
  };
  EXPECT_THROW(run(), std::runtime_error);
}

TEST(rt_basic, unstable__spawns_do_nothing) {
  Runtime runtime = fragile();
  const auto run = [&] {
    runtime.block_on([]() -> Task<void> {
      start(panic());
      co_await pending();
    });
  };
  EXPECT_THROW(run(), std::runtime_error);
  bool has_run = false;
  auto handle = runtime.spawn([&has_run]() -> Task<void> {
    has_run = true;
    co_return;
  });
  EXPECT_TRUE(handle.is_finished());
  EXPECT_FALSE(runtime.handle().block_on(handle).has_value());
  EXPECT_FALSE(has_run);
}

TEST(rt_basic, unstable__shutdown_all_concurrent_block_on) {
  Runtime runtime = fragile();
  std::atomic<int> waiting = 0;
  std::atomic<int> thrown = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      try {
        runtime.block_on([&]() -> Task<void> {
          ++waiting;
          co_await pending();
        });
      } catch (const std::runtime_error&) {
        ++thrown;
      }
    });
  }
  // Roots are polled one after the other if the first thread drives: the second one's waits for the seat, unpolled.
  while (waiting == 0) std::this_thread::yield();
  start_on(runtime, panic());
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(thrown, 2);
}

std::vector<std::uint32_t> random_numbers() {
  std::vector<std::uint32_t> numbers;
  for (int i = 0; i < 10; ++i) numbers.push_back(detail::random_below(100));
  return numbers;
}
Task<std::vector<std::uint32_t>> draw() { co_return random_numbers(); }

Runtime seeded(std::uint64_t seed) {
  return RuntimeBuilder::new_current_thread().rng_seed(RngSeed(seed)).build().value();
}

TEST(rt_basic, unstable__rng_seed) {
  Runtime first = seeded(7);
  Runtime second = seeded(7);
  Runtime other = seeded(8);
  const auto numbers = first.block_on(draw());
  EXPECT_EQ(second.block_on(draw()), numbers);
  EXPECT_NE(other.block_on(draw()), numbers);
}

TEST(rt_basic, unstable__rng_seed_multi_enter) {
  Runtime first = seeded(7);
  Runtime second = seeded(7);
  const auto earlier = first.block_on(draw());
  EXPECT_EQ(second.block_on(draw()), earlier);
  const auto later = first.block_on(draw());
  EXPECT_EQ(second.block_on(draw()), later);
  EXPECT_NE(earlier, later);
}

}  // namespace
}  // namespace kaido::parity
