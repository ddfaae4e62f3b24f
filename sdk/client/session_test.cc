// The protocol without sockets, while both sides keep to it.
#include "sdk/client/session.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proto/wire/handshake.h"
#include "sdk/client/session_fixture.h"

namespace kaido::detail {
namespace {

using namespace std::chrono_literals;

TEST_F(SessionTest, SaysHelloThenOffersItsFunctions) {
  SessionOptions options;
  options.app_name = "tester";
  options.slots = {9, 300};
  make_session(options);
  connect();
  const auto hello = sent();
  ASSERT_EQ(kinds(hello), std::vector{Kind::kHello});
  v1::Hello message;
  ASSERT_TRUE(message.ParseFromString(hello[0].metadata));
  EXPECT_EQ(message.app_name(), "tester");
  EXPECT_EQ(message.versions().max(), wire::kVersions.max);

  welcome(8);
  EXPECT_FALSE(session_->is_registered());
  const auto registration = sent();
  ASSERT_EQ(kinds(registration), std::vector{Kind::kRegister});
  v1::Register functions;
  ASSERT_TRUE(functions.ParseFromString(registration[0].metadata));
  EXPECT_EQ(functions.slots(), 9U);  // All compute.
  EXPECT_EQ(functions.compute_slots(), 9U);
  EXPECT_EQ(functions.task_slots(), 300U);
  EXPECT_FALSE(functions.functions(0).is_task());
  EXPECT_EQ(functions.functions(0).name(), "f");
  EXPECT_EQ(functions.functions(0).signature(), "() -> void");
  EXPECT_EQ(functions.functions(0).schema(), schema_descriptor(kSignature<void>));
  deliver(Kind::kRegistered);
  EXPECT_TRUE(session_->is_registered());
  EXPECT_EQ(session_->node_name(), "n1");
}

Task<void> start_nothing(Invocation&) { co_return; }

TEST_F(SessionTest, TellsFunctionsThatWaitFromThoseThatCompute) {
  SessionOptions options;
  options.slots = {2, 300};
  make_session(options);
  function_.run = nullptr;
  function_.start = &start_nothing;
  connect();
  sent();
  welcome(8);
  v1::Register functions;
  ASSERT_TRUE(functions.ParseFromString(sent().at(0).metadata));
  EXPECT_TRUE(functions.functions(0).is_task());
  EXPECT_EQ(functions.slots(), 300U);  // For a node that knows one kind of slots only.
  EXPECT_EQ(functions.compute_slots(), 2U);
  EXPECT_EQ(functions.task_slots(), 300U);
}

TEST_F(SessionTest, ACallOnlyProgramOffersNothing) {
  make_session({}, FunctionTable());
  connect();
  sent();
  welcome(8);
  EXPECT_TRUE(session_->is_registered());
  EXPECT_FALSE(session_->has_output());
}

TEST_F(SessionTest, AnUnknownVersionIsFinalAndSaysWho) {
  connect();
  auto call = start();
  v1::Welcome message;
  message.set_version(7);
  EXPECT_FALSE(deliver(Kind::kWelcome, message.SerializeAsString()));
  EXPECT_EQ(session_->state(), Session::State::kClosed);
  ASSERT_TRUE(call->is_done);
  EXPECT_TRUE(call->error->is_unavailable());
  EXPECT_NE(call->error->message().find('7'), std::string::npos);
  EXPECT_FALSE(session_->connect_at());
}

TEST_F(SessionTest, PreparesOnceAndCallsByNumber) {
  make_ready();
  auto rules = std::make_shared<PlacementRules>();
  rules->set(PlacementField::kTags, "zone", "eu-1");
  rules->set(PlacementField::kIdempotent, true);
  auto same_rules = std::make_shared<PlacementRules>();  // Another builder, which said the same in another order.
  same_rules->set(PlacementField::kIdempotent, true);
  same_rules->set(PlacementField::kTags, "zone", "eu-1");
  const auto first = start("one");
  const auto second = start("two");
  const auto third = start("three", rules);
  const auto fourth = start("four", same_rules);
  const auto frames = sent();
  EXPECT_EQ(kinds(frames),
            (std::vector{Kind::kPrepare, Kind::kCall, Kind::kCall, Kind::kPrepare, Kind::kCall, Kind::kCall}));
  EXPECT_EQ(frames[1].header.template_or_status, 1U);
  EXPECT_EQ(frames[2].header.template_or_status, 1U);
  EXPECT_EQ(frames[4].header.template_or_status, 2U);
  EXPECT_EQ(frames[5].header.template_or_status, 2U);
  v1::Prepare prepare;
  ASSERT_TRUE(prepare.ParseFromString(frames[3].metadata));
  EXPECT_EQ(prepare.function().signature(), "() -> void");
  EXPECT_EQ(prepare.function().schema(), schema_descriptor(kSignature<void>));
  EXPECT_EQ(prepare.placement().tags().at("zone"), "eu-1");
  EXPECT_TRUE(prepare.placement().idempotent());
  EXPECT_EQ(prepare.function().fingerprint(), 2U);
  EXPECT_TRUE(frames[3].metadata.ends_with(rules->bytes()));

  deliver_result(frames[2].header.call_id, "TWO");
  deliver_result(frames[1].header.call_id, "ONE");
  EXPECT_EQ(first->text(), "ONE");
  EXPECT_EQ(second->text(), "TWO");
  EXPECT_EQ(session_->in_flight(), 2U);
}

TEST_F(SessionTest, CallsBeyondTheCreditWaitTheirTurn) {
  make_ready(2);
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < 5; ++i) calls.push_back(start(std::to_string(i)));
  auto frames = sent();
  EXPECT_EQ(kinds(frames), (std::vector{Kind::kPrepare, Kind::kCall, Kind::kCall}));
  EXPECT_EQ(session_->waiting(), 3U);

