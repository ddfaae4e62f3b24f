// What one owner of a bounded number leaves for others.
#include <gtest/gtest.h>

#include "daemon/core/task/executor.h"
#include "daemon/core/task/fake_placer.h"
#include "daemon/core/task/ledger.h"
#include "proto/wire/memory_budget.h"

namespace kaido::daemon {
namespace {

using namespace std::chrono_literals;

constexpr base::FunctionId kF{1};
constexpr base::FunctionId kG{2};
constexpr NodeIndex kOrigin{3};

ClusterViewRef view_of_one() {
  auto info = std::make_shared<NodeInfo>();
  info->name = "here";
  info->functions = {{kF, "f", 10, ""}, {kG, "g", 20, ""}};
  return std::make_shared<const ClusterView>(
      1, std::vector<NodeView>{{.index = kSelf, .alive = true, .info = std::move(info)}});
}

PlacementRef placement_of(base::FunctionId function, base::Duration wait = {}) {
  PlacementSpec spec;
  spec.function = function;
  spec.wait = wait;
  return std::make_shared<const PreparedPlacement>(std::move(spec), 0, 1);
}

AttemptKey key_of(NodeIndex origin, std::uint64_t sequence) {
  return {.origin = origin, .attempt = 1, .origin_life = {{50}, 7}, .sequence = sequence};
}

// The worker's call if the attempt was started, 0 if it is queued; nothing if it was handed back.
std::optional<std::uint64_t> admit(Executor& executor, const AttemptKey& key, std::uint32_t session = 0,
                                   base::FunctionId function = kF) {
  executor.admit({}, {.key = key,
                      .placement = placement_of(function),
                      .payload = Payload::copy_of(wire::as_span("x")),
                      .session = session});
  ExecutorEffect effect;
  EXPECT_TRUE(executor.poll_effect(effect));
  switch (effect.kind) {
    case ExecutorEffect::Kind::kDispatch:
      return effect.call;
    case ExecutorEffect::Kind::kReplyQueued:
      return 0;
    default:
      EXPECT_EQ(effect.reason, RedirectReason::kQueueFull);
      return std::nullopt;
  }
}

TEST(RunQueueOwners, OneOriginsQueueLeavesRoomForAnothersAndForAnApps) {
  Executor executor({.queue_max = 4}, view_of_one());
  executor.worker_opened({}, 7, 1, std::vector{kF});
  ASSERT_NE(admit(executor, key_of(kOrigin, 1)).value_or(0), 0U) << "runs";
  for (std::uint64_t sequence = 2; sequence < 6; ++sequence)
    static_cast<void>(admit(executor, key_of(kOrigin, sequence)));
  EXPECT_EQ(executor.queued_count(), 2U);
  EXPECT_TRUE(admit(executor, key_of(NodeIndex{4}, 1)));
  EXPECT_TRUE(admit(executor, key_of(kSelf, 1), 8));
  EXPECT_FALSE(admit(executor, key_of(kSelf, 2), 9)) << "now it is full";
  executor.cancel({}, key_of(kOrigin, 2));
  EXPECT_FALSE(admit(executor, key_of(kOrigin, 9))) << "it has one, and may have half of one";
  EXPECT_TRUE(admit(executor, key_of(kSelf, 3), 9)) << "its place was given back";
}

class OverdueWorker : public ::testing::Test {
 protected:
  OverdueWorker() {
    executor_.worker_opened({}, 7, 1, std::vector{kF});
    executor_.worker_opened({}, 8, 1, std::vector{kG});
  }
  // Whether the worker was given the attempt, which it yields, and which is given up then.
  bool leaves_one_behind() {
    const AttemptKey key = key_of(kOrigin, ++sequence_);
    const std::uint64_t call = admit(executor_, key).value_or(0);
    if (call != 0) {
      calls_.push_back(call);
      executor_.worker_yielded({}, 7, call, true);
    }
    cancel(key);
    return call != 0;
  }
  void cancel(const AttemptKey& key) {
    executor_.cancel({}, key);
    ExecutorEffect effect;
    while (executor_.poll_effect(effect)) continue;
  }
  bool others_run() {
    const AttemptKey key = key_of(kOrigin, ++sequence_);
    const std::uint64_t call = admit(executor_, key, 0, kG).value_or(0);
    if (call != 0) static_cast<void>(executor_.finish({}, 8, call));
    return call != 0;
  }

