// oneshot: tokio's sync_oneshot.rs.
#include <kaido/sync/oneshot.h>

#include <optional>
#include <stdexcept>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/spawn.h>

#include "sdk/testing/probe.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using oneshot::TryRecvError;
using testing::probe_of;

/// Both ends, each to be dropped when a case says so.
struct Ends {
  Ends() : Ends(oneshot::channel<int>()) {}
  explicit Ends(std::pair<oneshot::Sender<int>, oneshot::Receiver<int>> both)
      : tx(std::move(both.first)), rx(std::move(both.second)) {}
  void drop_tx() { tx = oneshot::Sender<int>(); }
  void drop_rx() { rx = oneshot::Receiver<int>(); }

  oneshot::Sender<int> tx;
  oneshot::Receiver<int> rx;
};

TEST(sync_oneshot, send_recv) {
  Ends ends;
  auto receiving = probe_of(ends.rx);
  EXPECT_FALSE(receiving.poll());
  EXPECT_TRUE(ends.tx.send(1).has_value());
  EXPECT_TRUE(receiving.is_woken());
  ASSERT_TRUE(receiving.poll());
  EXPECT_EQ(*receiving.take(), 1);
}

TEST(sync_oneshot, async_send_recv) {
  current_thread().block_on([]() -> Task<void> {
    Ends ends;
    EXPECT_TRUE(ends.tx.send(1).has_value());
    auto received = co_await ends.rx;
    EXPECT_EQ(*received, 1);
  });
}

TEST(sync_oneshot, close_tx) {
  Ends ends;
  auto receiving = probe_of(ends.rx);
  EXPECT_FALSE(receiving.poll());
  ends.drop_tx();
  EXPECT_TRUE(receiving.is_woken());
  ASSERT_TRUE(receiving.poll());
  EXPECT_FALSE(receiving.take().has_value());
}

TEST(sync_oneshot, close_rx) {
  {
    Ends ends;
    ends.drop_rx();
    auto refused = ends.tx.send(1);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error(), 1);
  }
  Ends ends;
  {
    auto closed = probe_of(ends.tx.closed());
    EXPECT_FALSE(closed.poll());
    ends.drop_rx();
    EXPECT_TRUE(closed.is_woken());
    EXPECT_TRUE(closed.poll());
  }
  EXPECT_TRUE(ends.tx.is_closed());
  EXPECT_FALSE(ends.tx.send(1).has_value());
}

TEST(sync_oneshot, async_rx_closed) {
  current_thread().block_on([]() -> Task<void> {
    Ends ends;
    auto waiter = spawn([](oneshot::Sender<int> tx) -> Task<void> { co_await tx.closed(); }(std::move(ends.tx)));
    co_await yield_now();
    ends.drop_rx();
    EXPECT_TRUE((co_await waiter).has_value());
  });
}

TEST(sync_oneshot, explicit_close_poll) {
  {  // A value sent before still arrives.
    Ends ends;
    EXPECT_TRUE(ends.tx.send(17).has_value());
    ends.rx.close();
    auto receiving = probe_of(ends.rx);
    ASSERT_TRUE(receiving.poll());
    EXPECT_EQ(*receiving.take(), 17);
  }
  {  // Before anything was sent it fails the sender.
    Ends ends;
    {
      auto closed = probe_of(ends.tx.closed());
      EXPECT_FALSE(closed.poll());
      ends.rx.close();
      EXPECT_TRUE(closed.is_woken());
      EXPECT_TRUE(closed.poll());
    }
    EXPECT_TRUE(ends.tx.is_closed());
    EXPECT_FALSE(ends.tx.send(17).has_value());
    auto receiving = probe_of(ends.rx);
    ASSERT_TRUE(receiving.poll());
    EXPECT_FALSE(receiving.take().has_value());
  }
  {  // Sender dropped after the close.
    Ends ends;
    {
      auto closed = probe_of(ends.tx.closed());
      EXPECT_FALSE(closed.poll());
      ends.rx.close();
      EXPECT_TRUE(closed.poll());
    }
    ends.drop_tx();
    auto receiving = probe_of(ends.rx);
    ASSERT_TRUE(receiving.poll());
    EXPECT_FALSE(receiving.take().has_value());
  }
}

TEST(sync_oneshot, explicit_close_try_recv) {
  {
    Ends ends;
    EXPECT_TRUE(ends.tx.send(17).has_value());
    ends.rx.close();
    EXPECT_EQ(*ends.rx.try_recv(), 17);
  }
  Ends ends;
  auto closed = probe_of(ends.tx.closed());
  EXPECT_FALSE(closed.poll());
  ends.rx.close();
  EXPECT_TRUE(closed.is_woken());
  EXPECT_TRUE(closed.poll());
  EXPECT_EQ(ends.rx.try_recv().error(), TryRecvError::kClosed);
}

