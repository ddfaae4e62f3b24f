#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/sync/broadcast.h>

#include "tests/tokio/broadcast_cases.h"

namespace kaido {
namespace {

using IntSender = broadcast::Sender<int>;
using WeakIntSender = broadcast::WeakSender<int>;

TEST(sync_broadcast_weak, weak_sender) {
  auto [tx, rx] = broadcast::channel<int>(11);
  WeakIntSender weak = tx.downgrade();
  {
    std::optional<IntSender> sender = weak.upgrade();
    ASSERT_TRUE(sender);
    parity::send_numbers(*sender, 1, 3);
  }
  parity::expect_numbers(rx, 1, 3);
  {
    IntSender dropped = std::move(tx);
  }
  EXPECT_FALSE(weak.upgrade());
  parity::expect_closed(rx);
}

TEST(sync_broadcast_weak, downgrade_upgrade_sender_failure) {
  auto [tx, rx] = broadcast::channel<int>(1);
  WeakIntSender weak = tx.downgrade();
  {
    IntSender dropped = std::move(tx);
  }
  EXPECT_FALSE(weak.upgrade());
}

TEST(sync_broadcast_weak, downgrade_drop_upgrade) {
  auto [tx, rx] = broadcast::channel<int>(1);
  // Of a copy that is gone at once.
  WeakIntSender weak = IntSender(tx).downgrade();
  {
    IntSender dropped = std::move(tx);
  }
  EXPECT_FALSE(weak.upgrade());
}

TEST(sync_broadcast_weak, test_tx_count_weak_sender) {
  auto [tx, rx] = broadcast::channel<int>(10);
  WeakIntSender weak = tx.downgrade();
  WeakIntSender other = tx.downgrade();
  EXPECT_EQ(tx.strong_count(), 1U);
  EXPECT_EQ(tx.weak_count(), 2U);
  {
    IntSender dropped = std::move(tx);
  }
  EXPECT_FALSE(weak.upgrade());
  EXPECT_FALSE(other.upgrade());
  EXPECT_EQ(weak.strong_count(), 0U);
  EXPECT_EQ(weak.weak_count(), 2U);
}

TEST(sync_broadcast_weak, test_rx_is_closed_when_dropping_all_senders_except_weak_senders) {
  auto [tx, rx] = broadcast::channel<int>(10);
  WeakIntSender weak = tx.downgrade();
  EXPECT_FALSE(rx.is_closed());
  {
    IntSender dropped = std::move(tx);
  }
  EXPECT_TRUE(rx.is_closed());
  parity::expect_closed(rx);
}

TEST(sync_broadcast_weak, sender_strong_count_when_cloned) {
  auto [tx, rx] = broadcast::channel<int>(1);
  IntSender copy = tx;
  EXPECT_EQ(tx.strong_count(), 2U);
  EXPECT_EQ(copy.strong_count(), 2U);
  EXPECT_EQ(rx.sender_strong_count(), 2U);
}

TEST(sync_broadcast_weak, sender_weak_count_when_downgraded) {
  auto [tx, rx] = broadcast::channel<int>(1);
  WeakIntSender weak = tx.downgrade();
  EXPECT_EQ(tx.weak_count(), 1U);
  EXPECT_EQ(weak.weak_count(), 1U);
  EXPECT_EQ(rx.sender_weak_count(), 1U);
}

TEST(sync_broadcast_weak, sender_strong_count_when_dropped) {
  auto [tx, rx] = broadcast::channel<int>(1);
  {
    IntSender copy = tx;
  }
  EXPECT_EQ(tx.strong_count(), 1U);
  EXPECT_EQ(rx.sender_strong_count(), 1U);
}

TEST(sync_broadcast_weak, sender_weak_count_when_dropped) {
  auto [tx, rx] = broadcast::channel<int>(1);
  {
    WeakIntSender weak = tx.downgrade();
  }
  EXPECT_EQ(tx.weak_count(), 0U);
  EXPECT_EQ(rx.sender_weak_count(), 0U);
}

TEST(sync_broadcast_weak, sender_strong_and_weak_conut) {
  auto [tx, rx] = broadcast::channel<int>(1);
  IntSender copy = tx;
  WeakIntSender weak = tx.downgrade();
  WeakIntSender other = weak;
  for (const IntSender* sender : {&tx, &copy}) {
    EXPECT_EQ(sender->strong_count(), 2U);
    EXPECT_EQ(sender->weak_count(), 2U);
  }
  for (const WeakIntSender* sender : {&weak, &other}) {
    EXPECT_EQ(sender->strong_count(), 2U);
    EXPECT_EQ(sender->weak_count(), 2U);
  }
  EXPECT_EQ(rx.sender_strong_count(), 2U);
  EXPECT_EQ(rx.sender_weak_count(), 2U);
}

}  // namespace
}  // namespace kaido