  Executor executor_{{.attempts_max = 8}, view_of_one()};
  std::uint64_t sequence_ = 0;
  std::vector<std::uint64_t> calls_;
};

TEST_F(OverdueWorker, GetsNothingMoreUntilItAnswersWhileOthersRun) {
  for (int i = 0; i < 8; ++i) EXPECT_EQ(leaves_one_behind(), i < 2) << i;
  EXPECT_TRUE(others_run());
  EXPECT_EQ(executor_.times_overdue(), 1U);
  EXPECT_FALSE(executor_.handle_worker_result({}, 7, calls_[0], {wire::Outcome::kCancelled, nullptr, {}}));
  EXPECT_TRUE(leaves_one_behind()) << "it owes less than it may";
  EXPECT_FALSE(leaves_one_behind());
}

TEST_F(OverdueWorker, MayYieldWhatWasGivenUpAndIsCountedForItThen) {
  for (int i = 0; i < 2; ++i) {
    const AttemptKey key = key_of(kOrigin, ++sequence_);
    calls_.push_back(admit(executor_, key).value_or(0));
    ASSERT_NE(calls_.back(), 0U);
    cancel(key);
    executor_.worker_yielded({}, 7, calls_.back(), true);
  }
  EXPECT_EQ(admit(executor_, key_of(kOrigin, ++sequence_)).value_or(1), 0U) << "it has a slot, and owes two answers";
  executor_.worker_yielded({}, 7, calls_[0], false);
  EXPECT_EQ(executor_.queued_count(), 1U) << "the slot is taken again";
  executor_.handle_worker_result({}, 7, calls_[0], {wire::Outcome::kCancelled, nullptr, {}});
  EXPECT_EQ(executor_.queued_count(), 0U);
}

TEST_F(OverdueWorker, TakesWhatItOwesAlong) {
  EXPECT_TRUE(leaves_one_behind());
  EXPECT_TRUE(leaves_one_behind());
  executor_.worker_lost({}, 7);
  executor_.worker_opened({}, 7, 1, std::vector{kF});
  EXPECT_TRUE(leaves_one_behind());
  EXPECT_TRUE(leaves_one_behind());
  EXPECT_FALSE(leaves_one_behind());
}

// Knows of no node that fits, or of one.
class FewToGoTo final : public Placer {
 public:
  NodeIndex only = kNoNode;

