#include "daemon/core/task/executor.h"

#include <gtest/gtest.h>

namespace kaido::daemon {
namespace {

using wire::Outcome;
using Kind = ExecutorEffect::Kind;
using namespace std::chrono_literals;

constexpr base::FunctionId kF{1};
constexpr base::FunctionId kG{2};
constexpr NodeIndex kOrigin{3};
constexpr base::Life kLife{{50}, 7};

Payload payload(std::string_view text) { return Payload::copy_of(wire::as_span(text)); }
std::string text(const Payload& payload) { return std::string(wire::as_text(payload.bytes())); }

NodeInfo self_info() {
  NodeInfo info;
  info.id.bytes[0] = 1;
  info.name = "here";
  info.tags = {{"zone", "north"}};
  info.functions = {{kF, "f", 10, ""}, {kG, "g", 20, ""}};
  return info;
}

// Each snapshot has a version of its own, as a table's have.
ClusterViewRef view_of(NodeInfo info) {
  static std::uint64_t next_version = 1;
  return std::make_shared<const ClusterView>(
      next_version++, std::vector<NodeView>{
                          {.index = kSelf, .alive = true, .info = std::make_shared<const NodeInfo>(std::move(info))}});
}

PlacementSpec spec_of(base::FunctionId function, std::int32_t priority = 0) {
  PlacementSpec spec;
  spec.function = function;
  spec.priority = priority;
  return spec;
}

class ExecutorTest : public ::testing::Test {
 protected:
  AttemptKey key(std::uint64_t sequence, std::uint32_t attempt = 1) {
    return {.origin = kOrigin, .attempt = attempt, .origin_life = kLife, .sequence = sequence};
  }
  void admit(const AttemptKey& key, PlacementSpec spec = spec_of(kF), base::Duration budget = 0ns) {
    executor_.admit(now_,
                    {.key = key, .placement = prepared(std::move(spec)), .budget = budget, .payload = payload("args")});
  }
  static PlacementRef prepared(PlacementSpec spec, std::uint32_t index = 0) {
    return std::make_shared<const PreparedPlacement>(std::move(spec), index, index + 1);
  }
  void worker(std::uint32_t session, std::uint32_t slots, std::vector<base::FunctionId> functions = {kF}) {
    executor_.worker_opened(now_, session, slots, functions);
  }
  ExecutorEffect next() {
    ExecutorEffect effect;
    EXPECT_TRUE(executor_.poll_effect(effect));
    return effect;
  }
  ExecutorEffect only() {
    const ExecutorEffect effect = next();
    expect_none();
    return effect;
  }
  void expect_none() {
    ExecutorEffect effect;
    EXPECT_FALSE(executor_.poll_effect(effect)) << "kind " << static_cast<int>(effect.kind);
  }
  ExecutorEffect dispatched(std::uint64_t sequence, base::Duration budget = 0ns) {
    admit(key(sequence), spec_of(kF), budget);
    const ExecutorEffect effect = only();
    EXPECT_EQ(effect.kind, Kind::kDispatch);
    return effect;
  }
  // Admits an attempt that has to wait.
  void queued(const AttemptKey& key, PlacementSpec spec = spec_of(kF), base::Duration budget = 0ns) {
    admit(key, std::move(spec), budget);
    const ExecutorEffect effect = only();
    EXPECT_EQ(effect.kind, Kind::kReplyQueued);
    EXPECT_EQ(effect.key, key);
  }
  // What follows where a slot became free for a queued attempt.
  ExecutorEffect started() {
    const ExecutorEffect dispatch = next();
    EXPECT_EQ(dispatch.kind, Kind::kDispatch);
    const ExecutorEffect effect = only();
    EXPECT_EQ(effect.kind, Kind::kReplyStarted);
    EXPECT_EQ(effect.key, dispatch.key);
    return dispatch;
  }
  void finish(const ExecutorEffect& dispatch) {
    EXPECT_TRUE(executor_.handle_worker_result(now_, dispatch.session, dispatch.call,
                                               {Outcome::kSucceeded, nullptr, payload("42")}));
  }

