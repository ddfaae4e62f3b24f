// mpsc, weak senders of both kinds of channel: tokio's sync_mpsc_weak.rs.
#include <kaido/sync/mpsc.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/spawn.h>
#include <kaido/sync/oneshot.h>

#include "sdk/testing/probe.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using testing::ready;

template <typename T>
void drop(T value) {
  static_cast<void>(value);
}

struct Bounded {
  template <typename T>
  static auto channel(std::size_t capacity) {
    return mpsc::channel<T>(capacity);
  }
  template <typename T>
  static bool send(const mpsc::Sender<T>& tx, T value) {
    return ready(tx.send(std::move(value))).has_value();
  }
};

struct Unbounded {
  template <typename T>
  static auto channel(std::size_t) {
    return mpsc::unbounded_channel<T>();
  }
  template <typename T>
  static bool send(const mpsc::UnboundedSender<T>& tx, T value) {
    return tx.send(std::move(value)).has_value();
  }
};

template <typename Kind>
void weak_upgrades_while_a_sender_lives() {
  auto [tx, rx] = Kind::template channel<int>(11);
  const auto weak = tx.downgrade();
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(Kind::send(tx, i));
  {
    const auto upgraded = weak.upgrade();
    ASSERT_TRUE(upgraded.has_value());
    for (int i = 5; i < 10; ++i) EXPECT_TRUE(Kind::send(*upgraded, i));
  }
  drop(std::move(tx));
  EXPECT_FALSE(weak.upgrade().has_value());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ready(rx.recv()), i);
  EXPECT_EQ(ready(rx.recv()), std::nullopt);
}

TEST(sync_mpsc_weak, weak_sender) { weak_upgrades_while_a_sender_lives<Bounded>(); }
TEST(sync_mpsc_weak, weak_unbounded_sender) { weak_upgrades_while_a_sender_lives<Unbounded>(); }

/// An actor that counts its requests and holds a weak sender to itself; it ends when the last handle is dropped.
template <typename Receiver, typename Weak>
Task<int> run_actor(Receiver rx, Weak self) {
  int requests = 0;
  while (std::optional<oneshot::Sender<int>> reply = co_await rx.recv()) {
    EXPECT_TRUE(self.upgrade().has_value());
    EXPECT_TRUE(reply->send(++requests).has_value());
  }
  EXPECT_FALSE(self.upgrade().has_value());
  co_return requests;
}

template <typename Kind>
void actor_ends_with_its_last_handle() {
  current_thread().block_on([]() -> Task<void> {
    auto both = Kind::template channel<oneshot::Sender<int>>(8);
    auto weak = both.first.downgrade();
    auto actor = spawn(run_actor(std::move(both.second), std::move(weak)));
    for (int i = 1; i <= 3; ++i) {
      auto reply = oneshot::channel<int>();
      EXPECT_TRUE(Kind::send(both.first, std::move(reply.first)));
      auto number = co_await reply.second;
      EXPECT_EQ(*number, i);
    }
    drop(std::move(both.first));
    auto requests = co_await actor;
    EXPECT_EQ(*requests, 3);
  });
}

TEST(sync_mpsc_weak, actor_weak_sender) { actor_ends_with_its_last_handle<Bounded>(); }
TEST(sync_mpsc_weak, actor_weak_unbounded_sender) { actor_ends_with_its_last_handle<Unbounded>(); }

template <typename Kind>
void messages_are_destroyed_with_the_receiver() {
  auto [tx, rx] = Kind::template channel<std::shared_ptr<int>>(3);
  auto value = std::make_shared<int>(0);
  EXPECT_TRUE(Kind::send(tx, value));
  EXPECT_TRUE(Kind::send(tx, value));
  EXPECT_EQ(value.use_count(), 3);
  drop(std::move(rx));
  EXPECT_EQ(value.use_count(), 1);
  EXPECT_FALSE(Kind::send(tx, value));
  EXPECT_EQ(value.use_count(), 1);
}

