#include <pthread.h>

#include <atomic>
#include <cstdlib>
#include <future>
#include <limits>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include <kaido/coop.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>

namespace kaido {
namespace {

/// Sets an environment variable for a scope.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() { ::unsetenv(name_); }

 private:
  const char* name_;
};

TEST(RuntimeBuilder, TakesTheNumberOfWorkersFromTheEnvironment) {
  const Environment three("KAIDO_WORKER_THREADS", "3");
  EXPECT_EQ(Runtime::create().value().metrics().num_workers(), 3u);
  EXPECT_EQ(RuntimeBuilder::new_multi_thread().worker_threads(2).build().value().metrics().num_workers(), 2u);
}

TEST(RuntimeBuilder, RefusesANumberOfWorkersThatIsNone) {
  for (const char* wrong : {"0", "", "many", "2x", "-1", "4097", "1000000000", "99999999999999999999"}) {
    const Environment environment("KAIDO_WORKER_THREADS", wrong);
    EXPECT_THROW(static_cast<void>(Runtime::create()), std::invalid_argument) << wrong;
  }
}

TEST(RuntimeBuilder, RefusesMoreWorkersThanAnybodyCanMean) {
  constexpr std::size_t kMost = RuntimeBuilder::kMaxWorkerThreads;
  EXPECT_NO_THROW(RuntimeBuilder::new_multi_thread().worker_threads(kMost));
  for (const std::size_t wrong : {kMost + 1, std::size_t{1'000'000'000}, std::numeric_limits<std::size_t>::max()}) {
    EXPECT_THROW(RuntimeBuilder::new_multi_thread().worker_threads(wrong), std::invalid_argument) << wrong;
  }
}

std::size_t stack_bytes() {
  pthread_attr_t attributes;
  pthread_getattr_np(pthread_self(), &attributes);
  std::size_t bytes = 0;
  pthread_attr_getstacksize(&attributes, &bytes);
  pthread_attr_destroy(&attributes);
  return bytes;
}

std::string thread_name() {
  char name[16] = {};
  pthread_getname_np(pthread_self(), name, sizeof(name));
  return name;
}

TEST(RuntimeBuilder, ThreadsHaveTheirNamesAndStacks) {
  constexpr std::size_t kStack = 1 << 20;
  std::atomic<int> number = 0;
  Runtime runtime = RuntimeBuilder::new_multi_thread()
                        .worker_threads(1)
                        .thread_stack_size(kStack)
                        .thread_name_fn([&number] { return "road-" + std::to_string(++number); })
                        .build()
                        .value();
  auto on_worker = runtime.spawn([]() -> Task<std::string> { co_return thread_name(); });
  EXPECT_EQ(runtime.block_on(on_worker).value(), "road-1");
  auto blocking = runtime.spawn_blocking(thread_name);
  EXPECT_EQ(runtime.block_on(blocking).value(), "road-2");
  auto stack = runtime.spawn_blocking(stack_bytes);
  EXPECT_EQ(runtime.block_on(stack).value(), kStack);
}

TEST(RuntimeBuilder, ParkAndUnparkHooksComeInPairs) {
  std::atomic<int> parks = 0;
  std::atomic<int> unparks = 0;
  {
    Runtime runtime = RuntimeBuilder::new_multi_thread()
                          .worker_threads(2)
                          .on_thread_park([&parks] { ++parks; })
                          .on_thread_unpark([&unparks] { ++unparks; })
                          .build()
                          .value();
    auto handle = runtime.spawn([]() -> Task<void> { co_return; });
    EXPECT_TRUE(runtime.block_on(handle).has_value());
    while (parks == 0) std::this_thread::yield();  // Nothing is left to do: a worker is about to.
  }
  EXPECT_EQ(parks, unparks);
}

TEST(RuntimeBuilder, AnAbortedTaskEndsOnceForTheHook) {
  std::atomic<int> ends = 0;
  Runtime runtime =
      RuntimeBuilder::new_current_thread().on_task_terminate([&ends](const TaskMeta&) { ++ends; }).build().value();
  auto aborted = runtime.spawn([]() -> Task<void> {
    for (;;) co_await yield_now();
  });
  aborted.abort();
  EXPECT_TRUE(runtime.block_on(aborted).error().is_cancelled());
  EXPECT_EQ(ends, 1);
  auto closure = runtime.spawn_blocking([] {});
  EXPECT_TRUE(runtime.block_on(closure).has_value());
  {
    const Runtime dropped = std::move(runtime);
  }
  EXPECT_EQ(ends, 2);
}

TEST(BlockInPlace, OtherTasksGoOnMeanwhile) {
  Runtime runtime = RuntimeBuilder::new_multi_thread().worker_threads(1).build().value();
  auto handle = runtime.spawn([]() -> Task<int> {
    std::promise<int> answer;
    auto other = spawn([&answer]() -> Task<void> {
      answer.set_value(42);
      co_return;
    });
    const int value = block_in_place([&answer] { return answer.get_future().get(); });
    EXPECT_TRUE((co_await other).has_value());
    co_return value;
  });
  EXPECT_EQ(runtime.block_on(handle).value(), 42);
}

TEST(BlockInPlace, AnExceptionPassesThrough) {
  Runtime runtime = RuntimeBuilder::new_multi_thread().worker_threads(1).build().value();
  auto handle = runtime.spawn([]() -> Task<void> {
    EXPECT_THROW(block_in_place([] { throw std::runtime_error("inside"); }), std::runtime_error);
    co_await yield_now();
  });
  EXPECT_TRUE(runtime.block_on(handle).has_value());
}

TEST(BlockInPlace, ManyTasksBlockAtOnce) {
  constexpr int kTasks = 100;
  Runtime runtime = RuntimeBuilder::new_multi_thread().worker_threads(2).build().value();
  std::atomic<int> blocked = 0;
  std::promise<void> all;
  const std::shared_future<void> released = all.get_future().share();
  std::vector<JoinHandle<void>> handles;
  for (int i = 0; i < kTasks; ++i) {
    handles.push_back(runtime.spawn([&blocked, &all, released]() -> Task<void> {
      co_await yield_now();
      block_in_place([&] {
        if (++blocked == kTasks) all.set_value();
        released.wait();
      });
      co_await yield_now();
    }));
  }
  for (auto& handle : handles) EXPECT_TRUE(runtime.block_on(handle).has_value());
}

TEST(Cooperation, ACooperativeAwaitableTakesAUnit) {
  Runtime runtime = RuntimeBuilder::new_current_thread().build().value();
  runtime.block_on([]() -> Task<void> {
    for (int i = 0; i < 127; ++i) co_await cooperative([]() -> Task<void> { co_return; }());
    EXPECT_TRUE(has_budget_remaining());
    co_await cooperative([]() -> Task<void> { co_return; }());
    EXPECT_FALSE(has_budget_remaining());
  });
  EXPECT_EQ(runtime.metrics().budget_forced_yield_count(), 1u);
}

}  // namespace
}  // namespace kaido