  Choice choose(const PreparedPlacement&, std::span<const NodeIndex>) override {
    return only == kNoNode ? Choice{} : Choice{Verdict::kChosen, only, {{1}, 1}};
  }
  std::vector<NodeReason> explain(const PreparedPlacement&, std::span<const NodeIndex>) const override { return {}; }
  Said said(NodeIndex) const override { return {}; }
  bool fits(const PreparedPlacement&, NodeIndex) const override { return false; }
  std::string node_name(NodeIndex) const override { return {}; }
  void attempt_sent(NodeIndex) override {}
  void attempt_settled(NodeIndex) override {}
};

TEST(WaitingTaskOwners, OneSessionsWaitingTasksLeaveRoomForAnothers) {
  FewToGoTo placer;
  Ledger ledger({.waiting_max = 5}, placer);
  const auto is_waiting = [&](std::uint32_t session, std::uint64_t call_id) {
    const std::uint32_t before = ledger.waiting_count();
    EXPECT_EQ(ledger.submit({}, {.session = session, .call_id = call_id, .placement = placement_of(kF, 1h)}),
              SubmitStatus::kAccepted);
    return ledger.waiting_count() > before;
  };
  for (std::uint64_t id = 1; id <= 4; ++id) static_cast<void>(is_waiting(1, id));
  EXPECT_EQ(ledger.waiting_count(), 2U);
  EXPECT_TRUE(is_waiting(2, 1));
  EXPECT_FALSE(is_waiting(1, 5)) << "it has two, and two are left";
  EXPECT_TRUE(ledger.cancel({}, 1, 1));
  EXPECT_TRUE(ledger.cancel({}, 1, 2));
  EXPECT_TRUE(is_waiting(1, 6)) << "its places were given back";
}

TEST(Retries, OfWhyAnAttemptWasLostLittleIsKept) {
  FewToGoTo placer;
  placer.only = NodeIndex{1};
  Ledger ledger({}, placer);
  PlacementSpec spec;
  spec.max_attempts = 2;
  spec.wait = 1h;
  const auto placement = std::make_shared<const PreparedPlacement>(std::move(spec), 0, 1);
  ASSERT_EQ(ledger.submit({}, {.session = 1, .call_id = 1, .placement = placement}), SubmitStatus::kAccepted);
  LedgerEffect effect;
  ASSERT_TRUE(ledger.poll_effect(effect));
  placer.only = kNoNode;
  std::string why = "x";
  while (why.size() < 16384) why += "é";
  ledger.handle_result({}, {NodeIndex{1}, {{1}, 1}, effect.sequence, 1},
                       {wire::Outcome::kAppLost, make_error({.message = why, .exception_type = why, .node = why}), {}});
  ASSERT_EQ(ledger.waiting_count(), 1U) << "for another node";
  ledger.handle_timeout(base::Instant{} + 1h);
  ASSERT_TRUE(ledger.poll_effect(effect));
  EXPECT_EQ(effect.outcome, wire::Outcome::kAppLost);
  EXPECT_EQ(effect.error->message, why.substr(0, 255) + "…; no other node can run it");
  EXPECT_EQ(effect.error->node, why.substr(0, 255) + "…");
}

// ---------------------------------------------------------------- memory

TEST(LedgerOwners, WhatIsRememberedOfATaskThatIsTriedAgainIsItsAppsMemory) {
  wire::MemoryBudget memory(1U << 20);
  const auto history = [&] { return memory.used(wire::MemoryKind::kHistory); };
  FakePlacer placer;
  Ledger ledger({.memory = &memory}, placer);
  PlacementSpec spec;
  spec.max_attempts = 3;
  const auto placement = std::make_shared<const PreparedPlacement>(std::move(spec), 0, 1);
  ASSERT_EQ(ledger.submit({}, {.session = 1, .call_id = 7, .placement = placement}), SubmitStatus::kAccepted);
  const auto attempt = [&] {
    LedgerEffect effect;
    EXPECT_TRUE(ledger.poll_effect(effect));
    return AttemptReport{effect.node, FakePlacer::life(effect.node), effect.sequence, effect.attempt};
  };
  const AttemptReport first = attempt();
  EXPECT_EQ(history(), 0U) << "of a task that nothing happened to";
  ledger.handle_redirect({}, first, {RedirectReason::kQueueFull, 0ns, {}});
  const std::size_t handed_back = history();
  EXPECT_GT(handed_back, 100U);
  EXPECT_LT(handed_back, 1000U);
  const auto loss = make_error({.message = std::string(5000, 'x'), .node = "c"});
  ledger.handle_result({}, attempt(), {wire::Outcome::kAppLost, loss, {}});
  EXPECT_GT(history(), handed_back + 256);
  EXPECT_LT(history(), handed_back + 1000) << "a long text is cut";
  ledger.session_closed({}, 1);
  EXPECT_EQ(history(), 0U);
}

}  // namespace
}  // namespace kaido::daemon
