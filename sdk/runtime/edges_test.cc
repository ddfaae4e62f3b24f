// Where a program does what it rather should not: the runtime refuses with an error, or copes; it never goes on with
// broken state.
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <kaido/asio.h>
#include <kaido/coop.h>
#include <kaido/detail/call_scope.h>
#include <kaido/detail/io.h>
#include <kaido/detail/task_header.h>
#include <kaido/detail/turn_hook.h>
#include <kaido/interval.h>
#include <kaido/runtime.h>
#include <kaido/runtime_context.h>
#include <kaido/select.h>
#include <kaido/spawn.h>
#include <kaido/task_id.h>
#include <kaido/time.h>

#include "sdk/runtime/runtime_core.h"

namespace kaido {
namespace {

using namespace std::chrono_literals;

Runtime current_thread() { return RuntimeBuilder::new_current_thread().enable_all().build().value(); }
Runtime multi_thread() { return RuntimeBuilder::new_multi_thread().worker_threads(2).enable_all().build().value(); }

Task<int> give(int value) { co_return value; }

TEST(MovedFromTask, IsRefusedWhereverItIsUsed) {
  Runtime runtime = current_thread();
  EXPECT_THROW(runtime.block_on(Task<int>()), std::logic_error);
  EXPECT_THROW(static_cast<void>(runtime.spawn(Task<int>())), std::logic_error);
  runtime.block_on([]() -> Task<void> {
    Task<int> task = give(1);
    EXPECT_EQ(co_await std::move(task), 1);
    auto await_again = [&]() -> Task<int> { co_return co_await std::move(task); };  // NOLINT: that is the mistake
    auto handle = spawn(await_again);
    const auto result = co_await handle;
    EXPECT_EQ(result.error().exception_type(), "std::logic_error");
    auto in_timeout = spawn(timeout(1s, Task<int>()));
    const auto timed = co_await in_timeout;
    EXPECT_EQ(timed.error().exception_type(), "std::logic_error");
    auto in_select = spawn(select(Task<int>(), give(2)));
    const auto selected = co_await in_select;
    EXPECT_TRUE(selected.has_value() || selected.error().exception_type() == "std::logic_error");
  });
}

class Speechless : public std::exception {
 public:
  [[nodiscard]] const char* what() const noexcept override { return nullptr; }
};

TEST(Panic, AnExceptionWithoutTextIsAPanicWithoutText) {
  Runtime runtime = current_thread();
  auto handle = runtime.spawn([]() -> Task<void> {
    throw Speechless();
    co_return;
  });
  const auto result = runtime.block_on(handle);
  EXPECT_TRUE(result.error().is_panic());
  EXPECT_EQ(result.error().message(), "");
}

/// What a callable throws as std::logic_error; nothing if it does not.
template <typename F>
std::string refusal(F&& function) {
  try {
    function();
  } catch (const std::logic_error& error) {
    return error.what();
  }
  return "";
}

TEST(BlockInPlace, IsRefusedInAHandlerOfAsios) {
  Runtime runtime = multi_thread();
  std::promise<std::string> refused;
  boost::asio::post(detail::io_context(runtime.handle()),
                    [&] { refused.set_value(refusal([] { block_in_place([] {}); })); });
  EXPECT_NE(refused.get_future().get().find("handler"), std::string::npos);
  auto goes_on = runtime.spawn(give(1));
  EXPECT_EQ(runtime.block_on(goes_on).value(), 1);
}

TEST(BlockInPlace, IsRefusedInAHook) {
  std::promise<std::string> refused;
  std::atomic<bool> is_first = true;
  {
    Runtime runtime = RuntimeBuilder::new_multi_thread()
                          .worker_threads(1)
                          .on_thread_park([&] {
                            if (is_first.exchange(false)) refused.set_value(refusal([] { block_in_place([] {}); }));
                          })
                          .build()
                          .value();
    EXPECT_NE(refused.get_future().get().find("hook"), std::string::npos);
  }
}

/// Blocks in place when it goes.
struct BlocksAtItsEnd {
  explicit BlocksAtItsEnd(std::atomic<int>& count) : ends(&count) {}
  BlocksAtItsEnd(BlocksAtItsEnd&& other) noexcept : ends(std::exchange(other.ends, nullptr)) {}
  ~BlocksAtItsEnd() {
    if (ends != nullptr) block_in_place([this] { ++*ends; });
  }
  std::atomic<int>* ends;
};

TEST(BlockInPlace, WorksInWhatIsDestroyedAtTheRuntimesEnd) {
  constexpr int kTasks = 16;
  std::atomic<int> ends = 0;
  {
    Runtime runtime = multi_thread();
    std::atomic<int> started = 0;
    for (int i = 0; i < kTasks; ++i) {
      static_cast<void>(runtime.spawn([&started, at_end = BlocksAtItsEnd(ends)]() -> Task<void> {
        ++started;
        co_await sleep(1h);
      }));
    }
    while (started != kTasks) std::this_thread::yield();
  }
  EXPECT_EQ(ends, kTasks);
}

// The worker is another thread's by then, and waits: only the thread that made the output can tell the hooks.
TEST(BlockInPlace, OutputOfTheRestOfThePollGoesOut) {
  struct Hook final : detail::TurnHook {
    void end_of_turn() noexcept override {
      if (has_output.exchange(false)) is_out.set_value();
    }
    std::atomic<bool> has_output = false;
    std::promise<void> is_out;
  };
  const auto shared = std::make_shared<Hook>();
  Hook& hook = *shared;
  Runtime runtime = RuntimeBuilder::new_multi_thread().worker_threads(1).build().value();
  detail::RuntimeCore& core = *runtime.handle().core();
  core.hooks.add(shared);  // Without the stand-by, which would look after it some time.
  auto handle = runtime.spawn([&]() -> Task<void> {
    const std::uint32_t parks = core.shared_driver.parks;
    block_in_place([&] {
      while (core.shared_driver.parks == parks) std::this_thread::yield();
    });
    hook.has_output = true;
    co_return;
  });
  EXPECT_EQ(hook.is_out.get_future().wait_for(10s), std::future_status::ready);
  EXPECT_TRUE(runtime.block_on(handle).has_value());
  core.hooks.remove(hook);
}

// What a hook wakes or spawns may be what ends it or another, and registers a third.
TEST(TurnHooks, MayBeUnregisteredAndEndWhileTheyAreCalled) {
  struct Hook final : detail::TurnHook {
    void end_of_turn() noexcept override { on_end(); }
    std::function<void()> on_end = [] {};
  };
  for (const bool has_threads : {false, true}) {
    // Before the runtime, whose threads may still be in one of them when it ends.
    std::promise<void> is_over;
    auto over = is_over.get_future();
    std::once_flag once;
    std::atomic<bool> is_told = false;
    auto last = std::make_shared<Hook>();
    auto other = std::make_shared<Hook>();
    auto owner = std::make_shared<Hook>();
    Runtime runtime = has_threads ? multi_thread() : RuntimeBuilder::new_current_thread().build().value();
    const Handle handle = runtime.handle();
    owner->on_end = [&, hook = owner.get()] {
      std::call_once(once, [&] {
        detail::unregister_turn_hook(handle, *other);
        other.reset();
        detail::unregister_turn_hook(handle, *hook);
        owner.reset();
        detail::register_turn_hook(handle, last);
      });
    };
    last->on_end = [&] {
      if (!is_told.exchange(true)) is_over.set_value();
    };
    detail::register_turn_hook(handle, owner);
    detail::register_turn_hook(handle, other);
    runtime.block_on([&]() -> Task<void> {
      while (over.wait_for(0s) != std::future_status::ready) co_await yield_now();
    });
    EXPECT_EQ(owner, nullptr);
    detail::unregister_turn_hook(handle, *last);
  }
}

TEST(BlockOn, InATaskItsRootAloneIsThatTasksDoing) {
  Runtime outer = multi_thread();
  auto blocks = outer.spawn([]() -> Task<void> {
    const std::optional<TaskId> own = task::try_id();
    block_in_place([&] {
      Runtime inner = current_thread();
      bool has_run = false;
      boost::asio::post(detail::io_context(inner.handle()), [&] {
        EXPECT_EQ(task::try_id(), std::nullopt) << "what it spawned would belong to the function of that task";
        has_run = true;
      });
      inner.block_on([&]() -> Task<void> {
        while (!has_run) co_await yield_now();
        EXPECT_EQ(task::try_id(), own);
      });
    });
    EXPECT_EQ(task::try_id(), own);
    co_return;
  });
  EXPECT_TRUE(outer.block_on(blocks).has_value());
}

/// As the task of a function of this program that runs for the node.
class FunctionCell final : public detail::JoinCell<void> {
 public:
  FunctionCell(detail::RuntimeCore* core, std::function<void()> function, bool& is_gone)
      : JoinCell(core), function_(std::move(function)), is_gone_(is_gone) {
    set_own_scope(scope_);
  }

