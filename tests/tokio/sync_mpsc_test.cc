// mpsc, sending and receiving: tokio's sync_mpsc.rs. Other parts: permits, closing, lengths in files of their own.
#include <kaido/sync/mpsc.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/spawn.h>

#include "sdk/testing/probe.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using namespace std::chrono_literals;
using mpsc::TryRecvError;
using testing::probe_of;
using testing::ready;

template <typename T>
void drop(T value) {
  static_cast<void>(value);
}

/// What a stream adapter is: the values of a receiver, one by one, as long as there are any.
template <typename Receiver>
class Stream {
 public:
  explicit Stream(Receiver rx) : rx_(std::move(rx)) {}
  auto next() { return rx_.recv(); }

 private:
  Receiver rx_;
};

Task<void> send_one_and_two(mpsc::Sender<int> tx) {
  EXPECT_TRUE((co_await tx.send(1)).has_value());
  EXPECT_TRUE((co_await tx.send(2)).has_value());
}

Task<void> send_one_and_two_unbounded(mpsc::UnboundedSender<int> tx) {
  EXPECT_TRUE(tx.send(1).has_value());
  EXPECT_TRUE(tx.send(2).has_value());
  co_return;
}

TEST(sync_mpsc, send_recv_with_buffer) {
  auto [tx, rx] = mpsc::channel<int>(16);
  ready(tx.reserve()).value().send(1);
  EXPECT_TRUE(tx.try_send(2).has_value());
  drop(std::move(tx));
  EXPECT_EQ(ready(rx.recv()), 1);
  EXPECT_EQ(ready(rx.recv()), 2);
  EXPECT_EQ(ready(rx.recv()), std::nullopt);
}

TEST(sync_mpsc, send_recv_stream_with_buffer) {
  current_thread().block_on([]() -> Task<void> {
    auto [tx, rx] = mpsc::channel<int>(16);
    Stream stream(std::move(rx));
    auto sender = spawn(send_one_and_two(std::move(tx)));
    EXPECT_EQ(co_await stream.next(), 1);
    EXPECT_EQ(co_await stream.next(), 2);
    EXPECT_EQ(co_await stream.next(), std::nullopt);
  });
}

TEST(sync_mpsc, async_send_recv_with_buffer) {
  current_thread().block_on([]() -> Task<void> {
    auto [tx, rx] = mpsc::channel<int>(16);
    auto sender = spawn(send_one_and_two(std::move(tx)));
    EXPECT_EQ(co_await rx.recv(), 1);
    EXPECT_EQ(co_await rx.recv(), 2);
    EXPECT_EQ(co_await rx.recv(), std::nullopt);
  });
}

TEST(sync_mpsc, async_send_recv_many_with_buffer) {
  current_thread().block_on([]() -> Task<void> {
    auto [tx, rx] = mpsc::channel<int>(2);
    std::vector<int> buffer;
    EXPECT_EQ(co_await rx.recv_many(buffer, 0), 0U);  // Ready at once, though there is nothing.
    auto sender = spawn([](mpsc::Sender<int> to) -> Task<void> {
      for (int value : {1, 2, 7, 0}) EXPECT_TRUE((co_await to.send(value)).has_value());
    }(std::move(tx)));
    std::size_t count = 0;
    while (count < 4) {
      const std::size_t got = co_await rx.recv_many(buffer, 3);
      EXPECT_GE(got, 1U);
      EXPECT_LE(got, 3U);
      count += got;
      EXPECT_EQ(buffer.size(), count);
    }
    const std::vector<int> expected({1, 2, 7, 0});
    EXPECT_EQ(buffer, expected);
    EXPECT_EQ(co_await rx.recv_many(buffer, 3), 0U);
  });
}

