#include <kaido/sync/cancellation_token.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/spawn.h>

#include "sdk/testing/poll_probe.h"

namespace kaido {
namespace {

using testing::PollProbe;

TEST(CancellationToken, DropGuardCancelsUnlessDisarmed) {
  CancellationToken token;
  {
    DropGuard guard = token.drop_guard();
  }
  EXPECT_TRUE(token.is_cancelled());

  CancellationToken kept;
  {
    DropGuard guard = CancellationToken(kept).drop_guard();
    DropGuard moved = std::move(guard);
    EXPECT_EQ(std::move(moved).disarm(), kept);
  }
  EXPECT_FALSE(kept.is_cancelled());
}

TEST(CancellationToken, DropGuardRefCancelsUnlessDisarmed) {
  CancellationToken token;
  {
    DropGuardRef guard = token.drop_guard_ref();
    EXPECT_EQ(&std::move(guard).disarm(), &token);
  }
  EXPECT_FALSE(token.is_cancelled());
  {
    DropGuardRef guard = token.drop_guard_ref();
  }
  EXPECT_TRUE(token.is_cancelled());
}

TEST(CancellationToken, RunUntilCancelledDestroysTheTaskBeforeItIsReady) {
  CancellationToken token;
  auto witness = std::make_shared<int>(0);
  auto wait = [](CancellationToken never, std::shared_ptr<int>) -> Task<void> { co_await never.cancelled(); };
  PollProbe running(token.run_until_cancelled(wait(CancellationToken(), witness)));
  EXPECT_FALSE(running.poll());
  EXPECT_EQ(witness.use_count(), 2);
  token.cancel();
  ASSERT_TRUE(running.poll());
  EXPECT_EQ(witness.use_count(), 1);
  EXPECT_EQ(running.take(), std::nullopt);
}

TEST(CancellationToken, RunUntilCancelledOfNothingGivesMonostate) {
  CancellationToken token;
  PollProbe running(token.run_until_cancelled([]() -> Task<void> { co_return; }));
  ASSERT_TRUE(running.poll());
  EXPECT_EQ(running.take(), std::monostate());
}

TEST(CancellationToken, DeepChainIsCancelledFromTheTopWithItsMiddleGone) {
  constexpr int kDepth = 10000;
  CancellationToken top;
  std::vector<std::optional<CancellationToken>> chain;
  chain.emplace_back(top.child_token());
  for (int depth = 1; depth < kDepth; ++depth) chain.emplace_back(chain.back()->child_token());
  for (std::size_t index = 0; index < chain.size(); index += 2) chain[index].reset();
  top.cancel();
  for (const auto& token : chain) EXPECT_TRUE(!token || token->is_cancelled());
}

TEST(CancellationToken, CancelledTokensCanBeDroppedInAnyOrder) {
  std::optional<CancellationToken> parent(std::in_place);
  CancellationToken child = parent->child_token();
  CancellationToken grandchild = child.child_token();
  child.cancel();
  EXPECT_FALSE(parent->is_cancelled());
  parent.reset();
  EXPECT_TRUE(grandchild.is_cancelled());
  EXPECT_TRUE(child.child_token().is_cancelled());
}

TEST(CancellationToken, LoopEndsWhenCancelled) {
  auto serve = [](CancellationToken token, std::shared_ptr<int> served) -> Task<void> {
    auto next = [served]() -> Task<int> {
      co_await yield_now();
      co_return ++*served;
    };
    while (auto number = co_await token.run_until_cancelled(next())) {
      if (*number == 3) token.cancel();
    }
  };
  auto served = std::make_shared<int>(0);
  RuntimeBuilder::new_current_thread().build().value().block_on(serve(CancellationToken(), served));
  EXPECT_EQ(*served, 3);
  EXPECT_EQ(served.use_count(), 1);
}

/// Makes and drops tokens below `parent` at random until it is cancelled.
void grow(const CancellationToken& parent, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<CancellationToken> tokens{parent};
  while (!parent.is_cancelled()) {
    const std::size_t index = random() % tokens.size();
    if (tokens.size() < 20) {
      tokens.push_back(tokens[index].child_token());
    } else if (index != 0) {
      std::swap(tokens[index], tokens.back());
      tokens.pop_back();
    }
    if (index != 0 && index < tokens.size() && random() % 16 == 0) tokens[index].cancel();
  }
  for (const CancellationToken& token : tokens) EXPECT_TRUE(token.is_cancelled());
}

TEST(CancellationToken, TreeGrowsWhileItIsCancelledBetweenThreads) {
  Runtime runtime = RuntimeBuilder::new_multi_thread().worker_threads(2).build().value();
  for (unsigned round = 0; round < 50; ++round) {
    SCOPED_TRACE(round);
    CancellationToken root;
    std::atomic<int> heard = 0;
    auto listen = [](CancellationToken token, std::atomic<int>& count) -> Task<void> {
      co_await token.cancelled();
      count.fetch_add(1);
    };
    std::vector<JoinHandle<void>> tasks;
    for (int index = 0; index < 50; ++index) tasks.push_back(runtime.spawn(listen(root.child_token(), heard)));
    std::vector<std::thread> threads;
    for (unsigned id = 0; id < 3; ++id) {
      threads.emplace_back([token = root.child_token(), id, round] { grow(token, 3 * round + id); });
    }
    auto cancel = [](CancellationToken token) -> Task<void> {
      for (int turn = 0; turn < 100; ++turn) co_await yield_now();
      token.cancel();
    };
    tasks.push_back(runtime.spawn(cancel(root)));
    for (std::thread& thread : threads) thread.join();
    for (JoinHandle<void>& task : tasks) EXPECT_TRUE(runtime.block_on(task));
    EXPECT_EQ(heard.load(), 50);
  }
}

}  // namespace
}  // namespace kaido
