// Tasks of a LocalSet that wait in an operation of Asio's: their frames lend it memory, and go when it has completed.
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include <boost/asio/steady_timer.hpp>
#include <kaido/asio.h>
#include <kaido/local_set.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>

namespace kaido {
namespace {

using Token = std::shared_ptr<int>;

Task<void> wait_in_asio(Token) {
  boost::asio::steady_timer timer(io_executor(), std::chrono::hours(1));
  static_cast<void>(co_await timer.async_wait(use_task));
}

Runtime make_runtime() { return RuntimeBuilder::new_current_thread().enable_all().build().value(); }

struct Waiting {
  Token token = std::make_shared<int>(0);
  std::weak_ptr<int> frame = token;
};

Task<void> spawn_and_let_it_wait(Waiting& waiting, JoinHandle<void>& handle) {
  handle = spawn_local(wait_in_asio(std::move(waiting.token)));
  co_await yield_now();
}

TEST(LocalSetAsio, AbortDestroysTheFrameOnceTheOperationHasCompleted) {
  const Runtime runtime = make_runtime();
  const LocalSet local;
  Waiting waiting;
  local.block_on(runtime, [&]() -> Task<void> {
    JoinHandle<void> handle;
    co_await spawn_and_let_it_wait(waiting, handle);
    EXPECT_FALSE(waiting.frame.expired());
    handle.abort();
    auto result = co_await handle;
    EXPECT_TRUE(result.error().is_cancelled());
    EXPECT_TRUE(waiting.frame.expired());
  });
}

TEST(LocalSetAsio, TheRuntimesEndWaitsForTasksOfASetThatEndedBefore) {
  Waiting waiting;
  JoinHandle<void> handle;
  {
    const Runtime runtime = make_runtime();
    {
      const LocalSet local;
      local.block_on(runtime, [&]() -> Task<void> { return spawn_and_let_it_wait(waiting, handle); });
    }
    EXPECT_FALSE(waiting.frame.expired());
  }
  EXPECT_TRUE(waiting.frame.expired());
  EXPECT_TRUE(handle.is_finished());
}

TEST(LocalSetAsio, ATaskAbortedBeforeItsSetEndedIsWaitedForToo) {
  Waiting waiting;
  JoinHandle<void> handle;
  {
    const Runtime runtime = make_runtime();
    {
      const LocalSet local;
      local.block_on(runtime, [&]() -> Task<void> {
        co_await spawn_and_let_it_wait(waiting, handle);
        handle.abort();
      });
    }
  }
  EXPECT_TRUE(waiting.frame.expired());
  EXPECT_TRUE(handle.is_finished());
}

TEST(LocalSetAsio, ASetMayOutliveTheRuntime) {
  Waiting waiting;
  JoinHandle<void> handle;
  std::optional<LocalSet> local(std::in_place);
  std::optional<Runtime> runtime(make_runtime());
  local->block_on(*runtime, [&]() -> Task<void> { return spawn_and_let_it_wait(waiting, handle); });
  runtime.reset();
  local.reset();
  EXPECT_TRUE(waiting.frame.expired());
  EXPECT_TRUE(handle.is_finished());
}

}  // namespace
}  // namespace kaido