TEST(sync_mpsc, start_send_past_cap) {
  auto [tx1, rx] = mpsc::channel<int>(1);
  auto tx2 = tx1.clone();
  EXPECT_TRUE(tx1.try_send(0).has_value());
  using Reserving = testing::Probe<Expected<mpsc::Permit<int>, mpsc::SendError<void>>>;
  std::optional<Reserving> first;
  first.emplace(testing::await_owned(tx1.reserve()));
  EXPECT_FALSE(first->poll());
  {
    auto second = probe_of(tx2.reserve());
    EXPECT_FALSE(second.poll());
    first.reset();
    EXPECT_EQ(ready(rx.recv()), 0);
    EXPECT_TRUE(second.is_woken());
  }
  drop(std::move(tx1));
  drop(std::move(tx2));
  EXPECT_EQ(ready(rx.recv()), std::nullopt);
}

TEST(sync_mpsc, buffer_gteq_one) { EXPECT_THROW(static_cast<void>(mpsc::channel<int>(0)), std::logic_error); }

TEST(sync_mpsc, send_recv_unbounded) {
  auto [tx, rx] = mpsc::unbounded_channel<int>();
  EXPECT_TRUE(tx.send(1).has_value());
  EXPECT_TRUE(tx.send(2).has_value());
  EXPECT_EQ(ready(rx.recv()), 1);
  EXPECT_EQ(ready(rx.recv()), 2);
  drop(std::move(tx));
  EXPECT_EQ(ready(rx.recv()), std::nullopt);
}

TEST(sync_mpsc, send_recv_many_unbounded) {
  auto [tx, rx] = mpsc::unbounded_channel<int>();
  std::vector<int> buffer;
  for (int value : {7, 13, 100, 1002}) EXPECT_TRUE(tx.send(value).has_value());
  EXPECT_EQ(ready(rx.recv_many(buffer, 0)), 0U);
  std::size_t count = 0;
  while (count < 4) count += ready(rx.recv_many(buffer, 1));
  EXPECT_EQ(buffer, std::vector<int>({7, 13, 100, 1002}));
  drop(std::move(tx));
  EXPECT_EQ(ready(rx.recv_many(buffer, 4)), 0U);
  EXPECT_EQ(buffer.size(), 4U);
}

/// Twice as many values as are asked for: the rest comes next, and then recv_many waits as long as there are senders.
template <typename Sender, typename Receiver>
void recv_many_up_to_limit(Sender tx, Receiver rx) {
  std::vector<std::string> expected;
  for (int i = 0; i < 20; ++i) expected.push_back(std::to_string(i));
  for (const auto& text : expected) {
    if constexpr (requires { tx.try_send(text); }) {
      EXPECT_TRUE(tx.try_send(text).has_value());
    } else {
      EXPECT_TRUE(tx.send(text).has_value());
    }
  }
  std::vector<std::string> buffer;
  EXPECT_EQ(ready(rx.recv_many(buffer, 12)), 12U);
  EXPECT_EQ(buffer, std::vector<std::string>(expected.begin(), expected.begin() + 12));
  EXPECT_EQ(ready(rx.recv_many(buffer, 12)), 8U);
  EXPECT_EQ(buffer, expected);
  auto waiting = probe_of(rx.recv_many(buffer, 12));
  EXPECT_FALSE(waiting.poll());
  drop(std::move(tx));
  EXPECT_TRUE(waiting.is_woken());
  ASSERT_TRUE(waiting.poll());
  EXPECT_EQ(waiting.take(), 0U);
  EXPECT_EQ(buffer, expected);
}

TEST(sync_mpsc, send_recv_many_bounded_capacity) {
  auto [tx, rx] = mpsc::channel<std::string>(100);
  recv_many_up_to_limit(std::move(tx), std::move(rx));
}

TEST(sync_mpsc, send_recv_many_unbounded_capacity) {
  auto [tx, rx] = mpsc::unbounded_channel<std::string>();
  recv_many_up_to_limit(std::move(tx), std::move(rx));
}

template <typename Receiver>
void leaves_the_buffer_alone(Receiver rx) {
  std::vector<std::string> buffer({"hello", "world"});
  EXPECT_EQ(ready(rx.recv_many(buffer, 100)), 0U);
  EXPECT_EQ(buffer, std::vector<std::string>({"hello", "world"}));
  EXPECT_EQ(ready(rx.recv()), std::nullopt);
}

TEST(sync_mpsc, recv_many_with_non_empty_buffer_bounded_rx_closed_and_idle) {
  auto both = mpsc::channel<std::string>(1);
  drop(std::move(both.first));
  leaves_the_buffer_alone(std::move(both.second));
}

