// Operations and coroutines of Asio's awaited in Tasks: outcomes, cancellation, and what waits for it.
#include <kaido/asio.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>

#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <kaido/join_set.h>
#include <kaido/select.h>
#include <kaido/sync/oneshot.h>
#include <kaido/time.h>

#include "sdk/asio/support.h"

namespace kaido {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;
using testing::AsioTest;
using testing::connected_pair;
using testing::SocketPair;

KAIDO_ASIO_FLAVOURS(AsioTest);

TEST_P(AsioTest, OutcomesFollowFromTheSignature) {
  runtime_.block_on([]() -> Task<void> {
    SocketPair pair = co_await connected_pair();
    const IoResult<std::size_t> written = co_await pair.client.async_write_some(asio::buffer("ping", 4), use_task);
    EXPECT_EQ(written.value(), 4u);
    std::string data(4, ' ');
    const IoResult<std::size_t> read = co_await asio::async_read(pair.server, asio::buffer(data), use_task);
    EXPECT_EQ(read.value(), 4u);
    EXPECT_EQ(data, "ping");
    pair.client.close();
    const auto [error, count] = co_await pair.server.async_read_some(asio::buffer(data), asio::as_tuple(use_task));
    EXPECT_EQ(error, asio::error::eof);
    EXPECT_EQ(count, 0u);
    pair.server.close();
    const auto failed = co_await pair.server.async_read_some(asio::buffer(data), use_task);
    EXPECT_EQ(failed.error(), asio::error::bad_descriptor);
    EXPECT_THROW(static_cast<void>(failed.value()), boost::system::system_error);

    asio::steady_timer timer(io_executor(), 1ms);
    const IoResult<void> waited = co_await timer.async_wait(use_task);
    EXPECT_TRUE(waited.has_value());
  });
}

TEST_P(AsioTest, TheTokenCanBeASocketsDefault) {
  runtime_.block_on([]() -> Task<void> {
    SocketPair pair = co_await connected_pair();
    UseTask<>::as_default_on_t<tcp::socket> client(std::move(pair.client));
    std::string data(2, ' ');
    auto both = try_join(client.async_write_some(asio::buffer("hi", 2)),
                         asio::async_read(pair.server, asio::buffer(data), use_task));
    const Expected<std::tuple<std::size_t, std::size_t>, boost::system::error_code> done = co_await both;
    EXPECT_EQ(done.value(), std::tuple(2u, 2u));
    EXPECT_EQ(data, "hi");
  });
}

TEST_P(AsioTest, AwaitablesGiveTheirValueOrThrow) {
  runtime_.block_on([]() -> Task<void> {
    auto give = [](int value) -> asio::awaitable<int> {
      asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
      co_await timer.async_wait(asio::use_awaitable);
      co_return value;
    };
    EXPECT_EQ(co_await from_asio(give(7)), 7);
    auto fail = []() -> asio::awaitable<void> {
      throw std::runtime_error("refused");
      co_return;
    };
    bool has_thrown = false;
    try {
      co_await from_asio(fail());
    } catch (const std::runtime_error&) {
      has_thrown = true;
    }
    EXPECT_TRUE(has_thrown);
    const auto in_time = co_await timeout(1h, from_asio(give(8), executor()));
    EXPECT_EQ(in_time.value(), 8);
  });
}

/// Says when it is destroyed, and what was true then.
class Witness {
 public:
  Witness(std::atomic<bool>& gone, const std::atomic<bool>& expected) : gone_(&gone), expected_(&expected) {}
  Witness(Witness&& other) noexcept : gone_(std::exchange(other.gone_, nullptr)), expected_(other.expected_) {}
  ~Witness() {
    if (gone_ == nullptr) return;
    EXPECT_TRUE(expected_->load());
    gone_->store(true);
  }

