// broadcast: receivers that fall behind, and what the channel keeps for them.
#include <cstddef>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/sync/broadcast.h>

#include "sdk/testing/poll_probe.h"
#include "tests/tokio/broadcast_cases.h"

namespace kaido {
namespace {

using namespace parity;  // NOLINT: a test's own helpers.
using testing::PollProbe;

/// A channel that has had `first`..`last` sent into it.
auto channel_after(std::size_t capacity, int first, int last) {
  auto channel = broadcast::channel<int>(capacity);
  send_numbers(channel.first, first, last);
  return channel;
}

void drop(broadcast::Sender<int>& sender) { auto dropped = std::move(sender); }

TEST(sync_broadcast, lagging_rx) {
  auto [tx, rx1] = broadcast::channel<int>(2);
  auto rx2 = tx.subscribe();
  send_numbers(tx, 1, 1);
  expect_value(rx1, 1);
  send_numbers(tx, 2, 2);
  expect_value(rx1, 2);
  send_numbers(tx, 3, 3);
  expect_lagged(rx2, 1);
  expect_value(rx2, 2);
  send_numbers(tx, 4, 4);
  expect_numbers(rx2, 3, 4);
  expect_numbers(rx1, 3, 4);
  expect_empty(rx1);
  send_numbers(tx, 5, 7);
  expect_lagged(rx1, 1);
  expect_lagged(rx2, 1);
  expect_numbers(rx2, 6, 7);
}

TEST(sync_broadcast, single_capacity_recvs) {
  auto [tx, rx] = channel_after(1, 1, 1);
  expect_value(rx, 1);
  expect_empty(rx);
}

TEST(sync_broadcast, single_capacity_recvs_after_drop_1) {
  auto [tx, rx] = channel_after(1, 1, 1);
  drop(tx);
  expect_value(rx, 1);
  expect_closed(rx);
}

TEST(sync_broadcast, single_capacity_recvs_after_drop_2) {
  auto [tx, rx] = channel_after(1, 1, 2);
  drop(tx);
  expect_lagged(rx, 1);
  expect_value(rx, 2);
  expect_closed(rx);
}

TEST(sync_broadcast, dropping_sender_does_not_overwrite) {
  auto [tx, rx] = channel_after(2, 1, 2);
  drop(tx);
  expect_numbers(rx, 1, 2);
  expect_closed(rx);
}

TEST(sync_broadcast, lagging_receiver_recovers_after_wrap_closed_1) {
  auto [tx, rx] = channel_after(2, 1, 3);
  drop(tx);
  expect_lagged(rx, 1);
  expect_numbers(rx, 2, 3);
  expect_closed(rx);
}

TEST(sync_broadcast, lagging_receiver_recovers_after_wrap_closed_2) {
  auto [tx, rx] = channel_after(2, 1, 4);
  drop(tx);
  expect_lagged(rx, 2);
  expect_numbers(rx, 3, 4);
  expect_closed(rx);
}

TEST(sync_broadcast, lagging_receiver_recovers_after_wrap_open) {
  auto [tx, rx] = channel_after(2, 1, 3);
  expect_lagged(rx, 1);
  expect_numbers(rx, 2, 3);
  expect_empty(rx);
}

TEST(sync_broadcast, receiver_len_with_lagged) {
  auto [tx, rx] = channel_after(3, 10, 30);
  EXPECT_EQ(rx.len(), 21U);
  expect_lagged(rx, 17);
  EXPECT_EQ(rx.len(), 4U);
  EXPECT_FALSE(rx.is_empty());
}

TEST(sync_broadcast, resubscribe_lagged) {
  auto [tx, rx] = channel_after(1, 1, 2);
  auto again = rx.resubscribe();
  expect_lagged(rx, 1);
  expect_empty(again);
  expect_value(rx, 2);
  expect_empty(rx);
  expect_empty(again);
}

TEST(sync_broadcast, slow_receiver_within_capacity_does_not_lag) {
  auto [tx, rx] = channel_after(4, 1, 4);
  expect_numbers(rx, 1, 4);
  expect_empty(rx);
}

TEST(sync_broadcast, capacity_overflow_reports_lagged_then_oldest_retained) {
  auto [tx, rx] = broadcast::channel<int>(2);
  for (int value : {10, 20, 30}) EXPECT_TRUE(tx.send(value));
  expect_lagged(rx, 1);
  expect_value(rx, 20);
  expect_value(rx, 30);
  expect_empty(rx);
}

TEST(sync_broadcast, lagged_count_matches_number_of_overwritten_messages) {
  auto [tx, rx] = channel_after(2, 2, 6);
  expect_lagged(rx, 3);
  expect_value(rx, 5);
}

TEST(sync_broadcast, lag_uses_power_of_two_buffer_length) {
  auto [tx, rx] = channel_after(3, 1, 4);
  expect_value(rx, 1);
  send_numbers(tx, 5, 6);
  expect_lagged(rx, 1);
  expect_numbers(rx, 3, 6);
}

TEST(sync_broadcast, async_recv_lagged_then_resumes_from_oldest_retained) {
  auto [tx, rx] = broadcast::channel<int>(2);
  for (int value : {10, 20, 30}) EXPECT_TRUE(tx.send(value));
  {
    PollProbe recv(rx.recv());
    ASSERT_TRUE(recv.poll());
    EXPECT_EQ(recv.take().error(), broadcast::RecvError::lagged(1));
  }
  for (int value : {20, 30}) {
    PollProbe recv(rx.recv());
    ASSERT_TRUE(recv.poll());
    EXPECT_EQ(recv.take().value(), value);
  }
}

TEST(sync_broadcast, lag_catch_up_then_lag_again) {
  auto [tx, rx] = channel_after(2, 1, 4);
  expect_lagged(rx, 2);
  expect_numbers(rx, 3, 4);
  expect_empty(rx);
  send_numbers(tx, 5, 7);
  expect_lagged(rx, 1);
  expect_numbers(rx, 6, 7);
}

TEST(sync_broadcast, lag_is_per_receiver) {
  auto [tx, slow] = broadcast::channel<int>(2);
  auto fast = tx.subscribe();
  for (int value = 1; value <= 4; ++value) {
    send_numbers(tx, value, value);
    expect_value(fast, value);
  }
  expect_empty(fast);
  expect_lagged(slow, 2);
  expect_numbers(slow, 3, 4);
}

TEST(sync_broadcast, lag_again_before_reading_retained_messages) {
  auto [tx, rx] = channel_after(2, 1, 5);
  expect_lagged(rx, 3);
  send_numbers(tx, 6, 8);
  expect_lagged(rx, 3);
  expect_numbers(rx, 7, 8);
}

TEST(sync_broadcast, single_slot_capacity_lag_semantics) {
  auto [tx, rx] = channel_after(1, 1, 2);
  expect_lagged(rx, 1);
  expect_value(rx, 2);
  expect_empty(rx);
}

TEST(sync_broadcast, receiver_len_after_lag_error_advances_cursor) {
  auto [tx, rx] = channel_after(2, 1, 4);
  EXPECT_EQ(rx.len(), 4U);
  expect_lagged(rx, 2);
  EXPECT_EQ(rx.len(), 2U);
  expect_value(rx, 3);
  EXPECT_EQ(rx.len(), 1U);
  expect_value(rx, 4);
  EXPECT_EQ(rx.len(), 0U);
  EXPECT_TRUE(rx.is_empty());
}

}  // namespace
}  // namespace kaido
