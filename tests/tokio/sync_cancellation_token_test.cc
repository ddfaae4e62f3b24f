#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/sync/cancellation_token.h>
#include <kaido/sync/oneshot.h>

#include "sdk/testing/poll_probe.h"

namespace kaido {
namespace {

using testing::PollProbe;

/// One wait before cancel(), one after.
template <typename Wait>
void expect_that_cancel_wakes_once(Wait wait) {
  CancellationToken token;
  EXPECT_FALSE(token.is_cancelled());
  PollProbe before(wait(token));
  EXPECT_FALSE(before.poll());
  PollProbe unpolled(wait(token));
  EXPECT_EQ(before.wake_count(), 0);
  token.cancel();
  EXPECT_TRUE(token.is_cancelled());
  EXPECT_EQ(before.wake_count(), 1);
  EXPECT_TRUE(before.poll());
  PollProbe after(wait(token));
  EXPECT_TRUE(unpolled.poll());
  EXPECT_TRUE(after.poll());
  token.cancel();
  EXPECT_EQ(before.wake_count(), 1);
}

TEST(sync_cancellation_token, cancel_token) {
  expect_that_cancel_wakes_once([](const CancellationToken& token) { return token.cancelled(); });
}

TEST(sync_cancellation_token, cancel_token_owned) {
  expect_that_cancel_wakes_once([](const CancellationToken& token) { return token.cancelled_owned(); });
}

TEST(sync_cancellation_token, cancel_token_owned_drop_test) {
  std::optional<CancellationToken> token(std::in_place);
  PollProbe wait(token->cancelled_owned());
  EXPECT_FALSE(wait.poll());
  token.reset();  // The wait keeps it alive, and lets go of it.
  EXPECT_FALSE(wait.poll());
  wait.drop();
  EXPECT_EQ(wait.wake_count(), 0);
}

TEST(sync_cancellation_token, cancel_child_token_through_parent) {
  CancellationToken parent;
  CancellationToken child = parent.child_token();
  EXPECT_FALSE(child.is_cancelled());
  PollProbe child_wait(child.cancelled());
  PollProbe parent_wait(parent.cancelled());
  EXPECT_FALSE(child_wait.poll());
  EXPECT_FALSE(parent_wait.poll());
  parent.cancel();
  EXPECT_TRUE(parent.is_cancelled());
  EXPECT_TRUE(child.is_cancelled());
  EXPECT_EQ(child_wait.wake_count(), 1);
  EXPECT_EQ(parent_wait.wake_count(), 1);
  EXPECT_TRUE(child_wait.poll());
  EXPECT_TRUE(parent_wait.poll());
}

TEST(sync_cancellation_token, cancel_grandchild_token_through_parent_if_child_was_dropped) {
  CancellationToken parent;
  CancellationToken grandchild = parent.child_token().child_token();  // The one between is gone at once.
  EXPECT_FALSE(grandchild.is_cancelled());
  PollProbe wait(grandchild.cancelled());
  EXPECT_FALSE(wait.poll());
  parent.cancel();
  EXPECT_TRUE(grandchild.is_cancelled());
  EXPECT_EQ(wait.wake_count(), 1);
  EXPECT_TRUE(wait.poll());
}

TEST(sync_cancellation_token, cancel_child_token_without_parent) {
  CancellationToken parent;
  CancellationToken child = parent.child_token();
  PollProbe child_wait(child.cancelled());
  PollProbe parent_wait(parent.cancelled());
  EXPECT_FALSE(child_wait.poll());
  EXPECT_FALSE(parent_wait.poll());
  child.cancel();
  EXPECT_FALSE(parent.is_cancelled());
  EXPECT_TRUE(child.is_cancelled());
  EXPECT_EQ(child_wait.wake_count(), 1);
  EXPECT_EQ(parent_wait.wake_count(), 0);
  EXPECT_TRUE(child_wait.poll());
  EXPECT_FALSE(parent_wait.poll());

  CancellationToken another = parent.child_token();
  PollProbe another_wait(another.cancelled());
  EXPECT_FALSE(another_wait.poll());
  parent.cancel();
  EXPECT_EQ(another_wait.wake_count(), 1);
  EXPECT_EQ(parent_wait.wake_count(), 1);
  EXPECT_TRUE(another_wait.poll());
  EXPECT_TRUE(parent_wait.poll());
}

TEST(sync_cancellation_token, create_child_token_after_parent_was_cancelled) {
  for (bool drop_parent_first : {true, false}) {
    std::optional<CancellationToken> parent(std::in_place);
    {
      PollProbe parent_wait(parent->cancelled());
      EXPECT_FALSE(parent_wait.poll());
      parent->cancel();
      EXPECT_EQ(parent_wait.wake_count(), 1);
      EXPECT_TRUE(parent_wait.poll());
    }
    std::optional<CancellationToken> child(parent->child_token());
    EXPECT_TRUE(child->is_cancelled());
    {
      PollProbe child_wait(child->cancelled());
      EXPECT_TRUE(child_wait.poll());
      EXPECT_EQ(child_wait.wake_count(), 0);
    }
    (drop_parent_first ? parent : child).reset();
  }
}

TEST(sync_cancellation_token, drop_multiple_child_tokens) {
  for (bool first_to_last : {true, false}) {
    CancellationToken parent;
    std::vector<std::optional<CancellationToken>> children;
    for (int index = 0; index < 3; ++index) children.emplace_back(parent.child_token());
    for (std::size_t index = 0; index < children.size(); ++index) {
      children[first_to_last ? index : children.size() - 1 - index].reset();
      EXPECT_FALSE(parent.is_cancelled());
      for (const auto& child : children) EXPECT_FALSE(child && child->is_cancelled());
    }
  }
}

TEST(sync_cancellation_token, cancel_only_all_descendants) {
  CancellationToken parent;
  CancellationToken sibling = parent.child_token();
  CancellationToken cancelled = parent.child_token();
  CancellationToken child1 = cancelled.child_token();
  CancellationToken child2 = cancelled.child_token();
  CancellationToken grandchild1 = child1.child_token();
  CancellationToken grandchild2 = child1.child_token();
  CancellationToken great_grandchild = grandchild2.child_token();

  using Wait = PollProbe<Cancelled<false>>;
  std::vector<std::unique_ptr<Wait>> in_subtree;
  for (const CancellationToken* token : {&cancelled, &child1, &child2, &grandchild1, &grandchild2, &great_grandchild}) {
    in_subtree.push_back(std::make_unique<Wait>(token->cancelled()));
    EXPECT_FALSE(in_subtree.back()->poll());
  }
  Wait parent_wait(parent.cancelled());
  Wait sibling_wait(sibling.cancelled());
  EXPECT_FALSE(parent_wait.poll());
  EXPECT_FALSE(sibling_wait.poll());

  cancelled.cancel();
  for (auto& wait : in_subtree) {
    EXPECT_EQ(wait->wake_count(), 1);
    EXPECT_TRUE(wait->poll());
  }
  EXPECT_EQ(parent_wait.wake_count(), 0);
  EXPECT_EQ(sibling_wait.wake_count(), 0);
  EXPECT_FALSE(parent.is_cancelled());
  EXPECT_FALSE(sibling.is_cancelled());
  EXPECT_TRUE(great_grandchild.is_cancelled());
}

TEST(sync_cancellation_token, drop_parent_before_child_tokens) {
  std::optional<CancellationToken> parent(std::in_place);
  CancellationToken child1 = parent->child_token();
  CancellationToken child2 = parent->child_token();
  parent.reset();
  EXPECT_FALSE(child1.is_cancelled());
  EXPECT_FALSE(child2.is_cancelled());
}

/// `run` is run_until_cancelled or its owned twin.
template <typename Run>
void expect_run_until_cancelled(Run run) {
  {
    CancellationToken token;
    auto [sender, receiver] = oneshot::channel<int>();
    PollProbe running(run(token, std::move(receiver)));
    EXPECT_FALSE(running.poll());
    token.cancel();
    EXPECT_TRUE(running.is_woken());
    EXPECT_TRUE(running.poll());
    EXPECT_FALSE(running.take());
    EXPECT_TRUE(sender.is_closed());  // What was awaited is gone.
  }
  {
    CancellationToken token;
    auto [sender, receiver] = oneshot::channel<int>();
    PollProbe running(run(token, std::move(receiver)));
    EXPECT_FALSE(running.poll());
    EXPECT_TRUE(std::move(sender).send(42));
    EXPECT_TRUE(running.is_woken());
    ASSERT_TRUE(running.poll());
    EXPECT_EQ(running.take().value().value(), 42);
  }
  {
    CancellationToken token;
    token.cancel();
    bool was_started = false;
    PollProbe running(run(token, [&]() -> Task<int> {
      was_started = true;
      co_return 42;
    }));
    ASSERT_TRUE(running.poll());
    EXPECT_FALSE(running.take());
    EXPECT_FALSE(was_started);
  }
}

TEST(sync_cancellation_token, run_until_cancelled_test) {
  expect_run_until_cancelled(
      [](const CancellationToken& token, auto operand) { return token.run_until_cancelled(std::move(operand)); });
}

TEST(sync_cancellation_token, run_until_cancelled_owned_test) {
  expect_run_until_cancelled([](const CancellationToken& token, auto operand) {
    return CancellationToken(token).run_until_cancelled_owned(std::move(operand));
  });
}

TEST(sync_cancellation_token, cloned_cancellation_tokens_are_considered_equal) {
  CancellationToken token;
  CancellationToken copy = token;
  EXPECT_EQ(token, copy);
}

TEST(sync_cancellation_token, child_cancellation_tokens_are_not_considered_equal) {
  CancellationToken token;
  EXPECT_NE(token, token.child_token());
}

TEST(sync_cancellation_token, independent_cancellation_tokens_are_not_considered_equal) {
  EXPECT_NE(CancellationToken(), CancellationToken());
}

TEST(sync_cancellation_token, cloned_cancellation_tokens_have_same_hash) {
  CancellationToken token;
  CancellationToken copy = token;
  EXPECT_EQ(std::hash<CancellationToken>()(token), std::hash<CancellationToken>()(copy));
}

TEST(sync_cancellation_token, different_cancellation_tokens_have_different_hash) {
  CancellationToken first;
  CancellationToken second;
  EXPECT_NE(std::hash<CancellationToken>()(first), std::hash<CancellationToken>()(second));
}

}  // namespace
}  // namespace kaido
