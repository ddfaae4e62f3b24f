#include "daemon/core/task/ledger.h"

#include <gtest/gtest.h>

#include "daemon/core/task/fake_placer.h"
#include "proto/wire/memory_budget.h"

namespace kaido::daemon {
namespace {

using wire::Outcome;
using Kind = LedgerEffect::Kind;
using namespace std::chrono_literals;

Payload payload(std::string_view text) { return Payload::copy_of(wire::as_span(text)); }
std::string text(const Payload& payload) { return std::string(wire::as_text(payload.bytes())); }

class LedgerTest : public ::testing::Test {
 protected:
  PlacementRef placement(PlacementSpec spec = {}) {
    spec.function_name = "f";
    return std::make_shared<const PreparedPlacement>(std::move(spec), 0, 1);
  }
  static PlacementSpec retryable() {
    PlacementSpec spec;
    spec.max_attempts = 3;
    return spec;
  }
  static PlacementSpec waiting(base::Duration wait) {
    PlacementSpec spec;
    spec.wait = wait;
    return spec;
  }

  SubmitStatus submit(std::uint64_t call_id, PlacementSpec spec = {}, base::Duration budget = 0ns) {
    return ledger_.submit(now_, {.session = 1,
                                 .call_id = call_id,
                                 .placement = placement(std::move(spec)),
                                 .budget = budget,
                                 .payload = payload("args")});
  }
  // The only pending effect.
  LedgerEffect only() {
    LedgerEffect effect;
    EXPECT_TRUE(ledger_.poll_effect(effect));
    expect_none();
    return effect;
  }
  LedgerEffect next() {
    LedgerEffect effect;
    EXPECT_TRUE(ledger_.poll_effect(effect));
    return effect;
  }
  void expect_none() {
    LedgerEffect effect;
    EXPECT_FALSE(ledger_.poll_effect(effect)) << "kind " << static_cast<int>(effect.kind);
  }
  // Submits and returns the attempt that was sent.
  LedgerEffect sent(std::uint64_t call_id, PlacementSpec spec = {}, base::Duration budget = 0ns) {
    EXPECT_EQ(submit(call_id, std::move(spec), budget), SubmitStatus::kAccepted);
    const LedgerEffect effect = only();
    EXPECT_EQ(effect.kind, Kind::kSendAttempt);
    return effect;
  }
  static AttemptReport of(const LedgerEffect& attempt) {
    return {attempt.node, FakePlacer::life(attempt.node), attempt.sequence, attempt.attempt};
  }
  void expect_quiescent() {
    EXPECT_EQ(ledger_.task_count(), 0U);
    EXPECT_EQ(ledger_.waiting_count(), 0U);
    EXPECT_EQ(ledger_.kept_bytes(), 0U);
    EXPECT_EQ(memory_.used(), 0U);
    EXPECT_EQ(ledger_.next_timeout(), std::nullopt);
    for (const auto& [node, count] : placer_.in_flight) EXPECT_EQ(count, 0) << "node " << node.value;
  }