TEST(sync_oneshot, close_try_recv_poll) {
  Ends ends;
  ends.rx.close();
  EXPECT_EQ(ends.rx.try_recv().error(), TryRecvError::kClosed);
  auto receiving = probe_of(ends.rx);
  ASSERT_TRUE(receiving.poll());
  EXPECT_THROW(static_cast<void>(receiving.take()), std::logic_error);
}

TEST(sync_oneshot, close_after_recv) {
  Ends ends;
  EXPECT_TRUE(ends.tx.send(17).has_value());
  EXPECT_EQ(*ends.rx.try_recv(), 17);
  ends.rx.close();
  EXPECT_TRUE(ends.rx.is_terminated());
}

TEST(sync_oneshot, try_recv_after_completion) {
  Ends ends;
  EXPECT_TRUE(ends.tx.send(17).has_value());
  EXPECT_EQ(*ends.rx.try_recv(), 17);
  EXPECT_EQ(ends.rx.try_recv().error(), TryRecvError::kClosed);
  ends.rx.close();
}

TEST(sync_oneshot, try_recv_after_completion_await) {
  Ends ends;
  auto receiving = probe_of(ends.rx);
  EXPECT_TRUE(ends.tx.send(17).has_value());
  ASSERT_TRUE(receiving.poll());
  EXPECT_EQ(*receiving.take(), 17);
  EXPECT_EQ(ends.rx.try_recv().error(), TryRecvError::kClosed);
  ends.rx.close();
}

TEST(sync_oneshot, receiver_is_terminated_send) {
  Ends ends;
  EXPECT_FALSE(ends.rx.is_terminated());
  auto receiving = probe_of(ends.rx);
  EXPECT_FALSE(receiving.poll());
  EXPECT_FALSE(ends.rx.is_terminated());
  EXPECT_TRUE(ends.tx.send(17).has_value());
  EXPECT_FALSE(ends.rx.is_terminated());
  ASSERT_TRUE(receiving.poll());
  EXPECT_EQ(*receiving.take(), 17);
  EXPECT_TRUE(ends.rx.is_terminated());
}

TEST(sync_oneshot, receiver_is_terminated_try_recv) {
  Ends ends;
  EXPECT_FALSE(ends.rx.is_terminated());
  EXPECT_TRUE(ends.tx.send(17).has_value());
  EXPECT_FALSE(ends.rx.is_terminated());
  EXPECT_EQ(*ends.rx.try_recv(), 17);
  EXPECT_TRUE(ends.rx.is_terminated());
}

TEST(sync_oneshot, receiver_is_terminated_drop) {
  Ends ends;
  EXPECT_FALSE(ends.rx.is_terminated());
  ends.drop_tx();
  EXPECT_FALSE(ends.rx.is_terminated());
  auto receiving = probe_of(ends.rx);
  ASSERT_TRUE(receiving.poll());
  EXPECT_FALSE(receiving.take().has_value());
  EXPECT_TRUE(ends.rx.is_terminated());
}

TEST(sync_oneshot, receiver_is_terminated_rx_close) {
  Ends ends;
  EXPECT_FALSE(ends.rx.is_terminated());
  ends.rx.close();
  EXPECT_FALSE(ends.rx.is_terminated());
  auto receiving = probe_of(ends.rx);
  ASSERT_TRUE(receiving.poll());
  EXPECT_FALSE(receiving.take().has_value());
  EXPECT_TRUE(ends.rx.is_terminated());
}

TEST(sync_oneshot, receiver_is_empty_send) {
  Ends ends;
  EXPECT_TRUE(ends.rx.is_empty());
  EXPECT_TRUE(ends.tx.send(17).has_value());
  EXPECT_FALSE(ends.rx.is_empty());
  auto receiving = probe_of(ends.rx);
  ASSERT_TRUE(receiving.poll());
  EXPECT_EQ(*receiving.take(), 17);
  EXPECT_TRUE(ends.rx.is_empty());
}

TEST(sync_oneshot, receiver_is_empty_try_recv) {
  Ends ends;
  EXPECT_TRUE(ends.rx.is_empty());
  EXPECT_TRUE(ends.tx.send(17).has_value());
  EXPECT_FALSE(ends.rx.is_empty());
  EXPECT_EQ(*ends.rx.try_recv(), 17);
  EXPECT_TRUE(ends.rx.is_empty());
}

TEST(sync_oneshot, receiver_is_empty_drop) {
  Ends ends;
  EXPECT_TRUE(ends.rx.is_empty());
  ends.drop_tx();
  EXPECT_TRUE(ends.rx.is_empty());
  auto receiving = probe_of(ends.rx);
  ASSERT_TRUE(receiving.poll());
  EXPECT_FALSE(receiving.take().has_value());
  EXPECT_TRUE(ends.rx.is_empty());
}

TEST(sync_oneshot, receiver_is_empty_rx_close) {
  Ends ends;
  EXPECT_TRUE(ends.rx.is_empty());
  ends.rx.close();
  EXPECT_TRUE(ends.rx.is_empty());
}

}  // namespace
}  // namespace kaido::parity
