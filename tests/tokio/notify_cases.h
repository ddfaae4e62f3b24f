/// What tokio checks of Notified, and again of OwnedNotified: each case is written once, for a policy that makes the
/// wait.
#pragma once

#include <memory>

#include <gtest/gtest.h>

#include <kaido/sync/notify.h>

#include "sdk/testing/poll_probe.h"

namespace kaido::parity {

using testing::PollProbe;

struct Borrowed {
  static Notified wait(const std::shared_ptr<Notify>& notify) { return notify->notified(); }
};
struct Owned {
  static OwnedNotified wait(const std::shared_ptr<Notify>& notify) { return notify->notified_owned(); }
};

template <typename Policy>
struct NotifyCases {
  static std::shared_ptr<Notify> make() { return std::make_shared<Notify>(); }
  static auto wait(const std::shared_ptr<Notify>& notify) { return Policy::wait(notify); }

  static void notify_notified_one() {
    auto notify = make();
    notify->notify_one();
    PollProbe first(wait(notify));
    EXPECT_TRUE(first.poll());
  }

  static void notify_multi_notified_one() {
    auto notify = make();
    PollProbe first(wait(notify));
    PollProbe second(wait(notify));
    EXPECT_FALSE(first.poll());
    EXPECT_FALSE(second.poll());
    notify->notify_one();
    EXPECT_TRUE(first.is_woken());
    EXPECT_TRUE(first.poll());
    EXPECT_FALSE(second.is_woken());
    EXPECT_FALSE(second.poll());
  }

  static void notify_multi_notified_last() {
    auto notify = make();
    PollProbe first(wait(notify));
    PollProbe second(wait(notify));
    EXPECT_FALSE(first.poll());
    EXPECT_FALSE(second.poll());
    notify->notify_last();
    EXPECT_TRUE(second.is_woken());
    EXPECT_TRUE(second.poll());
    EXPECT_FALSE(first.is_woken());
    EXPECT_FALSE(first.poll());
  }

  static void notified_one_notify() {
    auto notify = make();
    PollProbe first(wait(notify));
    EXPECT_FALSE(first.poll());
    notify->notify_one();
    EXPECT_TRUE(first.is_woken());
    EXPECT_TRUE(first.poll());
  }

  static void notified_multi_notify() {
    auto notify = make();
    PollProbe first(wait(notify));
    PollProbe second(wait(notify));
    EXPECT_FALSE(first.poll());
    EXPECT_FALSE(second.poll());
    notify->notify_one();
    EXPECT_TRUE(first.is_woken());
    EXPECT_FALSE(second.is_woken());
    EXPECT_TRUE(first.poll());
    EXPECT_FALSE(second.poll());
  }

  static void notify_notified_multi() {
    auto notify = make();
    notify->notify_one();
    PollProbe first(wait(notify));
    PollProbe second(wait(notify));
    EXPECT_TRUE(first.poll());
    EXPECT_FALSE(second.poll());
    notify->notify_one();
    EXPECT_TRUE(second.is_woken());
    EXPECT_TRUE(second.poll());
  }

  static void notified_drop_notified_notify() {
    auto notify = make();
    PollProbe first(wait(notify));
    PollProbe second(wait(notify));
    EXPECT_FALSE(first.poll());
    first.drop();
    EXPECT_FALSE(second.poll());
    notify->notify_one();
    EXPECT_FALSE(first.is_woken());
    EXPECT_TRUE(second.is_woken());
    EXPECT_TRUE(second.poll());
  }

  static void notified_multi_notify_drop_one() {
    auto notify = make();
    PollProbe first(wait(notify));
    PollProbe second(wait(notify));
    EXPECT_FALSE(first.poll());
    EXPECT_FALSE(second.poll());
    notify->notify_one();
    EXPECT_TRUE(first.is_woken());
    EXPECT_FALSE(second.is_woken());
    first.drop();
    EXPECT_TRUE(second.is_woken());
    EXPECT_TRUE(second.poll());
  }

  static void notified_multi_notify_one_drop() {
    auto notify = make();
    PollProbe first(wait(notify));
    PollProbe second(wait(notify));
    PollProbe third(wait(notify));
    EXPECT_FALSE(first.poll());
    EXPECT_FALSE(second.poll());
    EXPECT_FALSE(third.poll());
    notify->notify_one();
    first.drop();
    EXPECT_TRUE(second.is_woken());
    EXPECT_FALSE(third.is_woken());
    EXPECT_TRUE(second.poll());
    EXPECT_FALSE(third.poll());
  }