  base::Instant now_{};
  FakePlacer placer_;
  wire::MemoryBudget memory_{1U << 20};
  // Of 5 tasks that wait one session may have 2.
  Ledger ledger_{
      LedgerOptions{.tasks_max = 4, .waiting_max = 5, .kept_bytes_max = 10, .memory = &memory_, .redirects_max = 2},
      placer_};
};

TEST_F(LedgerTest, AResultIsDeliveredOnce) {
  const auto attempt = sent(7);
  EXPECT_EQ(attempt.node, kB);
  EXPECT_EQ(attempt.attempt, 1U);
  EXPECT_EQ(text(attempt.payload), "args");
  EXPECT_EQ(attempt.budget, 0ns);
  EXPECT_EQ(placer_.in_flight[kB], 1);
  ledger_.handle_result(now_, of(attempt), {Outcome::kSucceeded, nullptr, payload("42")});
  const auto delivered = only();
  EXPECT_EQ(delivered.kind, Kind::kDeliver);
  EXPECT_EQ(delivered.outcome, Outcome::kSucceeded);
  EXPECT_EQ(delivered.session, 1U);
  EXPECT_EQ(delivered.call_id, 7U);
  EXPECT_EQ(text(delivered.payload), "42");
  ledger_.handle_result(now_, of(attempt), {Outcome::kSucceeded, nullptr, {}});
  expect_none();
  EXPECT_EQ(ledger_.counters().late_results_dropped, 1U);
  expect_quiescent();
}

TEST_F(LedgerTest, ATaskThatBeganWithoutAnEffectEndsByItsFence) {
  const auto begin = [&] {
    SubmitRequest request{.session = 1, .call_id = 7, .placement = placement(), .budget = 5s};
    EXPECT_TRUE(ledger_.may_run_at_once(*request.placement));
    return ledger_.begin_at_once(now_, request, kB, FakePlacer::life(kB));
  };
  const auto begun = begin();
  ASSERT_TRUE(begun);
  EXPECT_EQ(begun->budget, 5s);
  EXPECT_EQ(placer_.in_flight[kB], 1);
  EXPECT_FALSE(begin()) << "its call id is in use";
  const AttemptReport report{kB, FakePlacer::life(kB), begun->sequence, 1};
  AttemptReport other = report;
  other.attempt = 2;
  EXPECT_FALSE(ledger_.end_remote(other));
  const auto delivery = ledger_.end_remote(report);
  ASSERT_TRUE(delivery);
  EXPECT_EQ(delivery->session, 1U);
  EXPECT_EQ(delivery->call_id, 7U);
  EXPECT_FALSE(ledger_.end_remote(report)) << "it is delivered once";
  EXPECT_EQ(ledger_.counters().delivered[0], 1U);
  expect_none();
  expect_quiescent();
}

TEST_F(LedgerTest, ATaskThatBeganWithoutAnEffectGoesElsewhereWhenItIsHandedBack) {
  SubmitRequest request{.session = 1, .call_id = 7, .placement = placement(), .payload = payload("args")};
  const auto begun = ledger_.begin_at_once(now_, request, kB, FakePlacer::life(kB));
  ASSERT_TRUE(begun);
  const AttemptReport report{kB, FakePlacer::life(kB), begun->sequence, 1};
  ledger_.handle_redirect(now_, report, {RedirectReason::kQueueFull, 0ns, payload("args")});
  const auto second = only();
  EXPECT_EQ(second.kind, Kind::kSendAttempt);
  EXPECT_EQ(second.node, kC);
  EXPECT_EQ(second.attempt, 2U);
  EXPECT_EQ(text(second.payload), "args");
  ledger_.handle_result(now_, of(second), {Outcome::kSucceeded, nullptr, {}});
  EXPECT_EQ(only().kind, Kind::kDeliver);
  expect_quiescent();
}

TEST_F(LedgerTest, AnErrorSaysWhereAndInWhichAttemptItArose) {
  const auto attempt = sent(7);
  const TaskError error{.message = "no such file", .exception_type = "std::runtime_error"};
  ledger_.handle_result(now_, of(attempt), {Outcome::kPanicked, make_error(error), {}});
  const auto delivered = only();
  EXPECT_EQ(delivered.outcome, Outcome::kPanicked);
  ASSERT_NE(delivered.error, nullptr);
  EXPECT_EQ(delivered.error->message, "no such file");
  EXPECT_EQ(delivered.error->exception_type, "std::runtime_error");
  EXPECT_EQ(delivered.error->node, "node-1");
  EXPECT_EQ(delivered.error->attempt, 1U);
}

TEST_F(LedgerTest, EveryPartOfTheFenceCounts) {
  const auto attempt = sent(7);
  const AttemptReport good = of(attempt);
  AttemptReport other_node = good, other_epoch = good, other_nonce = good, other_sequence = good, other_attempt = good;
  other_node.from = kC;
  other_epoch.life.epoch.value += 1;
  other_nonce.life.nonce += 1;
  other_sequence.sequence += 1;
  other_attempt.attempt += 1;
  for (const AttemptReport& bad : {other_node, other_epoch, other_nonce, other_sequence, other_attempt}) {
    ledger_.handle_result(now_, bad, {Outcome::kSucceeded, nullptr, {}});
    ledger_.handle_redirect(now_, bad, {RedirectReason::kDraining, 0ns, {}});
    ledger_.handle_started(bad);
    ledger_.handle_queued(bad);
  }
  expect_none();
  EXPECT_EQ(ledger_.counters().late_results_dropped, 5U);
  EXPECT_EQ(ledger_.counters().late_redirects_dropped, 5U);
  EXPECT_EQ(ledger_.counters().late_states_dropped, 10U);
  ledger_.handle_result(now_, good, {Outcome::kSucceeded, nullptr, {}});
  EXPECT_EQ(only().kind, Kind::kDeliver);
}

TEST_F(LedgerTest, ACallIdIsUniqueWhileItIsUndelivered) {
  const auto attempt = sent(7);
  EXPECT_EQ(submit(7), SubmitStatus::kDuplicateCall);
  expect_none();
  ledger_.handle_result(now_, of(attempt), {Outcome::kSucceeded, nullptr, {}});
  EXPECT_EQ(only().kind, Kind::kDeliver);
  EXPECT_EQ(submit(7), SubmitStatus::kAccepted) << "and free again afterwards";
}

TEST_F(LedgerTest, CancelIsFinalAndReachesTheExecutor) {
  const auto attempt = sent(7);
  EXPECT_TRUE(ledger_.cancel(now_, 1, 7));
  const auto cancel = next();
  EXPECT_EQ(cancel.kind, Kind::kSendCancel);
  EXPECT_EQ(cancel.node, kB);
  EXPECT_EQ(cancel.sequence, attempt.sequence);
  EXPECT_EQ(cancel.attempt, 1U);
  EXPECT_EQ(only().outcome, Outcome::kCancelled);
  ledger_.handle_result(now_, of(attempt), {Outcome::kSucceeded, nullptr, {}});
  expect_none();
  EXPECT_FALSE(ledger_.cancel(now_, 1, 7)) << "nothing is left to cancel";
  EXPECT_FALSE(ledger_.cancel(now_, 2, 7)) << "another session's";
  expect_quiescent();
}

TEST_F(LedgerTest, AClosedSessionsTasksAreCancelledAndNobodyHears) {
  sent(1);
  sent(2);
  ASSERT_EQ(ledger_.submit(now_, {.session = 2, .call_id = 1, .placement = placement()}), SubmitStatus::kAccepted);
  const auto others = only();
  ledger_.session_closed(now_, 1);
  EXPECT_EQ(next().kind, Kind::kSendCancel);
  EXPECT_EQ(only().kind, Kind::kSendCancel);
  EXPECT_EQ(ledger_.counters().abandoned, 2U);
  EXPECT_EQ(ledger_.task_count(), 1U);
  ledger_.handle_result(now_, of(others), {Outcome::kSucceeded, nullptr, {}});
  EXPECT_EQ(only().session, 2U);
  ledger_.session_closed(now_, 2);
  ledger_.session_closed(now_, 3);
  expect_none();
  expect_quiescent();
}

TEST_F(LedgerTest, ADeadlineEndsATaskAtANode) {
  const auto attempt = sent(7, {}, 5s);
  EXPECT_EQ(attempt.budget, 5s);
  EXPECT_EQ(ledger_.next_timeout(), now_ + 5s);
  ledger_.handle_timeout(now_ + 4999ms);
  expect_none();
  ledger_.handle_timeout(now_ + 5s);
  EXPECT_EQ(next().kind, Kind::kSendCancel);
  const auto delivered = only();
  EXPECT_EQ(delivered.outcome, Outcome::kTimedOut);
  EXPECT_EQ(delivered.error->node, "node-1");
  expect_quiescent();
}

TEST_F(LedgerTest, ThePlacementsTimeoutHoldsWhereTheCallStatesNone) {
  PlacementSpec spec;
  spec.timeout = 3s;
  EXPECT_EQ(sent(1, spec).budget, 3s);
  EXPECT_EQ(sent(2, spec, 1s).budget, 1s);
  EXPECT_EQ(sent(3, {}, base::Duration::max()).budget, 0ns) << "beyond the end of time is no deadline";
}

TEST_F(LedgerTest, ANodeLostEndsATaskThatMayStartOnce) {
  sent(7);
  ledger_.node_lost(now_, kB, FakePlacer::life(kB));
  const auto delivered = only();
  EXPECT_EQ(delivered.outcome, Outcome::kNodeLost);
  EXPECT_EQ(delivered.error->node, "node-1");
  EXPECT_EQ(delivered.error->attempt, 1U);
  expect_quiescent();
}

TEST_F(LedgerTest, ANodeLostInAnotherLifeLosesNothingOfThisOne) {
  const auto attempt = sent(7);
  base::Life former = FakePlacer::life(kB);
  former.epoch.value -= 1;
  ledger_.node_lost(now_, kB, former);
  former = FakePlacer::life(kB);
  former.nonce += 1;
  ledger_.node_lost(now_, kB, former);
  ledger_.node_lost(now_, kC, FakePlacer::life(kC));
  expect_none();
  ledger_.handle_result(now_, of(attempt), {Outcome::kSucceeded, nullptr, {}});
  EXPECT_EQ(only().outcome, Outcome::kSucceeded);
}

TEST_F(LedgerTest, ARetryGoesElsewhereWithItsArguments) {
  const auto first = sent(7, retryable());
  EXPECT_EQ(ledger_.kept_bytes(), 4U);
  ledger_.node_lost(now_, kB, FakePlacer::life(kB));
  const auto second = only();
  EXPECT_EQ(second.kind, Kind::kSendAttempt);
  EXPECT_EQ(second.node, kC);
  EXPECT_EQ(second.attempt, 2U);
  EXPECT_EQ(text(second.payload), "args");
  ledger_.handle_result(now_, of(first), {Outcome::kSucceeded, nullptr, {}});
  expect_none();
  EXPECT_EQ(ledger_.counters().late_results_dropped, 1U);
  ledger_.handle_result(now_, of(second), {Outcome::kSucceeded, nullptr, {}});
  EXPECT_EQ(only().attempt, 2U);
  EXPECT_EQ(ledger_.counters().retries, 1U);
  expect_quiescent();
}

TEST_F(LedgerTest, ALostAppIsRetriedOnItsNodeOnlyIfThereIsNoOther) {
  placer_.nodes = {kB};
  const auto first = sent(7, retryable());
  const TaskError error{.message = "the worker app ended"};
  ledger_.handle_result(now_, of(first), {Outcome::kAppLost, make_error(error), {}});
  const auto second = only();
  EXPECT_EQ(second.node, kB);
  EXPECT_EQ(second.attempt, 2U);
  ledger_.handle_result(now_, of(second), {Outcome::kAppLost, make_error(error), {}});
  const auto third = only();
  ledger_.handle_result(now_, of(third), {Outcome::kAppLost, make_error(error), {}});
  const auto delivered = only();
  EXPECT_EQ(delivered.outcome, Outcome::kAppLost) << "three attempts were allowed";
  EXPECT_EQ(delivered.error->attempt, 3U);
  expect_quiescent();
}

TEST_F(LedgerTest, IdempotentMeansRetriedWithoutSayingHowOften) {
  PlacementSpec spec;
  spec.idempotent = true;
  sent(7, spec);
  ledger_.node_lost(now_, kB, FakePlacer::life(kB));
  EXPECT_EQ(only().node, kC);
}

TEST_F(LedgerTest, ALossWithNoNodeLeftIsTheLossThatIsReported) {
  sent(7, retryable());
  placer_.nodes = {};
  ledger_.node_lost(now_, kB, FakePlacer::life(kB));
  const auto delivered = only();
  EXPECT_EQ(delivered.outcome, Outcome::kNodeLost);
  EXPECT_EQ(delivered.error->reasons.size(), 1U);
  expect_quiescent();
}

TEST_F(LedgerTest, AFailureOfTheFunctionIsNeverRetried) {
  for (const Outcome outcome :
       {Outcome::kPanicked, Outcome::kInvalidArgument, Outcome::kTimedOut, Outcome::kInternal}) {
    const auto attempt = sent(7, retryable());
    ledger_.handle_result(now_, of(attempt), {outcome, nullptr, {}});
    EXPECT_EQ(only().outcome, outcome);
  }
}

TEST_F(LedgerTest, ARedirectIsNoStartAndIsNotSentBack) {
  const auto first = sent(7);
  ledger_.handle_redirect(now_, of(first), {RedirectReason::kDraining, 0ns, payload("args")});
  const auto second = only();
  EXPECT_EQ(second.node, kC);
  EXPECT_EQ(second.attempt, 2U);
  EXPECT_EQ(text(second.payload), "args");
  ledger_.handle_redirect(now_, of(first), {RedirectReason::kDraining, 0ns, payload("args")});
  expect_none();
  ledger_.handle_result(now_, of(second), {Outcome::kSucceeded, nullptr, {}});
  EXPECT_EQ(only().outcome, Outcome::kSucceeded);
  EXPECT_EQ(ledger_.counters().retries, 0U);
  expect_quiescent();
}

TEST_F(LedgerTest, FullNodesEndInRejectedWithTheLongestAdvice) {
  const auto first = sent(7, waiting(1h));
  ledger_.handle_redirect(now_, of(first), {RedirectReason::kQueueFull, 30ms, payload("args")});
  const auto second = only();
  ledger_.handle_redirect(now_, of(second), {RedirectReason::kQueueFull, 20ms, payload("args")});
  const auto delivered = only();
  EXPECT_EQ(delivered.outcome, Outcome::kRejected);
  EXPECT_EQ(delivered.error->retry_after, 30ms);
  ASSERT_EQ(delivered.error->reasons.size(), 2U);
  EXPECT_EQ(delivered.error->reasons[1], (NodeReason{"node-2", std::string(name(RedirectReason::kQueueFull))}));
  expect_quiescent();
}

TEST_F(LedgerTest, AWaitingTaskGoesToANodeAgainThatHasSaidSomethingSince) {
  placer_.nodes = {kB};
  LedgerEffect attempt = sent(7, waiting(1h));
  for (int restart = 1; restart <= 50; ++restart) {
    ledger_.handle_redirect(now_, of(attempt), {RedirectReason::kNotOffered, 0ns, payload("args")});
    expect_none();
    ledger_.view_changed(now_);
    expect_none();
    placer_.version += 2;  // the function was withdrawn and is offered again, in one view
    ledger_.view_changed(now_);
    attempt = only();
    ASSERT_EQ(attempt.kind, Kind::kSendAttempt) << restart;
  }
  ledger_.handle_redirect(now_, of(attempt), {RedirectReason::kNotOffered, 0ns, payload("args")});
  now_ += 1h;
  ledger_.handle_timeout(now_);
  EXPECT_LE(only().error->reasons.size(), 5U) << "of the last ones, and what the node is now";
}

TEST_F(LedgerTest, RedirectsAreBounded) {
  placer_.nodes = {kB, kC, NodeIndex{3}, NodeIndex{4}};
  auto attempt = sent(7);
  for (int i = 0; i < 2; ++i) {
    ledger_.handle_redirect(now_, of(attempt), {RedirectReason::kMismatch, 0ns, payload("args")});
    attempt = only();
    ASSERT_EQ(attempt.kind, Kind::kSendAttempt);
  }
  ledger_.handle_redirect(now_, of(attempt), {RedirectReason::kMismatch, 0ns, payload("args")});
  const auto delivered = only();
  EXPECT_EQ(delivered.outcome, Outcome::kRejected);
  EXPECT_EQ(delivered.error->reasons.size(), 3U);
  expect_quiescent();
}

TEST_F(LedgerTest, UnschedulableAtOnceWithEveryReason) {
  placer_.nodes = {};
  EXPECT_EQ(submit(7), SubmitStatus::kAccepted);
  const auto delivered = only();
  EXPECT_EQ(delivered.outcome, Outcome::kUnschedulable);
  EXPECT_EQ(delivered.error->reasons, (std::vector<NodeReason>{{"node-1", "a reason"}}));
  expect_quiescent();
}

TEST_F(LedgerTest, WithWaitATaskIsPlacedWhenTheViewChanges) {
  placer_.nodes = {};
  EXPECT_EQ(submit(7, waiting(10s)), SubmitStatus::kAccepted);
  expect_none();
  EXPECT_EQ(ledger_.waiting_count(), 1U);
  EXPECT_EQ(ledger_.next_timeout(), now_ + 10s);
  ledger_.view_changed(now_);
  expect_none();
  placer_.nodes = {kC};
  ledger_.view_changed(now_ + 1s);
  const auto attempt = only();
  EXPECT_EQ(attempt.node, kC);
  EXPECT_EQ(text(attempt.payload), "args") << "kept for it";
  EXPECT_EQ(ledger_.next_timeout(), std::nullopt) << "the wait is over and there is no deadline";
  ledger_.handle_result(now_, of(attempt), {Outcome::kSucceeded, nullptr, {}});
  EXPECT_EQ(only().outcome, Outcome::kSucceeded);
  expect_quiescent();
}

TEST_F(LedgerTest, AWaitEndsAsUnschedulableOrEarlierAsTimedOutOrCancelled) {
  placer_.nodes = {};
  submit(1, waiting(10s));
  ledger_.handle_timeout(now_ + 10s);
  EXPECT_EQ(only().outcome, Outcome::kUnschedulable);
  submit(2, waiting(10s), 4s);
  EXPECT_EQ(ledger_.next_timeout(), now_ + 4s);
  ledger_.handle_timeout(now_ + 4s);
  EXPECT_EQ(only().outcome, Outcome::kTimedOut);
  submit(3, waiting(10s));
  EXPECT_TRUE(ledger_.cancel(now_, 1, 3));
  EXPECT_EQ(only().outcome, Outcome::kCancelled);
  expect_quiescent();
}

TEST_F(LedgerTest, EachBoundRejectsWithARetryAfter) {
  for (std::uint64_t id = 1; id <= 4; ++id) sent(id);
  submit(5);
  auto delivered = only();
  EXPECT_EQ(delivered.outcome, Outcome::kRejected) << "tasks_max";
  EXPECT_EQ(delivered.error->retry_after, 100ms);
  EXPECT_EQ(delivered.call_id, 5U);
  ledger_.session_closed(now_, 1);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(next().kind, Kind::kSendCancel);

  sent(1, retryable());
  sent(2, retryable());
  submit(3, retryable());
  EXPECT_EQ(only().outcome, Outcome::kRejected) << "kept_bytes_max";
  ledger_.session_closed(now_, 1);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(next().kind, Kind::kSendCancel);

  placer_.nodes = {};
  submit(1, waiting(1s));
  submit(2, waiting(1s));
  expect_none();
  submit(3, waiting(1s));
  EXPECT_EQ(only().outcome, Outcome::kRejected) << "waiting_max";
  EXPECT_EQ(ledger_.counters().tasks_full, 1U);
  EXPECT_EQ(ledger_.counters().kept_bytes_full, 1U);
  EXPECT_EQ(ledger_.counters().waiting_full, 1U);
}

TEST_F(LedgerTest, ADrainRefusesTheNewAndEndsTheRestAtItsDeadline) {
  const auto quick = sent(1);
  sent(2);
  ledger_.drain(now_, now_ + 5s);
  submit(3);
  EXPECT_EQ(only().outcome, Outcome::kUnavailable);
  ledger_.handle_result(now_, of(quick), {Outcome::kSucceeded, nullptr, {}});
  EXPECT_EQ(only().outcome, Outcome::kSucceeded);
  EXPECT_EQ(ledger_.next_timeout(), now_ + 5s);
  ledger_.handle_timeout(now_ + 5s);
  EXPECT_EQ(next().kind, Kind::kSendCancel);
  const auto delivered = only();
  EXPECT_EQ(delivered.call_id, 2U);
  EXPECT_EQ(delivered.outcome, Outcome::kUnavailable);
  EXPECT_EQ(ledger_.counters().cut, 1U);
  expect_quiescent();
}

TEST_F(LedgerTest, WhatPendingEffectsPointToSurvivesFurtherCalls) {
  PlacementSpec spec = retryable();
  spec.function_name = "g";
  EXPECT_EQ(
      ledger_.submit(now_, {.session = 1, .call_id = 1, .placement = placement(spec), .payload = payload("first")}),
      SubmitStatus::kAccepted);
  EXPECT_TRUE(ledger_.cancel(now_, 1, 1));
  EXPECT_EQ(
      ledger_.submit(now_, {.session = 1, .call_id = 2, .placement = placement(spec), .payload = payload("other")}),
      SubmitStatus::kAccepted);
  const auto attempt = next();
  EXPECT_EQ(text(attempt.payload), "first");
  EXPECT_EQ(attempt.placement->spec().function_name, "f");
  EXPECT_EQ(next().kind, Kind::kSendCancel);
  EXPECT_EQ(next().error->message, "cancelled by the caller");
  EXPECT_EQ(text(only().payload), "other");
}

TEST_F(LedgerTest, AFullLinkCountsAsAFullNodeAndATooLargeFrameDoesNot) {
  const auto first = sent(1);
  ledger_.handle_redirect(now_, of(first), {RedirectReason::kLinkFull, 20ms, payload("args")});
  const auto second = only();
  EXPECT_EQ(second.node, kC);
  ledger_.handle_redirect(now_, of(second), {RedirectReason::kTooLarge, 0ns, payload("args")});
  auto delivered = only();
  EXPECT_EQ(delivered.outcome, Outcome::kRejected);
  EXPECT_EQ(delivered.error->retry_after, 20ms);
  ASSERT_EQ(delivered.error->reasons.size(), 2U);
  EXPECT_EQ(delivered.error->reasons[1], (NodeReason{"node-2", std::string(name(RedirectReason::kTooLarge))}));

  placer_.nodes = {kB};
  const auto large = sent(2);
  ledger_.handle_redirect(now_, of(large), {RedirectReason::kTooLarge, 0ns, payload("args")});
  delivered = only();
  EXPECT_EQ(delivered.outcome, Outcome::kUnschedulable) << "a later try would end the same way";
  expect_quiescent();
}

TEST_F(LedgerTest, ANodeThatHasJustStartedWaitsForWhatItDoesNotKnowYet) {
  placer_.nodes = {};
  ledger_.settle_until(now_ + 1s);
  EXPECT_EQ(submit(1), SubmitStatus::kAccepted);
  EXPECT_EQ(submit(2, waiting(5s)), SubmitStatus::kAccepted);
  expect_none();
  EXPECT_EQ(ledger_.waiting_count(), 2U);
  now_ += 1s;
  ledger_.handle_timeout(now_);
  const auto refused = only();
  EXPECT_EQ(refused.call_id, 1U);
  EXPECT_EQ(refused.outcome, Outcome::kUnschedulable);
  EXPECT_EQ(submit(3), SubmitStatus::kAccepted);
  EXPECT_EQ(only().outcome, Outcome::kUnschedulable) << "now it is at once";
  placer_.nodes = {kB};
  ledger_.view_changed(now_);
  EXPECT_EQ(only().call_id, 2U);
}

TEST_F(LedgerTest, ALifeThatEndedBeforeItWasSentToKeepsTheNextOneEligible) {
  placer_.nodes = {kB};
  const auto first = sent(1);
  ledger_.handle_redirect(now_, of(first), {RedirectReason::kLifeEnded, 0ns, payload("args")});
  const auto second = only();
  EXPECT_EQ(second.kind, Kind::kSendAttempt);
  EXPECT_EQ(second.node, kB);
  EXPECT_EQ(second.attempt, 2U);
  EXPECT_EQ(text(second.payload), "args");
  ledger_.handle_redirect(now_, of(second), {RedirectReason::kUnreachable, 0ns, payload("args")});
  EXPECT_EQ(only().outcome, Outcome::kUnschedulable) << "any other reason is the node's own";
  expect_quiescent();
}

TEST_F(LedgerTest, KnowsWhatIsAssignedToALifeOfANode) {
  const auto first = sent(1);
  const auto second = sent(2);
  ledger_.handle_redirect(now_, of(second), {RedirectReason::kDraining, 0ns, payload("args")});
  EXPECT_EQ(only().node, kC);
  const auto at_b = ledger_.attempts_at(kB, FakePlacer::life(kB));
  ASSERT_EQ(at_b.size(), 1U);
  EXPECT_EQ(at_b[0].sequence, first.sequence);
  EXPECT_EQ(at_b[0].attempt, 1U);
  ASSERT_EQ(ledger_.attempts_at(kC, FakePlacer::life(kC)).size(), 1U);
  EXPECT_EQ(ledger_.attempts_at(kC, FakePlacer::life(kC))[0].attempt, 2U);
  EXPECT_TRUE(ledger_.attempts_at(kB, FakePlacer::life(kC)).empty()) << "another life of it";
}

TEST_F(LedgerTest, ListsItsTasks) {
  const auto attempt = sent(1);
  placer_.nodes = {};
  submit(2, waiting(10s), 5s);
  EXPECT_EQ(ledger_.tasks(now_, 1)[0].state, TaskState::kAssigned);
  ledger_.handle_queued(of(attempt));
  const auto tasks = ledger_.tasks(now_ + 2s, 10);
  ASSERT_EQ(tasks.size(), 2U);
  EXPECT_EQ(tasks[0].state, TaskState::kQueued);
  EXPECT_EQ(tasks[0].node, kB);
  EXPECT_EQ(tasks[0].function, "f");
  EXPECT_EQ(tasks[0].age, 2s);
  EXPECT_EQ(tasks[0].left, std::nullopt);
  EXPECT_EQ(tasks[1].state, TaskState::kWaiting);
  EXPECT_EQ(tasks[1].node, kNoNode);
  EXPECT_EQ(tasks[1].left, 3s);
  EXPECT_EQ(ledger_.tasks(now_ + 6s, 10)[1].left, 0s) << "late, and not ended yet";
  EXPECT_EQ(ledger_.tasks(now_, 1).size(), 1U);
  ledger_.handle_started(of(attempt));
  EXPECT_EQ(ledger_.tasks(now_, 1)[0].state, TaskState::kAssigned) << "it waits no longer";
}

}  // namespace
}  // namespace kaido::daemon