TEST(sync_mpsc_weak, test_msgs_dropped_on_rx_drop) { messages_are_destroyed_with_the_receiver<Bounded>(); }
TEST(sync_mpsc_weak, test_msgs_dropped_on_unbounded_rx_drop) { messages_are_destroyed_with_the_receiver<Unbounded>(); }

template <typename Kind>
void upgrade_succeeds() {
  auto [tx, rx] = Kind::template channel<int>(1);
  const auto weak = tx.downgrade();
  EXPECT_TRUE(weak.upgrade().has_value());
  EXPECT_TRUE(weak.upgrade()->same_channel(tx));
}
template <typename Kind>
void upgrade_fails() {
  auto [tx, rx] = Kind::template channel<int>(1);
  const auto weak = tx.downgrade();
  drop(std::move(tx));
  EXPECT_FALSE(weak.upgrade().has_value());
}
template <typename Kind>
void weak_of_a_temporary_clone() {
  auto [tx, rx] = Kind::template channel<int>(1);
  const auto weak = tx.clone().downgrade();
  EXPECT_TRUE(weak.upgrade().has_value());
  drop(std::move(tx));
  EXPECT_FALSE(weak.upgrade().has_value());
}

TEST(sync_mpsc_weak, downgrade_upgrade_sender_success) { upgrade_succeeds<Bounded>(); }
TEST(sync_mpsc_weak, downgrade_upgrade_unbounded_sender_success) { upgrade_succeeds<Unbounded>(); }
TEST(sync_mpsc_weak, downgrade_upgrade_sender_failure) { upgrade_fails<Bounded>(); }
TEST(sync_mpsc_weak, downgrade_upgrade_unbounded_sender_failure) { upgrade_fails<Unbounded>(); }
TEST(sync_mpsc_weak, downgrade_drop_upgrade) { weak_of_a_temporary_clone<Bounded>(); }
TEST(sync_mpsc_weak, downgrade_drop_upgrade_unbounded) { weak_of_a_temporary_clone<Unbounded>(); }

TEST(sync_mpsc_weak, downgrade_get_permit_upgrade_no_senders) {
  auto [tx, rx] = mpsc::channel<int>(1);
  const auto weak = tx.downgrade();
  auto permit = ready(std::move(tx).reserve_owned()).value();
  EXPECT_TRUE(weak.upgrade().has_value());
  drop(std::move(permit));
  EXPECT_FALSE(weak.upgrade().has_value());
}

TEST(sync_mpsc_weak, downgrade_upgrade_get_permit_no_senders) {
  auto [tx, rx] = mpsc::channel<int>(1);
  const auto other = tx;
  const auto weak = other.downgrade();
  auto upgraded = weak.upgrade();
  ASSERT_TRUE(upgraded.has_value());
  auto permit = ready(std::move(*upgraded).reserve_owned()).value();
  drop(std::move(tx));
  EXPECT_TRUE(permit.same_channel_as_sender(other));
  EXPECT_TRUE(weak.upgrade().has_value());
}

template <typename Kind>
void weak_senders_do_not_count_as_senders() {
  auto [tx, rx] = Kind::template channel<int>(1);
  const auto weak = tx.downgrade();
  const auto weak2 = tx.downgrade();
  drop(std::move(tx));
  EXPECT_FALSE(weak.upgrade().has_value());
  EXPECT_FALSE(weak2.upgrade().has_value());
}
template <typename Kind>
void closed_with_weak_senders_only() {
  auto [tx, rx] = Kind::template channel<int>(10);
  const auto weak = tx.downgrade();
  drop(std::move(tx));
  EXPECT_TRUE(rx.is_closed());
}

TEST(sync_mpsc_weak, test_tx_count_weak_sender) { weak_senders_do_not_count_as_senders<Bounded>(); }
TEST(sync_mpsc_weak, test_tx_count_weak_unbounded_sender) { weak_senders_do_not_count_as_senders<Unbounded>(); }
TEST(sync_mpsc_weak, test_rx_is_closed_when_dropping_all_senders_except_weak_senders) {
  closed_with_weak_senders_only<Bounded>();
}
TEST(sync_mpsc_weak, test_rx_unbounded_is_closed_when_dropping_all_senders_except_weak_senders) {
  closed_with_weak_senders_only<Unbounded>();
}