  static void notified_multi_notify_last_drop() {
    auto notify = make();
    PollProbe first(wait(notify));
    PollProbe second(wait(notify));
    PollProbe third(wait(notify));
    EXPECT_FALSE(first.poll());
    EXPECT_FALSE(second.poll());
    EXPECT_FALSE(third.poll());
    notify->notify_last();
    EXPECT_TRUE(third.is_woken());
    third.drop();
    EXPECT_TRUE(second.is_woken());
    EXPECT_FALSE(first.is_woken());
    EXPECT_TRUE(second.poll());
    EXPECT_FALSE(first.poll());
  }

  static void notify_one_after_dropped_all() {
    auto notify = make();
    PollProbe first(wait(notify));
    EXPECT_FALSE(first.poll());
    notify->notify_waiters();
    notify->notify_one();
    first.drop();
    PollProbe second(wait(notify));
    EXPECT_TRUE(second.poll());
  }

  static void test_notify_one_not_enabled() {
    auto notify = make();
    PollProbe waiting(wait(notify));
    notify->notify_one();
    EXPECT_TRUE(waiting.poll());
    PollProbe other(wait(notify));
    EXPECT_FALSE(other.poll());
  }

  static void test_notify_one_after_enable() {
    auto notify = make();
    PollProbe waiting(wait(notify));
    EXPECT_FALSE(waiting->enable());
    notify->notify_one();
    PollProbe other(wait(notify));
    EXPECT_FALSE(other.poll());
    EXPECT_TRUE(waiting->enable());
    EXPECT_TRUE(waiting.poll());
  }

  static void test_poll_after_enable() {
    auto notify = make();
    PollProbe waiting(wait(notify));
    EXPECT_FALSE(waiting->enable());
    EXPECT_FALSE(waiting.poll());
    notify->notify_one();
    EXPECT_TRUE(waiting.is_woken());
  }

  static void test_enable_after_poll() {
    auto notify = make();
    PollProbe waiting(wait(notify));
    EXPECT_FALSE(waiting.poll());
    EXPECT_FALSE(waiting->enable());
    notify->notify_one();
    EXPECT_TRUE(waiting.is_woken());
  }

  static void test_enable_consumes_permit() {
    auto notify = make();
    notify->notify_one();
    PollProbe first(wait(notify));
    EXPECT_TRUE(first->enable());
    PollProbe second(wait(notify));
    EXPECT_FALSE(second->enable());
  }
};

/// Declares a case of NotifyCases<policy> as TEST(suite, name).
#define KAIDO_NOTIFY_CASE(suite, policy, name) \
  TEST(suite, name) { ::kaido::parity::NotifyCases<::kaido::parity::policy>::name(); }

#define KAIDO_NOTIFY_CASES(suite, policy)                           \
  KAIDO_NOTIFY_CASE(suite, policy, notify_notified_one)             \
  KAIDO_NOTIFY_CASE(suite, policy, notify_multi_notified_one)       \
  KAIDO_NOTIFY_CASE(suite, policy, notify_multi_notified_last)      \
  KAIDO_NOTIFY_CASE(suite, policy, notified_one_notify)             \
  KAIDO_NOTIFY_CASE(suite, policy, notified_multi_notify)           \
  KAIDO_NOTIFY_CASE(suite, policy, notify_notified_multi)           \
  KAIDO_NOTIFY_CASE(suite, policy, notified_drop_notified_notify)   \
  KAIDO_NOTIFY_CASE(suite, policy, notified_multi_notify_drop_one)  \
  KAIDO_NOTIFY_CASE(suite, policy, notified_multi_notify_one_drop)  \
  KAIDO_NOTIFY_CASE(suite, policy, notified_multi_notify_last_drop) \
  KAIDO_NOTIFY_CASE(suite, policy, notify_one_after_dropped_all)    \
  KAIDO_NOTIFY_CASE(suite, policy, test_notify_one_not_enabled)     \
  KAIDO_NOTIFY_CASE(suite, policy, test_notify_one_after_enable)    \
  KAIDO_NOTIFY_CASE(suite, policy, test_poll_after_enable)          \
  KAIDO_NOTIFY_CASE(suite, policy, test_enable_after_poll)          \
  KAIDO_NOTIFY_CASE(suite, policy, test_enable_consumes_permit)

}  // namespace kaido::parity
