// Tasks on both flavours: what a JoinHandle, an abort, a panic, a shutdown promise.
#include <kaido/runtime.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/detail/turn_hook.h>
#include <kaido/join_set.h>
#include <kaido/spawn.h>
#include <kaido/time.h>

namespace kaido {
namespace {

using namespace std::chrono_literals;

enum class Kind { kCurrent, kOneWorker, kFourWorkers };

Runtime make_runtime(Kind kind) {
  if (kind == Kind::kCurrent) return RuntimeBuilder::new_current_thread().enable_all().build().value();
  return RuntimeBuilder::new_multi_thread()
      .worker_threads(kind == Kind::kOneWorker ? 1 : 4)
      .enable_all()
      .build()
      .value();
}

class RuntimeTest : public ::testing::TestWithParam<Kind> {
 protected:
  Runtime runtime_ = make_runtime(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Flavours, RuntimeTest, ::testing::Values(Kind::kCurrent, Kind::kOneWorker, Kind::kFourWorkers),
                         [](const auto& info) {
                           return info.param == Kind::kCurrent     ? "CurrentThread"
                                  : info.param == Kind::kOneWorker ? "OneWorker"
                                                                   : "FourWorkers";
                         });

/// Counts itself, to tell whether a frame was destroyed.
class Counted {
 public:
  explicit Counted(std::shared_ptr<std::atomic<int>> count) : count_(std::move(count)) { ++*count_; }
  Counted(Counted&& other) noexcept : count_(std::move(other.count_)) {}
  Counted& operator=(Counted&&) = delete;
  ~Counted() {
    if (count_) --*count_;
  }