template <typename Kind>
void strong_count_of_a_clone() {
  auto [tx, rx] = Kind::template channel<int>(1);
  const auto other = tx.clone();
  EXPECT_EQ(tx.strong_count(), 2U);
  EXPECT_EQ(other.strong_count(), 2U);
  EXPECT_EQ(rx.sender_strong_count(), 2U);
}
template <typename Kind>
void weak_count_of_a_downgrade() {
  auto [tx, rx] = Kind::template channel<int>(1);
  const auto weak = tx.downgrade();
  EXPECT_EQ(tx.weak_count(), 1U);
  EXPECT_EQ(weak.weak_count(), 1U);
  EXPECT_EQ(rx.sender_weak_count(), 1U);
}
template <typename Kind>
void strong_count_after_drop() {
  auto [tx, rx] = Kind::template channel<int>(1);
  drop(tx.clone());
  EXPECT_EQ(tx.strong_count(), 1U);
  EXPECT_EQ(rx.sender_strong_count(), 1U);
}
template <typename Kind>
void weak_count_after_drop() {
  auto [tx, rx] = Kind::template channel<int>(1);
  drop(tx.downgrade());
  EXPECT_EQ(tx.weak_count(), 0U);
  EXPECT_EQ(rx.sender_weak_count(), 0U);
}
template <typename Kind>
void mixed_counts() {
  auto [tx, rx] = Kind::template channel<int>(1);
  auto other = tx.clone();
  const auto weak = tx.downgrade();
  auto weak2 = other.downgrade();
  for (const auto* sender : {&tx, &other}) {
    EXPECT_EQ(sender->strong_count(), 2U);
    EXPECT_EQ(sender->weak_count(), 2U);
  }
  EXPECT_EQ(weak.strong_count(), 2U);
  EXPECT_EQ(weak2.weak_count(), 2U);
  drop(std::move(other));
  drop(std::move(weak2));
  EXPECT_EQ(weak.strong_count(), 1U);
  EXPECT_EQ(weak.weak_count(), 1U);
  EXPECT_EQ(rx.sender_strong_count(), 1U);
  EXPECT_EQ(rx.sender_weak_count(), 1U);
  drop(std::move(tx));
  EXPECT_EQ(weak.strong_count(), 0U);
}

TEST(sync_mpsc_weak, sender_strong_count_when_cloned) { strong_count_of_a_clone<Bounded>(); }
TEST(sync_mpsc_weak, unbounded_sender_strong_count_when_cloned) { strong_count_of_a_clone<Unbounded>(); }
TEST(sync_mpsc_weak, sender_weak_count_when_downgraded) { weak_count_of_a_downgrade<Bounded>(); }
TEST(sync_mpsc_weak, unbounded_sender_weak_count_when_downgraded) { weak_count_of_a_downgrade<Unbounded>(); }
TEST(sync_mpsc_weak, sender_strong_count_when_dropped) { strong_count_after_drop<Bounded>(); }
TEST(sync_mpsc_weak, unbounded_sender_strong_count_when_dropped) { strong_count_after_drop<Unbounded>(); }
TEST(sync_mpsc_weak, sender_weak_count_when_dropped) { weak_count_after_drop<Bounded>(); }
TEST(sync_mpsc_weak, unbounded_sender_weak_count_when_dropped) { weak_count_after_drop<Unbounded>(); }
TEST(sync_mpsc_weak, sender_strong_and_weak_conut) { mixed_counts<Bounded>(); }
TEST(sync_mpsc_weak, unbounded_sender_strong_and_weak_conut) { mixed_counts<Unbounded>(); }

}  // namespace
}  // namespace kaido::parity
