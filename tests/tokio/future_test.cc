// with_cancellation_token, and the owned form of each case.
#include <utility>

#include <gtest/gtest.h>

#include <kaido/sync/cancellation_token.h>

#include "sdk/testing/poll_probe.h"

namespace kaido {
namespace {

using testing::PollProbe;

/// Ready at its `polls`-th poll.
class ReadyAfter {
 public:
  explicit ReadyAfter(int polls) noexcept : polls_(polls) {}
  bool poll(PollContext& context) noexcept {
    if (--polls_ > 0) waker_ = context.waker();
    return polls_ <= 0;
  }
  int take() const noexcept { return 42; }

 private:
  int polls_;
  detail::Waker waker_;
};

constexpr int kAtOnce = 1;
constexpr int kAtSecondPoll = 2;
constexpr int kNever = 1000;

struct Borrowed {
  static auto attach(ReadyAfter operand, const CancellationToken& token) {
    return with_cancellation_token(std::move(operand), token);
  }
};
struct Owned {
  static auto attach(ReadyAfter operand, const CancellationToken& token) {
    return with_cancellation_token_owned(std::move(operand), token);
  }
};

template <typename Policy>
void ready() {
  CancellationToken token;
  PollProbe probe(Policy::attach(ReadyAfter(kAtOnce), token));
  ASSERT_TRUE(probe.poll());
  EXPECT_EQ(probe.take(), 42);
}

template <typename Policy>
void pending() {
  CancellationToken token;
  PollProbe probe(Policy::attach(ReadyAfter(kNever), token));
  EXPECT_FALSE(probe.poll());
  EXPECT_FALSE(probe.is_woken());
}

template <typename Policy>
void already_cancelled(int polls) {
  CancellationToken token;
  token.cancel();
  PollProbe probe(Policy::attach(ReadyAfter(polls), token));
  ASSERT_TRUE(probe.poll());
  EXPECT_EQ(probe.take(), std::nullopt);
  EXPECT_EQ(probe.wake_count(), 0);
}

template <typename Policy>
void cancelled_while_pending() {
  CancellationToken token;
  PollProbe probe(Policy::attach(ReadyAfter(kNever), token));
  EXPECT_FALSE(probe.poll());
  token.cancel();
  EXPECT_EQ(probe.wake_count(), 1);
  ASSERT_TRUE(probe.poll());
  EXPECT_EQ(probe.take(), std::nullopt);
}

template <typename Policy>
void completed_and_cancelled_at_once() {
  CancellationToken token;
  PollProbe probe(Policy::attach(ReadyAfter(kAtSecondPoll), token));
  EXPECT_FALSE(probe.poll());
  token.cancel();
  EXPECT_EQ(probe.wake_count(), 1);
  ASSERT_TRUE(probe.poll());
  EXPECT_EQ(probe.take(), 42);
}

TEST(future, ready_fut_with_cancellation_token_test) { ready<Borrowed>(); }
TEST(future, pending_fut_with_cancellation_token_test) { pending<Borrowed>(); }
TEST(future, ready_fut_with_already_cancelled_token_test) { already_cancelled<Borrowed>(kAtOnce); }
TEST(future, pending_fut_with_already_cancelled_token_test) { already_cancelled<Borrowed>(kNever); }
TEST(future, pending_fut_with_token_cancelled_test) { cancelled_while_pending<Borrowed>(); }
TEST(future, pending_only_on_first_poll_with_cancellation_token_test) { completed_and_cancelled_at_once<Borrowed>(); }

TEST(future, ready_fut_with_cancellation_owned_token_test) { ready<Owned>(); }
TEST(future, pending_fut_with_cancellation_token_owned_test) { pending<Owned>(); }
TEST(future, ready_fut_with_already_cancelled_token_owned_test) { already_cancelled<Owned>(kAtOnce); }
TEST(future, pending_fut_with_already_cancelled_token_owned_test) { already_cancelled<Owned>(kNever); }
TEST(future, pending_fut_with_owned_token_cancelled_test) { cancelled_while_pending<Owned>(); }
TEST(future, pending_only_on_first_poll_with_cancellation_token_owned_test) {
  completed_and_cancelled_at_once<Owned>();
}

}  // namespace
}  // namespace kaido