 private:
  std::shared_ptr<std::atomic<int>> count_;
};

std::shared_ptr<std::atomic<int>> counter() { return std::make_shared<std::atomic<int>>(0); }

Task<int> add(int a, int b) {
  co_await yield_now();
  co_return a + b;
}

Task<int> nested(int depth) {
  if (depth == 0) co_return 0;
  co_return 1 + co_await nested(depth - 1);
}

Task<int> failing() {
  co_await yield_now();
  throw std::runtime_error("broken");
}

Task<void> forever(std::shared_ptr<std::atomic<int>> alive) {
  Counted guard(std::move(alive));
  co_await sleep(1h);
}

// A never-resumed wait that needs no timer.
struct Never {
  bool poll(PollContext& context) {
    context.store_waker(waker);
    return false;
  }
  void take() {}
  detail::Waker waker;
};

TEST_P(RuntimeTest, BlockOnGivesTheValue) {
  EXPECT_EQ(runtime_.block_on(add(1, 2)), 3);
  EXPECT_EQ(runtime_.block_on([]() -> Task<std::string> { co_return "text"; }), "text");
}

TEST_P(RuntimeTest, BlockOnLetsExceptionsThrough) {
  EXPECT_THROW(runtime_.block_on(failing()), std::runtime_error);
  EXPECT_EQ(runtime_.block_on(add(1, 2)), 3);
}

TEST_P(RuntimeTest, BlockOnInsideARuntimeThrows) {
  runtime_.block_on([this]() -> Task<void> {
    EXPECT_THROW(runtime_.block_on(add(1, 2)), std::logic_error);
    co_return;
  });
}

TEST_P(RuntimeTest, DeepAndLongAwaitsNeedNoStack) {
  runtime_.block_on([]() -> Task<void> {
    long sum = 0;
    for (int i = 0; i < 100'000; ++i) sum += co_await nested(1);
    EXPECT_EQ(sum, 100'000);
    EXPECT_EQ(co_await nested(20'000), 20'000);
  });
}

TEST_P(RuntimeTest, SpawnedTasksRunAndAreJoined) {
  runtime_.block_on([]() -> Task<void> {
    std::vector<JoinHandle<int>> handles;
    for (int i = 0; i < 500; ++i) handles.push_back(spawn(add(i, i)));
    for (int i = 0; i < 500; ++i) {
      Result<int> result = co_await handles[i];
      EXPECT_EQ(result.value(), 2 * i);
    }
  });
}

TEST_P(RuntimeTest, MoveOnlyValuesAndCallables) {
  runtime_.block_on([]() -> Task<void> {
    auto factory = [value = std::make_unique<int>(7)]() -> Task<std::unique_ptr<int>> {
      co_return std::make_unique<int>(*value);
    };
    auto handle = spawn(std::move(factory));
    auto result = co_await handle;
    EXPECT_EQ(**result, 7);
  });
}

TEST_P(RuntimeTest, APanicReachesTheHandleOnly) {
  runtime_.block_on([]() -> Task<void> {
    auto handle = spawn(failing());
    Result<int> result = co_await handle;
    EXPECT_TRUE(result.has_error());
    EXPECT_TRUE(result.error().is_panic());
    EXPECT_EQ(result.error().exception_type(), "std::runtime_error");
    EXPECT_EQ(result.error().message(), "broken");
    EXPECT_THROW(static_cast<void>(result.value()), BadResultAccess);
    EXPECT_THROW(std::rethrow_exception(result.error().exception()), std::runtime_error);
  });
}

TEST_P(RuntimeTest, AnErrorExceptionIsTheTasksError) {
  runtime_.block_on([]() -> Task<void> {
    auto handle = spawn([]() -> Task<int> {
      throw ErrorException(Error(ErrorKind::kRejected, "full").with_node("n2").with_retry_after(5ms));
      co_return 0;
    });
    Result<int> result = co_await handle;
    EXPECT_TRUE(result.error().is_rejected());
    EXPECT_EQ(result.error().to_string(), "rejected: full (node n2) (retry after 5 ms)");
  });
}

TEST_P(RuntimeTest, AbortDestroysASuspendedFrameAndResumesNothing) {
  auto alive = counter();
  runtime_.block_on([alive]() -> Task<void> {
    auto handle = spawn(forever(alive));
    while (*alive == 0) co_await yield_now();
    handle.abort();
    Result<void> result = co_await handle;
    EXPECT_TRUE(result.error().is_cancelled());
    EXPECT_EQ(*alive, 0);
    EXPECT_TRUE(handle.is_finished());
  });
}

TEST_P(RuntimeTest, AFinishedTaskKeepsItsResultAfterAbort) {
  runtime_.block_on([]() -> Task<void> {
    auto handle = spawn(add(1, 1));
    while (!handle.is_finished()) co_await yield_now();
    handle.abort();
    EXPECT_EQ((co_await handle).value(), 2);
  });
}

TEST_P(RuntimeTest, DroppingAHandleDetaches) {
  auto done = std::make_shared<std::promise<void>>();
  auto waiting = done->get_future();
  static_cast<void>(runtime_.spawn([done]() -> Task<void> {
    co_await yield_now();
    done->set_value();
  }));
  runtime_.block_on([&]() -> Task<void> {
    while (waiting.wait_for(0s) != std::future_status::ready) co_await yield_now();
  });
}

TEST_P(RuntimeTest, AwaitingAHandleTwiceThrows) {
  runtime_.block_on([]() -> Task<void> {
    auto handle = spawn(add(1, 1));
    static_cast<void>(co_await handle);
    bool threw = false;
    try {
      static_cast<void>(co_await handle);
    } catch (const std::logic_error&) {
      threw = true;
    }
    EXPECT_TRUE(threw);
  });
}

TEST_P(RuntimeTest, ForeignThreadsSpawnAndWake) {
  const Handle handle = runtime_.handle();
  std::atomic<int> sum = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        static_cast<void>(handle.spawn([&sum]() -> Task<void> {
          co_await yield_now();
          ++sum;
        }));
      }
    });
  }
  runtime_.block_on([&]() -> Task<void> {
    while (sum != 800) co_await sleep(1ms);
  });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(sum, 800);
}

TEST_P(RuntimeTest, BlockingClosuresRunOnThreadsOfTheirOwn) {
  runtime_.block_on([]() -> Task<void> {
    const auto here = std::this_thread::get_id();
    auto handle = spawn_blocking([here] {
      EXPECT_TRUE(Handle::try_current().has_value());
      return std::this_thread::get_id() != here;
    });
    EXPECT_TRUE((co_await handle).value());
    auto failing_closure = spawn_blocking([]() -> int { throw std::out_of_range("far"); });
    Result<int> result = co_await failing_closure;
    EXPECT_EQ(result.error().exception_type(), "std::out_of_range");
    auto inner = spawn_blocking([] { return Handle::current().block_on(add(20, 22)); });
    EXPECT_EQ((co_await inner).value(), 42);
  });
}

TEST(BlockingPool, IsBoundedAndCancelsWhatHasNotStarted) {
  auto runtime = RuntimeBuilder::new_current_thread().max_blocking_threads(1).enable_all().build().value();
  std::promise<void> gate;
  auto opened = gate.get_future().share();
  std::atomic<int> runs = 0;
  auto first = runtime.spawn_blocking([&runs, opened] {
    ++runs;
    opened.wait();
    return 1;
  });
  auto second = runtime.spawn_blocking([&runs] { return ++runs; });
  second.abort();
  first.abort();  // It may be running already; then it has no effect.
  gate.set_value();
  runtime.block_on([&]() -> Task<void> {
    EXPECT_TRUE((co_await second).error().is_cancelled());
    static_cast<void>(co_await first);
  });
  EXPECT_LE(runs, 1);
}

TEST_P(RuntimeTest, ShutdownDestroysEveryFrameInTheRuntimesContext) {
  auto alive = counter();
  auto in_context = std::make_shared<std::atomic<int>>(0);
  std::vector<JoinHandle<void>> handles;
  struct ContextCheck {
    ~ContextCheck() {
      if (Handle::try_current()) ++*count;
    }
    std::shared_ptr<std::atomic<int>> count;
  };
  auto body = [alive, in_context]() -> Task<void> {
    Counted guard(alive);
    ContextCheck check{in_context};
    Never never;
    co_await never;
  };
  for (int i = 0; i < 100; ++i) handles.push_back(runtime_.spawn(body));
  runtime_.block_on([alive]() -> Task<void> {
    while (*alive != 100) co_await sleep(1ms);
  });
  const Handle handle = runtime_.handle();
  {
    const Runtime ended = std::move(runtime_);
  }
  EXPECT_EQ(*alive, 0);
  EXPECT_EQ(*in_context, 100);
  for (auto& each : handles) EXPECT_TRUE(each.is_finished());
  auto late = handle.spawn(add(1, 2));
  EXPECT_TRUE(late.is_finished());
  auto late_blocking = handle.spawn_blocking([] { return 1; });
  EXPECT_TRUE(late_blocking.is_finished());
  const auto await = [](JoinHandle<int> each) -> Task<Result<int>> { co_return co_await each; };
  EXPECT_TRUE(handle.block_on(await(std::move(late))).error().is_cancelled());
}

TEST_P(RuntimeTest, DestructorsMaySpawnAndWakeDuringShutdown) {
  auto alive = counter();
  struct Spawner {
    ~Spawner() {
      auto handle = spawn(add(1, 2));
      EXPECT_TRUE(handle.is_finished());
    }
  };
  auto body = [alive]() -> Task<void> {
    Counted guard(alive);
    auto inner = spawn(forever(alive));
    Spawner spawner;
    static_cast<void>(co_await inner);
  };
  static_cast<void>(runtime_.spawn(body));
  runtime_.block_on([alive]() -> Task<void> {
    while (*alive != 2) co_await sleep(1ms);
  });
  {
    const Runtime ended = std::move(runtime_);
  }
  EXPECT_EQ(*alive, 0);
}

TEST_P(RuntimeTest, ShutdownWhileTasksAreWokenConcurrently) {
  auto alive = counter();
  for (int i = 0; i < 200; ++i) {
    static_cast<void>(runtime_.spawn([alive]() -> Task<void> {
      Counted guard(alive);
      for (;;) co_await yield_now();
    }));
  }
  runtime_.block_on([]() -> Task<void> { co_await sleep(2ms); });
  {
    const Runtime ended = std::move(runtime_);
  }
  EXPECT_EQ(*alive, 0);
}

TEST_P(RuntimeTest, ShutdownWithALimitLeavesAStuckClosureBehind) {
  std::promise<void> gate;
  auto opened = gate.get_future().share();
  auto started = std::make_shared<std::promise<void>>();
  auto handle = runtime_.spawn_blocking([opened, started] {
    started->set_value();
    opened.wait();
    return 5;
  });
  started->get_future().wait();
  const Handle kept = runtime_.handle();
  std::move(runtime_).shutdown_timeout(1ms);
  EXPECT_FALSE(handle.is_finished());
  gate.set_value();
  // The closure finishes on its own, and its result can still be joined.
  EXPECT_EQ(kept.block_on([](JoinHandle<int> each) -> Task<Result<int>> { co_return co_await each; }(std::move(handle)))
                .value(),
            5);
}

// Woken by the hook alone: if the hook did not run before the wait, this would hang.
TEST_P(RuntimeTest, TurnHooksRunBeforeAnyoneWaits) {
  struct Hook final : detail::TurnHook {
    void end_of_turn() noexcept override {
      detail::Waker woken;
      {
        std::scoped_lock lock(mutex);
        ++calls;
        woken = std::move(waker);
      }
      woken.wake();
    }
    std::mutex mutex;
    int calls = 0;
    detail::Waker waker;
  };
  struct WaitForTurn {
    bool poll(PollContext& context) {
      std::scoped_lock lock(hook.mutex);
      if (calls_before < 0) calls_before = hook.calls;
      if (hook.calls > calls_before) return true;
      hook.waker = context.waker();
      return false;
    }
    void take() {}
    Hook& hook;
    int calls_before = -1;
  };
  const auto hook = std::make_shared<Hook>();
  detail::register_turn_hook(runtime_.handle(), hook);
  auto wait = [&hook]() -> Task<void> {
    WaitForTurn turn{*hook};
    co_await turn;
  };
  runtime_.block_on(wait);
  auto spawned = runtime_.spawn(wait);
  runtime_.block_on(spawned).value();
  detail::unregister_turn_hook(runtime_.handle(), *hook);
  EXPECT_GE(hook->calls, 2);
}

Task<long> fan_out(int depth) {
  if (depth == 0) {
    co_await yield_now();
    co_return 1;
  }
  auto left = spawn(fan_out(depth - 1));
  auto right = spawn(fan_out(depth - 1));
  long sum = (co_await left).value();
  sum += (co_await right).value();
  co_return sum;
}

TEST_P(RuntimeTest, ATreeOfTasksIsSharedAmongWorkers) {
  runtime_.block_on([]() -> Task<void> {
    auto root = spawn(fan_out(12));
    EXPECT_EQ((co_await root).value(), 4096);
  });
}

TEST_P(RuntimeTest, MoreTasksThanALocalQueueHolds) {
  auto root = runtime_.spawn([]() -> Task<long> {
    JoinSet<int> set;
    for (int i = 0; i < 3000; ++i) set.spawn(add(i, 0));
    long sum = 0;
    while (auto next = co_await set.join_next()) sum += next->value();
    co_return sum;
  });
  EXPECT_EQ(runtime_.block_on(root).value(), 3000L * 2999 / 2);
}

TEST_P(RuntimeTest, AbortRacesWithCompletion) {
  runtime_.block_on([]() -> Task<void> {
    auto alive = counter();
    int cancelled = 0;
    int finished = 0;
    for (int round = 0; round < 300; ++round) {
      auto body = [alive]() -> Task<int> {
        Counted guard(alive);
        co_await yield_now();
        co_await yield_now();
        co_return 1;
      };
      auto handle = spawn(body);
      auto aborting = spawn([abort = handle.abort_handle()]() -> Task<void> {
        co_await yield_now();
        abort.abort();
      });
      Result<int> result = co_await handle;
      (result ? finished : cancelled)++;
      EXPECT_TRUE(result || result.error().is_cancelled());
      EXPECT_EQ(*alive, 0);
      static_cast<void>(co_await aborting);
    }
    EXPECT_EQ(cancelled + finished, 300);
  });
}

TEST(CurrentThread, AbortBeforeTheFirstPollStartsNothing) {
  auto runtime = make_runtime(Kind::kCurrent);
  auto alive = counter();
  runtime.block_on([alive]() -> Task<void> {
    bool started = false;
    auto handle = spawn([&started, held = Counted(alive)]() -> Task<void> {
      started = true;
      co_return;
    });
    EXPECT_EQ(*alive, 1);
    handle.abort();
    EXPECT_FALSE(handle.is_finished());
    EXPECT_EQ(*alive, 1);  // The scheduler destroys it, not abort().
    EXPECT_TRUE((co_await handle).error().is_cancelled());
    EXPECT_FALSE(started);
    EXPECT_EQ(*alive, 0);
  });
}

TEST(CurrentThread, ATaskThatAbortsItselfEndsAtItsNextSuspension) {
  auto runtime = make_runtime(Kind::kCurrent);
  AbortHandle own;
  int reached = 0;
  auto handle = runtime.spawn([&]() -> Task<void> {
    own.abort();
    reached = 1;
    EXPECT_EQ(co_await nested(3), 3);  // Ready at once: no suspension.
    reached = 2;
    co_await yield_now();
    reached = 3;
  });
  own = handle.abort_handle();
  EXPECT_TRUE(runtime.block_on(handle).error().is_cancelled());
  EXPECT_EQ(reached, 2);
}

Task<void> spawn_five(std::vector<int>& order) {
  JoinSet<void> set;
  for (int i = 0; i < 5; ++i) {
    set.spawn([&order, i]() -> Task<void> {
      order.push_back(i);
      co_return;
    });
  }
  while (auto next = co_await set.join_next()) EXPECT_TRUE(next->ok());
}

TEST(CurrentThread, RunsTasksInTheOrderOfSpawning) {
  auto runtime = make_runtime(Kind::kCurrent);
  std::vector<int> order;
  runtime.block_on(spawn_five(order));
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(CurrentThread, AYieldingRootWaitsForOneIntervalOfTasks) {
  auto runtime = make_runtime(Kind::kCurrent);
  int ran = 0;
  runtime.block_on([&ran]() -> Task<void> {
    for (int i = 0; i < 100; ++i) {
      static_cast<void>(spawn([&ran]() -> Task<void> {
        ++ran;
        co_return;
      }));
    }
    co_await yield_now();
    EXPECT_EQ(ran, 61);
  });
}

TEST(CurrentThread, SpawnedTasksWaitForBlockOn) {
  auto runtime = make_runtime(Kind::kCurrent);
  bool ran = false;
  auto handle = runtime.spawn([&ran]() -> Task<void> {
    ran = true;
    co_return;
  });
  EXPECT_FALSE(ran);
  runtime.block_on([]() -> Task<void> { co_return; });
  EXPECT_FALSE(ran);  // A ready root runs no task.
  runtime.block_on(handle).value();
  EXPECT_TRUE(ran);
}

TEST(CurrentThread, SeveralThreadsMayBlockOnIt) {
  auto runtime = make_runtime(Kind::kCurrent);
  std::atomic<int> sum = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        runtime.block_on([&sum]() -> Task<void> {
          auto handle = spawn(add(1, 0));
          co_await sleep(100us);
          sum += (co_await handle).value();
        });
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(sum, 80);
}

TEST(MultiThread, TheSlotRunsTheNewestTaskFirst) {
  auto runtime = make_runtime(Kind::kOneWorker);
  std::vector<int> order;
  auto root = runtime.spawn(spawn_five(order));
  runtime.block_on(root).value();
  EXPECT_EQ(order, (std::vector<int>{4, 0, 1, 2, 3}));
}

TEST(Handle, CurrentIsKnownOnlyInsideARuntime) {
  EXPECT_FALSE(Handle::try_current());
  EXPECT_THROW(static_cast<void>(Handle::current()), std::logic_error);
  EXPECT_THROW(static_cast<void>(spawn(add(1, 2))), std::logic_error);
  auto runtime = make_runtime(Kind::kCurrent);
  {
    const EnterGuard guard = runtime.enter();
    EXPECT_TRUE(Handle::try_current());
    auto handle = spawn(add(1, 2));
    EXPECT_EQ(runtime.block_on(handle).value(), 3);
  }
  EXPECT_FALSE(Handle::try_current());
}

TEST(RuntimeBuilder, RefusesSettingsThatMakeNoSense) {
  EXPECT_THROW(static_cast<void>(RuntimeBuilder::new_multi_thread().start_paused().build()), std::invalid_argument);
  EXPECT_THROW(RuntimeBuilder::new_multi_thread().unhandled_panic(UnhandledPanic::kShutdownRuntime),
               std::invalid_argument);
  EXPECT_THROW(static_cast<void>(HistogramConfiguration::linear(std::chrono::nanoseconds(0), 3)),
               std::invalid_argument);
  EXPECT_THROW(LogHistogram().max_error(1.0), std::invalid_argument);
}

}  // namespace
}  // namespace kaido