  deliver_result(frames[1].header.call_id, "");
  frames = sent();
  ASSERT_EQ(kinds(frames), std::vector{Kind::kCall});
  EXPECT_EQ(frames[0].payload, "2");
  EXPECT_EQ(session_->waiting(), 2U);
}

TEST_F(SessionTest, TheQueueIsBounded) {
  SessionOptions options;
  options.max_waiting_calls = 1;
  make_session(options);
  make_ready(1);
  const auto sent_call = start();
  const auto waiting = start();
  const auto refused = start();
  EXPECT_FALSE(waiting->is_done);
  ASSERT_TRUE(refused->is_done);
  EXPECT_TRUE(refused->error->is_rejected());
  EXPECT_GT(refused->error->retry_after(), 0ms);
}

TEST_F(SessionTest, ADroppedCallIsCancelledAndKeepsItsCreditUntilTheAnswer) {
  make_ready(1);
  auto call = start();
  const std::uint64_t id = sent()[1].header.call_id;
  session_->drop(*call);
  call.reset();
  const auto next = start("next");
  const auto frames = sent();
  ASSERT_EQ(kinds(frames), std::vector{Kind::kCancel});
  EXPECT_EQ(frames[0].header.call_id, id);

  deliver_result(id, "too late");
  EXPECT_EQ(session_->late_results(), 1U);
  EXPECT_EQ(kinds(sent()), std::vector{Kind::kCall});
  // The same place in the table, another generation: the old answer, repeated, hits nobody.
  deliver_result(id, "again");
  EXPECT_EQ(session_->late_results(), 2U);
  EXPECT_FALSE(next->is_done);
}

TEST_F(SessionTest, AWaitingCallThatIsDroppedWasNeverSent) {
  make_ready(1);
  const auto first = start("1");
  auto second = start("2");
  const auto third = start("3");
  const std::uint64_t id = sent()[1].header.call_id;
  session_->drop(*second);
  second.reset();
  deliver_result(id, "");
  const auto frames = sent();
  ASSERT_EQ(kinds(frames), std::vector{Kind::kCall});
  EXPECT_EQ(frames[0].payload, "3");
}

TEST_F(SessionTest, AnErrorCarriesEverythingTheNodeSaid) {
  make_ready();
  const auto call = start();
  v1::ResultError message;
  message.set_message("no node fits");
  message.set_node("n2");
  message.set_attempt(3);
  message.set_retry_after_ns(1'500'000);
  message.add_reasons()->set_reason("gpu is missing");
  wire::FrameHeader header;
  header.call_id = sent()[1].header.call_id;
  header.template_or_status = static_cast<std::uint32_t>(wire::Outcome::kUnschedulable);
  deliver(Kind::kResult, message.SerializeAsString(), header);
  ASSERT_TRUE(call->is_done && call->error);
  EXPECT_TRUE(call->error->is_unschedulable());
  EXPECT_EQ(call->error->message(), "no node fits");
  EXPECT_EQ(call->error->node(), "n2");
  EXPECT_EQ(call->error->attempt(), 3U);
  EXPECT_EQ(call->error->retry_after(), 2ms);
  EXPECT_EQ(call->error->reasons().at(0).reason, "gpu is missing");
}

TEST_F(SessionTest, ArgumentsThatTheNodeWouldNotTakeFailHere) {
  make_ready();
  const auto call = start(std::string(2000, 'x'));
  ASSERT_TRUE(call->is_done);
  EXPECT_EQ(call->error->kind(), ErrorKind::kInvalidArgument);
  EXPECT_TRUE(sent().empty());
}

TEST_F(SessionTest, TheBudgetIsWhatIsLeftWhenItIsSent) {
  make_ready(1);
  const auto first = start();
  Call timed(target_);
  timed.deadline = now_ + 100ms;
  session_->start(timed, Waker(), now_);
  Call expired(target_);
  expired.deadline = now_ + 10ms;
  session_->start(expired, Waker(), now_);
  const std::uint64_t id = sent()[1].header.call_id;
  now_ += 40ms;
  deliver_result(id, "");
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].header.budget_ns, 60'000'000U);
  deliver_result(frames[0].header.call_id, "");
  ASSERT_TRUE(expired.is_done);
  EXPECT_TRUE(expired.error->is_timed_out());
}