  base::Instant now_{};
  // Of 9 one origin may have 3.
  Executor executor_{ExecutorOptions{.queue_max = 9, .queued_bytes_max = 1000}, view_of(self_info())};
};

TEST_F(ExecutorTest, AnAttemptIsDispatchedAndItsResultAnswered) {
  worker(7, 2, {kG, kF});
  const auto dispatch = dispatched(100, 5s);
  EXPECT_EQ(dispatch.session, 7U);
  EXPECT_EQ(dispatch.function_index, 1U);
  EXPECT_EQ(dispatch.key, key(100));
  EXPECT_EQ(dispatch.budget, 5s);
  EXPECT_EQ(text(dispatch.payload), "args");
  EXPECT_EQ(executor_.load(), (wire::Load{.busy = 1, .slots = 2}));
  finish(dispatch);
  const auto reply = only();
  EXPECT_EQ(reply.kind, Kind::kReplyResult);
  EXPECT_EQ(reply.key, key(100));
  EXPECT_EQ(text(reply.payload), "42");
  EXPECT_EQ(executor_.load(), (wire::Load{.busy = 0, .slots = 2}));
  EXPECT_TRUE(executor_.is_idle());
  EXPECT_EQ(executor_.next_timeout(), std::nullopt);
}

TEST_F(ExecutorTest, StartedIsReportedOnlyAfterQueued) {
  worker(7, 1);
  const auto running = dispatched(100);  // alone: no word but the result
  admit(key(101));
  const auto queued = only();
  EXPECT_EQ(queued.kind, Kind::kReplyQueued);
  EXPECT_EQ(queued.key, key(101));
  finish(running);
  EXPECT_EQ(next().kind, Kind::kReplyResult);
  EXPECT_EQ(next().kind, Kind::kDispatch);
  const auto started = only();
  EXPECT_EQ(started.kind, Kind::kReplyStarted);
  EXPECT_EQ(started.key, key(101));
}

TEST_F(ExecutorTest, ALaterAttemptOfATaskEndsTheEarlierOne) {
  worker(7, 2);
  const auto first = dispatched(100);
  for (std::uint32_t attempt = 2; attempt <= 4; ++attempt) {
    ASSERT_FALSE(executor_.admit_at_once(now_, {.key = key(100, attempt), .placement = prepared(spec_of(kF))}))
        << "its way is that of the cancel, which comes first";
    const auto cancel = next();
    EXPECT_EQ(cancel.kind, Kind::kCancelAtWorker);
    EXPECT_EQ(cancel.key, key(100, attempt - 1));
    const auto dispatch = only();
    EXPECT_EQ(dispatch.kind, Kind::kDispatch);
    EXPECT_EQ(dispatch.key, key(100, attempt));
    EXPECT_EQ(executor_.running_count(), 1U) << "there is one attempt of a task at a time";
    EXPECT_FALSE(executor_.handle_worker_result(now_, 7, cancel.call, {Outcome::kCancelled, nullptr, {}}));
    expect_none();
  }
  executor_.inquire(key(100, 1));
  EXPECT_EQ(only().outcome, Outcome::kNodeLost);
  EXPECT_EQ(executor_.counters().cancelled, 3U);
}

TEST_F(ExecutorTest, AnAttemptThatIsStartedAtOnceNeedsNoEffect) {
  worker(7, 1);
  const auto admit_at_once = [&](std::uint64_t sequence) {
    return executor_.admit_at_once(
        now_, {.key = key(sequence), .placement = prepared(spec_of(kF)), .budget = 5s, .payload = payload("args")});
  };
  const auto start = admit_at_once(100);
  ASSERT_TRUE(start);
  EXPECT_EQ(start->session, 7U);
  EXPECT_EQ(start->budget, 5s);
  expect_none();
  EXPECT_FALSE(admit_at_once(101)) << "it has to wait";
  EXPECT_EQ(only().kind, Kind::kReplyQueued);
  EXPECT_FALSE(executor_.finish(now_, 8, start->call)) << "another worker's";
  const auto end = executor_.finish(now_ + 1s, 7, start->call);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->key, key(100));
  EXPECT_EQ(end->started, now_);
  EXPECT_EQ(executor_.counters().finished[0], 1U);
  EXPECT_FALSE(executor_.finish(now_, 7, start->call)) << "it ends once";
  executor_.dispatch_freed(now_);
  EXPECT_EQ(started().key, key(101));
  admit(key(100));
  EXPECT_EQ(only().outcome, Outcome::kNodeLost) << "what was answered runs no second time";
}

TEST_F(ExecutorTest, WhatWasGivenUpAndWhatThisNodesLedgerSentEndTheLongWay) {
  worker(7, 2);
  const auto given_up = dispatched(100);
  executor_.cancel(now_, key(100));
  EXPECT_EQ(only().kind, Kind::kCancelAtWorker);
  EXPECT_FALSE(executor_.finish(now_, 7, given_up.call));
  EXPECT_FALSE(executor_.handle_worker_result(now_, 7, given_up.call, {Outcome::kSucceeded, nullptr, {}}));
  expect_none();
  admit({.origin = kSelf, .attempt = 2, .origin_life = kLife, .sequence = 101});
  const auto own = only();
  EXPECT_FALSE(executor_.finish(now_, 7, own.call));
  finish(own);
  EXPECT_EQ(only().kind, Kind::kReplyResult);
  EXPECT_TRUE(executor_.is_idle());
}

TEST_F(ExecutorTest, AWorkersErrorIsPassedOn) {
  worker(7, 1);
  const auto dispatch = dispatched(100);
  const TaskError error{.message = "boom", .exception_type = "std::logic_error"};
  EXPECT_TRUE(executor_.handle_worker_result(now_, 7, dispatch.call, {Outcome::kPanicked, make_error(error), {}}));
  const auto reply = only();
  EXPECT_EQ(reply.outcome, Outcome::kPanicked);
  EXPECT_EQ(reply.error->message, "boom");
}

TEST_F(ExecutorTest, QueuedAttemptsRunByPriorityWhenASlotIsFree) {
  worker(7, 1);
  const auto first = dispatched(100);
  queued(key(101));
  queued(key(102), spec_of(kF, 5));
  queued(key(103), spec_of(kF), 1s);
  EXPECT_EQ(executor_.queued_count(), 3U);
  EXPECT_EQ(executor_.load(), (wire::Load{.busy = 4, .slots = 1}));
  auto running = first;
  for (const std::uint64_t expected : {102, 103, 101}) {
    finish(running);
    EXPECT_EQ(next().kind, Kind::kReplyResult);
    running = started();
    EXPECT_EQ(running.key.sequence, expected);
    EXPECT_EQ(text(running.payload), "args");
  }
}

TEST_F(ExecutorTest, AFullQueueHandsBackWithARetryAfterFromTheServiceTime) {
  worker(7, 1);
  const auto first = dispatched(100);
  now_ += 40ms;
  finish(first);
  next();
  const auto second = dispatched(101);
  for (std::uint64_t sequence = 102; sequence < 105; ++sequence) queued(key(sequence));
  admit(key(105));
  const auto redirect = only();
  EXPECT_EQ(redirect.kind, Kind::kReplyRedirect);
  EXPECT_EQ(redirect.reason, RedirectReason::kQueueFull);
  EXPECT_EQ(redirect.retry_after, 160ms) << "three queued and one more, 40 ms each, one slot";
  EXPECT_EQ(text(redirect.payload), "args");
  EXPECT_TRUE(executor_.handle_worker_result(now_, 7, second.call, {Outcome::kSucceeded, nullptr, {}}));
}

TEST_F(ExecutorTest, ArgumentsThatWaitAreBoundedInBytes) {
  Executor executor({.queued_bytes_max = 3}, view_of(self_info()));
  executor.worker_opened(now_, 7, 0, std::vector{kF});
  const PlacementRef placement = prepared(spec_of(kF), 0);
  executor.admit(now_, {.key = key(1), .placement = placement, .payload = payload("args")});
  ExecutorEffect effect;
  ASSERT_TRUE(executor.poll_effect(effect));
  EXPECT_EQ(effect.reason, RedirectReason::kQueueFull);
  EXPECT_TRUE(executor.is_idle());
}

TEST_F(ExecutorTest, WhatDoesNotFitThisNodeIsHandedBack) {
  admit(key(1));
  EXPECT_EQ(only().reason, RedirectReason::kNotOffered);
  worker(7, 1);
  PlacementSpec south = spec_of(kF);
  south.tags = {{"zone", "south"}};
  admit(key(2), south);
  EXPECT_EQ(only().reason, RedirectReason::kMismatch);
  NodeInfo info = self_info();
  info.taints = {{"team", "red", "NoSchedule"}};
  executor_.set_view(view_of(info));
  admit(key(3));
  EXPECT_EQ(only().reason, RedirectReason::kMismatch);
  info.taints.clear();
  info.functions = {};
  executor_.set_view(view_of(info));
  admit(key(4));
  EXPECT_EQ(only().kind, Kind::kDispatch) << "the worker is here, though the view does not know it yet";
}

TEST_F(ExecutorTest, ARepeatedAttemptIsAnsweredAgainAndNeverRunsTwice) {
  worker(7, 1);
  const auto dispatch = dispatched(100);
  admit(key(100));
  EXPECT_EQ(only().kind, Kind::kReplyStarted);
  queued(key(101));
  admit(key(101));
  EXPECT_EQ(only().kind, Kind::kReplyQueued);
  finish(dispatch);
  EXPECT_EQ(next().kind, Kind::kReplyResult);
  EXPECT_EQ(started().key, key(101));
  admit(key(100));
  const auto again = only();
  EXPECT_EQ(again.kind, Kind::kReplyResult);
  EXPECT_EQ(again.outcome, Outcome::kNodeLost);
  EXPECT_EQ(again.key, key(100));
  EXPECT_NE(again.error->message.find("answered before"), std::string::npos) << again.error->message;
  EXPECT_EQ(executor_.counters().duplicates, 3U);
  admit(key(100, 2));
  EXPECT_EQ(only().kind, Kind::kReplyQueued) << "a later attempt is another one";
}

TEST_F(ExecutorTest, AnInquiryIsToldHowTheAttemptStandsOrThatItIsLost) {
  worker(7, 1);
  const auto dispatch = dispatched(100);
  queued(key(101));
  executor_.inquire(key(100));
  EXPECT_EQ(only().kind, Kind::kReplyStarted);
  executor_.inquire(key(101));
  EXPECT_EQ(only().kind, Kind::kReplyQueued);
  executor_.inquire(key(100, 2));
  const auto never_came = only();
  EXPECT_EQ(never_came.outcome, Outcome::kNodeLost);
  EXPECT_EQ(never_came.key, key(100, 2));
  finish(dispatch);
  EXPECT_EQ(next().kind, Kind::kReplyResult);
  started();
  executor_.inquire(key(100));
  EXPECT_EQ(only().outcome, Outcome::kNodeLost) << "its answer was on the way that was cut";
}

TEST_F(ExecutorTest, AStalledWorkerIsGivenNothing) {
  worker(7, 2);
  const auto running = dispatched(100);
  executor_.worker_stalled(now_, 7, true);
  queued(key(101));
  worker(8, 1);
  EXPECT_EQ(started().session, 8U) << "another one takes it";
  queued(key(102));
  finish(running);
  EXPECT_EQ(only().kind, Kind::kReplyResult) << "it has room, but does not read";
  executor_.worker_stalled(now_, 7, false);
  EXPECT_EQ(started().session, 7U);
  executor_.worker_stalled(now_, 99, true);
  expect_none();
}

TEST_F(ExecutorTest, AFormerEpochsAttemptsAreDropped) {
  worker(7, 2);
  dispatched(100);
  AttemptKey stale = key(101);
  stale.origin_life.epoch.value -= 1;
  admit(stale);
  expect_none();
  EXPECT_EQ(executor_.counters().stale_dropped, 1U);
}

TEST_F(ExecutorTest, CancelFreesTheQueueAtOnceAndTheSlotWhenTheWorkerAnswers) {
  worker(7, 1);
  const auto running = dispatched(100);
  queued(key(101));
  queued(key(102));
  executor_.cancel(now_, key(101));
  expect_none();
  EXPECT_EQ(executor_.queued_count(), 1U);
  executor_.cancel(now_, key(100, 2));
  executor_.cancel(now_, key(999));
  expect_none();
  executor_.cancel(now_, key(100));
  const auto cancel = only();
  EXPECT_EQ(cancel.kind, Kind::kCancelAtWorker);
  EXPECT_EQ(cancel.call, running.call);
  EXPECT_EQ(executor_.load().busy, 2U) << "the slot is taken until the worker answers";
  EXPECT_FALSE(executor_.handle_worker_result(now_, 7, running.call, {Outcome::kCancelled, nullptr, {}}));
  EXPECT_EQ(started().key.sequence, 102U);
  EXPECT_EQ(executor_.counters().cancelled, 2U);
}

TEST_F(ExecutorTest, DeadlinesHoldInTheQueueAndWhileRunning) {
  worker(7, 1);
  const auto running = dispatched(100, 5s);
  queued(key(101), spec_of(kF), 2s);
  EXPECT_EQ(executor_.next_timeout(), now_ + 2s);
  executor_.handle_timeout(now_ + 2s);
  auto reply = only();
  EXPECT_EQ(reply.key.sequence, 101U);
  EXPECT_EQ(reply.outcome, Outcome::kTimedOut);
  EXPECT_EQ(reply.error->message, "the deadline passed while the task was queued");
  executor_.handle_timeout(now_ + 5s);
  reply = next();
  EXPECT_EQ(reply.outcome, Outcome::kTimedOut);
  EXPECT_EQ(reply.error->node, "here");
  EXPECT_EQ(only().kind, Kind::kCancelAtWorker);
  EXPECT_EQ(executor_.next_timeout(), std::nullopt);
  EXPECT_FALSE(executor_.handle_worker_result(now_, 7, running.call, {Outcome::kSucceeded, nullptr, {}}));
  expect_none();
  EXPECT_EQ(executor_.load().busy, 0U);
}

TEST_F(ExecutorTest, ALostWorkersAttemptsEndAsAppLostAndItsQueueIsHandedBack) {
  worker(7, 1, {kF});
  worker(8, 1, {kG});
  dispatched(100);
  queued(key(101));
  admit(key(102), spec_of(kG));
  const auto other = only();
  executor_.worker_lost(now_, 7);
  const auto lost = next();
  EXPECT_EQ(lost.kind, Kind::kReplyResult);
  EXPECT_EQ(lost.outcome, Outcome::kAppLost);
  EXPECT_EQ(lost.key.sequence, 100U);
  const auto redirect = only();
  EXPECT_EQ(redirect.kind, Kind::kReplyRedirect);
  EXPECT_EQ(redirect.key.sequence, 101U);
  EXPECT_EQ(redirect.reason, RedirectReason::kNotOffered);
  EXPECT_EQ(text(redirect.payload), "args");
  finish(other);
  EXPECT_EQ(only().kind, Kind::kReplyResult);
  executor_.worker_lost(now_, 7);
  expect_none();
}

TEST_F(ExecutorTest, AQueueMovesToTheNextWorkerOfTheFunction) {
  worker(7, 1);
  worker(8, 1);
  const auto first = dispatched(100);
  const auto second = dispatched(101);
  queued(key(102));
  executor_.worker_lost(now_, first.session);
  EXPECT_EQ(only().outcome, Outcome::kAppLost);
  EXPECT_EQ(executor_.queued_count(), 1U) << "another worker offers it, though without a free slot";
  finish(second);
  EXPECT_EQ(next().kind, Kind::kReplyResult);
  EXPECT_EQ(started().session, second.session);
}

TEST_F(ExecutorTest, AnAttemptThatWaitsForACallOfItsOwnGivesItsSlotBack) {
  worker(7, 1);
  const auto outer = dispatched(100);
  admit(key(101));
  EXPECT_EQ(only().kind, Kind::kReplyQueued);
  executor_.worker_yielded(now_, 8, outer.call, true);
  expect_none();  // another app's word
  executor_.worker_yielded(now_, 7, outer.call, true);
  const auto inner = next();
  EXPECT_EQ(inner.kind, Kind::kDispatch);
  EXPECT_EQ(inner.key.sequence, 101U);
  EXPECT_EQ(only().kind, Kind::kReplyStarted);
  // It goes on without asking: the worker has more to do than slots, and gets nothing more until that is over.
  executor_.worker_yielded(now_, 7, outer.call, false);
  EXPECT_EQ(executor_.load().busy, 2U);
  admit(key(102));
  EXPECT_EQ(only().kind, Kind::kReplyQueued);
  finish(inner);
  EXPECT_EQ(only().kind, Kind::kReplyResult);
  finish(outer);
  EXPECT_EQ(next().kind, Kind::kReplyResult);
  EXPECT_EQ(next().kind, Kind::kDispatch);
  EXPECT_EQ(only().kind, Kind::kReplyStarted);
}

TEST_F(ExecutorTest, AnAttemptMayEndWhileItWaits) {
  worker(7, 1);
  const auto outer = dispatched(100);
  executor_.worker_yielded(now_, 7, outer.call, true);
  finish(outer);
  EXPECT_EQ(only().kind, Kind::kReplyResult);
  EXPECT_EQ(executor_.load().busy, 0U);
  executor_.worker_yielded(now_, 7, outer.call, false);
  EXPECT_EQ(executor_.load().busy, 0U) << "its call is over";
}

TEST_F(ExecutorTest, AWorkerAnswersOnlyItsOwnCallsAndOnce) {
  worker(7, 1);
  worker(8, 1);
  const auto dispatch = dispatched(100);
  const std::uint32_t other = dispatch.session == 7 ? 8 : 7;
  EXPECT_FALSE(executor_.handle_worker_result(now_, other, dispatch.call, {Outcome::kSucceeded, nullptr, {}}));
  EXPECT_FALSE(executor_.handle_worker_result(now_, dispatch.session, 12345, {Outcome::kSucceeded, nullptr, {}}));
  expect_none();
  finish(dispatch);
  EXPECT_EQ(only().kind, Kind::kReplyResult);
  EXPECT_FALSE(
      executor_.handle_worker_result(now_, dispatch.session, dispatch.call, {Outcome::kSucceeded, nullptr, {}}));
  expect_none();
  EXPECT_EQ(executor_.counters().late_results_dropped, 3U);
}

TEST_F(ExecutorTest, ALostOriginsAttemptsAreCancelledWithoutAnAnswer) {
  worker(7, 1);
  const auto running = dispatched(100);
  queued(key(101));
  AttemptKey own = key(102);
  own.origin = kSelf;
  queued(own);
  executor_.origin_lost(now_, kOrigin, {{kLife.epoch.value - 1}, kLife.nonce});
  executor_.origin_lost(now_, kOrigin, {kLife.epoch, kLife.nonce + 1});
  expect_none();
  executor_.origin_lost(now_, kOrigin, kLife);
  EXPECT_EQ(only().kind, Kind::kCancelAtWorker);
  executor_.handle_worker_result(now_, 7, running.call, {Outcome::kCancelled, nullptr, {}});
  EXPECT_EQ(started().key.origin, kSelf);
}

TEST_F(ExecutorTest, AfterItsLossAnOriginMayComeBackInAnyLife) {
  worker(7, 2);
  dispatched(100);
  executor_.origin_lost(now_, kOrigin, kLife);
  EXPECT_EQ(only().kind, Kind::kCancelAtWorker);
  AttemptKey earlier = key(100);
  earlier.origin_life.epoch.value -= 10;
  admit(earlier);
  EXPECT_EQ(only().kind, Kind::kDispatch);
  EXPECT_EQ(executor_.counters().stale_dropped, 0U);
}

TEST_F(ExecutorTest, TheNodesOwnSlotsBoundWhatTheWorkersOffer) {
  Executor executor({.slots_max = 2}, view_of(self_info()));
  executor.worker_opened(now_, 7, 4, std::vector{kF});
  executor.worker_opened(now_, 8, 4, std::vector{kG});
  EXPECT_EQ(executor.load().slots, 2U);
  const PlacementRef f = prepared(spec_of(kF), 0);
  const PlacementRef g = prepared(spec_of(kG), 1);
  executor.admit(now_, {.key = key(1), .placement = f});
  executor.admit(now_, {.key = key(2), .placement = f});
  executor.admit(now_, {.key = key(3), .placement = g});
  ExecutorEffect first, effect;
  ASSERT_TRUE(executor.poll_effect(first));
  ASSERT_TRUE(executor.poll_effect(effect));
  ASSERT_TRUE(executor.poll_effect(effect));
  EXPECT_EQ(effect.kind, Kind::kReplyQueued);
  EXPECT_FALSE(executor.poll_effect(effect));
  EXPECT_EQ(executor.queued_count(), 1U);
  executor.handle_worker_result(now_, 7, first.call, {Outcome::kSucceeded, nullptr, {}});
  ASSERT_TRUE(executor.poll_effect(effect));
  ASSERT_TRUE(executor.poll_effect(effect));
  EXPECT_EQ(effect.kind, Kind::kDispatch);
  EXPECT_EQ(effect.session, 8U);
}

TEST_F(ExecutorTest, ADrainHandsBackTheQueuedAndEndsTheRunningAtItsDeadline) {
  worker(7, 1);
  const auto running = dispatched(100);
  queued(key(101));
  executor_.drain(now_, now_ + 5s);
  auto redirect = only();
  EXPECT_EQ(redirect.key.sequence, 101U);
  EXPECT_EQ(redirect.reason, RedirectReason::kDraining);
  admit(key(102));
  EXPECT_EQ(only().reason, RedirectReason::kDraining);
  EXPECT_EQ(executor_.next_timeout(), now_ + 5s);
  EXPECT_FALSE(executor_.is_idle());
  executor_.handle_timeout(now_ + 5s);
  EXPECT_EQ(next().outcome, Outcome::kNodeLost);
  EXPECT_EQ(only().call, running.call);
  EXPECT_EQ(executor_.counters().cut, 1U);
  EXPECT_TRUE(executor_.is_idle());
  EXPECT_EQ(executor_.next_timeout(), std::nullopt);
}

TEST_F(ExecutorTest, ListsItsAttempts) {
  worker(7, 1);
  dispatched(100);
  queued(key(101), spec_of(kF), 5s);
  const auto attempts = executor_.attempts(now_ + 3s, 10);
  ASSERT_EQ(attempts.size(), 2U);
  EXPECT_EQ(attempts[0].state, AttemptSummary::State::kRunning);
  EXPECT_EQ(attempts[0].session, 7U);
  EXPECT_EQ(attempts[0].age, 3s);
  EXPECT_EQ(attempts[0].left, std::nullopt);
  EXPECT_EQ(attempts[1].state, AttemptSummary::State::kQueued);
  EXPECT_EQ(attempts[1].left, 2s);
  EXPECT_EQ(executor_.attempts(now_, 1).size(), 1U);
}

}  // namespace
}  // namespace kaido::daemon
