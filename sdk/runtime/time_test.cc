// Sleeps, timeouts and join sets, on real time where the flavour has no other, and on a paused clock for what is exact.
#include <kaido/time.h>

#include <atomic>
#include <chrono>
#include <future>
#include <limits>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <kaido/detail/io.h>
#include <kaido/interval.h>
#include <kaido/join.h>
#include <kaido/join_set.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>

#include "sdk/testing/probe.h"

namespace kaido {
namespace {

using namespace std::chrono_literals;

Runtime paused_runtime() { return RuntimeBuilder::new_current_thread().enable_all().start_paused().build().value(); }
Runtime current_thread() { return RuntimeBuilder::new_current_thread().enable_all().build().value(); }
Runtime multi_thread() { return RuntimeBuilder::new_multi_thread().worker_threads(2).enable_all().build().value(); }

class FlavourTest : public ::testing::TestWithParam<bool> {
 protected:
  Runtime runtime_ = GetParam() ? multi_thread() : current_thread();
};
INSTANTIATE_TEST_SUITE_P(Flavours, FlavourTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "MultiThread" : "CurrentThread"; });

Task<int> after(std::chrono::milliseconds delay, int value) {
  co_await sleep(delay);
  co_return value;
}

TEST_P(FlavourTest, SleepIsNeverEarly) {
  auto body = []() -> Task<void> {
    for (auto delay : {0us, 300us, 1000us, 2500us}) {
      const Instant begin = Clock::now();
      co_await sleep(delay);
      EXPECT_GE(Clock::now() - begin, delay);
    }
  };
  runtime_.block_on(body);
  auto spawned = runtime_.spawn(body);
  runtime_.block_on(spawned).value();
}

TEST_P(FlavourTest, ManySleepersAllEnd) {
  runtime_.block_on([]() -> Task<void> {
    JoinSet<int> set;
    for (int i = 200; i > 0; --i) set.spawn(after(std::chrono::milliseconds(i % 20), i));
    int sum = 0;
    while (auto next = co_await set.join_next()) sum += next->value();
    EXPECT_EQ(sum, 200 * 201 / 2);
  });
}

TEST_P(FlavourTest, AsioHandlersRunInTheRuntimeAndWakeTasks) {
  runtime_.block_on([]() -> Task<void> {
    struct Posted {
      bool poll(PollContext& context) {
        if (!posted) {
          posted = true;
          boost::asio::post(detail::io_context(Handle::current()), [this, waker = context.waker()]() mutable {
            in_runtime = Handle::try_current().has_value();
            ran.store(true, std::memory_order_release);
            waker.wake();
          });
        }
        return ran.load(std::memory_order_acquire);
      }
      void take() {}
      bool posted = false;
      bool in_runtime = false;
      std::atomic<bool> ran = false;
    };
    Posted from_root;
    co_await from_root;
    EXPECT_TRUE(from_root.in_runtime);
    auto handle = spawn([]() -> Task<bool> {
      Posted from_task;
      co_await from_task;
      co_return from_task.in_runtime;
    });
    EXPECT_TRUE((co_await handle).value());
  });
}

TEST(Sleep, NeedsARuntimeWithTimers) {
  EXPECT_THROW(static_cast<void>(sleep(1ms)), std::logic_error);
  auto runtime = RuntimeBuilder::new_current_thread().build().value();
  runtime.block_on([]() -> Task<void> {
    EXPECT_THROW(static_cast<void>(sleep(1ms)), std::logic_error);
    co_return;
  });
}

TEST(Sleep, AwaitedAfterItsRuntimesEndThrows) {
  auto other = current_thread();
  auto ended = current_thread();
  auto guard = std::make_unique<EnterGuard>(ended.handle().core());
  auto late = std::make_unique<Sleep>(Clock::now() + 1h);
  guard.reset();
  {
    const Runtime gone = std::move(ended);
  }
  EXPECT_THROW(other.block_on(*late), std::runtime_error);
}

TEST(PausedClock, JumpsToTheNextTimerWhenNothingCanRun) {
  auto runtime = paused_runtime();
  const auto begin = std::chrono::steady_clock::now();
  runtime.block_on([]() -> Task<void> {
    const Instant start = Clock::now();
    co_await sleep(1h);
    EXPECT_GE(Clock::now() - start, 1h);
    EXPECT_LE(Clock::now() - start, 1h + 1ms);
    co_await sleep(std::chrono::hours::max());  // About 30 years.
    const Instant before = Clock::now();
    for (int i = 0; i < 100; ++i) co_await yield_now();
    EXPECT_EQ(Clock::now(), before);
  });
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 1min);
}