TEST_F(SessionTest, WhatIsLostWithTheConnectionIsRepeatedOnlyWhereThatIsAllowed) {
  make_ready();
  auto rules = std::make_shared<PlacementRules>();
  rules->set(PlacementField::kIdempotent, true);
  const auto repeatable = start("repeatable", rules);
  const auto once = start("once");
  sent();
  const auto unsent = start("unsent");  // Written, but nothing of it has reached the socket.
  session_->handle_disconnected(now_, "gone");
  EXPECT_EQ(cancel_alls_, 1);
  ASSERT_TRUE(once->is_done);
  EXPECT_TRUE(once->error->is_unavailable());
  EXPECT_NE(once->error->message().find("gone"), std::string::npos);
  EXPECT_FALSE(repeatable->is_done);
  EXPECT_FALSE(unsent->is_done);

  ASSERT_TRUE(session_->connect_at());
  EXPECT_GT(*session_->connect_at(), now_);
  EXPECT_LE(*session_->connect_at(), now_ + 20ms);
  now_ += 20ms;
  connect_again();
  welcome(8);
  const auto frames = sent();
  // Registered again, and prepared again with numbers from 1 on.
  EXPECT_EQ(kinds(frames),
            (std::vector{Kind::kHello, Kind::kRegister, Kind::kPrepare, Kind::kCall, Kind::kPrepare, Kind::kCall}));
  EXPECT_EQ(frames[2].header.template_or_status, 1U);
  EXPECT_EQ(frames[3].payload, "repeatable");
  EXPECT_EQ(frames[4].header.template_or_status, 2U);
  EXPECT_EQ(frames[5].payload, "unsent");
  deliver_result(frames[3].header.call_id, "done");
  EXPECT_TRUE(repeatable->succeeded());
}

TEST_F(SessionTest, WhatANodeThatStopsHandsBackIsRepeatedOnlyWhereThatIsAllowed) {
  make_ready();
  auto rules = std::make_shared<PlacementRules>();
  rules->set(PlacementField::kIdempotent, true);
  const auto repeatable = start("repeatable", rules);
  const auto once = start("once");
  for (const SentFrame& frame : sent()) {
    if (frame.header.kind != Kind::kCall) continue;
    wire::FrameHeader header;
    header.call_id = frame.header.call_id;
    header.template_or_status = static_cast<std::uint32_t>(wire::Outcome::kUnavailable);
    deliver(Kind::kResult, {}, header);
  }
  ASSERT_TRUE(once->is_done);
  EXPECT_TRUE(once->error->is_unavailable());
  EXPECT_FALSE(repeatable->is_done);
  EXPECT_TRUE(sent().empty()) << "it would be refused again";

  session_->handle_disconnected(now_, "gone");
  EXPECT_FALSE(repeatable->is_done);
  now_ += 20ms;
  connect_again();
  welcome(8);
  const SentFrame again = sent().back();
  EXPECT_EQ(again.payload, "repeatable");
  deliver_result(again.header.call_id, "done");
  EXPECT_TRUE(repeatable->succeeded());
}