TEST(sync_mpsc, recv_many_with_non_empty_buffer_unbounded_rx_closed_and_idle) {
  auto both = mpsc::unbounded_channel<std::string>();
  drop(std::move(both.first));
  leaves_the_buffer_alone(std::move(both.second));
}

TEST(sync_mpsc, async_send_recv_unbounded) {
  current_thread().block_on([]() -> Task<void> {
    auto [tx, rx] = mpsc::unbounded_channel<int>();
    auto sender = spawn(send_one_and_two_unbounded(std::move(tx)));
    EXPECT_EQ(co_await rx.recv(), 1);
    EXPECT_EQ(co_await rx.recv(), 2);
    EXPECT_EQ(co_await rx.recv(), std::nullopt);
  });
}

TEST(sync_mpsc, send_recv_stream_unbounded) {
  current_thread().block_on([]() -> Task<void> {
    auto [tx, rx] = mpsc::unbounded_channel<int>();
    Stream stream(std::move(rx));
    auto sender = spawn(send_one_and_two_unbounded(std::move(tx)));
    EXPECT_EQ(co_await stream.next(), 1);
    EXPECT_EQ(co_await stream.next(), 2);
    EXPECT_EQ(co_await stream.next(), std::nullopt);
  });
}

TEST(sync_mpsc, send_recv_buffer_limited) {
  auto [tx, rx] = mpsc::channel<int>(1);
  auto permit = ready(tx.reserve()).value();
  {
    auto waiting = probe_of(tx.reserve());
    EXPECT_FALSE(waiting.poll());
    permit.send(1);
    EXPECT_FALSE(waiting.is_woken());
    EXPECT_EQ(ready(rx.recv()), 1);
    EXPECT_TRUE(waiting.is_woken());
    EXPECT_TRUE(tx.try_send(1337).error().is_full());  // The place is promised.
    ASSERT_TRUE(waiting.poll());
    waiting.take().value().send(2);
    EXPECT_EQ(ready(rx.recv()), 2);
  }
  auto first = ready(tx.reserve()).value();
  {
    auto second = probe_of(tx.reserve());
    EXPECT_FALSE(second.poll());
  }
  drop(std::move(first));
  EXPECT_TRUE(tx.try_reserve().has_value());
}

TEST(sync_mpsc, try_send_fail) {
  auto [tx, rx] = mpsc::channel<std::string>(1);
  EXPECT_TRUE(tx.try_send("hello").has_value());
  auto full = tx.try_send("fail");
  ASSERT_FALSE(full.has_value());
  EXPECT_TRUE(full.error().is_full());
  EXPECT_EQ(full.error().value, "fail");
  EXPECT_EQ(ready(rx.recv()), "hello");
  EXPECT_TRUE(tx.try_send("goodbye").has_value());
  drop(std::move(tx));
  EXPECT_EQ(ready(rx.recv()), "goodbye");
  EXPECT_EQ(ready(rx.recv()), std::nullopt);
}

TEST(sync_mpsc, try_send_fail_with_try_recv) {
  auto [tx, rx] = mpsc::channel<std::string>(1);
  EXPECT_TRUE(tx.try_send("hello").has_value());
  EXPECT_TRUE(tx.try_send("fail").error().is_full());
  EXPECT_EQ(*rx.try_recv(), "hello");
  EXPECT_TRUE(tx.try_send("goodbye").has_value());
  drop(std::move(tx));
  EXPECT_EQ(*rx.try_recv(), "goodbye");
  EXPECT_EQ(rx.try_recv().error(), TryRecvError::kDisconnected);
}

TEST(sync_mpsc, blocking_recv) {
  auto [tx, rx] = mpsc::channel<int>(1);
  std::thread thread([receiver = std::move(rx)]() mutable { EXPECT_EQ(receiver.blocking_recv(), 10); });
  current_thread().block_on([&sender = tx]() -> Task<void> { EXPECT_TRUE((co_await sender.send(10)).has_value()); });
  thread.join();
}

