// mpsc, how a channel ends: cases of tokio's sync_mpsc.rs.
#include <kaido/sync/mpsc.h>

#include <memory>
#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include "sdk/testing/probe.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using mpsc::TryRecvError;
using testing::probe_of;
using testing::ready;

template <typename T>
void drop(T value) {
  static_cast<void>(value);
}

TEST(sync_mpsc, recv_close_gets_none_idle) {
  auto [tx, rx] = mpsc::channel<int>(10);
  rx.close();
  EXPECT_EQ(ready(rx.recv()), std::nullopt);
  auto refused = ready(tx.send(1));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().value, 1);
}

TEST(sync_mpsc, recv_close_gets_none_reserved) {
  auto [tx1, rx] = mpsc::channel<int>(1);
  const auto tx2 = tx1;
  auto permit = ready(tx1.reserve()).value();
  auto waiting = probe_of(tx2.reserve());
  EXPECT_FALSE(waiting.poll());
  rx.close();
  EXPECT_TRUE(waiting.is_woken());
  ASSERT_TRUE(waiting.poll());
  EXPECT_FALSE(waiting.take().has_value());
  {
    auto receiving = probe_of(rx.recv());
    EXPECT_FALSE(receiving.poll());
    permit.send(123);
    EXPECT_TRUE(receiving.is_woken());
    ASSERT_TRUE(receiving.poll());
    EXPECT_EQ(receiving.take(), 123);
  }
  EXPECT_EQ(ready(rx.recv()), std::nullopt);
}

TEST(sync_mpsc, tx_close_gets_none) {
  auto [tx, rx] = mpsc::channel<int>(10);
  drop(std::move(tx));
  EXPECT_EQ(ready(rx.recv()), std::nullopt);
}

TEST(sync_mpsc, dropping_rx_closes_channel) {
  auto [tx, rx] = mpsc::channel<std::shared_ptr<int>>(100);
  auto value = std::make_shared<int>(1);
  EXPECT_TRUE(ready(tx.send(value)).has_value());
  EXPECT_EQ(value.use_count(), 2);
  drop(std::move(rx));
  EXPECT_TRUE(tx.is_closed());
  EXPECT_FALSE(ready(tx.reserve()).has_value());
  EXPECT_EQ(value.use_count(), 1);
}

TEST(sync_mpsc, dropping_rx_closes_channel_for_try) {
  auto [tx, rx] = mpsc::channel<std::shared_ptr<int>>(100);
  auto value = std::make_shared<int>(1);
  EXPECT_TRUE(tx.try_send(value).has_value());
  drop(std::move(rx));
  EXPECT_TRUE(tx.try_send(value).error().is_closed());
  EXPECT_TRUE(tx.try_reserve().error().is_closed());
  EXPECT_TRUE(tx.clone().try_reserve_owned().error().is_closed());
  EXPECT_EQ(value.use_count(), 1);
}

TEST(sync_mpsc, unconsumed_messages_are_dropped) {
  auto value = std::make_shared<int>(1);
  {
    auto [tx, rx] = mpsc::channel<std::shared_ptr<int>>(100);
    EXPECT_TRUE(ready(tx.send(value)).has_value());
    EXPECT_EQ(value.use_count(), 2);
  }
  EXPECT_EQ(value.use_count(), 1);
}

TEST(sync_mpsc, ready_close_cancel_bounded) {
  auto [tx, rx] = mpsc::channel<int>(100);
  auto permit = ready(tx.reserve()).value();
  rx.close();
  auto receiving = probe_of(rx.recv());
  EXPECT_FALSE(receiving.poll());
  drop(std::move(permit));
  EXPECT_TRUE(receiving.is_woken());
  ASSERT_TRUE(receiving.poll());
  EXPECT_EQ(receiving.take(), std::nullopt);
}

TEST(sync_mpsc, permit_available_not_acquired_close) {
  auto [tx1, rx] = mpsc::channel<int>(1);
  const auto tx2 = tx1;
  auto permit = ready(tx1.reserve()).value();
  {
    auto waiting = probe_of(tx2.reserve());
    EXPECT_FALSE(waiting.poll());
    rx.close();
    drop(std::move(permit));
    EXPECT_TRUE(waiting.is_woken());
  }
  EXPECT_EQ(ready(rx.recv()), std::nullopt);
}

TEST(sync_mpsc, try_recv_after_receiver_close) {
  auto [tx, rx] = mpsc::channel<int>(5);
  EXPECT_EQ(rx.try_recv().error(), TryRecvError::kEmpty);
  rx.close();
  EXPECT_EQ(rx.try_recv().error(), TryRecvError::kDisconnected);
}

TEST(sync_mpsc, try_recv_after_receiver_close_with_permit) {
  auto [tx, rx] = mpsc::channel<int>(5);
  auto permit = tx.try_reserve().value();
  rx.close();
  EXPECT_EQ(rx.try_recv().error(), TryRecvError::kEmpty);
  drop(std::move(permit));
  EXPECT_EQ(rx.try_recv().error(), TryRecvError::kDisconnected);
}