TEST(PausedClock, SleepersEndInTheOrderOfTheirDeadlines) {
  auto runtime = paused_runtime();
  runtime.block_on([]() -> Task<void> {
    JoinSet<int> set;
    for (int i = 10; i > 0; --i) set.spawn(after(std::chrono::milliseconds(3 * i), i));
    int expected = 1;
    while (auto next = co_await set.join_next()) EXPECT_EQ(next->value(), expected++);
    EXPECT_EQ(expected, 11);
  });
}

TEST(PausedClock, AdvanceFiresWhatIsDueAndNothingElse) {
  auto runtime = paused_runtime();
  runtime.block_on([]() -> Task<void> {
    std::vector<int> order;
    auto note = [&order](std::chrono::milliseconds delay, int value) -> Task<void> {
      co_await sleep(delay);
      order.push_back(value);
    };
    JoinSet<void> set;
    set.spawn(note(30ms, 3));
    set.spawn(note(10ms, 1));
    set.spawn(note(20ms, 2));
    co_await yield_now();
    co_await advance_clock(25ms);
    EXPECT_EQ(order, std::vector<int>());  // Fired, not yet run.
    co_await yield_now();
    EXPECT_EQ(order, (std::vector<int>{1, 2}));
    while (auto next = co_await set.join_next()) EXPECT_TRUE(next->ok());
    EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
    resume_clock();
    EXPECT_THROW(resume_clock(), std::logic_error);
    pause_clock();
  });
}

TEST(PausedClock, WaitsForBlockingClosures) {
  auto runtime = paused_runtime();
  runtime.block_on([]() -> Task<void> {
    const Instant begin = Clock::now();
    std::atomic<bool> go = false;
    auto closure = spawn_blocking([&go] {
      while (!go) std::this_thread::yield();
      return Clock::now();
    });
    auto timer = spawn(after(1000ms, 1));
    co_await yield_now();
    go = true;
    EXPECT_EQ((co_await closure).value(), begin);
    static_cast<void>(co_await timer);
    EXPECT_GE(Clock::now() - begin, 1s);
  });
}

TEST(Sleep, CanBeResetBeforeAndAfterItFired) {
  auto runtime = paused_runtime();
  runtime.block_on([]() -> Task<void> {
    const Instant begin = Clock::now();
    Sleep timer(begin + 10ms);
    timer.reset(begin + 50ms);
    co_await timer;
    EXPECT_GE(Clock::now(), begin + 50ms);
    EXPECT_TRUE(timer.is_elapsed());
    timer.reset(begin + 80ms);
    EXPECT_FALSE(timer.is_elapsed());
    co_await timer;
    EXPECT_GE(Clock::now(), begin + 80ms);
  });
}

TEST(Sleep, ResetWakesWhoWaitsAtTheNewTime) {
  auto runtime = paused_runtime();
  runtime.block_on([]() -> Task<void> {
    const Instant begin = Clock::now();
    for (const auto deadline : {5ms, 20ms}) {  // Earlier and later than it was.
      Sleep timer(Clock::now() + 10ms);
      testing::Probe<void> waiting([&]() -> Task<void> { co_await timer; });
      EXPECT_FALSE(waiting.poll());
      timer.reset(Clock::now() + deadline);
      co_await advance_clock(deadline - 1ms);
      EXPECT_FALSE(waiting.is_woken());
      co_await advance_clock(2ms);
      EXPECT_TRUE(waiting.is_woken());
      EXPECT_TRUE(waiting.poll());
    }
    Sleep timer(Clock::now() + 10ms);
    testing::Probe<void> waiting([&]() -> Task<void> { co_await timer; });
    EXPECT_FALSE(waiting.poll());
    timer.reset(begin);
    EXPECT_TRUE(waiting.is_woken()) << "what has passed already is due at once";
    EXPECT_TRUE(waiting.poll());
  });
}

TEST(Interval, ResetWakesWhoWaitsForTheTick) {
  auto runtime = paused_runtime();
  runtime.block_on([]() -> Task<void> {
    Interval ticks = interval(100ms);
    co_await ticks.tick();
    testing::Probe<void> waiting([&]() -> Task<void> { co_await ticks.tick(); });
    EXPECT_FALSE(waiting.poll());
    ticks.reset_after(5ms);
    co_await advance_clock(6ms);
    EXPECT_TRUE(waiting.is_woken());
    EXPECT_TRUE(waiting.poll());
  });
}

