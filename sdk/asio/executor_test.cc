// The runtime as an executor of Asio's, and Tasks awaited from Asio's side.
#include <kaido/asio.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <future>
#include <stdexcept>
#include <utility>

#include <gtest/gtest.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <kaido/sync/oneshot.h>
#include <kaido/time.h>

#include "sdk/asio/support.h"

namespace kaido {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using testing::AsioTest;

KAIDO_ASIO_FLAVOURS(AsioTest);

TEST(Executor, NeedsARuntime) {
  EXPECT_THROW(static_cast<void>(executor()), std::logic_error);
  EXPECT_THROW(static_cast<void>(io_executor()), std::logic_error);
}

TEST_P(AsioTest, PostedFunctionsRunOnTheRuntime) {
  runtime_.block_on([]() -> Task<void> {
    const asio::any_io_executor any = executor();
    for (int i = 0; i < 3; ++i) {
      auto [sender, receiver] = oneshot::channel<bool>();
      auto run = [sender = std::move(sender)]() mutable {
        static_cast<void>(sender.send(Handle::try_current().has_value()));
      };
      if (i == 0) asio::post(executor(), std::move(run));
      if (i == 1) asio::defer(any, std::move(run));
      if (i == 2) asio::post(asio::make_strand(any), std::move(run));
      const auto in_runtime = co_await receiver;
      EXPECT_TRUE(in_runtime.value());
    }
  });
}

TEST_P(AsioTest, AStrandOfItRunsOneFunctionAtATime) {
  runtime_.block_on([]() -> Task<void> {
    auto strand = asio::make_strand(executor());
    std::atomic<int> inside = 0;
    int count = 0;  // Guarded by the strand.
    auto [sender, receiver] = oneshot::channel<int>();
    for (int i = 0; i < 1000; ++i) {
      asio::post(strand, [&] {
        EXPECT_EQ(inside.fetch_add(1), 0);
        ++count;
        inside.fetch_sub(1);
      });
    }
    asio::post(strand, [&, done = std::move(sender)]() mutable { static_cast<void>(done.send(count)); });
    const auto counted = co_await receiver;
    EXPECT_EQ(counted.value(), 1000);
  });
}

TEST_P(AsioTest, DispatchInATaskRunsAtOnceAndElsewhereOnTheRuntime) {
  const Handle handle = runtime_.handle();
  runtime_.block_on([&]() -> Task<void> {
    auto in_task = spawn([]() -> Task<bool> {
      bool has_run = false;
      asio::dispatch(executor(), [&] { has_run = true; });
      co_return has_run;
    });
    const auto result = co_await in_task;
    EXPECT_TRUE(result.value());
    auto [sender, receiver] = oneshot::channel<bool>();
    asio::thread_pool other(1);
    asio::post(other, [&, done = std::move(sender)]() mutable {
      asio::dispatch(executor(handle), [done = std::move(done)]() mutable {
        static_cast<void>(done.send(Handle::try_current().has_value()));
      });
    });
    const auto in_runtime = co_await receiver;
    EXPECT_TRUE(in_runtime.value());
    other.join();
  });
}

TEST_P(AsioTest, AfterTheRuntimesEndFunctionsAreDestroyedWithoutRunning) {
  const Executor late = executor(runtime_.handle());
  {
    const Runtime ended = std::move(runtime_);
  }
  auto token = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = token;
  asio::post(late, [kept = std::move(token)] { ADD_FAILURE(); });
  EXPECT_TRUE(watched.expired());
}

TEST_P(AsioTest, CoroutinesThatWaitOnItEndWithTheRuntime) {
  auto token = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = token;
  runtime_.block_on([&]() -> Task<void> {
    auto [sender, receiver] = oneshot::channel<bool>();
    auto wait = [](std::shared_ptr<int> kept, oneshot::Sender<bool> waiting) -> asio::awaitable<void> {
      asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
      static_cast<void>(waiting.send(true));
      co_await timer.async_wait(asio::use_awaitable);
      static_cast<void>(kept);
    };
    asio::co_spawn(executor(), wait(std::move(token), std::move(sender)), [](const std::exception_ptr&) {});
    EXPECT_TRUE((co_await receiver).has_value());
  });
  EXPECT_FALSE(watched.expired());
  {
    const Runtime ended = std::move(runtime_);
  }
  EXPECT_TRUE(watched.expired());
}

Task<int> answer() {
  co_await sleep(1ms);
  co_return 42;
}

TEST_P(AsioTest, AnAwaitableAwaitsATask) {
  auto asking = [](Handle handle) -> asio::awaitable<int> {
    const Result<int> result = co_await async_spawn(handle, answer(), asio::use_awaitable);
    co_return result.value();
  };
  asio::thread_pool other(1);
  const Handle handle = runtime_.handle();
  runtime_.block_on([&]() -> Task<void> {
    EXPECT_EQ(co_await from_asio(asking(handle)), 42);
    EXPECT_EQ(co_await from_asio(asking(handle), other.get_executor()), 42);
  });
  other.join();
}

TEST_P(AsioTest, CancellingTheOperationAbortsTheTask) {
  std::atomic<bool> is_gone = false;
  struct Gone {
    explicit Gone(std::atomic<bool>& flag) : flag_(flag) {}
    ~Gone() { flag_.store(true); }
    std::atomic<bool>& flag_;
  };
  auto endless = [&]() -> Task<void> {
    const Gone gone(is_gone);
    co_await sleep(1h);
  };
  auto racing = [&](Handle handle) -> asio::awaitable<void> {
    using namespace asio::experimental::awaitable_operators;
    asio::steady_timer timer(co_await asio::this_coro::executor, 2ms);
    co_await (async_spawn(handle, endless(), asio::use_awaitable) || timer.async_wait(asio::use_awaitable));
    EXPECT_TRUE(is_gone.load());
  };
  runtime_.block_on([&]() -> Task<void> { co_await from_asio(racing(Handle::current())); });
  EXPECT_TRUE(is_gone.load());
}

}  // namespace
}  // namespace kaido
