#include <kaido/sync/broadcast.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/select.h>
#include <kaido/spawn.h>

#include "sdk/testing/poll_probe.h"

namespace kaido {
namespace {

using testing::PollProbe;

Runtime four_workers() { return RuntimeBuilder::new_multi_thread().worker_threads(4).enable_all().build().value(); }

TEST(Broadcast, DroppedRecvReceivesNothing) {
  auto [tx, rx] = broadcast::channel<int>(4);
  {
    PollProbe recv(rx.recv());
    EXPECT_FALSE(recv.poll());
    EXPECT_TRUE(tx.send(1));
    EXPECT_TRUE(recv.is_woken());
  }
  PollProbe recv(rx.recv());
  ASSERT_TRUE(recv.poll());
  EXPECT_EQ(recv.take().value(), 1);
}

TEST(Broadcast, LastReceiverGetsTheValueItself) {
  auto message = std::make_shared<int>(1);
  auto [tx, rx1] = broadcast::channel<std::shared_ptr<int>>(4);
  auto rx2 = tx.subscribe();
  EXPECT_TRUE(tx.send(message));
  auto copy = rx1.try_recv();
  EXPECT_EQ(message.use_count(), 3);
  auto original = rx2.try_recv();
  EXPECT_EQ(message.use_count(), 3);  // The channel has none any more.
}

TEST(Broadcast, OverwrittenValueIsDestroyed) {
  auto message = std::make_shared<int>(1);
  auto [tx, rx] = broadcast::channel<std::shared_ptr<int>>(1);
  EXPECT_TRUE(tx.send(message));
  EXPECT_TRUE(tx.send(nullptr));
  EXPECT_EQ(message.use_count(), 1);
}

TEST(Broadcast, SendWakesAllOfMany) {
  auto [tx, rx] = broadcast::channel<int>(1);
  std::vector<broadcast::Receiver<int>> receivers;
  for (int index = 0; index < 100; ++index) receivers.push_back(tx.subscribe());
  std::vector<std::unique_ptr<PollProbe<broadcast::Recv<int>>>> recvs;
  for (auto& receiver : receivers) {
    recvs.push_back(std::make_unique<PollProbe<broadcast::Recv<int>>>(receiver.recv()));
    EXPECT_FALSE(recvs.back()->poll());
  }
  EXPECT_EQ(tx.send(7).value(), 101U);
  for (auto& recv : recvs) {
    EXPECT_EQ(recv->wake_count(), 1);
    ASSERT_TRUE(recv->poll());
    EXPECT_EQ(recv->take().value(), 7);
  }
}

TEST(Broadcast, BlockingRecvWaitsOnAPlainThread) {
  auto [tx, rx] = broadcast::channel<int>(4);
  std::optional<int> received;
  bool is_closed = false;
  std::thread thread([&received, &is_closed, receiver = std::move(rx)]() mutable {
    received = receiver.blocking_recv().value();
    is_closed = receiver.blocking_recv().error().is_closed();
  });
  EXPECT_TRUE(tx.send(5));
  {
    auto dropped = std::move(tx);
  }
  thread.join();
  EXPECT_EQ(received, 5);
  EXPECT_TRUE(is_closed);
}

TEST(Broadcast, BlockingRecvInATaskThrows) {
  four_workers().block_on([]() -> Task<void> {
    auto [tx, rx] = broadcast::channel<int>(4);
    EXPECT_THROW(static_cast<void>(rx.blocking_recv()), std::logic_error);
    co_return;
  });
}

/// Can only be copied, and fails to be when told to.
struct Copied {
  explicit Copied(std::string value) : text(std::move(value)) {}
  Copied(const Copied& other) : text(other.text) {
    if (copies_left > 0 && --copies_left == 0) throw std::runtime_error("no more copies");
  }
  static inline int copies_left = 0;  // 0: as many as you like.
  std::string text;
};

const std::string kFirst(40, 'a');
const std::string kSecond(40, 'b');

TEST(Broadcast, ASendThatThrowsHasSentNothing) {
  bool has_thrown = true;
  for (int copies = 1; has_thrown; ++copies) {
    auto [tx, rx] = broadcast::channel<Copied>(1);
    EXPECT_TRUE(tx.send(Copied(kFirst)));
    const Copied second(kSecond);
    Copied::copies_left = copies;
    try {
      has_thrown = false;
      static_cast<void>(tx.send(second));
    } catch (const std::runtime_error&) {
      has_thrown = true;
    }
    Copied::copies_left = 0;
    auto received = rx.try_recv();
    if (has_thrown) {
      EXPECT_EQ(received.value().text, kFirst) << copies;
    } else {
      EXPECT_TRUE(received.error().is_lagged());
    }
  }
}

TEST(Broadcast, AReceiverThatGoesCopiesNothing) {
  auto [tx, rx] = broadcast::channel<Copied>(1);
  EXPECT_TRUE(tx.send(Copied(kFirst)));
  Copied::copies_left = 1;
  {
    auto dropped = std::move(rx);
  }
  EXPECT_EQ(Copied::copies_left, 1);
  Copied::copies_left = 0;
}

TEST(Broadcast, AReceiveThatThrowsHasReceived) {
  auto [tx, rx] = broadcast::channel<Copied>(2);
  EXPECT_TRUE(tx.send(Copied(kFirst)));
  EXPECT_TRUE(tx.send(Copied(kSecond)));
  Copied::copies_left = 1;
  EXPECT_THROW(static_cast<void>(rx.try_recv()), std::runtime_error);
  EXPECT_EQ(rx.try_recv().value().text, kSecond);
  EXPECT_EQ(tx.len(), 0U);
}

struct Message {
  int sender;
  std::shared_ptr<int> number;
};

/// Receives until the channel is closed, now and then giving up a recv(). Every value is received or counted as lost,
/// and those of one sender come in order.
Task<std::uint64_t> receive_all(broadcast::Receiver<Message> receiver) {
  std::uint64_t count = 0;
  int last[2] = {-1, -1};
  for (;;) {
    auto won = co_await select(receiver.recv(), yield_now());
    if (won.index() == 1) continue;
    auto& received = std::get<0>(won);
    if (received) {
      const int number = *received->number;
      EXPECT_GT(number, last[received->sender]);
      last[received->sender] = number;
      ++count;
    } else if (received.error().is_lagged()) {
      count += received.error().missed();
    } else {
      co_return count;
    }
  }
}

TEST(Broadcast, EveryValueIsReceivedOrCountedAsLostBetweenThreads) {
  constexpr int kPerSender = 2000;
  Runtime runtime = four_workers();
  auto live = std::make_shared<int>(0);
  {
    auto [sender, receiver] = broadcast::channel<Message>(8);
    std::vector<JoinHandle<std::uint64_t>> tasks;
    for (int index = 0; index < 4; ++index) tasks.push_back(runtime.spawn(receive_all(sender.subscribe())));
    {
      auto dropped = std::move(receiver);
    }
    std::vector<std::thread> producers;
    for (int id = 0; id < 2; ++id) {
      producers.emplace_back([tx = sender, id, live] {
        for (int number = 0; number < kPerSender; ++number) {
          EXPECT_TRUE(
              tx.send(Message{id, std::shared_ptr<int>(new int(number), [live](int* value) { delete value; })}));
        }
      });
    }
    {
      auto dropped = std::move(sender);
    }
    for (std::thread& producer : producers) producer.join();
    for (auto& task : tasks) EXPECT_EQ(runtime.block_on(task).value(), 2U * kPerSender);
  }
  EXPECT_EQ(live.use_count(), 1);  // Every value is gone.
}

TEST(Broadcast, ReceiversComeAndGoBetweenThreads) {
  Runtime runtime = four_workers();
  auto [sender, receiver] = broadcast::channel<std::shared_ptr<int>>(4);
  std::atomic<bool> is_done = false;
  auto come_and_go = [](broadcast::Sender<std::shared_ptr<int>> tx) -> Task<void> {
    for (int round = 0; round < 1000; ++round) {
      auto rx = tx.subscribe();
      if (round % 3 == 0) co_await yield_now();
      static_cast<void>(rx.try_recv());
      static_cast<void>(tx.len());
    }
  };
  std::vector<JoinHandle<void>> tasks;
  for (int index = 0; index < 3; ++index) tasks.push_back(runtime.spawn(come_and_go(sender)));
  std::thread producer([&is_done, tx = sender] {
    while (!is_done.load()) static_cast<void>(tx.send(std::make_shared<int>(1)));
  });
  for (auto& task : tasks) EXPECT_TRUE(runtime.block_on(task));
  is_done.store(true);
  producer.join();
  EXPECT_EQ(sender.receiver_count(), 1U);
  {
    auto dropped = std::move(receiver);
  }
  EXPECT_EQ(sender.len(), 0U);
}

}  // namespace
}  // namespace kaido