 private:
  std::atomic<bool>* gone_;
  const std::atomic<bool>* expected_;
};

/// An operation that takes its time to be cancelled: it notes that it was, and then still waits for a timer.
asio::awaitable<void> reluctant(std::atomic<bool>& is_started, std::atomic<bool>& has_ended) {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
  is_started.store(true);
  const auto cancelled = std::get<0>(co_await timer.async_wait(asio::as_tuple(asio::use_awaitable)));
  EXPECT_EQ(cancelled, asio::error::operation_aborted);
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  timer.expires_after(5ms);
  co_await timer.async_wait(asio::use_awaitable);
  has_ended.store(true);
}

struct Flags {
  std::atomic<bool> is_started = false;
  std::atomic<bool> has_ended = false;
  std::atomic<bool> is_gone = false;
};

Task<void> wait_reluctantly(Flags& flags) {
  const Witness witness(flags.is_gone, flags.has_ended);
  co_await from_asio(reluctant(flags.is_started, flags.has_ended));
  ADD_FAILURE() << "resumed after it was cancelled";
}

Task<void> until(const std::atomic<bool>& flag) {
  while (!flag.load()) co_await yield_now();
}

TEST_P(AsioTest, AbortDestroysTheFrameWhenTheOperationHasEnded) {
  Flags flags;
  runtime_.block_on([&]() -> Task<void> {
    auto handle = spawn(wait_reluctantly(flags));
    co_await until(flags.is_started);
    handle.abort();
    handle.abort();
    EXPECT_FALSE(handle.is_finished());
    const auto result = co_await handle;
    EXPECT_TRUE(result.has_error() && result.error().is_cancelled());
    EXPECT_TRUE(flags.is_gone);
  });
}

TEST_P(AsioTest, TimeoutAndSelectWaitForWhatLost) {
  Flags late;
  Flags lost;
  runtime_.block_on([&]() -> Task<void> {
    const auto result = co_await timeout(1ms, wait_reluctantly(late));
    EXPECT_TRUE(result.has_error() && result.error().is_timed_out());
    EXPECT_TRUE(late.is_gone);
    const bool won = co_await select(on(wait_reluctantly(lost), [] { return false; }), on(until(lost.is_started), [&] {
                                       EXPECT_TRUE(lost.is_gone);
                                       return true;
                                     }));
    EXPECT_TRUE(won);
  });
}

TEST_P(AsioTest, AFailedJoinAndAnAbortedCombinatorWaitToo) {
  Flags sibling;
  Flags nested;
  runtime_.block_on([&]() -> Task<void> {
    auto failing = [&]() -> Task<void> {
      co_await until(sibling.is_started);
      throw std::runtime_error("failed");
    };
    bool has_thrown = false;
    try {
      co_await join(wait_reluctantly(sibling), failing());
    } catch (const std::runtime_error&) {
      has_thrown = true;
    }
    EXPECT_TRUE(has_thrown && sibling.is_gone);

    auto handle = spawn([&]() -> Task<void> {
      auto inner = [&]() -> Task<void> { co_await join(wait_reluctantly(nested), sleep(1h)); };
      static_cast<void>(co_await timeout(1h, inner()));
    });
    co_await until(nested.is_started);
    handle.abort();
    static_cast<void>(co_await handle);
    EXPECT_TRUE(nested.is_gone);
  });
}

TEST_P(AsioTest, TheRuntimesEndWaitsForForeignOperations) {
  Flags flags;
  Flags in_set;
  JoinHandle<void> handle;
  runtime_.block_on([&]() -> Task<void> {
    handle = spawn(wait_reluctantly(flags));
    JoinSet<void> dropped;
    dropped.spawn(wait_reluctantly(in_set));
    co_await until(flags.is_started);
    co_await until(in_set.is_started);
  });
  {
    const Runtime ended = std::move(runtime_);
  }
  EXPECT_TRUE(flags.is_gone && in_set.is_gone);
  EXPECT_TRUE(handle.is_finished());
}

TEST_P(AsioTest, OperationsOfAnotherContextEndOnItsThreads) {
  asio::thread_pool pool(1);
  Flags aborted;
  Flags at_the_end;
  runtime_.block_on([&]() -> Task<void> {
    auto wait_there = [&pool](Flags& flags) -> Task<void> {
      const Witness witness(flags.is_gone, flags.has_ended);
      co_await from_asio(reluctant(flags.is_started, flags.has_ended), pool.get_executor());
    };
    auto handle = spawn(wait_there(aborted));
    co_await until(aborted.is_started);
    handle.abort();
    static_cast<void>(co_await handle);
    EXPECT_TRUE(aborted.is_gone);
    static_cast<void>(spawn(wait_there(at_the_end)));
    co_await until(at_the_end.is_started);
  });
  {
    const Runtime ended = std::move(runtime_);
  }
  EXPECT_TRUE(at_the_end.is_gone);
  pool.join();
}

TEST_P(AsioTest, AcceptorsAndSignalsAreCancelled) {
  runtime_.block_on([]() -> Task<void> {
    tcp::acceptor acceptor(io_executor(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    asio::signal_set signals(io_executor(), SIGUSR1);
    const auto won = co_await select(acceptor.async_accept(use_task), signals.async_wait(use_task), sleep(1ms));
    EXPECT_EQ(won.index(), 2u);
    // Both can be used again.
    std::raise(SIGUSR1);
    const IoResult<int> number = co_await signals.async_wait(use_task);
    EXPECT_EQ(number.value(), SIGUSR1);
    tcp::socket client(io_executor());
    auto [accepted, connected] =
        co_await join(acceptor.async_accept(use_task), client.async_connect(acceptor.local_endpoint(), use_task));
    EXPECT_TRUE(accepted.has_value() && connected.has_value());
  });
}

TEST_P(AsioTest, AResolverIsWaitedFor) {
  runtime_.block_on([]() -> Task<void> {
    tcp::resolver resolver(io_executor());
    const auto found = co_await resolver.async_resolve("127.0.0.1", "80", use_task);
    EXPECT_TRUE(found.has_value());
    auto handle = spawn([]() -> Task<void> {
      tcp::resolver inner(io_executor());
      static_cast<void>(co_await inner.async_resolve("127.0.0.1", "80", use_task));
    });
    handle.abort();
    static_cast<void>(co_await handle);
    EXPECT_TRUE(handle.is_finished());
  });
}

TEST_P(AsioTest, NothingStartsBeforeItIsAwaited) {
  runtime_.block_on([]() -> Task<void> {
    SocketPair pair = co_await connected_pair();
    {
      auto dropped = pair.client.async_write_some(asio::buffer("lost", 4), use_task);
    }
    co_await select(
        on(pair.client.async_write_some(asio::buffer("lost", 4), use_task), [](IoResult<std::size_t>) {}).when(false),
        on(yield_now(), [] {}));
    EXPECT_TRUE((co_await asio::async_write(pair.client, asio::buffer("kept", 4), use_task)).has_value());
    std::string data(4, ' ');
    EXPECT_TRUE((co_await asio::async_read(pair.server, asio::buffer(data), use_task)).has_value());
    EXPECT_EQ(data, "kept");
  });
}

}  // namespace
}  // namespace kaido
