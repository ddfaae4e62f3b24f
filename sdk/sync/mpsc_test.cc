// What tokio's cases leave open: kinds of values, cancellation, budget, and many threads at once.
#include <kaido/sync/mpsc.h>

#include <array>
#include <chrono>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/join_handle.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/time.h>

#include "sdk/testing/probe.h"

namespace kaido {
namespace {

using namespace std::chrono_literals;
using testing::probe_of;
using testing::ready;

Runtime four_workers() { return RuntimeBuilder::new_multi_thread().worker_threads(4).enable_all().build().value(); }

template <typename T>
void drop(T value) {
  static_cast<void>(value);
}

struct Large {
  std::array<int, 200> numbers{};
};

struct ThrowingMove {
  explicit ThrowingMove(int number) : value(number) {}
  ThrowingMove(ThrowingMove&& other) noexcept(false) : value(other.value) {}
  int value;
};

TEST(Mpsc, CarriesValuesThatAreLargeOrMayThrow) {
  auto [large_tx, large_rx] = mpsc::channel<Large>(4);
  Large large;
  std::iota(large.numbers.begin(), large.numbers.end(), 0);
  EXPECT_TRUE(ready(large_tx.send(large)).has_value());
  EXPECT_EQ(ready(large_rx.recv())->numbers, large.numbers);

  auto [tx, rx] = mpsc::channel<ThrowingMove>(1);
  EXPECT_TRUE(tx.try_send(ThrowingMove(5)).has_value());
  EXPECT_EQ(tx.try_send(ThrowingMove(6)).error().value.value, 6);
  EXPECT_EQ(rx.try_recv()->value, 5);

  auto [pointer_tx, pointer_rx] = mpsc::unbounded_channel<std::unique_ptr<int>>();
  EXPECT_TRUE(pointer_tx.send(std::make_unique<int>(7)).has_value());
  EXPECT_EQ(**ready(pointer_rx.recv()), 7);
}

TEST(Mpsc, KeepsTheOrderWhateverTheFillLevel) {
  auto [tx, rx] = mpsc::unbounded_channel<int>();
  int sent = 0;
  int received = 0;
  for (int step = 1; step < 200; ++step) {
    for (int i = 0; i < step; ++i) EXPECT_TRUE(tx.send(sent++).has_value());
    for (int i = 0; i < step / 2; ++i) EXPECT_EQ(*rx.try_recv(), received++);
  }
  while (received < sent) EXPECT_EQ(*rx.try_recv(), received++);
  EXPECT_TRUE(rx.is_empty());
}

TEST(Mpsc, CountsAndDestroysWhatTheReceiverTookTogether) {
  auto value = std::make_shared<int>(1);
  auto [tx, rx] = mpsc::unbounded_channel<std::shared_ptr<int>>();
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(tx.send(value).has_value());
  EXPECT_EQ(*rx.try_recv(), value);
  EXPECT_EQ(rx.len(), 99U);
  EXPECT_TRUE(tx.send(value).has_value());
  EXPECT_EQ(rx.len(), 100U);
  rx.close();
  EXPECT_EQ(*rx.try_recv(), value);
  drop(std::move(rx));
  EXPECT_EQ(value.use_count(), 1);
}

TEST(Mpsc, ASendAbortedWhileItWaitsNeverDelivers) {
  auto [tx, rx] = mpsc::channel<int>(1);
  EXPECT_TRUE(tx.try_send(0).has_value());
  std::optional<testing::Probe<Expected<void, mpsc::SendError<int>>>> aborted;
  aborted.emplace(testing::await_owned(tx.send(1)));
  EXPECT_FALSE(aborted->poll());
  auto second = probe_of(tx.send(2));
  EXPECT_FALSE(second.poll());
  EXPECT_EQ(*rx.try_recv(), 0);
  aborted.reset();  // It had been given the place.
  EXPECT_TRUE(second.is_woken());
  EXPECT_TRUE(second.poll());
  EXPECT_EQ(*rx.try_recv(), 2);
  EXPECT_TRUE(tx.try_send(3).has_value());
  EXPECT_EQ(*rx.try_recv(), 3);
}

TEST(Mpsc, ClosedIsReadyWhenTheReceiverGoes) {
  auto [tx, rx] = mpsc::channel<int>(1);
  auto closed = probe_of(tx.closed());
  EXPECT_FALSE(closed.poll());
  {
    auto given_up = probe_of(tx.closed());
    EXPECT_FALSE(given_up.poll());
  }
  drop(std::move(rx));
  EXPECT_TRUE(closed.is_woken());
  EXPECT_TRUE(closed.poll());
}

struct Letter {
  std::optional<mpsc::Sender<Letter>> reply_to;
  std::shared_ptr<int> paper;
};

TEST(Mpsc, AChannelThatHoldsItsOwnSendersIsFreed) {
  auto paper = std::make_shared<int>(1);
  {
    auto [tx, rx] = mpsc::channel<Letter>(4);
    Letter letter;
    letter.reply_to = tx;
    letter.paper = paper;
    EXPECT_TRUE(tx.try_send(std::move(letter)).has_value());
    drop(std::move(tx));
    EXPECT_EQ(rx.sender_strong_count(), 1U);
  }
  EXPECT_EQ(paper.use_count(), 1);
}

TEST(Mpsc, APermitCanBeUsedOnceAndAfterTheReceiverIsGone) {
  auto [tx, rx] = mpsc::channel<std::shared_ptr<int>>(2);
  auto value = std::make_shared<int>(1);
  auto permit = tx.try_reserve().value();
  auto late = tx.try_reserve().value();
  permit.send(value);
  EXPECT_THROW(permit.send(value), std::logic_error);
  drop(std::move(rx));
  late.send(value);
  EXPECT_EQ(value.use_count(), 1);
}

TEST(Mpsc, ReceivingCountsInTheBudgetOfATask) {
  auto [tx, rx] = mpsc::unbounded_channel<int>();
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(tx.send(i).has_value());
  drop(std::move(tx));
  auto probe = testing::Probe<int>([](mpsc::UnboundedReceiver<int>& from) -> Task<int> {
    int count = 0;
    while (co_await from.recv()) ++count;
    co_return count;
  }(rx));
  EXPECT_FALSE(probe.poll());
  EXPECT_TRUE(probe.is_woken());
  EXPECT_EQ(rx.len(), 200U - 128U);
  ASSERT_TRUE(probe.poll());
  EXPECT_EQ(probe.take(), 200);
}

Task<void> produce(mpsc::Sender<int> tx, unsigned seed, int count) {
  std::minstd_rand random(seed);
  for (int i = 0; i < count; ++i) {
    switch (random() % 4) {
      case 0: {  // Gives up and tries again until it is through.
        for (;;) {
          auto sent = co_await tx.send_timeout(1, std::chrono::microseconds(random() % 1500));
          if (sent) break;
        }
        break;
      }
      case 1: {
        auto permit = co_await tx.reserve();
        if (random() % 2 == 0) co_await yield_now();
        permit->send(1);
        break;
      }
      case 2: {
        auto permits = co_await tx.reserve_many(2);  // Uses one of them.
        permits->next()->send(1);
        break;
      }
      default: {
        auto sent = co_await tx.send(1);
        EXPECT_TRUE(sent.has_value());
      }
    }
  }
}

Task<int> consume(mpsc::Receiver<int> rx) {
  int sum = 0;
  std::vector<int> buffer;
  for (bool one = true;; one = !one) {
    if (one) {
      auto value = co_await rx.recv();
      if (!value) break;
      sum += *value;
    } else {
      buffer.clear();
      if (co_await rx.recv_many(buffer, 7) == 0) break;
      sum += std::accumulate(buffer.begin(), buffer.end(), 0);
    }
  }
  co_return sum;
}

// Tasks and plain threads send in every way into a small channel: each value arrives once.
TEST(Mpsc, DeliversEachValueOnceUnderContention) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  constexpr int kPerSender = 200;
  for (std::size_t capacity : {2U, 3U, 64U}) {
    auto runtime = four_workers();
    auto both = mpsc::channel<int>(capacity);
    auto consumer = runtime.spawn(consume(std::move(both.second)));
    for (unsigned task = 0; task < 6; ++task) {
      drop(runtime.spawn(produce(both.first, seed + task, kPerSender)));
    }
    std::thread plain([tx = std::move(both.first)] {
      for (int i = 0; i < kPerSender; ++i) EXPECT_TRUE(tx.blocking_send(1).has_value());
    });
    plain.join();
    EXPECT_EQ(*runtime.block_on(consumer), 7 * kPerSender);
  }
}

// The receiver goes while others send: every value is destroyed, every sender ends.
TEST(Mpsc, LosesNothingWhenTheReceiverGoesUnderContention) {
  auto value = std::make_shared<int>(0);
  auto runtime = four_workers();
  for (int round = 0; round < 50; ++round) {
    auto both = mpsc::channel<std::shared_ptr<int>>(2);
    std::vector<JoinHandle<void>> senders;
    for (int task = 0; task < 4; ++task) {
      senders.push_back(
          runtime.spawn([](mpsc::Sender<std::shared_ptr<int>> tx, std::shared_ptr<int> sent) -> Task<void> {
            for (;;) {
              auto result = co_await tx.send(sent);
              if (!result) break;
            }
          }(both.first, value)));
    }
    drop(std::move(both.first));
    for (int i = 0; i < round; ++i) EXPECT_TRUE(both.second.blocking_recv().has_value());
    drop(std::move(both.second));
    for (auto& sender : senders) EXPECT_TRUE(runtime.block_on(sender).has_value());
    senders.clear();
  }
  {
    const Runtime ended = std::move(runtime);
  }
  EXPECT_EQ(value.use_count(), 1);
}

}  // namespace
}  // namespace kaido