template <typename Ends>
void empty_then_disconnected(Ends both) {
  EXPECT_EQ(both.second.try_recv().error(), TryRecvError::kEmpty);
  drop(std::move(both.first));
  EXPECT_EQ(both.second.try_recv().error(), TryRecvError::kDisconnected);
}

TEST(sync_mpsc, try_recv_close_while_empty_bounded) { empty_then_disconnected(mpsc::channel<int>(5)); }
TEST(sync_mpsc, try_recv_close_while_empty_unbounded) { empty_then_disconnected(mpsc::unbounded_channel<int>()); }

// is_closed() of the receiver, on both kinds of channel.

void send_to(const mpsc::Sender<int>& tx) { EXPECT_TRUE(tx.try_send(1).has_value()); }
void send_to(const mpsc::UnboundedSender<int>& tx) { EXPECT_TRUE(tx.send(1).has_value()); }

template <typename Ends>
void closed_by_close(Ends both) {
  auto& [tx, rx] = both;
  EXPECT_FALSE(rx.is_closed());
  rx.close();
  EXPECT_TRUE(rx.is_closed());
  EXPECT_TRUE(tx.is_closed());
}
template <typename Ends>
void closed_by_dropping_all_senders(Ends both) {
  auto& [tx, rx] = both;
  auto other = tx.clone();
  drop(std::move(tx));
  EXPECT_FALSE(rx.is_closed());
  drop(std::move(other));
  EXPECT_TRUE(rx.is_closed());
}
template <typename Ends>
void open_with_senders(Ends both) {
  EXPECT_FALSE(both.second.is_closed());
}
template <typename Ends>
void closed_without_senders_with_messages(Ends both) {
  auto& [tx, rx] = both;
  send_to(tx);
  send_to(tx);
  drop(std::move(tx));
  EXPECT_TRUE(rx.is_closed());
  EXPECT_EQ(rx.len(), 2U);
}
template <typename Ends>
void closed_by_close_with_messages(Ends both) {
  auto& [tx, rx] = both;
  send_to(tx);
  rx.close();
  EXPECT_TRUE(rx.is_closed());
  EXPECT_EQ(rx.len(), 1U);
}

TEST(sync_mpsc, test_rx_is_closed_when_calling_close_with_sender) { closed_by_close(mpsc::channel<int>(10)); }
TEST(sync_mpsc, test_rx_unbounded_is_closed_when_calling_close_with_sender) {
  closed_by_close(mpsc::unbounded_channel<int>());
}
TEST(sync_mpsc, test_rx_is_closed_when_dropping_all_senders) { closed_by_dropping_all_senders(mpsc::channel<int>(10)); }
TEST(sync_mpsc, test_rx_unbounded_is_closed_when_dropping_all_senders) {
  closed_by_dropping_all_senders(mpsc::unbounded_channel<int>());
}
TEST(sync_mpsc, test_rx_is_not_closed_when_there_are_senders) { open_with_senders(mpsc::channel<int>(10)); }
TEST(sync_mpsc, test_rx_unbounded_is_not_closed_when_there_are_senders) {
  open_with_senders(mpsc::unbounded_channel<int>());
}
TEST(sync_mpsc, test_rx_is_closed_when_there_are_no_senders_and_there_are_messages) {
  closed_without_senders_with_messages(mpsc::channel<int>(10));
}
TEST(sync_mpsc, test_rx_unbounded_is_closed_when_there_are_no_senders_and_there_are_messages) {
  closed_without_senders_with_messages(mpsc::unbounded_channel<int>());
}
TEST(sync_mpsc, test_rx_is_closed_when_there_are_messages_and_close_is_called) {
  closed_by_close_with_messages(mpsc::channel<int>(10));
}
TEST(sync_mpsc, test_rx_unbounded_is_closed_when_there_are_messages_and_close_is_called) {
  closed_by_close_with_messages(mpsc::unbounded_channel<int>());
}

TEST(sync_mpsc, test_rx_is_not_closed_when_there_are_senders_and_buffer_filled) {
  auto [tx, rx] = mpsc::channel<int>(10);
  for (int i = 0; i < 10; ++i) send_to(tx);
  EXPECT_TRUE(tx.try_send(1).error().is_full());
  EXPECT_FALSE(rx.is_closed());
}

TEST(sync_mpsc, test_rx_is_not_closed_when_there_are_permits_but_not_senders) {
  auto [tx, rx] = mpsc::channel<int>(10);
  auto permit = ready(std::move(tx).reserve_owned()).value();
  EXPECT_FALSE(rx.is_closed());
  drop(std::move(permit));
  EXPECT_TRUE(rx.is_closed());
}

}  // namespace
}  // namespace kaido::parity