TEST_F(SessionTest, WhatAFunctionAnswersIsTheResultThoughItSaysUnavailable) {
  make_ready();
  auto rules = std::make_shared<PlacementRules>();
  rules->set(PlacementField::kIdempotent, true);
  const auto call = start("call", rules);
  wire::FrameHeader header;
  header.call_id = sent().back().header.call_id;
  header.template_or_status = static_cast<std::uint32_t>(wire::Outcome::kUnavailable);
  v1::ResultError error;
  error.set_message("the database is down");
  error.set_node("b");
  deliver(Kind::kResult, error.SerializeAsString(), header);
  ASSERT_TRUE(call->is_done);
  EXPECT_TRUE(call->error->is_unavailable());
  EXPECT_EQ(call->error->message(), "the database is down");
}

TEST_F(SessionTest, CallsWaitForTheNodesReturnButNotForEver) {
  make_ready();
  session_->handle_disconnected(now_, "gone");
  const auto hopeful = start();
  EXPECT_FALSE(hopeful->is_done);
  for (int i = 0; i < 3; ++i) {
    now_ += 1s;
    EXPECT_TRUE(session_->handle_timeout(now_));
    session_->handle_disconnected(now_, "still gone");
  }
  EXPECT_FALSE(hopeful->is_done);
  ASSERT_TRUE(session_->next_timeout());
  EXPECT_EQ(*session_->next_timeout(), TimePoint{} + 1h + 5s);
  now_ += 2s;
  EXPECT_TRUE(session_->handle_timeout(now_));
  ASSERT_TRUE(hopeful->is_done);
  EXPECT_TRUE(hopeful->error->is_unavailable());
  const auto later = start();
  EXPECT_TRUE(later->is_done);
}

TEST_F(SessionTest, WhoNeverHadANodeDoesNotWaitForOne) {
  make_session();
  const auto first = start();
  session_->handle_disconnected(now_, "no node at /x");
  ASSERT_TRUE(first->is_done);
  EXPECT_TRUE(first->error->is_unavailable());
  EXPECT_TRUE(start()->is_done);
  connect();
  EXPECT_FALSE(start()->is_done);
}

TEST_F(SessionTest, ASilentNodeIsGivenUp) {
  connect();
  EXPECT_TRUE(session_->handle_timeout(now_ + 2s));
  EXPECT_FALSE(session_->handle_timeout(now_ + 3s));
  EXPECT_FALSE(session_->disconnect_reason().empty());
}

TEST_F(SessionTest, RunsCallsAndAnswersThem) {
  make_ready();
  wire::FrameHeader header;
  header.call_id = 77;
  header.set_attempt(2);
  header.budget_ns = 5'000'000;
  deliver(Kind::kCall, "info", header, "args");
  ASSERT_EQ(runs_.size(), 1U);
  EXPECT_EQ(runs_[0].function, &function_);
  EXPECT_EQ(runs_[0].attempt, 2U);
  EXPECT_EQ(runs_[0].deadline, now_ + 5ms);

  session_->reply(runs_[0].connection, 77, nullptr, wire::as_span("result"));
  const Error error = Error(ErrorKind::kPanicked, "boom").with_exception_type("Bang");
  session_->reply(runs_[0].connection, 78, &error, {});
  session_->reply(runs_[0].connection + 1, 79, nullptr, {});  // Of a connection that is not this one.
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].payload, "result");
  EXPECT_EQ(frames[0].header.call_id, 77U);
  EXPECT_EQ(frames[1].header.template_or_status, static_cast<std::uint32_t>(wire::Outcome::kPanicked));
  v1::ResultError message;
  ASSERT_TRUE(message.ParseFromString(frames[1].metadata));
  EXPECT_EQ(message.exception_type(), "Bang");
  EXPECT_EQ(message.message(), "boom");

  header.call_id = 80;
  deliver(Kind::kCancel, {}, header);
  EXPECT_EQ(cancels_, std::vector<std::uint64_t>{80});
}

