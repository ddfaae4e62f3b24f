// mpsc, permits: cases of tokio's sync_mpsc.rs.
#include <kaido/sync/mpsc.h>

#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/sync/semaphore.h>

#include "sdk/testing/probe.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using mpsc::TryRecvError;
using testing::probe_of;
using testing::ready;

using Permit = mpsc::Permit<int>;

template <typename T>
void drop(T value) {
  static_cast<void>(value);
}

TEST(sync_mpsc, reserve_disarm) {
  auto [tx, rx] = mpsc::channel<int>(2);
  const auto tx2 = tx;
  const auto tx3 = tx;
  const auto tx4 = tx;
  auto permit1 = ready(tx.reserve()).value();
  auto permit2 = ready(tx2.reserve()).value();
  auto third = probe_of(tx3.reserve());
  EXPECT_FALSE(third.poll());
  auto fourth = probe_of(tx4.reserve());
  EXPECT_FALSE(fourth.poll());
  // A value that was sent keeps its place until it is received.
  permit1.send(1);
  EXPECT_FALSE(third.is_woken());
  EXPECT_EQ(ready(rx.recv()), 1);
  EXPECT_TRUE(third.is_woken());
  EXPECT_FALSE(fourth.is_woken());
  // A permit that is dropped gives its place to the next.
  drop(std::move(permit2));
  EXPECT_TRUE(fourth.is_woken());
  ASSERT_TRUE(fourth.poll());
  auto permit4 = fourth.take().value();
  ASSERT_TRUE(third.poll());
  drop(third.take().value());
  auto fifth = ready(tx.reserve()).value();
  auto sixth = probe_of(tx2.reserve());
  EXPECT_FALSE(sixth.poll());
}

TEST(sync_mpsc, reserve_many_above_cap) {
  constexpr std::size_t kMax = Semaphore::kMaxPermits;
  auto [tx, rx] = mpsc::channel<int>(1);
  EXPECT_FALSE(ready(tx.reserve_many(2)).has_value());
  EXPECT_FALSE(ready(tx.reserve_many(kMax + 1)).has_value());
  EXPECT_FALSE(ready(tx.reserve_many(std::numeric_limits<std::size_t>::max())).has_value());
}

TEST(sync_mpsc, try_reserve_many_zero) {
  auto [tx, rx] = mpsc::channel<int>(1);
  EXPECT_EQ(tx.try_reserve_many(0)->size(), 0U);
  EXPECT_TRUE(tx.try_send(1).has_value());
  EXPECT_TRUE(tx.try_reserve_many(0).has_value());  // Also when it is full.
  drop(std::move(rx));
  EXPECT_TRUE(tx.try_reserve_many(0).error().is_closed());
}

TEST(sync_mpsc, reserve_many_zero) {
  auto [tx, rx] = mpsc::channel<int>(1);
  EXPECT_EQ(ready(tx.reserve_many(0))->size(), 0U);
  EXPECT_TRUE(tx.try_send(1).has_value());
  EXPECT_TRUE(ready(tx.reserve_many(0)).has_value());
  drop(std::move(rx));
  EXPECT_FALSE(ready(tx.reserve_many(0)).has_value());
}

TEST(sync_mpsc, try_reserve_many_edge_cases) {
  constexpr std::size_t kMax = Semaphore::kMaxPermits;
  auto [tx, rx] = mpsc::channel<int>(kMax);
  EXPECT_TRUE(tx.try_reserve_many(kMax).has_value());
  EXPECT_TRUE(tx.try_reserve_many(kMax + 1).error().is_full());
  EXPECT_TRUE(tx.try_reserve_many(std::numeric_limits<std::size_t>::max()).error().is_full());
}

TEST(sync_mpsc, try_reserve_fails) {
  auto [tx, rx] = mpsc::channel<int>(1);
  {
    auto permit = tx.try_reserve();
    ASSERT_TRUE(permit.has_value());
    EXPECT_TRUE(tx.try_reserve().error().is_full());
  }
  EXPECT_TRUE(tx.try_reserve().has_value());
}

template <typename Reserve>
void reserve_send_and_receive(Reserve reserve) {
  for (std::size_t count = 0; count < 100; ++count) {
    auto [tx, rx] = mpsc::channel<int>(100);
    auto permits = reserve(tx, count);
    EXPECT_EQ(permits.size(), count);
    int sent = 0;
    for (Permit& permit : permits) permit.send(sent++);
    EXPECT_FALSE(permits.next().has_value());
    for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(*rx.try_recv(), static_cast<int>(i));
    EXPECT_EQ(rx.try_recv().error(), TryRecvError::kEmpty);
  }
}

TEST(sync_mpsc, reserve_many_and_send) {
  reserve_send_and_receive([](auto& tx, std::size_t count) { return ready(tx.reserve_many(count)).value(); });
}

