// mpsc, what is queued: cases of tokio's sync_mpsc.rs.
#include <kaido/sync/mpsc.h>

#include <cstddef>
#include <utility>

#include <gtest/gtest.h>

#include "sdk/testing/probe.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using testing::ready;

template <typename T>
void drop(T value) {
  static_cast<void>(value);
}

void send_to(const mpsc::Sender<int>& tx) { EXPECT_TRUE(tx.try_send(1).has_value()); }
void send_to(const mpsc::UnboundedSender<int>& tx) { EXPECT_TRUE(tx.send(1).has_value()); }

template <typename Sender>
void send_many(const Sender& tx, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) send_to(tx);
}

template <typename Ends>
void empty_at_first(Ends both) {
  EXPECT_TRUE(both.second.is_empty());
}
template <typename Ends>
void not_empty_with_messages(Ends both) {
  send_many(both.first, 1);
  EXPECT_FALSE(both.second.is_empty());
}
template <typename Ends>
void not_empty_until_the_last(Ends both) {
  auto& [tx, rx] = both;
  send_many(tx, 10);
  for (int i = 0; i < 9; ++i) EXPECT_TRUE(ready(rx.recv()).has_value());
  EXPECT_FALSE(rx.is_empty());
}
template <typename Ends>
void empty_after_draining(Ends both) {
  auto& [tx, rx] = both;
  send_many(tx, 10);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(ready(rx.recv()).has_value());
  EXPECT_TRUE(rx.is_empty());
}
template <typename Ends>
void empty_after_draining_without_senders(Ends both) {
  auto& [tx, rx] = both;
  send_many(tx, 10);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(ready(rx.recv()).has_value());
  drop(std::move(tx));
  EXPECT_TRUE(rx.is_empty());
}

TEST(sync_mpsc, test_rx_is_empty_when_no_messages_were_sent) { empty_at_first(mpsc::channel<int>(10)); }
TEST(sync_mpsc, test_rx_unbounded_is_empty_when_no_messages_were_sent) {
  empty_at_first(mpsc::unbounded_channel<int>());
}
TEST(sync_mpsc, test_rx_is_not_empty_when_there_are_messages_in_the_buffer) {
  not_empty_with_messages(mpsc::channel<int>(10));
}
TEST(sync_mpsc, test_rx_unbounded_is_not_empty_when_there_are_messages_in_the_buffer) {
  not_empty_with_messages(mpsc::unbounded_channel<int>());
}
TEST(sync_mpsc, test_rx_is_not_empty_when_all_but_one_messages_are_consumed) {
  not_empty_until_the_last(mpsc::channel<int>(10));
}
TEST(sync_mpsc, test_rx_unbounded_is_not_empty_when_all_but_one_messages_are_consumed) {
  not_empty_until_the_last(mpsc::unbounded_channel<int>());
}
TEST(sync_mpsc, test_rx_is_empty_when_all_messages_are_consumed) { empty_after_draining(mpsc::channel<int>(10)); }
TEST(sync_mpsc, test_rx_unbounded_is_empty_when_all_messages_are_consumed) {
  empty_after_draining(mpsc::unbounded_channel<int>());
}
TEST(sync_mpsc, test_rx_is_empty_all_senders_are_dropped_and_messages_consumed) {
  empty_after_draining_without_senders(mpsc::channel<int>(10));
}
TEST(sync_mpsc, test_rx_unbounded_is_empty_all_senders_are_dropped_and_messages_consumed) {
  empty_after_draining_without_senders(mpsc::unbounded_channel<int>());
}

TEST(sync_mpsc, test_rx_is_not_empty_when_the_buffer_is_full) {
  auto [tx, rx] = mpsc::channel<int>(10);
  send_many(tx, 10);
  EXPECT_TRUE(tx.try_send(1).error().is_full());
  EXPECT_FALSE(rx.is_empty());
}

