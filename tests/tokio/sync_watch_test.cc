// watch: what receivers see, marks, closing, and the task's budget.
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/select.h>
#include <kaido/spawn.h>
#include <kaido/sync/watch.h>

#include "sdk/testing/poll_probe.h"
#include "tests/tokio/support.h"

namespace kaido {
namespace {

using testing::PollProbe;

bool take_ok(PollProbe<watch::Changed>& changed) { return changed.take().has_value(); }

template <typename T>
bool changes_at_once(watch::Receiver<T>& receiver) {
  PollProbe changed(receiver.changed());
  return changed.poll() && take_ok(changed);
}
template <typename T>
bool fails_at_once(watch::Receiver<T>& receiver) {
  PollProbe changed(receiver.changed());
  return changed.poll() && !take_ok(changed);
}
template <typename T>
bool waits(watch::Receiver<T>& receiver) {
  return !PollProbe(receiver.changed()).poll();
}

TEST(sync_watch, single_rx_recv) {
  auto [tx, rx] = watch::channel<std::string>("one");
  std::optional<watch::Sender<std::string>> sender(std::move(tx));
  EXPECT_EQ(*rx.borrow(), "one");
  {
    PollProbe changed(rx.changed());
    EXPECT_FALSE(changed.poll());
    EXPECT_TRUE(sender->send("two"));
    EXPECT_TRUE(changed.is_woken());
    EXPECT_TRUE(changed.poll());
    EXPECT_TRUE(take_ok(changed));
  }
  EXPECT_EQ(*rx.borrow(), "two");
  {
    PollProbe changed(rx.changed());
    EXPECT_FALSE(changed.poll());
    sender.reset();
    EXPECT_TRUE(changed.is_woken());
    EXPECT_TRUE(changed.poll());
    EXPECT_FALSE(take_ok(changed));
  }
  EXPECT_EQ(*rx.borrow(), "two");
}

TEST(sync_watch, rx_version_underflow) {
  auto [tx, rx] = watch::channel<std::string>("one");
  rx.mark_changed();
  rx.mark_changed();
  EXPECT_TRUE(changes_at_once(rx));
  EXPECT_TRUE(waits(rx));
}

TEST(sync_watch, rx_mark_changed) {
  auto [tx, rx] = watch::channel<std::string>("one");
  watch::Receiver<std::string> other = rx;
  rx.mark_changed();
  EXPECT_TRUE(rx.has_changed().value());
  EXPECT_FALSE(other.has_changed().value());
  EXPECT_TRUE(waits(other));
  watch::Receiver<std::string> copy = rx;  // Knows what the original knew.
  EXPECT_TRUE(changes_at_once(rx));
  EXPECT_TRUE(changes_at_once(copy));
  EXPECT_TRUE(waits(rx));
  EXPECT_EQ(*rx.borrow(), "one");

  PollProbe changed(rx.changed());
  EXPECT_FALSE(changed.poll());
  EXPECT_TRUE(tx.send("two"));
  EXPECT_TRUE(changed.is_woken());
  EXPECT_TRUE(changed.poll());
  EXPECT_EQ(*rx.borrow(), "two");
}

TEST(sync_watch, rx_mark_unchanged) {
  auto [tx, rx] = watch::channel<std::string>("one");
  watch::Receiver<std::string> other = rx;
  EXPECT_TRUE(tx.send("two"));
  EXPECT_TRUE(rx.has_changed().value());
  rx.mark_unchanged();
  EXPECT_FALSE(rx.has_changed().value());
  EXPECT_TRUE(waits(rx));
  EXPECT_TRUE(changes_at_once(other));
  EXPECT_EQ(*other.borrow(), "two");

  PollProbe changed(rx.changed());
  EXPECT_FALSE(changed.poll());
  EXPECT_TRUE(tx.send("three"));
  EXPECT_TRUE(changed.is_woken());
  EXPECT_TRUE(changed.poll());
  EXPECT_EQ(*rx.borrow(), "three");
}

TEST(sync_watch, multi_rx) {
  auto [tx, rx1] = watch::channel<std::string>("one");
  watch::Receiver<std::string> rx2 = rx1;
  {
    PollProbe first(rx1.changed());
    PollProbe second(rx2.changed());
    EXPECT_FALSE(first.poll());
    EXPECT_FALSE(second.poll());
    EXPECT_TRUE(tx.send("two"));
    EXPECT_TRUE(first.is_woken());
    EXPECT_TRUE(second.is_woken());
    EXPECT_TRUE(first.poll());
  }
  EXPECT_EQ(*rx1.borrow(), "two");
  // The second has not looked: it sees the latest only, and once.
  PollProbe first(rx1.changed());
  EXPECT_FALSE(first.poll());
  EXPECT_TRUE(tx.send("three"));
  EXPECT_TRUE(first.is_woken());
  EXPECT_TRUE(first.poll());
  EXPECT_TRUE(changes_at_once(rx2));
  EXPECT_EQ(*rx2.borrow(), "three");
  EXPECT_TRUE(waits(rx2));
}

TEST(sync_watch, rx_observes_final_value) {
  {
    auto [tx, rx] = watch::channel<std::string>("one");
    {
      watch::Sender<std::string> dropped = std::move(tx);
    }
    EXPECT_TRUE(fails_at_once(rx));
    EXPECT_EQ(*rx.borrow(), "one");
  }
  auto [tx, rx] = watch::channel<std::string>("one");
  std::optional<watch::Sender<std::string>> sender(std::move(tx));
  EXPECT_TRUE(sender->send("two"));
  EXPECT_TRUE(changes_at_once(rx));
  {
    PollProbe changed(rx.changed());
    EXPECT_FALSE(changed.poll());
    EXPECT_TRUE(sender->send("three"));
    sender.reset();
    EXPECT_TRUE(changed.is_woken());
    EXPECT_TRUE(changed.poll());
    EXPECT_TRUE(take_ok(changed));
  }
  EXPECT_EQ(*rx.borrow(), "three");
  EXPECT_TRUE(fails_at_once(rx));
}

TEST(sync_watch, poll_close) {
  auto [tx, rx] = watch::channel<std::string>("one");
  std::optional<watch::Receiver<std::string>> receiver(std::move(rx));
  {
    PollProbe closed(tx.closed());
    EXPECT_FALSE(closed.poll());
    receiver.reset();
    EXPECT_TRUE(closed.is_woken());
    EXPECT_TRUE(closed.poll());
  }
  auto sent = tx.send("two");
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().value, "two");
  EXPECT_EQ(*tx.borrow(), "one");
}

TEST(sync_watch, borrow_and_update) {
  auto [tx, rx] = watch::channel<std::string>("one");
  std::optional<watch::Sender<std::string>> sender(std::move(tx));
  EXPECT_FALSE(rx.has_changed().value());
  EXPECT_TRUE(sender->send("two"));
  EXPECT_TRUE(rx.has_changed().value());
  EXPECT_TRUE(changes_at_once(rx));
  EXPECT_TRUE(waits(rx));
  EXPECT_FALSE(rx.has_changed().value());

  EXPECT_TRUE(sender->send("three"));
  EXPECT_TRUE(rx.has_changed().value());
  EXPECT_EQ(*rx.borrow_and_update(), "three");
  EXPECT_TRUE(waits(rx));
  EXPECT_FALSE(rx.has_changed().value());

  sender.reset();
  EXPECT_EQ(*rx.borrow_and_update(), "three");
  EXPECT_TRUE(fails_at_once(rx));
  EXPECT_FALSE(rx.has_changed());
}

TEST(sync_watch, reopened_after_subscribe) {
  auto [tx, rx] = watch::channel<std::string>("one");
  EXPECT_FALSE(tx.is_closed());
  {
    watch::Receiver<std::string> dropped = std::move(rx);
  }
  EXPECT_TRUE(tx.is_closed());
  auto again = std::make_optional(tx.subscribe());
  EXPECT_FALSE(tx.is_closed());
  EXPECT_TRUE(tx.send("two"));
  EXPECT_EQ(*again->borrow(), "two");
  again.reset();
  EXPECT_TRUE(tx.is_closed());
}

TEST(sync_watch, send_modify_panic) {
  auto [tx, rx] = watch::channel<std::string>("one");
  PollProbe changed(rx.changed());
  EXPECT_FALSE(changed.poll());
  EXPECT_THROW(tx.send_modify([](std::string& value) {
    value = "panicked";
    throw std::runtime_error("after the change");
  }),
               std::runtime_error);
  EXPECT_FALSE(changed.is_woken());
  EXPECT_FALSE(changed.poll());
  EXPECT_EQ(*rx.borrow(), "panicked");

  EXPECT_TRUE(tx.send("three"));
  EXPECT_TRUE(changed.is_woken());
  EXPECT_TRUE(changed.poll());
  EXPECT_EQ(*rx.borrow_and_update(), "three");
  tx.send_modify([](std::string& value) { value = "four"; });
  EXPECT_TRUE(changes_at_once(rx));
  EXPECT_EQ(*rx.borrow(), "four");
}

TEST(sync_watch, multiple_sender) {
  auto [tx1, rx] = watch::channel(0);
  watch::Sender<int> tx2 = tx1;
  {
    PollProbe changed(rx.changed());
    EXPECT_FALSE(changed.poll());
    EXPECT_TRUE(tx1.send(1));
    EXPECT_TRUE(changed.is_woken());
    EXPECT_TRUE(changed.poll());
  }
  EXPECT_EQ(*rx.borrow_and_update(), 1);
  PollProbe changed(rx.changed());
  EXPECT_FALSE(changed.poll());
  EXPECT_TRUE(tx2.send(2));
  EXPECT_TRUE(changed.is_woken());
  EXPECT_TRUE(changed.poll());
  EXPECT_EQ(*rx.borrow_and_update(), 2);
}

TEST(sync_watch, receiver_is_notified_when_last_sender_is_dropped) {
  auto [tx, rx] = watch::channel(0);
  std::optional<watch::Sender<int>> first(std::move(tx));
  std::optional<watch::Sender<int>> second(*first);
  PollProbe changed(rx.changed());
  EXPECT_FALSE(changed.poll());
  first.reset();
  EXPECT_FALSE(changed.is_woken());
  EXPECT_FALSE(changed.poll());
  second.reset();
  EXPECT_TRUE(changed.is_woken());
  EXPECT_TRUE(changed.poll());
  EXPECT_FALSE(take_ok(changed));
}

/// Awaits `step` for ever; a sibling that only yields must get its turn.
void expect_that_it_yields(std::function<Task<void>()> step) {
  parity::current_thread().block_on([&]() -> Task<void> {
    auto forever = [&]() -> Task<void> {
      for (;;) co_await step();
    };
    auto won = co_await select(biased, forever(), yield_now());
    EXPECT_EQ(won.index(), 1U);
  });
}

/// A receiver whose sender is gone.
watch::Receiver<int> closed_receiver() { return watch::channel(0).second; }

TEST(sync_watch, receiver_changed_is_cooperative) {
  watch::Receiver<int> rx = closed_receiver();
  expect_that_it_yields([&]() -> Task<void> { EXPECT_FALSE(co_await rx.changed()); });
}

TEST(sync_watch, receiver_changed_is_cooperative_ok) {
  auto [tx, receiver] = watch::channel(0);
  watch::Receiver<int>& rx = receiver;
  expect_that_it_yields([&]() -> Task<void> {
    rx.mark_changed();
    EXPECT_TRUE(co_await rx.changed());
  });
}

TEST(sync_watch, receiver_wait_for_is_cooperative) {
  watch::Receiver<int> rx = closed_receiver();
  expect_that_it_yields([&]() -> Task<void> {
    auto wait = rx.wait_for([](int) { return false; });
    const bool found = (co_await wait).has_value();
    EXPECT_FALSE(found);
  });
}

TEST(sync_watch, receiver_wait_for_is_cooperative_ok) {
  auto [tx, receiver] = watch::channel(0);
  watch::Receiver<int>& rx = receiver;
  expect_that_it_yields([&]() -> Task<void> {
    auto wait = rx.wait_for([](int) { return true; });
    const bool found = (co_await wait).has_value();
    EXPECT_TRUE(found);
  });
}

TEST(sync_watch, sender_closed_is_cooperative) {
  watch::Sender<int> tx(0);
  expect_that_it_yields([&]() -> Task<void> { co_await tx.closed(); });
}

TEST(sync_watch, changed_succeeds_on_closed_channel_with_unseen_value) {
  auto [tx, rx] = watch::channel(0);
  EXPECT_TRUE(tx.send(1));
  {
    watch::Sender<int> dropped = std::move(tx);
  }
  EXPECT_TRUE(changes_at_once(rx));
}

TEST(sync_watch, changed_errors_on_closed_channel_with_seen_value) {
  watch::Receiver<int> rx = closed_receiver();
  EXPECT_TRUE(fails_at_once(rx));
}

TEST(sync_watch, has_changed_errors_on_closed_channel_with_unseen_value) {
  auto [tx, rx] = watch::channel(0);
  EXPECT_TRUE(tx.send(1));
  {
    watch::Sender<int> dropped = std::move(tx);
  }
  EXPECT_EQ(rx.has_changed().error(), watch::RecvError());
}

TEST(sync_watch, has_changed_errors_on_closed_channel_with_seen_value) {
  watch::Receiver<int> rx = closed_receiver();
  EXPECT_EQ(rx.has_changed().error(), watch::RecvError());
}

TEST(sync_watch, wait_for_errors_on_closed_channel_true_predicate) {
  watch::Receiver<int> rx = closed_receiver();
  PollProbe wait(rx.wait_for([](int) { return true; }));
  ASSERT_TRUE(wait.poll());
  auto found = wait.take();
  ASSERT_TRUE(found);
  EXPECT_EQ(**found, 0);
}

}  // namespace
}  // namespace kaido