TEST(sync_mpsc, try_reserve_many_and_send) {
  reserve_send_and_receive([](auto& tx, std::size_t count) { return tx.try_reserve_many(count).value(); });
}

TEST(sync_mpsc, reserve_many_on_closed_channel) {
  auto [tx, rx] = mpsc::channel<int>(100);
  drop(std::move(rx));
  EXPECT_FALSE(ready(tx.reserve_many(10)).has_value());
}

TEST(sync_mpsc, try_reserve_many_on_closed_channel) {
  auto [tx, rx] = mpsc::channel<int>(100);
  drop(std::move(rx));
  EXPECT_TRUE(tx.try_reserve_many(10).error().is_closed());
}

TEST(sync_mpsc, try_reserve_many_full) {
  // n permits of n + 1 places, of which k send.
  for (std::size_t n = 1; n < 30; ++n) {
    for (std::size_t k = 0; k <= n; ++k) {
      auto [tx, rx] = mpsc::channel<int>(n + 1);
      {
        auto permits = tx.try_reserve_many(n).value();
        EXPECT_EQ(permits.size(), n);
        EXPECT_EQ(tx.capacity(), 1U);
        EXPECT_TRUE(tx.try_reserve_many(2).error().is_full());
        for (std::size_t i = 0; i < k; ++i) permits.next()->send(1);
        EXPECT_EQ(permits.size(), n - k);
      }
      EXPECT_EQ(tx.capacity(), n + 1 - k);
      EXPECT_TRUE(tx.try_reserve_many(n + 2 - k).error().is_full());
      EXPECT_EQ(tx.try_reserve_many(n + 1 - k)->size(), n + 1 - k);
    }
  }
}

TEST(sync_mpsc, drop_permit_releases_permit) {
  auto [tx, rx] = mpsc::channel<int>(1);
  const auto tx2 = tx;
  auto permit = ready(tx.reserve()).value();
  auto waiting = probe_of(tx2.reserve());
  EXPECT_FALSE(waiting.poll());
  drop(std::move(permit));
  EXPECT_TRUE(waiting.is_woken());
  ASSERT_TRUE(waiting.poll());
  EXPECT_TRUE(waiting.take().has_value());
}

TEST(sync_mpsc, drop_permit_iterator_releases_permits) {
  constexpr std::size_t kCapacity = 10;
  for (std::size_t n = 1; n <= kCapacity; ++n) {
    auto [tx, rx] = mpsc::channel<int>(kCapacity);
    const auto tx2 = tx;
    auto permits = ready(tx.reserve_many(n)).value();
    auto waiting = probe_of(tx2.reserve_many(kCapacity));
    EXPECT_FALSE(waiting.poll());
    drop(std::move(permits));
    EXPECT_TRUE(waiting.is_woken());
    ASSERT_TRUE(waiting.poll());
    EXPECT_EQ(waiting.take()->size(), kCapacity);
    EXPECT_EQ(tx.capacity(), kCapacity);
  }
}

TEST(sync_mpsc, test_tx_capacity) {
  auto [tx, rx] = mpsc::channel<int>(10);
  EXPECT_EQ(tx.capacity(), 10U);
  EXPECT_EQ(tx.max_capacity(), 10U);
  {
    auto permit = ready(tx.reserve()).value();
    EXPECT_EQ(tx.capacity(), 9U);
    EXPECT_EQ(tx.max_capacity(), 10U);
    EXPECT_TRUE(ready(tx.send(1)).has_value());
    EXPECT_TRUE(ready(tx.send(2)).has_value());
    EXPECT_EQ(tx.capacity(), 7U);
    EXPECT_EQ(rx.capacity(), 7U);
  }
  EXPECT_EQ(tx.capacity(), 8U);
  EXPECT_EQ(rx.max_capacity(), 10U);
}

// A channel that was closed ends for its receiver only when every permit is back or used, whichever way.

/// `hold` takes a place, `finish` ends it: the pending recv() is woken then and not before, and gives `expected`.
template <typename Hold, typename Finish>
void last_permit_wakes_closed_receiver(Hold hold, Finish finish, std::optional<int> expected) {
  auto [tx, rx] = mpsc::channel<int>(2);
  auto held = hold(tx);
  rx.close();
  auto receiving = probe_of(rx.recv());
  EXPECT_FALSE(receiving.poll());
  EXPECT_FALSE(receiving.is_woken());
  finish(std::move(held));
  EXPECT_TRUE(receiving.is_woken());
  ASSERT_TRUE(receiving.poll());
  EXPECT_EQ(receiving.take(), expected);
}

