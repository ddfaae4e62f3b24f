// broadcast: sending, receiving, closing, counting. Receivers that fall behind: sync_broadcast_lag_test.cc.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/select.h>
#include <kaido/spawn.h>
#include <kaido/sync/broadcast.h>

#include "sdk/testing/poll_probe.h"
#include "tests/tokio/broadcast_cases.h"
#include "tests/tokio/support.h"

namespace kaido {
namespace {

using broadcast::TryRecvError;
using parity::expect_closed;
using parity::expect_empty;
using parity::expect_lagged;
using parity::expect_value;
using testing::PollProbe;

TEST(sync_broadcast, send_try_recv_bounded) {
  auto [tx, rx] = broadcast::channel<std::string>(16);
  expect_empty(rx);
  EXPECT_EQ(tx.send("hello").value(), 1U);
  expect_value(rx, "hello");
  expect_empty(rx);
}

TEST(sync_broadcast, send_two_recv) {
  auto [tx, rx1] = broadcast::channel<std::string>(16);
  auto rx2 = tx.subscribe();
  expect_empty(rx1);
  expect_empty(rx2);
  EXPECT_EQ(tx.send("hello").value(), 2U);
  expect_value(rx1, "hello");
  expect_value(rx2, "hello");
  expect_empty(rx1);
  expect_empty(rx2);
}

TEST(sync_broadcast, send_recv_bounded) {
  auto [tx, rx] = broadcast::channel<std::string>(16);
  PollProbe recv(rx.recv());
  EXPECT_FALSE(recv.poll());
  EXPECT_TRUE(tx.send("hello"));
  EXPECT_TRUE(recv.is_woken());
  ASSERT_TRUE(recv.poll());
  EXPECT_EQ(recv.take().value(), "hello");
}

TEST(sync_broadcast, send_two_recv_bounded) {
  auto [tx, rx1] = broadcast::channel<std::string>(16);
  auto rx2 = tx.subscribe();
  {
    PollProbe recv1(rx1.recv());
    PollProbe recv2(rx2.recv());
    EXPECT_FALSE(recv1.poll());
    EXPECT_FALSE(recv2.poll());
    EXPECT_TRUE(tx.send("hello"));
    EXPECT_TRUE(recv1.is_woken());
    EXPECT_TRUE(recv2.is_woken());
    ASSERT_TRUE(recv1.poll());
    ASSERT_TRUE(recv2.poll());
    EXPECT_EQ(recv1.take().value(), "hello");
    EXPECT_EQ(recv2.take().value(), "hello");
  }
  PollProbe recv1(rx1.recv());
  PollProbe recv2(rx2.recv());
  EXPECT_FALSE(recv1.poll());
  EXPECT_TRUE(tx.send("world"));
  EXPECT_TRUE(recv1.is_woken());
  EXPECT_FALSE(recv2.is_woken());
  ASSERT_TRUE(recv1.poll());
  ASSERT_TRUE(recv2.poll());
  EXPECT_EQ(recv1.take().value(), "world");
  EXPECT_EQ(recv2.take().value(), "world");
}

TEST(sync_broadcast, send_slow_rx) {
  auto [tx, rx1] = broadcast::channel<std::string>(16);
  auto rx2 = tx.subscribe();
  for (const char* text : {"one", "two"}) {
    PollProbe recv2(rx2.recv());
    EXPECT_FALSE(recv2.poll());
    EXPECT_TRUE(tx.send(text));
    EXPECT_TRUE(recv2.is_woken());
    ASSERT_TRUE(recv2.poll());
    EXPECT_EQ(recv2.take().value(), text);
  }
  for (const char* text : {"one", "two"}) {
    PollProbe recv1(rx1.recv());
    ASSERT_TRUE(recv1.poll());
    EXPECT_EQ(recv1.take().value(), text);
  }
  PollProbe recv1(rx1.recv());
  EXPECT_FALSE(recv1.poll());
}

TEST(sync_broadcast, drop_rx_while_values_remain) {
  auto [tx, rx1] = broadcast::channel<std::string>(16);
  auto rx2 = tx.subscribe();
  EXPECT_TRUE(tx.send("one"));
  EXPECT_TRUE(tx.send("two"));
  {
    auto dropped = std::move(rx1);
  }
  expect_value(rx2, "one");
  {
    auto dropped = std::move(rx2);
  }
  EXPECT_EQ(tx.len(), 0U);
}

TEST(sync_broadcast, send_no_rx) {
  auto [tx, rx] = broadcast::channel<std::string>(16);
  {
    auto dropped = std::move(rx);
  }
  auto sent = tx.send("hello");
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().value, "hello");
  auto again = tx.subscribe();
  EXPECT_TRUE(tx.send("world"));
  expect_value(again, "world");
}

TEST(sync_broadcast, zero_capacity) { EXPECT_THROW(static_cast<void>(broadcast::channel<int>(0)), std::logic_error); }

TEST(sync_broadcast, capacity_too_big) {
  constexpr std::size_t kTooBig = std::numeric_limits<std::size_t>::max() / 2 + 1;
  EXPECT_THROW(static_cast<void>(broadcast::channel<int>(kTooBig)), std::logic_error);
}

/// Throws in its first copy.
class CopiedBadly {
 public:
  CopiedBadly() = default;
  CopiedBadly(CopiedBadly&&) = default;
  CopiedBadly(const CopiedBadly& other) : may_copy_(other.may_copy_) {
    if (!std::exchange(*may_copy_, true)) throw std::runtime_error("no copy");
  }