// A start at the beginning of time is due at once, and nobody wants the ticks of three hundred years.
TEST(Interval, AStartAtTheBeginningOfTimeIsOneTick) {
  auto runtime = paused_runtime();
  runtime.block_on([]() -> Task<void> {
    for (const auto behavior : {MissedTickBehavior::kBurst, MissedTickBehavior::kDelay, MissedTickBehavior::kSkip}) {
      Interval interval = interval_at(Instant::min(), 7s);
      interval.set_missed_tick_behavior(behavior);
      for (const bool again : {false, true}) {
        if (again) interval.reset_at(Instant::min());
        const Instant begin = Clock::now();
        EXPECT_EQ(co_await interval.tick(), Instant::min());
        EXPECT_EQ(Clock::now(), begin);
        EXPECT_EQ(co_await interval.tick(), begin + 7s);
        EXPECT_EQ(co_await interval.tick(), begin + 14s);
      }
    }
  });
}

// What is not a number is no time, and what is less than nothing too.
TEST(Sleep, OddTimesAreDueAtOnce) {
  auto runtime = paused_runtime();
  runtime.block_on([]() -> Task<void> {
    const Instant begin = Clock::now();
    const std::chrono::duration<double> nan(std::numeric_limits<double>::quiet_NaN());
    co_await sleep(nan);
    co_await sleep(-nan);
    co_await sleep(std::chrono::hours::min());
    co_await sleep(std::chrono::duration<double>(-std::numeric_limits<double>::infinity()));
    co_await sleep_until(Instant::min());
    EXPECT_EQ(Clock::now(), begin);
  });
}

TEST(Timeout, OddTimesAreUpAtOnce) {
  auto runtime = paused_runtime();
  runtime.block_on([]() -> Task<void> {
    const Instant begin = Clock::now();
    const std::chrono::duration<double> nan(std::numeric_limits<double>::quiet_NaN());
    EXPECT_TRUE((co_await timeout(nan, sleep(1h))).error().is_timed_out());
    EXPECT_TRUE((co_await timeout(std::chrono::hours::min(), sleep(1h))).error().is_timed_out());
    EXPECT_TRUE((co_await timeout_at(Instant::min(), sleep(1h))).error().is_timed_out());
    auto ready = []() -> Task<int> { co_return 4; };
    EXPECT_EQ((co_await timeout(nan, ready())).value(), 4) << "what is ready beats it";
    EXPECT_EQ(Clock::now(), begin);
    EXPECT_TRUE(co_await timeout(std::chrono::hours::max(), sleep(1h))) << "nor is the longest one of them";
  });
}

TEST_P(FlavourTest, OneBranchMayResetTheSleepOfAnother) {
  runtime_.block_on([]() -> Task<void> {
    Sleep timer = sleep(1h);
    auto wait = [&]() -> Task<void> { co_await timer; };
    auto reset = [&]() -> Task<void> {
      co_await sleep(2ms);
      timer.reset(Clock::now() + 2ms);
    };
    co_await join(wait, reset);
  });
}

TEST(Sleep, PendsUntilWokenByTheWheel) {
  auto runtime = paused_runtime();
  runtime.block_on([]() -> Task<void> {
    testing::Probe<int> probe(after(10ms, 7));
    EXPECT_FALSE(probe.poll());
    EXPECT_FALSE(probe.is_woken());
    co_await advance_clock(9ms);
    EXPECT_FALSE(probe.is_woken());
    co_await advance_clock(2ms);
    EXPECT_TRUE(probe.is_woken());
    EXPECT_TRUE(probe.poll());
    EXPECT_EQ(probe.take(), 7);
  });
}

TEST(Timeout, GivesTheValueOrTimesOutAndDestroysTheInner) {
  auto runtime = paused_runtime();
  runtime.block_on([]() -> Task<void> {
    EXPECT_EQ((co_await timeout(20ms, after(10ms, 5))).value(), 5);
    struct Flag {
      explicit Flag(bool& f) : flag(f) {}
      ~Flag() { flag = true; }
      bool& flag;
    };
    bool destroyed = false;
    auto slow = [](bool& flag) -> Task<void> {
      Flag guard(flag);
      co_await sleep(1h);
    };
    const Instant begin = Clock::now();
    Result<void> result = co_await timeout(20ms, slow(destroyed));
    EXPECT_TRUE(result.error().is_timed_out());
    EXPECT_TRUE(destroyed);
    EXPECT_LE(Clock::now() - begin, 22ms);
    // What is ready beats a deadline that has passed.
    auto ready = []() -> Task<int> { co_return 3; };
    EXPECT_EQ((co_await timeout(-1s, ready())).value(), 3);
  });
}

TEST(Timeout, LetsExceptionsThroughAndDoesNotNestResults) {
  auto runtime = paused_runtime();
  runtime.block_on([]() -> Task<void> {
    auto failing = []() -> Task<int> {
      co_await yield_now();
      throw std::runtime_error("broken");
    };
    bool threw = false;
    try {
      static_cast<void>(co_await timeout(1s, failing()));
    } catch (const std::runtime_error&) {
      threw = true;
    }
    EXPECT_TRUE(threw);
    auto handle = spawn(after(50ms, 9));
    Result<int> first = co_await timeout(10ms, handle);  // Borrowed: the task goes on.
    EXPECT_TRUE(first.error().is_timed_out());
    Result<int> second = co_await timeout(100ms, handle);
    EXPECT_EQ(second.value(), 9);
  });
}

