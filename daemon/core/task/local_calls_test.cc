#include "daemon/core/task/local_calls.h"

#include <gtest/gtest.h>

#include "proto/wire/body.h"
#include "proto/wire/limits.h"

namespace kaido::daemon {
namespace {

using wire::Outcome;
using Kind = LocalEffect::Kind;
using namespace std::chrono_literals;

constexpr base::FunctionId kF{1};
constexpr std::uint32_t kWorker = 7;
constexpr std::uint32_t kApp = 9;

// Nothing is to be chosen.
class IdlePlacer final : public Placer {
 public:
  Choice choose(const PreparedPlacement&, std::span<const NodeIndex>) override { return {}; }
  std::vector<NodeReason> explain(const PreparedPlacement&, std::span<const NodeIndex>) const override { return {}; }
  Said said(NodeIndex) const override { return {}; }
  bool fits(const PreparedPlacement&, NodeIndex) const override { return false; }
  std::string node_name(NodeIndex) const override { return "here"; }
  void attempt_sent(NodeIndex) override { ADD_FAILURE() << "it is not sent anywhere"; }
  void attempt_settled(NodeIndex) override { ADD_FAILURE(); }
};

ClusterViewRef alone() {
  NodeInfo info;
  info.name = "here";
  info.functions = {{kF, "f", 10, ""}};
  return std::make_shared<const ClusterView>(
      1, std::vector<NodeView>{
             {.index = kSelf, .alive = true, .info = std::make_shared<const NodeInfo>(std::move(info))}});
}

class LocalCallsTest : public ::testing::Test {
 protected:
  LocalCallsTest() { executor_.worker_opened(now_, kWorker, 2, std::vector{kF}); }

  static PlacementRef placement(base::Duration timeout = 0ns) {
    PlacementSpec spec;
    spec.function = kF;
    spec.function_name = "f";
    spec.timeout = timeout;
    return std::make_shared<const PreparedPlacement>(std::move(spec), 0, 1);
  }
  std::optional<LocalCalls::Begun> begin(std::uint64_t call_id, base::Duration budget = 0ns,
                                         std::uint32_t session = kApp) {
    SubmitRequest request{.session = session, .call_id = call_id, .placement = placement(), .budget = budget};
    const auto pick = calls_.find_worker(*request.placement);
    return pick ? calls_.begin(now_, request, *pick) : std::nullopt;
  }
  LocalEffect next() {
    LocalEffect effect;
    LocalEffect* const first = calls_.first_effect();
    EXPECT_NE(first, nullptr);
    if (first == nullptr) return effect;
    effect = std::move(*first);
    calls_.drop_effect();
    return effect;
  }
  // What a call that is given up leads to: its worker is told, its app has an answer.
  LocalEffect given_up(std::uint64_t call) {
    const LocalEffect cancel = next();
    EXPECT_EQ(cancel.kind, Kind::kCancelAtWorker);
    EXPECT_EQ(cancel.session, kWorker);
    EXPECT_EQ(cancel.id, call);
    LocalEffect answer = next();
    EXPECT_EQ(answer.kind, Kind::kDeliver);
    EXPECT_EQ(calls_.first_effect(), nullptr);
    return answer;
  }
  std::uint32_t busy() const { return executor_.load().busy; }
  std::uint64_t delivered(Outcome outcome) const {
    return ledger_.counters().delivered[static_cast<std::size_t>(outcome)];
  }
  void expect_quiescent() {
    EXPECT_EQ(ledger_.task_count(), 0U);
    EXPECT_EQ(calls_.running_count(), 0U);
    EXPECT_TRUE(executor_.is_idle());
    EXPECT_EQ(busy(), 0U);
    EXPECT_EQ(calls_.next_timeout(), std::nullopt);
    EXPECT_EQ(calls_.first_effect(), nullptr);
  }