const auto hold_permit = [](auto& tx) { return tx.try_reserve().value(); };
const auto hold_owned = [](auto& tx) { return tx.clone().try_reserve_owned().value(); };
const auto hold_iterator = [](auto& tx) { return tx.try_reserve_many(2).value(); };
const auto drop_it = [](auto held) { drop(std::move(held)); };

TEST(sync_mpsc, dropping_last_permit_wakes_closed_receiver) {
  last_permit_wakes_closed_receiver(hold_permit, drop_it, std::nullopt);
}
TEST(sync_mpsc, dropping_last_owned_permit_wakes_closed_receiver) {
  last_permit_wakes_closed_receiver(hold_owned, drop_it, std::nullopt);
}
TEST(sync_mpsc, dropping_last_permit_iterator_wakes_closed_receiver) {
  last_permit_wakes_closed_receiver(hold_iterator, drop_it, std::nullopt);
}
TEST(sync_mpsc, sending_last_permit_wakes_closed_receiver) {
  last_permit_wakes_closed_receiver(hold_permit, [](auto held) { held.send(7); }, 7);
}
TEST(sync_mpsc, sending_last_owned_permit_wakes_closed_receiver) {
  last_permit_wakes_closed_receiver(hold_owned, [](auto held) { drop(std::move(held).send(7)); }, 7);
}
TEST(sync_mpsc, releasing_last_owned_permit_wakes_closed_receiver) {
  last_permit_wakes_closed_receiver(hold_owned, [](auto held) { drop(std::move(held).release()); }, std::nullopt);
}

TEST(sync_mpsc, failed_reserve_many_wakes_closed_receiver) {
  auto [tx, rx] = mpsc::channel<int>(2);
  auto permit = tx.try_reserve().value();
  auto reserving = probe_of(tx.reserve_many(2));
  EXPECT_FALSE(reserving.poll());  // Has one of its two.
  rx.close();
  EXPECT_TRUE(reserving.is_woken());
  auto receiving = probe_of(rx.recv());
  EXPECT_FALSE(receiving.poll());
  drop(std::move(permit));
  EXPECT_FALSE(receiving.is_woken());
  ASSERT_TRUE(reserving.poll());
  EXPECT_FALSE(reserving.take().has_value());
  EXPECT_TRUE(receiving.is_woken());
  ASSERT_TRUE(receiving.poll());
  EXPECT_EQ(receiving.take(), std::nullopt);
}

TEST(sync_mpsc, cancelled_reserve_many_wakes_closed_receiver) {
  auto [tx, rx] = mpsc::channel<int>(2);
  auto permit = tx.try_reserve().value();
  using Reserving = testing::Probe<Expected<mpsc::PermitIterator<int>, mpsc::SendError<void>>>;
  std::optional<Reserving> reserving;
  reserving.emplace(testing::await_owned(tx.reserve_many(2)));
  EXPECT_FALSE(reserving->poll());
  rx.close();
  auto receiving = probe_of(rx.recv());
  EXPECT_FALSE(receiving.poll());
  drop(std::move(permit));
  EXPECT_FALSE(receiving.is_woken());
  reserving.reset();
  EXPECT_TRUE(receiving.is_woken());
  ASSERT_TRUE(receiving.poll());
  EXPECT_EQ(receiving.take(), std::nullopt);
}

TEST(sync_mpsc, failed_reserve_wakes_closed_receiver) {
  auto [tx, rx] = mpsc::channel<int>(1);
  auto permit = tx.try_reserve().value();
  auto reserving = probe_of(tx.reserve());
  EXPECT_FALSE(reserving.poll());
  drop(std::move(permit));  // Now it is the other's, who has not noticed yet.
  rx.close();
  auto receiving = probe_of(rx.recv());
  EXPECT_FALSE(receiving.poll());
  ASSERT_TRUE(reserving.poll());
  EXPECT_FALSE(reserving.take().has_value());
  EXPECT_TRUE(receiving.is_woken());
  ASSERT_TRUE(receiving.poll());
  EXPECT_EQ(receiving.take(), std::nullopt);
}

TEST(sync_mpsc, cancelled_reserve_wakes_closed_receiver) {
  auto [tx, rx] = mpsc::channel<int>(1);
  auto permit = tx.try_reserve().value();
  std::optional<testing::Probe<Expected<Permit, mpsc::SendError<void>>>> reserving;
  reserving.emplace(testing::await_owned(tx.reserve()));
  EXPECT_FALSE(reserving->poll());
  drop(std::move(permit));
  rx.close();
  auto receiving = probe_of(rx.recv());
  EXPECT_FALSE(receiving.poll());
  reserving.reset();
  EXPECT_TRUE(receiving.is_woken());
  ASSERT_TRUE(receiving.poll());
  EXPECT_EQ(receiving.take(), std::nullopt);
}

}  // namespace
}  // namespace kaido::parity