TEST(JoinSet, DropAbortsAll) {
  auto runtime = paused_runtime();
  auto alive = std::make_shared<int>(0);
  runtime.block_on([alive]() -> Task<void> {
    {
      JoinSet<void> set;
      for (int i = 0; i < 5; ++i) {
        set.spawn([alive, held = alive]() -> Task<void> { co_await sleep(1h); });
      }
      EXPECT_EQ(set.len(), 5u);
      co_await yield_now();
    }
    co_await yield_now();
  });
  EXPECT_EQ(alive.use_count(), 1);
}

TEST(JoinSet, ShutdownJoinsWhatItAborted) {
  auto runtime = paused_runtime();
  auto alive = std::make_shared<int>(0);
  runtime.block_on([alive]() -> Task<void> {
    JoinSet<void> set;
    for (int i = 0; i < 5; ++i) {
      set.spawn([alive]() -> Task<void> { co_await sleep(1h); });
    }
    co_await set.shutdown();
    EXPECT_TRUE(set.is_empty());
    EXPECT_EQ(alive.use_count(), 2);
  });
}

TEST(JoinSet, MixesHandlesAndTasksAndKeepsTheRestAfterACancelledAwait) {
  auto runtime = paused_runtime();
  runtime.block_on([]() -> Task<void> {
    JoinSet<int> set;
    EXPECT_FALSE((co_await set.join_next()).has_value());
    set.spawn(spawn(after(10ms, 1)));
    set.spawn(after(20ms, 2));
    set.spawn_blocking([] { return 0; });
    EXPECT_FALSE(set.try_join_next().has_value());
    EXPECT_EQ((co_await set.join_next())->value(), 0);
    auto waiting = set.join_next();
    EXPECT_TRUE((co_await timeout(5ms, waiting)).error().is_timed_out());
    EXPECT_EQ((co_await set.join_next())->value(), 1);
    const std::vector<int> rest = co_await set.join_all();
    EXPECT_EQ(rest, std::vector<int>{2});
    set.spawn(after(1ms, 4));
    EXPECT_EQ(set.len(), 1u);
    set.detach_all();
    EXPECT_EQ(set.len(), 0u);
  });
}

TEST(JoinSet, JoinAllThrowsTheFirstFailure) {
  auto runtime = paused_runtime();
  runtime.block_on([]() -> Task<void> {
    JoinSet<int> set;
    set.spawn(after(1000ms, 1));
    set.spawn([]() -> Task<int> {
      throw std::runtime_error("broken");
      co_return 0;
    });
    bool threw = false;
    try {
      static_cast<void>(co_await set.join_all());
    } catch (const ErrorException& failure) {
      threw = failure.error().is_panic();
    }
    EXPECT_TRUE(threw);
  });
}

TEST(Budget, ALoopOfReadyAwaitsLetsOthersRun) {
  auto runtime = current_thread();
  runtime.block_on([]() -> Task<void> {
    auto other_ran = std::make_shared<bool>(false);
    auto other = spawn([other_ran]() -> Task<void> {
      *other_ran = true;
      co_return;
    });
    auto greedy = spawn([other_ran]() -> Task<int> {
      JoinSet<void> empty;
      int rounds = 0;
      *other_ran = false;
      auto second = spawn([other_ran]() -> Task<void> {
        *other_ran = true;
        co_return;
      });
      while (!*other_ran && rounds < 100'000) {
        static_cast<void>(co_await empty.join_next());
        ++rounds;
      }
      co_return rounds;
    });
    EXPECT_EQ((co_await greedy).value(), 129);  // The 129th had to wait.
    static_cast<void>(co_await other);
  });
}

// The worker that blocks had held the driver: its fellow, which had nothing to do, must take it over.
TEST(MultiThread, AWorkerThatBlocksKeepsNoTimerFromTheOthers) {
  auto runtime = multi_thread();
  std::promise<void> has_fired;
  auto blocked = runtime.spawn([fired = has_fired.get_future().share()]() -> Task<bool> {
    co_await sleep(5ms);
    co_return fired.wait_for(20s) == std::future_status::ready;
  });
  auto other = runtime.spawn([&]() -> Task<void> {
    co_await sleep(30ms);
    has_fired.set_value();
  });
  EXPECT_TRUE(runtime.block_on(blocked).value());
  EXPECT_TRUE(runtime.block_on(other).ok());
}

}  // namespace
}  // namespace kaido