TEST_F(SessionTest, RefusesWorkThatItCannotDo) {
  make_ready();
  wire::FrameHeader header;
  header.template_or_status = 5;
  deliver(Kind::kCall, {}, header);
  session_->drain();
  header.template_or_status = 0;
  deliver(Kind::kCall, {}, header);
  EXPECT_TRUE(runs_.empty());
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].header.template_or_status, static_cast<std::uint32_t>(wire::Outcome::kInvalidArgument));
  EXPECT_EQ(frames[1].header.template_or_status, static_cast<std::uint32_t>(wire::Outcome::kRejected));
}

TEST_F(SessionTest, AGoodbyeIsFinalUnlessTheNodeComesBack) {
  make_ready();
  v1::Goodbye goodbye;
  goodbye.set_reason("restarting");
  goodbye.set_retry(true);
  EXPECT_FALSE(deliver(Kind::kGoodbye, goodbye.SerializeAsString()));
  session_->handle_disconnected(now_, session_->disconnect_reason());
  EXPECT_EQ(session_->state(), Session::State::kDisconnected);
  EXPECT_TRUE(session_->connect_at());

  make_ready();
  goodbye.set_retry(false);
  EXPECT_FALSE(deliver(Kind::kGoodbye, goodbye.SerializeAsString()));
  EXPECT_EQ(session_->state(), Session::State::kClosed);
  EXPECT_NE(session_->failure()->message().find("restarting"), std::string::npos);
}

// Of programs without functions and with: whoever says what the node does not take again and again.
TEST_F(SessionTest, APromptGoodbyeAfterEachWelcomeIsFollowedByLongerAndLongerPauses) {
  v1::Goodbye goodbye;
  goodbye.set_retry(true);
  const auto end = [&](base::Duration after) {
    now_ += after;
    EXPECT_FALSE(deliver(Kind::kGoodbye, goodbye.SerializeAsString()));
    session_->handle_disconnected(now_, session_->disconnect_reason());
    return *session_->connect_at() - now_;
  };
  for (const bool has_functions : {false, true}) {
    session_.reset();
    if (has_functions)
      make_session();
    else
      make_session({}, FunctionTable());
    base::Duration longest{};
    for (int round = 0; round < 10; ++round) {
      make_ready();
      const base::Duration pause = end(0ms);
      EXPECT_LE(pause, 1s);
      longest = std::max(longest, pause);
      now_ += pause;
    }
    EXPECT_GT(longest, 100ms) << (has_functions ? "with functions" : "without");
    make_ready();
    EXPECT_LE(end(1s), 20ms) << "it had held";
  }
}

TEST_F(SessionTest, UnknownFramesAreSkippedIfIgnorableAndPingsAnswered) {
  make_ready();
  wire::FrameHeader header;
  header.flags = wire::kIgnorable;
  EXPECT_TRUE(deliver(static_cast<Kind>(99), {}, header));
  header.call_id = 5;
  EXPECT_TRUE(deliver(Kind::kPing, {}, header));
  const auto frames = sent();
  ASSERT_EQ(kinds(frames), std::vector{Kind::kPong});
  EXPECT_EQ(frames[0].header.call_id, 5U);
  EXPECT_FALSE(deliver(static_cast<Kind>(99)));
}

TEST_F(SessionTest, ClosingSaysGoodbyeAndResolvesEverything) {
  make_ready(1);
  const auto under_way = start();
  const auto waiting = start();
  sent();
  session_->close("bye");
  EXPECT_TRUE(under_way->error->is_unavailable());
  EXPECT_TRUE(waiting->error->is_unavailable());
  EXPECT_EQ(kinds(sent()), std::vector{Kind::kGoodbye});
  EXPECT_TRUE(start()->is_done);
}

}  // namespace
}  // namespace kaido::detail
