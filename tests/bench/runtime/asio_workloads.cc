// The same on asio::co_spawn, as a program without Kaido would write it.
#include <atomic>
#include <memory>
#include <semaphore>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "tests/bench/runtime/workload.h"

namespace kaido::bench {

namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::detached;
using asio::use_awaitable;
using Signal = std::counting_semaphore<>;
template <typename... T>
using Channel = asio::experimental::channel<void(boost::system::error_code, T...)>;
template <typename... T>
using SharedChannel = asio::experimental::concurrent_channel<void(boost::system::error_code, T...)>;

awaitable<void> nothing() { co_return; }

/// Runs one coroutine to its end on this thread.
void run(asio::io_context& context, awaitable<void> root) {
  asio::co_spawn(context, std::move(root), detached);
  context.restart();
  context.run();
}

awaitable<void> spawn_one_by_one() {
  const auto executor = co_await asio::this_coro::executor;
  for (std::size_t i = 0; i < kSpawns; ++i) co_await asio::co_spawn(executor, nothing(), use_awaitable);
}
double spawn_join(double milliseconds) {
  asio::io_context context(1);
  return repeat(milliseconds, [&] {
    run(context, spawn_one_by_one());
    return kSpawns;
  });
}

awaitable<void> spawn_all() {
  const auto executor = co_await asio::this_coro::executor;
  for (std::size_t i = 0; i < kSpawns; ++i) asio::co_spawn(executor, nothing(), detached);
}
double spawn_many_local(double milliseconds) {
  asio::io_context context(1);
  return repeat(milliseconds, [&] {
    run(context, spawn_all());
    return kSpawns;
  });
}

double spawn_many_remote_idle(double milliseconds) {
  asio::io_context context(1);
  return repeat(milliseconds, [&] {
    for (std::size_t i = 0; i < kSpawns; ++i) asio::co_spawn(context, nothing(), detached);
    context.restart();
    context.run();
    return kSpawns;
  });
}

awaitable<void> yield_often(Signal& done) {
  const auto executor = co_await asio::this_coro::executor;
  for (std::size_t i = 0; i < kYields; ++i) co_await asio::post(executor, use_awaitable);
  done.release();
}
double yield_many(double milliseconds) {
  asio::thread_pool pool(4);
  Signal done(0);
  return repeat(milliseconds, [&] {
    for (std::size_t i = 0; i < kYieldTasks; ++i) asio::co_spawn(pool, yield_often(done), detached);
    for (std::size_t i = 0; i < kYieldTasks; ++i) done.acquire();
    return kYieldTasks * kYields;
  });
}

awaitable<void> pong(std::shared_ptr<SharedChannel<>> ping, std::shared_ptr<SharedChannel<>> answer) {
  co_await ping->async_receive(use_awaitable);
  answer->try_send(boost::system::error_code());
}
awaitable<void> ping(std::shared_ptr<std::atomic<std::size_t>> remaining, Signal& done) {
  const auto executor = co_await asio::this_coro::executor;
  auto there = std::make_shared<SharedChannel<>>(executor, 1);
  auto back = std::make_shared<SharedChannel<>>(executor, 1);
  asio::co_spawn(executor, pong(there, back), detached);
  there->try_send(boost::system::error_code());
  co_await back->async_receive(use_awaitable);
  if (remaining->fetch_sub(1, std::memory_order_relaxed) == 1) done.release();
}
awaitable<void> spawn_pings(std::shared_ptr<std::atomic<std::size_t>> remaining, Signal& done) {
  const auto executor = co_await asio::this_coro::executor;
  for (std::size_t i = 0; i < kPings; ++i) asio::co_spawn(executor, ping(remaining, done), detached);
}
double ping_pong(double milliseconds) {
  asio::thread_pool pool(4);
  Signal done(0);
  auto remaining = std::make_shared<std::atomic<std::size_t>>(0);
  return repeat(milliseconds, [&] {
    remaining->store(kPings, std::memory_order_relaxed);
    asio::co_spawn(pool, spawn_pings(remaining, done), detached);
    done.acquire();
    return kPings;
  });
}

awaitable<void> chain(std::size_t remaining, Signal& done) {
  if (remaining == 0) {
    done.release();
  } else {
    asio::co_spawn(co_await asio::this_coro::executor, chain(remaining - 1, done), detached);
  }
}
double chained_spawn(double milliseconds) {
  asio::thread_pool pool(4);
  Signal done(0);
  return repeat(milliseconds, [&] {
    asio::co_spawn(pool, chain(kChainLength, done), detached);
    done.acquire();
    return kChainLength;
  });
}

awaitable<void> blocking_batches(asio::thread_pool& blocking) {
  const auto executor = co_await asio::this_coro::executor;
  for (std::size_t batch = 0; batch < kBlockingBatches; ++batch) {
    SharedChannel<> done(executor, kBlockingBatch);
    for (std::size_t i = 0; i < kBlockingBatch; ++i) {
      asio::post(blocking, [&done] { done.try_send(boost::system::error_code()); });
    }
    for (std::size_t i = 0; i < kBlockingBatch; ++i) co_await done.async_receive(use_awaitable);
  }
}
double spawn_blocking(double milliseconds) {
  asio::thread_pool blocking(8);
  asio::thread_pool pool(2);
  Signal done(0);
  return repeat(milliseconds, [&] {
    for (std::size_t i = 0; i < kBlockingTasks; ++i) {
      asio::co_spawn(pool, blocking_batches(blocking), [&done](std::exception_ptr) { done.release(); });
    }
    for (std::size_t i = 0; i < kBlockingTasks; ++i) done.acquire();
    return kBlockingTasks * kBlockingBatches * kBlockingBatch;
  });
}

awaitable<void> sleeps() {
  const auto executor = co_await asio::this_coro::executor;
  for (std::size_t i = 0; i < kTimers; ++i) asio::steady_timer timer(executor, std::chrono::seconds(1));
}
double sleep(double milliseconds) {
  asio::io_context context(1);
  return repeat(milliseconds, [&] {
    run(context, sleeps());
    return kTimers;
  });
}

awaitable<void> echo(Channel<std::size_t>& pinged, Channel<std::size_t>& pong) {
  for (std::size_t i = 0; i < kMessages; ++i) {
    const std::size_t value = co_await pinged.async_receive(use_awaitable);
    co_await pong.async_send(boost::system::error_code(), value, use_awaitable);
  }
}
awaitable<void> call_echo(Channel<std::size_t>& ping, Channel<std::size_t>& ponged) {
  for (std::size_t i = 0; i < kMessages; ++i) {
    co_await ping.async_send(boost::system::error_code(), i, use_awaitable);
    co_await ponged.async_receive(use_awaitable);
  }
}
double mpsc_ping_pong(double milliseconds) {
  asio::io_context context(1);
  return repeat(milliseconds, [&] {
    Channel<std::size_t> there(context, 1);
    Channel<std::size_t> back(context, 1);
    asio::co_spawn(context, echo(there, back), detached);
    run(context, call_echo(there, back));
    return kMessages;
  });
}

}  // namespace

std::vector<Workload> asio_workloads() {
  return {
      {"spawn_join", &spawn_join},
      {"spawn_many_local", &spawn_many_local},
      {"spawn_many_remote_idle", &spawn_many_remote_idle},
      {"yield_many", &yield_many},
      {"ping_pong", &ping_pong},
      {"chained_spawn", &chained_spawn},
      {"spawn_blocking", &spawn_blocking},
      {"sleep", &sleep},
      {"mpsc_ping_pong", &mpsc_ping_pong},
  };
}

}  // namespace kaido::bench