TEST(sync_mpsc, blocking_recv_async) {
  current_thread().block_on([]() -> Task<void> {
    auto [tx, rx] = mpsc::channel<int>(1);
    EXPECT_THROW(static_cast<void>(rx.blocking_recv()), std::logic_error);
    co_return;
  });
}

TEST(sync_mpsc, blocking_send) {
  auto [tx, rx] = mpsc::channel<int>(1);
  std::thread thread([sender = std::move(tx)] { EXPECT_TRUE(sender.blocking_send(10).has_value()); });
  current_thread().block_on([&receiver = rx]() -> Task<void> { EXPECT_EQ(co_await receiver.recv(), 10); });
  thread.join();
}

TEST(sync_mpsc, blocking_send_async) {
  current_thread().block_on([]() -> Task<void> {
    auto [tx, rx] = mpsc::channel<int>(1);
    EXPECT_THROW(static_cast<void>(tx.blocking_send(10)), std::logic_error);
    co_return;
  });
}

TEST(sync_mpsc, try_recv_bounded) {
  auto [tx, rx] = mpsc::channel<std::string>(5);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(tx.try_send("hello").has_value());
  EXPECT_FALSE(tx.try_send("hello").has_value());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(*rx.try_recv(), "hello");
  EXPECT_EQ(rx.try_recv().error(), TryRecvError::kEmpty);

  for (int i = 0; i < 5; ++i) EXPECT_TRUE(tx.try_send("hello").has_value());
  for (int i = 0; i < 2; ++i) EXPECT_EQ(*rx.try_recv(), "hello");
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(tx.try_send("hello").has_value());
  EXPECT_FALSE(tx.try_send("hello").has_value());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(*rx.try_recv(), "hello");
  EXPECT_EQ(rx.try_recv().error(), TryRecvError::kEmpty);

  for (int i = 0; i < 2; ++i) EXPECT_TRUE(tx.try_send("hello").has_value());
  drop(std::move(tx));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(*rx.try_recv(), "hello");
  EXPECT_EQ(rx.try_recv().error(), TryRecvError::kDisconnected);
}

TEST(sync_mpsc, try_recv_unbounded) {
  for (int count = 0; count < 100; ++count) {
    auto [tx, rx] = mpsc::unbounded_channel<int>();
    for (int i = 0; i < count; ++i) EXPECT_TRUE(tx.send(i).has_value());
    for (int i = 0; i < count; ++i) EXPECT_EQ(*rx.try_recv(), i);
    EXPECT_EQ(rx.try_recv().error(), TryRecvError::kEmpty);
    drop(std::move(tx));
    EXPECT_EQ(rx.try_recv().error(), TryRecvError::kDisconnected);
  }
}

TEST(sync_mpsc, recv_timeout) {
  paused().block_on([]() -> Task<void> {
    auto [tx, rx] = mpsc::channel<int>(5);
    for (int i = 0; i < 5; ++i) EXPECT_TRUE((co_await tx.send_timeout(10 + i, 1s)).has_value());
    auto late = co_await tx.send_timeout(50, 1s);
    EXPECT_TRUE(!late.has_value() && late.error().is_timed_out());
    EXPECT_EQ(late.error().value, 50);
    drop(std::move(rx));
    auto refused = co_await tx.send_timeout(60, 1s);
    EXPECT_TRUE(!refused.has_value() && refused.error().is_closed());
    EXPECT_EQ(refused.error().value, 60);
  });
}

TEST(sync_mpsc, recv_timeout_panic) {
  auto [tx, rx] = mpsc::channel<int>(5);
  EXPECT_THROW(static_cast<void>(tx.send_timeout(10, 1s)), std::logic_error);
}

TEST(sync_mpsc, test_is_empty_32_msgs) {
  auto [tx, rx] = mpsc::channel<int>(33);
  for (int value = 0; value < 256; ++value) {
    EXPECT_TRUE(rx.is_empty());
    EXPECT_TRUE(tx.try_send(value).has_value());
    EXPECT_FALSE(rx.is_empty());
    EXPECT_EQ(ready(rx.recv()), value);
    EXPECT_TRUE(rx.is_empty());
  }
}

}  // namespace
}  // namespace kaido::parity