  base::Instant now_{};
  IdlePlacer placer_;
  Ledger ledger_{LedgerOptions{.tasks_max = 3}, placer_};
  Executor executor_{ExecutorOptions{}, alone()};
  LocalCalls calls_{{.node_name = "here", .calls_max = 3}, ledger_, executor_};
};

TEST_F(LocalCallsTest, ASuccessEndsTheCallAndIsTheCallersToDeliver) {
  const auto begun = begin(5, 3s);
  ASSERT_TRUE(begun);
  EXPECT_TRUE(LocalCalls::owns(begun->call));
  EXPECT_EQ(begun->budget, 3s);
  EXPECT_EQ(busy(), 1U);
  EXPECT_EQ(ledger_.task_count(), 1U);
  EXPECT_EQ(executor_.running_count(), 1U);
  EXPECT_EQ(calls_.running_count(), 1U);
  EXPECT_EQ(calls_.next_timeout(), now_ + 3s);
  EXPECT_FALSE(calls_.finish(now_, kWorker + 1, begun->call)) << "another worker's";
  const auto end = calls_.finish(now_ + 1s, kWorker, begun->call);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->session, kApp);
  EXPECT_EQ(end->call_id, 5U);
  EXPECT_EQ(end->since, now_);
  EXPECT_FALSE(calls_.finish(now_, kWorker, begun->call)) << "it ends once";
  EXPECT_EQ(delivered(Outcome::kSucceeded), 1U);
  EXPECT_EQ(executor_.counters().finished[0], 1U);
  EXPECT_EQ(ledger_.counters().submitted, 1U);
  expect_quiescent();
}

TEST_F(LocalCallsTest, ACallIdIsInUseWhicheverWayItsCallWent) {
  ASSERT_TRUE(begin(5));
  EXPECT_FALSE(begin(5)) << "the session has it in flight";
  EXPECT_TRUE(begin(5, 0ns, kApp + 1)) << "another session's ids are its own";
  const SubmitRequest again{.session = kApp, .call_id = 5, .placement = placement()};
  EXPECT_EQ(ledger_.submit(now_, again), SubmitStatus::kDuplicateCall);
  EXPECT_EQ(busy(), 2U);
  EXPECT_FALSE(begin(6)) << "no slot is free";
}

TEST_F(LocalCallsTest, TheLedgersBoundHoldsForBothWaysTogether) {
  executor_.worker_opened(now_, kWorker + 1, 8, std::vector{kF});
  for (std::uint64_t id = 1; id <= 3; ++id) ASSERT_TRUE(begin(id));
  EXPECT_FALSE(ledger_.may_run_at_once(*placement()));
  const SubmitRequest further{.session = kApp, .call_id = 4, .placement = placement()};
  EXPECT_EQ(ledger_.submit(now_, further), SubmitStatus::kAccepted);
  LedgerEffect refusal;
  ASSERT_TRUE(ledger_.poll_effect(refusal));
  EXPECT_EQ(refusal.outcome, Outcome::kRejected);
  EXPECT_EQ(ledger_.counters().tasks_full, 1U);
  EXPECT_FALSE(begin(4)) << "nor has this table room";
}

TEST_F(LocalCallsTest, AFailureIsDeliveredWithItsNodeAndAttempt) {
  const auto begun = begin(5);
  EXPECT_FALSE(calls_.handle_result(now_, kWorker + 1, begun->call, {Outcome::kPanicked, nullptr, {}}));
  EXPECT_TRUE(
      calls_.handle_result(now_ + 1s, kWorker, begun->call, {Outcome::kPanicked, make_error({.message = "boom"}), {}}));
  const LocalEffect answer = next();
  EXPECT_EQ(answer.kind, Kind::kDeliver);
  EXPECT_TRUE(answer.has_run);
  EXPECT_EQ(answer.session, kApp);
  EXPECT_EQ(answer.id, 5U);
  EXPECT_EQ(answer.result.outcome, Outcome::kPanicked);
  EXPECT_EQ(*answer.result.error, (TaskError{.message = "boom", .node = "here", .attempt = 1}));
  EXPECT_EQ(delivered(Outcome::kPanicked), 1U);
  EXPECT_EQ(executor_.counters().late_results_dropped, 1U);
  expect_quiescent();
}

TEST_F(LocalCallsTest, ACancelledCallKeepsItsSlotUntilItsWorkerAnswers) {
  const auto begun = begin(5);
  EXPECT_FALSE(calls_.cancel(kApp, 6));
  EXPECT_FALSE(calls_.cancel(kApp + 1, 5));
  EXPECT_TRUE(calls_.cancel(kApp, 5));
  const LocalEffect answer = given_up(begun->call);
  EXPECT_EQ(answer.result.outcome, Outcome::kCancelled);
  EXPECT_FALSE(answer.has_run);
  EXPECT_FALSE(calls_.cancel(kApp, 5)) << "once";
  EXPECT_EQ(ledger_.task_count(), 0U);
  EXPECT_TRUE(executor_.is_idle()) << "nobody waits for an answer";
  EXPECT_EQ(busy(), 1U);
  EXPECT_TRUE(begin(5)) << "its id is free again";
  EXPECT_FALSE(begin(6)) << "both slots are taken";
  EXPECT_FALSE(calls_.finish(now_, kWorker, begun->call));
  EXPECT_FALSE(calls_.handle_result(now_, kWorker, begun->call, {}));
  EXPECT_EQ(busy(), 1U);
  EXPECT_EQ(executor_.counters().late_results_dropped, 1U);
  EXPECT_EQ(executor_.counters().cancelled, 1U);
}

TEST_F(LocalCallsTest, ADeadlineEndsTheCallThatStatesItOrWhosePlacementDoes) {
  const auto stated = begin(5, 2s);
  SubmitRequest request{.session = kApp, .call_id = 6, .placement = placement(1s)};
  const auto implied = calls_.begin(now_, request, *calls_.find_worker(*request.placement));
  ASSERT_TRUE(implied);
  EXPECT_EQ(implied->budget, 1s);
  calls_.handle_timeout(now_ + 1s);
  const LocalEffect answer = given_up(implied->call);
  EXPECT_EQ(answer.id, 6U);
  EXPECT_EQ(answer.result.outcome, Outcome::kTimedOut);
  EXPECT_EQ(answer.result.error->node, "here");
  EXPECT_TRUE(answer.has_run);
  EXPECT_EQ(calls_.next_timeout(), now_ + 2s);
  EXPECT_TRUE(calls_.finish(now_ + 1s, kWorker, stated->call));
  EXPECT_EQ(calls_.next_timeout(), std::nullopt);
}

TEST_F(LocalCallsTest, AWorkersEndFailsWhatItRanAndForgetsWhatWasGivenUp) {
  const auto lost = begin(5);
  const auto cancelled = begin(6);
  EXPECT_TRUE(calls_.cancel(kApp, 6));
  given_up(cancelled->call);
  calls_.worker_lost(kWorker);
  const LocalEffect answer = next();
  EXPECT_EQ(answer.id, 5U);
  EXPECT_EQ(answer.result.outcome, Outcome::kAppLost);
  executor_.worker_lost(now_, kWorker);
  executor_.worker_opened(now_, kWorker + 1, 1, std::vector{kF});
  EXPECT_FALSE(calls_.finish(now_, kWorker + 1, lost->call)) << "the next one in its place has its own calls";
  EXPECT_TRUE(begin(5));
  calls_.worker_lost(kWorker + 2);
  EXPECT_EQ(busy(), 1U);
}

TEST_F(LocalCallsTest, AClosedSessionsCallsAreStoppedAndNobodyIsAnswered) {
  const auto begun = begin(5);
  const auto others = begin(5, 0ns, kApp + 1);
  calls_.session_closed(kApp);
  ledger_.session_closed(now_, kApp);
  EXPECT_EQ(next().id, begun->call);
  EXPECT_EQ(calls_.first_effect(), nullptr);
  EXPECT_EQ(ledger_.counters().abandoned, 1U);
  EXPECT_FALSE(calls_.handle_result(now_, kWorker, begun->call, {}));
  EXPECT_TRUE(calls_.finish(now_, kWorker, others->call));
  expect_quiescent();
}

TEST_F(LocalCallsTest, AnAppThatCallsItselfLeavesNothingBehind) {
  ASSERT_TRUE(begin(5, 1s, kWorker));
  calls_.worker_lost(kWorker);
  executor_.worker_lost(now_, kWorker);
  calls_.session_closed(kWorker);
  ledger_.session_closed(now_, kWorker);
  EXPECT_EQ(ledger_.counters().abandoned, 1U);
  expect_quiescent();
}

TEST_F(LocalCallsTest, ACallThatWaitsForOneOfItsOwnUsesNoSlot) {
  const auto first = begin(5);
  ASSERT_TRUE(begin(6));
  calls_.worker_yielded(now_, kWorker + 1, first->call, true);
  EXPECT_EQ(busy(), 2U) << "not its call";
  calls_.worker_yielded(now_, kWorker, first->call, true);
  calls_.worker_yielded(now_, kWorker, first->call, true);
  EXPECT_EQ(busy(), 1U);
  const auto third = begin(7);
  ASSERT_TRUE(third);
  calls_.worker_yielded(now_, kWorker, first->call, false);
  EXPECT_EQ(busy(), 3U) << "more than its slots, until others end";
  EXPECT_TRUE(calls_.finish(now_, kWorker, third->call));
  calls_.worker_yielded(now_, kWorker, first->call, true);
  EXPECT_TRUE(calls_.finish(now_, kWorker, first->call));
  EXPECT_EQ(busy(), 1U);
}

TEST_F(LocalCallsTest, AFreedSlotIsTheQueuesFirst) {
  const auto first = begin(5);
  ASSERT_TRUE(begin(6));
  executor_.admit(now_, {.key = {NodeIndex{3}, 1, {{50}, 7}, 100}, .placement = placement()});
  executor_.drop_effect();  // it is queued
  EXPECT_TRUE(calls_.handle_result(now_, kWorker, first->call, {Outcome::kPanicked, nullptr, {}}));
  ExecutorEffect dispatched;
  ASSERT_TRUE(executor_.poll_effect(dispatched));
  EXPECT_EQ(dispatched.kind, ExecutorEffect::Kind::kDispatch);
  EXPECT_FALSE(LocalCalls::owns(dispatched.call));
  EXPECT_EQ(busy(), 2U);
}

TEST_F(LocalCallsTest, TheEndOfADrainGivesUpWhatRuns) {
  const auto begun = begin(5);
  ledger_.drain(now_, now_ + 1s);
  executor_.drain(now_, now_ + 1s);
  EXPECT_FALSE(begin(6)) << "nothing new";
  EXPECT_EQ(ledger_.next_timeout(), now_ + 1s);
  calls_.handle_timeout(now_ + 999ms);
  EXPECT_EQ(calls_.first_effect(), nullptr);
  calls_.handle_timeout(now_ + 1s);
  EXPECT_EQ(given_up(begun->call).result.outcome, Outcome::kUnavailable);
  EXPECT_EQ(executor_.counters().finished[static_cast<std::size_t>(Outcome::kNodeLost)], 1U);
  EXPECT_TRUE(executor_.is_idle());
  EXPECT_EQ(ledger_.next_timeout(), std::nullopt);
}

TEST_F(LocalCallsTest, OperatorsSeeWhatIsUndelivered) {
  const auto begun = begin(5, 10s);
  const auto cancelled = begin(6);
  EXPECT_TRUE(calls_.cancel(kApp, 6));
  given_up(cancelled->call);
  std::vector<TaskSummary> tasks;
  calls_.add_tasks(now_ + 4s, 10, tasks);
  ASSERT_EQ(tasks.size(), 1U);
  EXPECT_EQ(tasks[0].sequence, begun->call);
  EXPECT_EQ(tasks[0].state, TaskState::kAssigned);
  EXPECT_EQ(tasks[0].session, kApp);
  EXPECT_EQ(tasks[0].call_id, 5U);
  EXPECT_EQ(tasks[0].node, kSelf);
  EXPECT_EQ(tasks[0].function, "f");
  EXPECT_EQ(tasks[0].age, 4s);
  EXPECT_EQ(tasks[0].left, 6s);
  EXPECT_FALSE(calls_.handle_result(now_, kWorker, cancelled->call, {Outcome::kCancelled, nullptr, {}}));
  now_ += 1s;
  ASSERT_TRUE(begin(99));
  tasks.clear();
  calls_.add_tasks(now_ + 3s, 1, tasks);
  ASSERT_EQ(tasks.size(), 1U) << "no more than the limit";
  EXPECT_EQ(tasks[0].sequence, begun->call) << "the oldest";
}

TEST_F(LocalCallsTest, AWorkerThatOwesAnswersToWhatItYieldedGetsNothingMore) {
  Executor executor({.attempts_max = 8}, alone());
  executor.worker_opened(now_, kWorker, 1, std::vector{kF});
  LocalCalls calls({.node_name = "here"}, ledger_, executor);
  const auto leave_behind = [&](std::uint64_t call_id) -> std::uint64_t {
    SubmitRequest request{.session = kApp, .call_id = call_id, .placement = placement()};
    const auto pick = calls.find_worker(*request.placement);
    if (!pick) return 0;
    const std::uint64_t call = calls.begin(now_, request, *pick)->call;
    calls.worker_yielded(now_, kWorker, call, true);
    EXPECT_TRUE(calls.cancel(kApp, call_id));
    return call;
  };
  const std::uint64_t first = leave_behind(1);
  EXPECT_NE(first, 0U);
  EXPECT_NE(leave_behind(2), 0U);
  EXPECT_EQ(leave_behind(3), 0U);
  EXPECT_FALSE(calls.handle_result(now_, kWorker, first, {Outcome::kCancelled, nullptr, {}}));
  EXPECT_NE(leave_behind(4), 0U);
  EXPECT_EQ(leave_behind(5), 0U);
  calls.worker_lost(kWorker);
  executor.worker_lost(now_, kWorker);
  executor.worker_opened(now_, kWorker, 1, std::vector{kF});
  EXPECT_NE(leave_behind(6), 0U) << "what it owed is gone with it";
}

TEST_F(LocalCallsTest, AResultThatTravelsInChunksMakesTheTaskTheLedgers) {
  const auto begun = begin(1, 5s);
  const Payload large = Payload::copy_of(std::vector<std::byte>(wire::kChunkBytes + 1));
  EXPECT_TRUE(calls_.handle_result(now_, kWorker, begun->call, {Outcome::kSucceeded, nullptr, large}));
  EXPECT_EQ(calls_.running_count(), 0U);
  EXPECT_TRUE(executor_.is_idle()) << "the worker is free";
  EXPECT_EQ(ledger_.task_count(), 1U);
  LedgerEffect effect;
  ASSERT_TRUE(ledger_.poll_effect(effect));
  EXPECT_EQ(effect.kind, LedgerEffect::Kind::kDeliver);
  EXPECT_EQ(effect.payload.size(), large.size());
  EXPECT_FALSE(begin(1)) << "its id is in use until the result is passed on";
  EXPECT_FALSE(calls_.cancel(kApp, 1));
  ASSERT_TRUE(ledger_.end_delivery(kApp, 1));
  expect_quiescent();

  const auto second = begin(1);
  EXPECT_TRUE(calls_.handle_result(now_, kWorker, second->call, {Outcome::kSucceeded, nullptr, large}));
  ASSERT_TRUE(ledger_.poll_effect(effect));
  ledger_.delivery_lost(now_, kApp, 1, wire::BodyFailure::kConnectionLost);
  ASSERT_TRUE(ledger_.poll_effect(effect));
  EXPECT_EQ(effect.outcome, Outcome::kAppLost) << "it may be started once";
  expect_quiescent();
}

}  // namespace
}  // namespace kaido::daemon
