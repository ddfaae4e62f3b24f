// What tokio's cases leave open: whose destructor runs when, and both ends on threads of their own.
#include <kaido/sync/oneshot.h>

#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/spawn.h>

#include "sdk/testing/probe.h"

namespace kaido {
namespace {

using testing::probe_of;
using testing::ready;
using Shared = std::shared_ptr<int>;

TEST(Oneshot, ReceiverDestroysAValueItDidNotTake) {
  auto value = std::make_shared<int>(1);
  auto [tx, rx] = oneshot::channel<Shared>();
  EXPECT_TRUE(tx.send(value).has_value());
  EXPECT_EQ(value.use_count(), 2);
  rx = oneshot::Receiver<Shared>();
  EXPECT_EQ(value.use_count(), 1);
}

TEST(Oneshot, SendingTwiceThrows) {
  auto [tx, rx] = oneshot::channel<int>();
  EXPECT_TRUE(tx.send(1).has_value());
  EXPECT_THROW(static_cast<void>(tx.send(2)), std::logic_error);
}

TEST(Oneshot, CarriesWhatCannotBeCopied) {
  auto [tx, rx] = oneshot::channel<std::unique_ptr<int>>();
  EXPECT_TRUE(tx.send(std::make_unique<int>(5)).has_value());
  EXPECT_EQ(**ready(rx), 5);
}

TEST(Oneshot, WakesWhoPolledLast) {
  auto [tx, rx] = oneshot::channel<int>();
  auto first = probe_of(rx);
  EXPECT_FALSE(first.poll());
  auto second = probe_of(rx);
  EXPECT_FALSE(second.poll());
  EXPECT_TRUE(tx.send(1).has_value());
  EXPECT_FALSE(first.is_woken());
  EXPECT_TRUE(second.is_woken());
  ASSERT_TRUE(second.poll());
  EXPECT_EQ(*second.take(), 1);
}

// Sending, dropping and receiving at the same moment: the value ends up with the receiver, with the sender, or
// destroyed.
TEST(Oneshot, EndsMeetOnTwoThreads) {
  auto value = std::make_shared<int>(1);
  for (int round = 0; round < 2000; ++round) {
    auto both = oneshot::channel<Shared>();
    std::thread sender([&, tx = std::move(both.first)]() mutable {
      if (round % 4 != 3) static_cast<void>(tx.send(value).has_value());
    });
    if (round % 4 == 0) {
      EXPECT_TRUE(both.second.blocking_recv().has_value());
    } else if (round % 4 == 1) {
      both.second = oneshot::Receiver<Shared>();
    } else if (round % 4 == 2) {
      both.second.close();
      static_cast<void>(both.second.try_recv().has_value());
    } else {
      EXPECT_FALSE(both.second.blocking_recv().has_value());
    }
    sender.join();
    both.second = oneshot::Receiver<Shared>();
    ASSERT_EQ(value.use_count(), 1);
  }
}

TEST(Oneshot, ClosedMeetsADropOnTwoWorkers) {
  auto runtime = RuntimeBuilder::new_multi_thread().worker_threads(2).enable_all().build().value();
  for (int round = 0; round < 500; ++round) {
    auto both = oneshot::channel<int>();
    auto waiter =
        runtime.spawn([](oneshot::Sender<int> tx) -> Task<void> { co_await tx.closed(); }(std::move(both.first)));
    both.second = oneshot::Receiver<int>();
    EXPECT_TRUE(runtime.block_on(waiter).has_value());
  }
}

}  // namespace
}  // namespace kaido