 private:
  std::shared_ptr<bool> may_copy_ = std::make_shared<bool>(false);
};

TEST(sync_broadcast, panic_in_clone) {
  auto [tx, rx] = broadcast::channel<CopiedBadly>(16);
  auto other = tx.subscribe();  // Otherwise the only receiver would get the value itself.
  EXPECT_TRUE(tx.send(CopiedBadly()));
  EXPECT_TRUE(tx.send(CopiedBadly()));
  EXPECT_THROW(static_cast<void>(rx.try_recv()), std::runtime_error);
  EXPECT_THROW(static_cast<void>(rx.try_recv()), std::runtime_error);
  EXPECT_TRUE(other.try_recv());
  EXPECT_TRUE(other.try_recv());
  EXPECT_TRUE(tx.send(CopiedBadly()));
  EXPECT_THROW(static_cast<void>(other.try_recv()), std::runtime_error);
  EXPECT_TRUE(rx.try_recv());
  EXPECT_EQ(rx.try_recv().error(), TryRecvError::empty());
}

TEST(sync_broadcast, dropping_tx_notifies_rx) {
  auto [tx, rx1] = broadcast::channel<int>(16);
  auto rx2 = tx.subscribe();
  std::optional<broadcast::Sender<int>> first(std::move(tx));
  std::optional<broadcast::Sender<int>> second(*first);
  PollProbe recv1(rx1.recv());
  PollProbe recv2(rx2.recv());
  EXPECT_FALSE(recv1.poll());
  EXPECT_FALSE(recv2.poll());
  first.reset();
  EXPECT_FALSE(recv1.is_woken());
  EXPECT_FALSE(recv2.is_woken());
  second.reset();
  EXPECT_TRUE(recv1.is_woken());
  EXPECT_TRUE(recv2.is_woken());
  ASSERT_TRUE(recv1.poll());
  ASSERT_TRUE(recv2.poll());
  EXPECT_EQ(recv1.take().error(), broadcast::RecvError::closed());
  EXPECT_EQ(recv2.take().error(), broadcast::RecvError::closed());
}

TEST(sync_broadcast, unconsumed_messages_are_dropped) {
  auto message = std::make_shared<int>(1);
  auto [tx, rx] = broadcast::channel<std::shared_ptr<int>>(16);
  EXPECT_TRUE(tx.send(message));
  EXPECT_EQ(message.use_count(), 2);
  {
    auto dropped = std::move(rx);
  }
  EXPECT_EQ(message.use_count(), 1);
}

TEST(sync_broadcast, resubscribe_points_to_tail) {
  auto [tx, rx] = broadcast::channel<int>(3);
  EXPECT_TRUE(tx.send(1));
  auto again = rx.resubscribe();
  expect_empty(again);
  EXPECT_TRUE(tx.send(2));
  expect_value(again, 2);
  expect_empty(again);
  expect_value(rx, 1);
  expect_value(rx, 2);
}

TEST(sync_broadcast, resubscribe_to_closed_channel) {
  auto [tx, rx] = broadcast::channel<int>(2);
  {
    auto dropped = std::move(tx);
  }
  auto again = rx.resubscribe();
  expect_closed(again);
}

TEST(sync_broadcast, sender_len) {
  auto [tx, rx1] = broadcast::channel<int>(4);
  auto rx2 = tx.subscribe();
  EXPECT_EQ(tx.len(), 0U);
  EXPECT_TRUE(tx.is_empty());
  for (int value = 1; value <= 3; ++value) EXPECT_TRUE(tx.send(value));
  EXPECT_EQ(tx.len(), 3U);
  EXPECT_FALSE(tx.is_empty());

  expect_value(rx1, 1);
  expect_value(rx1, 2);
  EXPECT_EQ(tx.len(), 3U);  // The second receiver is behind.
  expect_value(rx2, 1);
  EXPECT_EQ(tx.len(), 2U);

  for (int value = 4; value <= 6; ++value) EXPECT_TRUE(tx.send(value));
  EXPECT_EQ(tx.len(), 4U);  // No more than fit.
}

TEST(sync_broadcast, sender_len_random) {
  auto [tx, rx1] = broadcast::channel<int>(16);
  auto rx2 = tx.subscribe();
  constexpr unsigned kSeed = 20260820;
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  for (int step = 0; step < 1000; ++step) {
    switch (random() % 4) {
      case 0:
        static_cast<void>(rx1.try_recv());
        break;
      case 1:
        static_cast<void>(rx2.try_recv());
        break;
      default:
        EXPECT_TRUE(tx.send(step));
    }
    ASSERT_EQ(tx.len(), std::min<std::size_t>(std::max(rx1.len(), rx2.len()), 16));
  }
}

TEST(sync_broadcast, receiver_recv_is_cooperative) {
  parity::current_thread().block_on([]() -> Task<void> {
    auto [tx, rx] = broadcast::channel<int>(1);
    auto forever = [](broadcast::Sender<int> sender, broadcast::Receiver<int>& receiver) -> Task<void> {
      for (;;) {
        EXPECT_TRUE(sender.send(1));
        const int received = (co_await receiver.recv()).value();
        EXPECT_EQ(received, 1);
      }
    };
    auto won = co_await select(biased, forever(tx, rx), yield_now());
    EXPECT_EQ(won.index(), 1U);
  });
}

TEST(sync_broadcast, broadcast_sender_closed) {
  auto [tx, rx] = broadcast::channel<int>(16);
  std::optional<broadcast::Receiver<int>> first(std::move(rx));
  std::optional<broadcast::Receiver<int>> second(tx.subscribe());
  PollProbe closed(tx.closed());
  EXPECT_FALSE(closed.poll());
  first.reset();
  EXPECT_FALSE(closed.is_woken());
  EXPECT_FALSE(closed.poll());
  second.reset();
  EXPECT_TRUE(closed.is_woken());
  EXPECT_TRUE(closed.poll());
}

TEST(sync_broadcast, broadcast_sender_closed_with_extra_subscribe) {
  auto [tx, rx] = broadcast::channel<int>(16);
  std::optional<broadcast::Receiver<int>> receiver(std::move(rx));
  PollProbe closed(tx.closed());
  EXPECT_FALSE(closed.poll());
  receiver.reset();
  EXPECT_TRUE(closed.is_woken());
  receiver.emplace(tx.subscribe());
  EXPECT_FALSE(closed.poll());
  receiver.reset();
  EXPECT_TRUE(closed.is_woken());
  EXPECT_TRUE(closed.poll());
}

TEST(sync_broadcast, broadcast_sender_new_must_be_closed) {
  auto tx = broadcast::Sender<int>::new_sender(16);
  {
    PollProbe closed(tx.closed());
    EXPECT_TRUE(closed.poll());
  }
  std::optional<broadcast::Receiver<int>> receiver(tx.subscribe());
  EXPECT_TRUE(tx.send(1));
  PollProbe closed(tx.closed());
  EXPECT_FALSE(closed.poll());
  receiver.reset();
  EXPECT_TRUE(closed.is_woken());
  EXPECT_TRUE(closed.poll());
}

}  // namespace
}  // namespace kaido
