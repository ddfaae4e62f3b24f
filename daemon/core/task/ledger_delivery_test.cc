// Results in chunks: their task is not over before they are with their app.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/core/task/fake_placer.h"
#include "daemon/core/task/ledger.h"
#include "proto/wire/body.h"
#include "proto/wire/limits.h"

namespace kaido::daemon {
namespace {

using wire::BodyFailure;
using wire::Outcome;
using Kind = LedgerEffect::Kind;
using namespace std::chrono_literals;

constexpr std::uint32_t kApp = 1;

class LedgerDelivery : public ::testing::Test {
 protected:
  LedgerEffect submit(std::uint32_t attempts, base::Duration budget = 0ns) {
    PlacementSpec spec;
    spec.max_attempts = attempts;
    const auto placement = std::make_shared<const PreparedPlacement>(std::move(spec), 0, 1);
    EXPECT_EQ(ledger_.submit(now_, {.session = kApp,
                                    .call_id = 7,
                                    .placement = placement,
                                    .budget = budget,
                                    .payload = Payload::copy_of(wire::as_span("args"))}),
              SubmitStatus::kAccepted);
    return next(Kind::kSendAttempt);
  }
  LedgerEffect next(Kind kind) {
    LedgerEffect effect;
    EXPECT_TRUE(ledger_.poll_effect(effect));
    EXPECT_EQ(effect.kind, kind);
    return effect;
  }
  void expect_none() {
    LedgerEffect effect;
    EXPECT_FALSE(ledger_.poll_effect(effect)) << "kind " << static_cast<int>(effect.kind);
  }
  static AttemptReport of(const LedgerEffect& attempt) {
    return {attempt.node, FakePlacer::life(attempt.node), attempt.sequence, attempt.attempt};
  }
  void answer(const LedgerEffect& attempt) {
    ledger_.handle_result(now_, of(attempt), {Outcome::kSucceeded, nullptr, large()});
    const LedgerEffect delivery = next(Kind::kDeliver);
    EXPECT_EQ(delivery.outcome, Outcome::kSucceeded);
    EXPECT_EQ(delivery.payload.size(), large().size());
    EXPECT_EQ(delivery.since, base::Instant{}) << "it is not over";
    EXPECT_EQ(ledger_.task_count(), 1U);
  }
  static Payload large() { return Payload::copy_of(std::vector<std::byte>(wire::kChunkBytes + 1)); }
  void lose(BodyFailure failure = BodyFailure::kConnectionLost) { ledger_.delivery_lost(now_, kApp, 7, failure); }
  TaskError expect_end(Outcome outcome) {
    const LedgerEffect end = next(Kind::kDeliver);
    EXPECT_EQ(end.outcome, outcome);
    EXPECT_EQ(end.call_id, 7U);
    expect_quiescent();
    return end.error == nullptr ? TaskError() : *end.error;
  }
  void expect_quiescent() {
    expect_none();
    EXPECT_EQ(ledger_.task_count(), 0U);
    EXPECT_EQ(ledger_.kept_bytes(), 0U);
    EXPECT_EQ(ledger_.next_timeout(), std::nullopt);
    for (const auto& [node, count] : placer_.in_flight) EXPECT_EQ(count, 0) << "node " << node.value;
  }