template <typename Ends>
void len_is_zero(Ends both) {
  EXPECT_EQ(both.second.len(), 0U);
}
template <typename Ends>
void len_is_zero_without_senders(Ends both) {
  drop(std::move(both.first));
  EXPECT_EQ(both.second.len(), 0U);
}
template <typename Ends>
void len_counts_messages(Ends both) {
  send_many(both.first, 100);
  EXPECT_EQ(both.second.len(), 100U);
}
template <typename Ends>
void len_counts_messages_without_senders(Ends both) {
  auto& [tx, rx] = both;
  send_many(tx, 100);
  drop(std::move(tx));
  EXPECT_EQ(rx.len(), 100U);
}
template <typename Ends>
void len_follows_each_operation(Ends both) {
  auto& [tx, rx] = both;
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(rx.len(), i);
    send_to(tx);
  }
  drop(std::move(tx));
  for (std::size_t i = 100; i > 0; --i) {
    EXPECT_EQ(rx.len(), i);
    EXPECT_TRUE(ready(rx.recv()).has_value());
  }
  EXPECT_EQ(rx.len(), 0U);
}
template <typename Ends>
void len_after_close(Ends both) {
  auto& [tx, rx] = both;
  send_to(tx);
  rx.close();
  EXPECT_EQ(rx.len(), 1U);
}
template <typename Ends>
void len_after_close_then_drop(Ends both) {
  auto& [tx, rx] = both;
  send_to(tx);
  rx.close();
  drop(std::move(tx));
  EXPECT_EQ(rx.len(), 1U);
}
template <typename Ends>
void len_after_drop_then_close(Ends both) {
  auto& [tx, rx] = both;
  send_to(tx);
  drop(std::move(tx));
  rx.close();
  EXPECT_EQ(rx.len(), 1U);
}

TEST(sync_mpsc, test_rx_len_on_empty_channel) { len_is_zero(mpsc::channel<int>(100)); }
TEST(sync_mpsc, test_rx_unbounded_len_on_empty_channel) { len_is_zero(mpsc::unbounded_channel<int>()); }
TEST(sync_mpsc, test_rx_len_on_empty_channel_without_senders) { len_is_zero_without_senders(mpsc::channel<int>(100)); }
TEST(sync_mpsc, test_rx_unbounded_len_on_empty_channel_without_senders) {
  len_is_zero_without_senders(mpsc::unbounded_channel<int>());
}
TEST(sync_mpsc, test_rx_len_on_filled_channel) { len_counts_messages(mpsc::channel<int>(100)); }
TEST(sync_mpsc, test_rx_unbounded_len_with_multiple_messages) { len_counts_messages(mpsc::unbounded_channel<int>()); }
TEST(sync_mpsc, test_rx_len_on_filled_channel_without_senders) {
  len_counts_messages_without_senders(mpsc::channel<int>(100));
}
TEST(sync_mpsc, test_rx_unbounded_len_with_multiple_messages_and_dropped_senders) {
  len_counts_messages_without_senders(mpsc::unbounded_channel<int>());
}
TEST(sync_mpsc, test_rx_len_when_consuming_all_messages) { len_follows_each_operation(mpsc::channel<int>(100)); }
TEST(sync_mpsc, test_rx_unbounded_len_when_consuming_all_messages) {
  len_follows_each_operation(mpsc::unbounded_channel<int>());
}
TEST(sync_mpsc, test_rx_len_when_close_is_called) { len_after_close(mpsc::channel<int>(100)); }
TEST(sync_mpsc, test_rx_unbounded_len_when_close_is_called) { len_after_close(mpsc::unbounded_channel<int>()); }
TEST(sync_mpsc, test_rx_len_when_close_is_called_before_dropping_sender) {
  len_after_close_then_drop(mpsc::channel<int>(100));
}
TEST(sync_mpsc, test_rx_unbounded_len_when_close_is_called_before_dropping_sender) {
  len_after_close_then_drop(mpsc::unbounded_channel<int>());
}
TEST(sync_mpsc, test_rx_len_when_close_is_called_after_dropping_sender) {
  len_after_drop_then_close(mpsc::channel<int>(100));
}
TEST(sync_mpsc, test_rx_unbounded_len_when_close_is_called_after_dropping_sender) {
  len_after_drop_then_close(mpsc::unbounded_channel<int>());
}

}  // namespace
}  // namespace kaido::parity