 protected:
  bool poll(PollContext&) noexcept override {
    function_();
    outcome_.set_value();
    return true;
  }
  void drop_frame() noexcept override { leave_own_scope(); }
  void destroy() noexcept override { delete this; }

 private:
  ~FunctionCell() override { is_gone_ = true; }

  const std::function<void()> function_;
  bool& is_gone_;
  detail::CallScope scope_{*this};
};

TEST(CallScope, IsLetGoByATaskThatHasEndedThoughItsHandleIsKept) {
  Runtime runtime = current_thread();
  detail::RuntimeCore& core = *runtime.handle().core();
  bool is_gone = false;
  JoinHandle<void> child;
  const auto function = [&] {
    child = spawn([]() -> Task<void> {
      EXPECT_NE(detail::CallScope::current(), nullptr);
      co_await yield_now();
    });
  };
  auto* cell = new FunctionCell(&core, function, is_gone);
  {
    JoinHandle<void> handle(*cell);
    detail::spawn_task(core, *cell);
    EXPECT_TRUE(runtime.block_on(handle).has_value());
  }
  EXPECT_FALSE(is_gone) << "its task is at work";
  runtime.block_on([&]() -> Task<void> {
    while (!child.is_finished()) co_await yield_now();
  });
  EXPECT_TRUE(is_gone);
}

// Of its operation nobody would tell it any more.
TEST(BlockInPlace, ATaskThatOutlastsTheWorkersEndsNevertheless) {
  auto runtime = std::make_unique<Runtime>(multi_thread());
  const Handle handle = runtime->handle();
  std::promise<void> started;
  auto task = runtime->spawn([&]() -> Task<void> {
    block_in_place([&] {
      started.set_value();
      while (!handle.core()->driver.is_shut_down()) std::this_thread::yield();
    });
    boost::asio::steady_timer timer(io_executor(), 1h);
    static_cast<void>(co_await timer.async_wait(use_task));
  });
  started.get_future().wait();
  runtime.reset();
  EXPECT_TRUE(task.is_finished());
}

TEST(Executor, RunsNothingAtOnceOnAThreadOfAnotherRuntime) {
  const Runtime own = current_thread();  // Nobody drives it: what it is given waits.
  Runtime other = multi_thread();
  auto task = other.spawn([&]() -> Task<bool> {
    auto inside = [](Handle handle) -> Task<bool> {
      auto has_run = std::make_shared<bool>(false);
      boost::asio::dispatch(executor(handle), [has_run] { *has_run = true; });
      co_return *has_run;
    };
    RuntimeContext<bool> entered(inside(own.handle()), own.handle());
    co_return co_await entered;
  });
  EXPECT_FALSE(other.block_on(task).value());
}

TEST(UnhandledPanic, TheRootThatIsGivenUpGoesInsideItsRuntime) {
  struct Notes {
    explicit Notes(std::optional<bool>& result) : was_inside(result) {}
    ~Notes() { was_inside = Handle::try_current().has_value(); }
    std::optional<bool>& was_inside;
  };
  Runtime runtime = RuntimeBuilder::new_current_thread()
                        .enable_all()
                        .unhandled_panic(UnhandledPanic::kShutdownRuntime)
                        .build()
                        .value();
  std::optional<bool> was_inside;
  auto root = [&]() -> Task<void> {
    const Notes notes(was_inside);
    auto panics = spawn([]() -> Task<void> {
      throw std::runtime_error("on purpose");
      co_return;
    });
    co_await sleep(1h);
  };
  EXPECT_THROW(runtime.block_on(root), std::runtime_error);
  EXPECT_EQ(was_inside, true);
}

TEST(Shutdown, TheLastRuntimeMayGoInABlockingClosureOfItsOwn) {
  for (const bool is_multi_thread : {false, true}) {
    auto runtime = std::make_unique<Runtime>(is_multi_thread ? multi_thread() : current_thread());
    Runtime& spawner = *runtime;
    std::promise<void> is_gone;
    std::promise<void> moved_in;
    auto owner = std::make_shared<std::unique_ptr<Runtime>>();
    static_cast<void>(spawner.spawn_blocking([&is_gone, owner, ready = moved_in.get_future().share()] {
      ready.wait();
      owner->reset();
      is_gone.set_value();
    }));
    *owner = std::move(runtime);
    moved_in.set_value();
    is_gone.get_future().wait();
  }
}

TEST(LocalRuntime, IsShutDownOnItsOwnThread) {
  Runtime runtime = RuntimeBuilder::new_current_thread().enable_all().build_local().value();
  std::thread other([&] {
    EXPECT_THROW(std::move(runtime).shutdown(), std::logic_error);
    EXPECT_THROW(std::move(runtime).shutdown_background(), std::logic_error);
    EXPECT_THROW(std::move(runtime).shutdown_timeout(1s), std::logic_error);
  });
  other.join();
  EXPECT_EQ(runtime.block_on(give(1)), 1);
  std::move(runtime).shutdown_background();
}

TEST(BlockingPool, AClosureThatGetsNoThreadIsRefusedAndGone) {
  constexpr std::size_t kMoreThanThereIs = std::size_t{1} << 46;
  Runtime runtime = RuntimeBuilder::new_current_thread().thread_stack_size(kMoreThanThereIs).build().value();
  auto token = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = token;
  EXPECT_THROW(static_cast<void>(runtime.spawn_blocking([kept = std::move(token)] {})), std::system_error);
  EXPECT_TRUE(watched.expired());
  EXPECT_FALSE(RuntimeBuilder::new_multi_thread().worker_threads(2).thread_stack_size(kMoreThanThereIs).build());
}

TEST(BlockingPool, TheHighestLimitIsNotTheLowest) {
  Runtime runtime = RuntimeBuilder::new_multi_thread()
                        .worker_threads(2)
                        .max_blocking_threads(std::numeric_limits<std::size_t>::max())
                        .enable_all()
                        .build()
                        .value();
  auto closure = runtime.spawn_blocking([] { return 1; });
  auto within = [&]() -> Task<bool> { co_return (co_await timeout(10s, std::move(closure))).has_value(); };
  EXPECT_TRUE(runtime.block_on(within));
}

// The longest time, in whatever unit it is said, is not the shortest: as nanoseconds most would be less than nothing.
template <typename D>
class LongestTimes : public ::testing::Test {};
using Units = ::testing::Types<std::chrono::nanoseconds, std::chrono::milliseconds, std::chrono::hours,
                               std::chrono::duration<double>>;
TYPED_TEST_SUITE(LongestTimes, Units);

TYPED_TEST(LongestTimes, KeepAnIdleThread) {
  constexpr int kRounds = 3;
  std::atomic<int> ended = 0;
  Runtime runtime = RuntimeBuilder::new_current_thread()
                        .thread_keep_alive(TypeParam::max())
                        .on_thread_stop([&] { ++ended; })
                        .build()
                        .value();
  for (int round = 0; round < kRounds; ++round) {
    auto closure = runtime.spawn_blocking([] {});
    EXPECT_TRUE(runtime.block_on(closure).has_value());
    while (runtime.metrics().num_idle_blocking_threads() == 0 && ended == 0) std::this_thread::yield();
  }
  EXPECT_EQ(ended, 0);
  std::move(runtime).shutdown();
  EXPECT_EQ(ended, 1);
}

TYPED_TEST(LongestTimes, WaitForAShutdown) {
  Runtime runtime = multi_thread();
  std::atomic<bool> has_run = false;
  std::promise<void> started;
  static_cast<void>(runtime.spawn_blocking([&] {
    started.set_value();
    std::this_thread::yield();
    has_run = true;
  }));
  started.get_future().wait();
  std::move(runtime).shutdown_timeout(TypeParam::max());
  EXPECT_TRUE(has_run);
}

TYPED_TEST(LongestTimes, AreBucketsOfAHistogram) {
  EXPECT_GT(LogHistogram().max_value(TypeParam::max()).max_value(), 24h * 365);
  EXPECT_GT(LogHistogram().min_value(TypeParam::max()).min_value(), 24h * 365);
  EXPECT_GT(HistogramConfiguration::linear(TypeParam::max(), 2).width(), 24h * 365);
}

TYPED_TEST(LongestTimes, AreForward) {
  Runtime runtime = RuntimeBuilder::new_current_thread().enable_all().start_paused().build().value();
  runtime.block_on([]() -> Task<void> {
    const Instant begin = Clock::now();
    co_await advance_clock(TypeParam::max());
    EXPECT_GT(Clock::now(), begin + 24h * 365);
  });
}

TYPED_TEST(LongestTimes, ArePeriods) {
  Runtime runtime = RuntimeBuilder::new_current_thread().enable_all().start_paused().build().value();
  const auto guard = runtime.enter();
  EXPECT_GT(Interval(Clock::now(), TypeParam::max()).period(), 24h * 365);
}

TYPED_TEST(LongestTimes, AreNotToBeWaitedBeforeAnotherTry) {
  EXPECT_GT(Error(ErrorKind::kRejected).with_retry_after(TypeParam::max()).retry_after(), 24h * 365);
}

TEST(RetryAfter, IsRoundedUp) {
  EXPECT_EQ(Error(ErrorKind::kRejected).with_retry_after(1ns).retry_after(), 1ms);
  EXPECT_EQ(Error(ErrorKind::kRejected).with_retry_after(2s).retry_after(), 2s);
}

}  // namespace
}  // namespace kaido
