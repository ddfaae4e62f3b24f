// What has happened is not dropped: an operation of Asio's that was given up, but was done all the same, gives its
// outcome; what a select took reaches its handler; a named operation can be awaited again.
#include <kaido/asio.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <kaido/select.h>
#include <kaido/sync/cancellation_token.h>
#include <kaido/sync/mpsc.h>
#include <kaido/sync/once_cell.h>
#include <kaido/sync/oneshot.h>
#include <kaido/time.h>

#include "sdk/asio/support.h"

namespace kaido {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using testing::AsioTest;
using testing::connected_pair;
using testing::SocketPair;

/// An operation that ends when the test says so, whether it was cancelled or not: as one whose work was done when the
/// cancellation came.
class Stubborn {
 public:
  template <typename Token>
  auto async_wait(Token&& token) {
    return asio::async_initiate<Token, void(boost::system::error_code, int)>(
        [this](auto handler) {
          ++started_;
          auto kept = std::make_shared<decltype(handler)>(std::move(handler));
          complete_ = [kept](boost::system::error_code error, int value) { std::move (*kept)(error, value); };
        },
        token);
  }
  void complete(int value) { std::exchange(complete_, nullptr)(boost::system::error_code(), value); }
  void complete_cancelled() { std::exchange(complete_, nullptr)(asio::error::operation_aborted, 0); }
  [[nodiscard]] int started() const { return started_; }

 private:
  std::function<void(boost::system::error_code, int)> complete_;
  int started_ = 0;
};

Task<int> ready(int value) { co_return value; }

/// On a runtime whose clock stands still: a sleep lets everything happen that is due.
class Drain : public ::testing::Test {
 protected:
  /// Lets a select take 7 from its channel, and aborts its task while the loser has not ended. How the task ends.
  template <typename T>
  Task<Result<T>> aborted_after_taking_7(mpsc::UnboundedSender<int>* sender, JoinHandle<T>* selecting) {
    co_await yield_now();
    EXPECT_TRUE(sender->send(7).has_value());
    co_await yield_now();
    selecting->abort();
    co_await yield_now();
    operation_.complete_cancelled();
    co_return co_await *selecting;
  }