  base::Instant now_ = base::Instant{} + 1h;
  FakePlacer placer_;
  Ledger ledger_{LedgerOptions{.tasks_max = 4, .waiting_max = 2, .kept_bytes_max = 10}, placer_};
};

TEST_F(LedgerDelivery, EndsWhenItWasPassedOn) {
  answer(submit(3));
  EXPECT_EQ(ledger_.kept_bytes(), 4U) << "it may be sent again";
  EXPECT_EQ(ledger_.counters().delivered[0], 0U);
  const auto end = ledger_.end_delivery(kApp, 7);
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->since, now_);
  EXPECT_EQ(ledger_.counters().delivered[0], 1U);
  expect_quiescent();
  EXPECT_FALSE(ledger_.end_delivery(kApp, 7).has_value());
  lose();  // late
  expect_quiescent();
}

TEST_F(LedgerDelivery, IsRepeatedElsewhereWhenItsSenderIsLost) {
  answer(submit(3));
  lose();
  const LedgerEffect second = next(Kind::kSendAttempt);
  EXPECT_EQ(second.node, kC) << "not the one that was lost";
  EXPECT_EQ(second.attempt, 2U);
  EXPECT_EQ(wire::as_text(second.payload.bytes()), "args");
  EXPECT_EQ(ledger_.counters().retries, 1U);
  answer(second);
  ASSERT_TRUE(ledger_.end_delivery(kApp, 7).has_value());
  expect_quiescent();
}

TEST_F(LedgerDelivery, FailsAfterTheLastAttempt) {
  answer(submit(2));
  lose();
  answer(next(Kind::kSendAttempt));
  lose();
  const TaskError error = expect_end(Outcome::kNodeLost);
  EXPECT_EQ(error.message, "the result of 65537 bytes did not all come: the connection that it came by was lost");
  EXPECT_EQ(error.node, "node-2");
  EXPECT_EQ(error.attempt, 2U);
}

TEST_F(LedgerDelivery, SaysWhoWasLost) {
  answer(submit(1));
  lose(BodyFailure::kAborted);
  EXPECT_EQ(expect_end(Outcome::kAppLost).node, "node-1") << "the node says so of its app";
  placer_.nodes = {kSelf};
  answer(submit(1));
  lose(BodyFailure::kConnectionLost);
  expect_end(Outcome::kAppLost);
}

TEST_F(LedgerDelivery, IsNotRepeatedWhenTheAppCannotTakeIt) {
  answer(submit(3));
  ledger_.delivery_failed(kApp, 7, {Outcome::kRejected, make_error({.message = "too large"}), {}});
  EXPECT_EQ(expect_end(Outcome::kRejected).message, "too large");
}

// A result that is on its way is not late; one that has to be made again is.
TEST_F(LedgerDelivery, TheDeadlineMattersOnlyIfItIsLost) {
  answer(submit(3, 1s));
  now_ += 2s;
  ledger_.handle_timeout(now_);
  expect_none();
  EXPECT_EQ(ledger_.next_timeout(), std::nullopt);
  lose();
  expect_end(Outcome::kTimedOut);
}

TEST_F(LedgerDelivery, ARepetitionHasWhatIsLeftOfTheTime) {
  answer(submit(3, 5s));
  now_ += 2s;
  lose();
  EXPECT_EQ(next(Kind::kSendAttempt).budget, 3s);
  now_ += 3s;
  ledger_.handle_timeout(now_);
  EXPECT_EQ(next(Kind::kSendCancel).attempt, 2U);
  expect_end(Outcome::kTimedOut);
}

TEST_F(LedgerDelivery, ACancellationMattersOnlyIfItIsLost) {
  answer(submit(3));
  EXPECT_FALSE(ledger_.cancel(now_, kApp, 7));
  expect_none();
  lose();
  expect_end(Outcome::kCancelled);
}

// Its attempt is over: nobody is asked about it, nor told to stop.
TEST_F(LedgerDelivery, ItsNodeHasNothingMoreToDoWithIt) {
  const LedgerEffect first = submit(3);
  answer(first);
  EXPECT_TRUE(ledger_.attempts_at(kB, FakePlacer::life(kB)).empty());
  ledger_.node_lost(now_, kB, FakePlacer::life(kB));
  ledger_.handle_result(now_, of(first), {Outcome::kSucceeded, nullptr, {}});
  EXPECT_EQ(ledger_.counters().late_results_dropped, 1U);
  expect_none();
  EXPECT_EQ(ledger_.tasks(now_, 9).at(0).state, TaskState::kDelivering);
  ledger_.session_closed(now_, kApp);
  expect_quiescent();
}

TEST_F(LedgerDelivery, TheEndOfADrainLeavesItAlone) {
  answer(submit(3));
  ledger_.drain(now_, now_ + 1s);
  now_ += 1s;
  ledger_.handle_timeout(now_);
  expect_quiescent();
}

TEST_F(LedgerDelivery, ADrainingNodeRepeatsIt) {
  answer(submit(3));
  ledger_.drain(now_, now_ + 1s);
  lose();
  EXPECT_EQ(next(Kind::kSendAttempt).node, kC);
  ledger_.session_closed(now_, kApp);
  EXPECT_EQ(next(Kind::kSendCancel).node, kC);
}

}  // namespace
}  // namespace kaido::daemon