  Runtime runtime_ = RuntimeBuilder::new_current_thread().enable_all().start_paused().build().value();
  Stubborn operation_;
};

TEST_F(Drain, ATimeoutGivesTheValueOfWhatWasDoneNevertheless) {
  runtime_.block_on([this]() -> Task<void> {
    auto late = spawn(timeout(10ms, operation_.async_wait(use_task)));
    co_await sleep(20ms);
    operation_.complete(7);
    const auto result = co_await late;
    EXPECT_EQ(result.value().value().value(), 7);

    auto later = spawn(timeout(10ms, operation_.async_wait(use_task)));
    co_await sleep(20ms);
    operation_.complete_cancelled();
    const auto timed_out = co_await later;
    EXPECT_TRUE(timed_out.value().error().is_timed_out());
  });
}

Task<int> wait_twice(Stubborn* operation, std::vector<int>* seen) {
  for (;;) {
    const auto value = co_await operation->async_wait(use_task);
    seen->push_back(value.value());
    if (seen->size() == 2) co_return 2;
  }
}

TEST_F(Drain, ACoroutineThatIsTooLateGoesOnAsFarAsItsNextWait) {
  runtime_.block_on([this]() -> Task<void> {
    std::vector<int> seen;
    auto late = spawn(timeout(10ms, wait_twice(&operation_, &seen)));
    co_await sleep(20ms);
    operation_.complete(1);
    const auto timed_out = co_await late;
    EXPECT_TRUE(timed_out.value().error().is_timed_out());
    EXPECT_EQ(seen, std::vector({1}));
    EXPECT_EQ(operation_.started(), 1) << "nothing is started that would have to be waited for";

    auto in_time = spawn(timeout(10ms, wait_twice(&operation_, &seen)));
    co_await sleep(20ms);
    operation_.complete(2);
    const auto done = co_await in_time;
    EXPECT_EQ(done.value().value(), 2) << "what it ends with is its value";
  });
}

TEST_F(Drain, AnAbortedTaskGoesOnAsFarAsItsNextWait) {
  runtime_.block_on([this]() -> Task<void> {
    std::vector<int> seen;
    auto aborted = spawn(wait_twice(&operation_, &seen));
    co_await yield_now();
    aborted.abort();
    co_await yield_now();
    EXPECT_FALSE(aborted.is_finished());
    operation_.complete(1);
    const auto cancelled = co_await aborted;
    EXPECT_TRUE(cancelled.error().is_cancelled());
    EXPECT_EQ(seen, std::vector({1}));

    auto finishes = spawn(wait_twice(&operation_, &seen));
    co_await yield_now();
    finishes.abort();
    co_await yield_now();
    operation_.complete(2);
    const auto finished = co_await finishes;
    EXPECT_EQ(finished.value(), 2);
  });
}

TEST_F(Drain, WhatASelectTookReachesItsHandlerThoughItsTaskIsAborted) {
  runtime_.block_on([this]() -> Task<void> {
    auto [sender, receiver] = mpsc::unbounded_channel<int>();
    std::vector<int> handled;
    auto selecting = spawn([&]() -> Task<void> {
      co_await select(on(receiver.recv(), [&](std::optional<int> value) { handled.push_back(*value); }),
                      on(operation_.async_wait(use_task), [](IoResult<int>) {}));
      co_await sleep(1h);
    });
    const auto cancelled = co_await aborted_after_taking_7(&sender, &selecting);
    EXPECT_TRUE(cancelled.error().is_cancelled());
    EXPECT_EQ(handled, std::vector({7}));
  });
}

TEST_F(Drain, WithoutHandlersTheFrameGoesOnWithWhatWasTaken) {
  runtime_.block_on([this]() -> Task<void> {
    auto [sender, receiver] = mpsc::unbounded_channel<int>();
    auto selecting = spawn([&]() -> Task<int> {
      const auto won = co_await select(receiver.recv(), operation_.async_wait(use_task));
      co_return std::get<0>(won).value();
    });
    const auto result = co_await aborted_after_taking_7(&sender, &selecting);
    EXPECT_EQ(result.value(), 7);
  });
}

TEST_F(Drain, AHandlerThatIsACoroutineRunsAsFarAsItsFirstWait) {
  runtime_.block_on([this]() -> Task<void> {
    auto [sender, receiver] = mpsc::unbounded_channel<int>();
    std::vector<int> handled;
    auto selecting = spawn([&]() -> Task<void> {
      co_await select(on(receiver.recv(),
                         [&](std::optional<int> value) -> Task<void> {
                           handled.push_back(*value);
                           co_await sleep(1h);
                           handled.push_back(0);
                         }),
                      on(operation_.async_wait(use_task), [](IoResult<int>) -> Task<void> { co_return; }));
    });
    const auto cancelled = co_await aborted_after_taking_7(&sender, &selecting);
    EXPECT_TRUE(cancelled.error().is_cancelled());
    EXPECT_EQ(handled, std::vector({7}));
  });
}

TEST_F(Drain, ATimeoutAroundASelectGivesWhatWasTaken) {
  runtime_.block_on([this]() -> Task<void> {
    auto [sender, receiver] = mpsc::unbounded_channel<int>();
    auto selecting = spawn([&]() -> Task<Result<int>> {
      auto both = select(on(receiver.recv(), [](std::optional<int> value) { return *value; }),
                         on(operation_.async_wait(use_task), [](IoResult<int>) { return 0; }));
      co_return co_await timeout(10ms, std::move(both));
    });
    co_await sleep(5ms);
    EXPECT_TRUE(sender.send(7).has_value());
    co_await sleep(20ms);
    operation_.complete_cancelled();
    const auto result = co_await selecting;
    EXPECT_EQ(result.value().value(), 7);
  });
}

TEST_F(Drain, ASelectThatIsGivenUpIsWonByWhatIsDoneNevertheless) {
  runtime_.block_on([this]() -> Task<void> {
    auto selecting = spawn([this]() -> Task<Result<int>> {
      auto both = select(on(sleep(1h), [] { return 0; }),
                         on(operation_.async_wait(use_task), [](IoResult<int> value) { return value.value(); }));
      co_return co_await timeout(10ms, std::move(both));
    });
    co_await sleep(20ms);
    operation_.complete(7);
    const auto result = co_await selecting;
    EXPECT_EQ(result.value().value(), 7);
  });
}

TEST_F(Drain, AnExceptionOfAHandlerIsNotLost) {
  runtime_.block_on([this]() -> Task<void> {
    auto [sender, receiver] = mpsc::unbounded_channel<int>();
    auto selecting = spawn([&]() -> Task<void> {
      co_await select(on(receiver.recv(), [](std::optional<int>) { throw std::runtime_error("no"); }),
                      on(operation_.async_wait(use_task), [](IoResult<int>) {}));
    });
    const auto panicked = co_await aborted_after_taking_7(&sender, &selecting);
    EXPECT_TRUE(panicked.error().is_panic());
  });
}

TEST_F(Drain, AJoinHasAnOutcomeIfEveryBranchHas) {
  runtime_.block_on([this]() -> Task<void> {
    auto joining = spawn(timeout(10ms, join(operation_.async_wait(use_task), ready(1))));
    co_await sleep(20ms);
    operation_.complete(7);
    const auto result = co_await joining;
    EXPECT_EQ(std::get<0>(result.value().value()).value(), 7);

    auto halved = spawn(timeout(10ms, join(operation_.async_wait(use_task), sleep(1h))));
    co_await sleep(20ms);
    operation_.complete(7);
    const auto timed_out = co_await halved;
    EXPECT_TRUE(timed_out.value().error().is_timed_out());
  });
}

TEST_F(Drain, OtherCombinatorsKeepWhatHappened) {
  runtime_.block_on([this]() -> Task<void> {
    const CancellationToken token;
    auto running = spawn(token.run_until_cancelled(operation_.async_wait(use_task)));
    co_await yield_now();
    token.cancel();
    co_await yield_now();
    operation_.complete(7);
    const auto ran = co_await running;
    EXPECT_EQ(ran.value().value().value(), 7);

    OnceCell<IoResult<int>> cell;
    auto filling = spawn(timeout(10ms, [&]() -> Task<int> {
      co_return (co_await cell.get_or_init([this] { return operation_.async_wait(use_task); })).value();
    }));
    co_await sleep(20ms);
    operation_.complete(8);
    const auto filled = co_await filling;
    EXPECT_EQ(filled.value().value(), 8);
    EXPECT_EQ(cell.get()->value(), 8);
  });
}

TEST_F(Drain, ANamedOperationThatLostIsAwaitedAgain) {
  runtime_.block_on([this]() -> Task<void> {
    auto wait = operation([this] { return operation_.async_wait(use_task); });
    const auto too_late = co_await timeout(10ms, wait);
    EXPECT_TRUE(too_late.error().is_timed_out());
    EXPECT_TRUE(wait.is_under_way());
    operation_.complete(7);
    int value = 0;
    co_await select(biased, on(wait, [&](IoResult<int> result) { value = result.value(); }), on(sleep(1h), [] {}));
    EXPECT_EQ(value, 7);
    EXPECT_FALSE(wait.is_under_way());
    EXPECT_EQ(operation_.started(), 1);
    const auto again = co_await timeout(10ms, wait);
    EXPECT_TRUE(again.error().is_timed_out());
    EXPECT_EQ(operation_.started(), 2) << "each outcome that was taken is followed by another operation";
    operation_.complete(8);
  });
}

TEST_F(Drain, WhatANamedOperationUsesLivesUntilItHasEnded) {
  auto used = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = used;
  runtime_.block_on([&]() -> Task<void> {
    {
      auto wait = operation([this, used = std::move(used)] { return operation_.async_wait(use_task); });
      static_cast<void>(co_await timeout(10ms, wait));
    }
    EXPECT_FALSE(watched.expired());
    operation_.complete(7);
    EXPECT_TRUE(watched.expired());
  });
}

Task<std::size_t> read_until(std::shared_ptr<SocketPair> pair, Instant deadline) {
  std::array<char, 16> data{};
  auto first = timeout_at(deadline, pair->server.async_read_some(asio::buffer(data), use_task));
  const auto in_time = co_await std::move(first);
  if (in_time && *in_time) co_return **in_time;
  const auto second = co_await pair->server.async_read_some(asio::buffer(data), use_task);
  co_return second.value();
}

// A byte that is sent at about the deadline is read by the first read or by the second; else the second waits for ever.
TEST_P(AsioTest, NoByteIsLostAtADeadline) {
  runtime_.block_on([]() -> Task<void> {
    constexpr int kRounds = 8;
    constexpr int kPairs = 24;
    for (int round = 0; round < kRounds; ++round) {
      std::vector<std::shared_ptr<SocketPair>> pairs;
      for (int i = 0; i < kPairs; ++i) pairs.push_back(std::make_shared<SocketPair>(co_await connected_pair()));
      const Instant deadline = Clock::now() + 3ms;
      std::vector<JoinHandle<std::size_t>> reading;
      for (const auto& pair : pairs) reading.push_back(spawn(read_until(pair, deadline)));
      co_await sleep_until(deadline);
      for (const auto& pair : pairs) EXPECT_EQ(pair->client.send(asio::buffer("x", 1)), 1u);
      for (auto& handle : reading) {
        const auto count = co_await handle;
        EXPECT_EQ(count.value(), 1u);
      }
    }
  });
}

KAIDO_ASIO_FLAVOURS(AsioTest);

}  // namespace
}  // namespace kaido
