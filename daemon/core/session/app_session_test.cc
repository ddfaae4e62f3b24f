#include "daemon/core/session/app_session.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/core/session/call_info.h"
#include "proto/base/ids.h"
#include "proto/wire/body.h"
#include "proto/wire/handshake.h"

namespace kaido::daemon {
namespace {

using namespace std::chrono_literals;

constexpr base::Instant kStart{};

Payload payload(std::string_view text) { return Payload::copy_of(wire::as_span(text)); }
std::string text(const Payload& payload) { return std::string(wire::as_text(payload.bytes())); }

struct SentFrame {
  wire::FrameHeader header;
  std::string metadata;
  std::string payload;
};

/// The node as a session sees it: remembers what was asked, answers as told.
class Node final : public AppSessionActions {
 public:
  void send(const wire::FrameHeader& header, std::span<const std::byte> metadata, Payload&& payload) override {
    sent.push_back({header, std::string(wire::as_text(metadata)), text(payload)});
  }
  void close(base::Status reason) override { closed = std::move(reason); }
  void registered() override { EXPECT_EQ(sent.back().header.kind, wire::FrameKind::kRegistered); }
  base::Status offer(std::vector<FunctionInfo> functions, WorkerSlots slots) override {
    offered = std::move(functions);
    offered_slots = slots.compute;
    offered_task_slots = slots.task;
    return offer_answer;
  }
  PlacementRef prepare(PlacementSpec spec) override {
    if (refuse_placements) return nullptr;
    return std::make_shared<PreparedPlacement>(std::move(spec), 0, 1);
  }
  bool submit(SubmitRequest&& call) override {
    calls.push_back(std::move(call));
    return accept_calls;
  }
  void cancel(std::uint64_t call_id) override { cancelled.push_back(call_id); }
  void yielded(std::uint64_t call, bool is_waiting) override {
    results.push_back(std::to_string(call) + (is_waiting ? " waits" : " goes on"));
  }
  bool worker_result(std::uint64_t call, TaskResult&& result) override {
    results.push_back(std::to_string(call) + " " + std::string(wire::name(result.outcome)) + " " +
                      (result.error != nullptr ? result.error->message : text(result.payload)));
    return true;
  }

  template <class Message>
  Message last() const {
    Message message;
    EXPECT_TRUE(message.ParseFromString(sent.back().metadata));
    return message;
  }

  std::vector<SentFrame> sent;
  std::optional<base::Status> closed;
  std::vector<FunctionInfo> offered;
  std::uint32_t offered_slots = 0;
  std::uint32_t offered_task_slots = 0;
  base::Status offer_answer;
  bool refuse_placements = false;
  bool accept_calls = true;
  std::vector<SubmitRequest> calls;
  std::vector<std::uint64_t> cancelled;
  std::vector<std::string> results;
};

class AppSessionTest : public testing::Test {
 protected:
  void say(wire::FrameKind kind, const std::string& metadata = {}, const std::string& payload = {},
           std::uint32_t template_or_status = 0, std::uint64_t call_id = 0, std::uint8_t flags = 0,
           base::Instant now = kStart) {
    wire::FrameView frame;
    frame.header.kind = kind;
    frame.header.template_or_status = template_or_status;
    frame.header.call_id = call_id;
    frame.header.flags = flags;
    frame.metadata = wire::as_span(metadata);
    frame.payload = wire::Payload::copy_of(wire::as_span(payload));
    session.handle_frame(now, frame);
  }

  void say_hello(std::uint32_t min = wire::kVersions.min, std::uint32_t max = wire::kVersions.max) {
    v1::Hello hello;
    hello.mutable_versions()->set_min(min);
    hello.mutable_versions()->set_max(max);
    hello.set_app_name("shop");
    say(wire::FrameKind::kHello, hello.SerializeAsString());
  }

  void prepare(std::uint32_t id, const std::string& function = "f") {
    v1::Prepare message;
    message.mutable_function()->set_name(function);
    say(wire::FrameKind::kPrepare, message.SerializeAsString(), {}, id);
  }

  void expect_violation(const std::string& words, bool may_come_back = false) {
    ASSERT_TRUE(node.closed);
    EXPECT_NE(node.closed->message().find(words), std::string::npos) << *node.closed;
    ASSERT_EQ(node.sent.back().header.kind, wire::FrameKind::kGoodbye);
    EXPECT_NE(node.last<v1::Goodbye>().reason().find(words), std::string::npos);
    EXPECT_EQ(node.last<v1::Goodbye>().retry(), may_come_back);
  }

  void expect_answer(wire::FrameKind kind, std::uint64_t call_id, wire::Outcome outcome, const std::string& words) {
    const SentFrame& answer = node.sent.back();
    EXPECT_EQ(answer.header.kind, kind);
    EXPECT_EQ(answer.header.call_id, call_id);
    EXPECT_EQ(answer.header.template_or_status, static_cast<std::uint32_t>(outcome));
    EXPECT_NE(node.last<v1::ResultError>().message().find(words), std::string::npos)
        << node.last<v1::ResultError>().message();
  }

  static AppSessionOptions options() {
    AppSessionOptions options;
    options.node_name = "n1";
    options.node_id.bytes[0] = 7;
    options.epoch = base::Epoch{3};
    options.credits = 2;
    options.templates_max = 3;
    return options;
  }

  const AppSessionOptions options_ = options();
  Node node;
  AppSession session{options_, 42, node, kStart};
};

TEST_F(AppSessionTest, WelcomesWithTheNodesIdentityAndItsBounds) {
  say_hello(1, 9);
  EXPECT_TRUE(session.is_ready());
  EXPECT_EQ(session.app_name(), "shop");
  ASSERT_EQ(node.sent.back().header.kind, wire::FrameKind::kWelcome);
  const auto welcome = node.last<v1::Welcome>();
  EXPECT_EQ(welcome.version(), wire::kVersions.max);
  EXPECT_EQ(welcome.node_name(), "n1");
  EXPECT_EQ(welcome.node_epoch(), 3U);
  EXPECT_EQ(welcome.session(), 42U);
  EXPECT_EQ(welcome.credits(), 2U);
}

TEST_F(AppSessionTest, SaysWhichSideToUpgradeWhenThereIsNoCommonVersion) {
  say_hello(3, 4);
  expect_violation("no common protocol version: this side speaks 2, the other side 3 to 4; upgrade this side");
}

TEST_F(AppSessionTest, RefusesEverythingBeforeHello) {
  say(wire::FrameKind::kCall);
  expect_violation("a call frame (kind 7) has no place in a session that is before hello");
}

TEST_F(AppSessionTest, RefusesASecondHello) {
  say_hello();
  say_hello();
  expect_violation("a hello frame (kind 1) has no place in a session that is ready", /*may_come_back=*/true);
}

TEST_F(AppSessionTest, RefusesMetadataThatIsNotItsMessage) {
  say(wire::FrameKind::kHello, "\xff\xff\xff");
  expect_violation("metadata of a hello frame");
}

TEST_F(AppSessionTest, HelloMustComeInTime) {
  EXPECT_EQ(session.next_timeout(), kStart + 5s);
  session.handle_timeout(kStart + 4s);
  EXPECT_FALSE(node.closed);
  session.handle_timeout(kStart + 5s);
  ASSERT_TRUE(node.closed);
  EXPECT_TRUE(absl::IsDeadlineExceeded(*node.closed));
}

TEST_F(AppSessionTest, ASilentAppIsAskedAndThenTakenForDead) {
  say_hello();
  const std::size_t sent = node.sent.size();
  EXPECT_EQ(session.next_timeout(), kStart + 1s);
  session.handle_timeout(kStart + 1s);
  ASSERT_EQ(node.sent.size(), sent + 1);
  EXPECT_EQ(node.sent.back().header.kind, wire::FrameKind::kPing);
  session.handle_timeout(kStart + 5s - 1ns);
  EXPECT_FALSE(node.closed);
  session.handle_timeout(kStart + 5s);
  ASSERT_TRUE(node.closed);
  EXPECT_TRUE(absl::IsDeadlineExceeded(*node.closed));
  EXPECT_NE(node.closed->message().find("timeouts.app"), std::string_view::npos) << *node.closed;
  EXPECT_TRUE(node.last<v1::Goodbye>().retry()) << "it may come back";
  EXPECT_EQ(session.next_timeout(), std::nullopt);
}

TEST_F(AppSessionTest, AnyFrameAndAnyBytesAreAProofOfLife) {
  say_hello();
  say(wire::FrameKind::kPong, {}, {}, 0, 0, 0, kStart + 4s);
  session.handle_timeout(kStart + 5s);
  EXPECT_FALSE(node.closed);
  session.heard(kStart + 8s);
  session.handle_timeout(kStart + 12s);
  EXPECT_FALSE(node.closed);
  session.handle_timeout(kStart + 13s);
  EXPECT_TRUE(node.closed);
}

TEST_F(AppSessionTest, AnAppUnderLoadIsNeverAsked) {
  say_hello();
  const std::size_t sent = node.sent.size();
  say(wire::FrameKind::kCancel, {}, {}, 0, 1, 0, kStart + 500ms);
  session.handle_timeout(kStart + 1s);
  EXPECT_EQ(node.sent.size(), sent);
}

TEST_F(AppSessionTest, OffersWhatTheAppRegistersOnce) {
  say_hello();
  v1::Register message;
  message.set_slots(8);
  message.add_functions()->set_name("count");
  message.mutable_functions(0)->set_id(base::function_id_of("count").value);
  say(wire::FrameKind::kRegister, message.SerializeAsString());
  ASSERT_EQ(node.offered.size(), 1U);
  EXPECT_EQ(node.offered[0].name, "count");
  EXPECT_EQ(node.offered[0].id, base::function_id_of("count"));
  EXPECT_EQ(node.offered_slots, 8U);
  EXPECT_EQ(node.sent.back().header.kind, wire::FrameKind::kRegistered);
  say(wire::FrameKind::kRegister, message.SerializeAsString());
  expect_violation("functions are registered once", /*may_come_back=*/true);
}

TEST_F(AppSessionTest, AFunctionUnderAnotherOnesIdIsRefused) {
  say_hello();
  v1::Register message;
  message.set_slots(8);
  message.add_functions()->set_name("x");
  message.mutable_functions(0)->set_id(base::function_id_of("billing::charge").value);
  say(wire::FrameKind::kRegister, message.SerializeAsString());
  EXPECT_TRUE(node.offered.empty());
  expect_violation("function x was registered under an id that is not its name's");
}

TEST_F(AppSessionTest, AWorkerMaySayHowManyCallsOfEachKindItTakes) {
  say_hello();
  v1::Register message;
  message.set_slots(64);
  message.set_compute_slots(2);
  message.set_task_slots(64);
  message.add_functions()->set_name("wait");
  message.mutable_functions(0)->set_id(base::function_id_of("wait").value);
  message.mutable_functions(0)->set_is_task(true);
  say(wire::FrameKind::kRegister, message.SerializeAsString());
  ASSERT_EQ(node.offered.size(), 1U);
  EXPECT_TRUE(node.offered[0].is_task);
  EXPECT_EQ(node.offered_slots, 2U);
  EXPECT_EQ(node.offered_task_slots, 64U);
}

TEST_F(AppSessionTest, ACallThatWaitsSaysSoAndThatItGoesOn) {
  say_hello();
  say(wire::FrameKind::kYield, {}, {}, 0, 900, wire::kIgnorable);
  say(wire::FrameKind::kResume, {}, {}, 0, 900, wire::kIgnorable);
  EXPECT_EQ(node.results, (std::vector<std::string>{"900 waits", "900 goes on"}));
}

TEST_F(AppSessionTest, ARefusedOfferEndsTheSessionWithTheReason) {
  node.offer_answer = absl::InvalidArgumentError("one id for two names");
  say_hello();
  say(wire::FrameKind::kRegister, v1::Register().SerializeAsString());
  expect_violation("one id for two names");
}

TEST_F(AppSessionTest, AnAppThatAnotherOneIsInTheWayOfMayComeBack) {
  node.offer_answer = absl::FailedPreconditionError("signature mismatch: another app offers another version");
  say_hello();
  say(wire::FrameKind::kRegister, v1::Register().SerializeAsString());
  ASSERT_EQ(node.sent.back().header.kind, wire::FrameKind::kGoodbye);
  EXPECT_TRUE(node.last<v1::Goodbye>().retry());
}

TEST_F(AppSessionTest, ANamelessFunctionIsRefused) {
  say_hello();
  v1::Register message;
  message.add_functions();
  say(wire::FrameKind::kRegister, message.SerializeAsString());
  expect_violation("a function's name is empty");
}

TEST_F(AppSessionTest, SubmitsCallsOfPreparedTemplatesAndDeliversTheirResults) {
  say_hello();
  prepare(1, "count");
  EXPECT_EQ(node.sent.back().header.kind, wire::FrameKind::kWelcome) << "an accepted template is not answered";
  say(wire::FrameKind::kCall, {}, "arguments", 1, 77);
  ASSERT_EQ(node.calls.size(), 1U);
  EXPECT_EQ(node.calls[0].call_id, 77U);
  EXPECT_EQ(node.calls[0].placement->spec().function_name, "count");
  EXPECT_EQ(session.calls_in_flight(), 1U);
  session.deliver(77, {wire::Outcome::kSucceeded, nullptr, payload("42")});
  EXPECT_EQ(node.sent.back().header.kind, wire::FrameKind::kResult);
  EXPECT_EQ(node.sent.back().header.call_id, 77U);
  EXPECT_EQ(node.sent.back().payload, "42");
  EXPECT_EQ(session.calls_in_flight(), 0U);
}

TEST_F(AppSessionTest, DeliversErrorsWithAllThatIsKnown) {
  say_hello();
  prepare(1);
  say(wire::FrameKind::kCall, {}, {}, 1, 5);
  TaskError error;
  error.message = "gone";
  error.node = "n2";
  error.attempt = 3;
  error.retry_after = 20ms;
  error.reasons = {{"n2", "lost"}};
  session.deliver(5, {wire::Outcome::kNodeLost, make_error(error), {}});
  EXPECT_EQ(node.sent.back().header.template_or_status, static_cast<std::uint32_t>(wire::Outcome::kNodeLost));
  EXPECT_EQ(to_task_error(node.last<v1::ResultError>()), error);
}

TEST_F(AppSessionTest, ACallOfAnUnpreparedTemplateEndsThatCallOnly) {
  say_hello();
  prepare(1);
  for (const std::uint32_t id : {0U, 2U, 4U, ~0U}) {
    say(wire::FrameKind::kCall, {}, {}, id, 5);
    expect_answer(wire::FrameKind::kResult, 5, wire::Outcome::kInvalidArgument,
                  "template " + std::to_string(id) + ", which was not prepared");
  }
  EXPECT_FALSE(node.closed);
  EXPECT_EQ(session.calls_in_flight(), 0U);
  say(wire::FrameKind::kCall, {}, {}, 1, 6);
  EXPECT_EQ(node.calls.size(), 1U);
}

TEST_F(AppSessionTest, TemplateIdsMayLeaveGapsUpToTheBound) {
  say_hello();
  prepare(3, "last");
  say(wire::FrameKind::kCall, {}, {}, 3, 5);
  ASSERT_EQ(node.calls.size(), 1U);
  EXPECT_EQ(node.calls[0].placement->spec().function_name, "last");
  say(wire::FrameKind::kCall, {}, {}, 2, 6);
  expect_answer(wire::FrameKind::kResult, 6, wire::Outcome::kInvalidArgument, "template 2, which was not prepared");
}

TEST_F(AppSessionTest, ATemplateIdOutOfBoundsIsRefusedAndHarmsNoOther) {
  say_hello();
  for (std::uint32_t id = 1; id <= 3; ++id) prepare(id);
  for (const std::uint32_t id : {0U, 4U, ~0U}) {
    prepare(id);
    expect_answer(wire::FrameKind::kPrepared, id, wire::Outcome::kInvalidArgument, "template ids go from 1 to 3");
  }
  EXPECT_FALSE(node.closed);
  say(wire::FrameKind::kCall, {}, {}, 3, 5);
  EXPECT_EQ(node.calls.size(), 1U);
}

TEST_F(AppSessionTest, TemplatesAreBoundedInBytesAndReplacingOneGivesItsBytesBack) {
  AppSessionOptions small = options();
  PlacementSpec spec;
  spec.node_name = std::string(200, 'n');
  small.template_bytes_max = 3 * footprint(spec);  // what the table takes leaves room for two
  AppSession session(small, 43, node, kStart);
  const auto prepare = [&](std::uint32_t id, std::size_t name_bytes) {
    v1::Prepare message;
    message.mutable_function()->set_name("f");
    message.mutable_placement()->set_node_name(std::string(name_bytes, 'n'));
    const std::string bytes = message.SerializeAsString();
    wire::FrameView frame;
    frame.header.kind = wire::FrameKind::kPrepare;
    frame.header.template_or_status = id;
    frame.metadata = wire::as_span(bytes);
    session.handle_frame(kStart, frame);
  };
  wire::FrameView hello;
  hello.header.kind = wire::FrameKind::kHello;
  v1::Hello words;
  words.mutable_versions()->set_min(wire::kVersions.min);
  words.mutable_versions()->set_max(wire::kVersions.max);
  const std::string bytes = words.SerializeAsString();
  hello.metadata = wire::as_span(bytes);
  session.handle_frame(kStart, hello);
  prepare(1, 200);
  prepare(2, 200);
  EXPECT_EQ(node.sent.back().header.kind, wire::FrameKind::kWelcome);
  EXPECT_GT(session.template_bytes(), 2 * footprint(spec));
  prepare(3, 200);
  expect_answer(wire::FrameKind::kPrepared, 3, wire::Outcome::kRejected, "limits.template_bytes_per_connection");
  const std::size_t two = session.template_bytes();
  const std::size_t answers = node.sent.size();
  for (int i = 0; i < 100; ++i) prepare(2, 200);
  EXPECT_EQ(node.sent.size(), answers) << "again and again is no more";
  EXPECT_EQ(session.template_bytes(), two);
  EXPECT_FALSE(node.closed);
}

TEST_F(AppSessionTest, TemplatesAreTakenFromTheNodesMemoryAndGivenBackWhenTheSessionEnds) {
  wire::MemoryBudget memory(64U << 10);
  AppSessionOptions options = this->options();
  options.templates_max = 65536;
  options.memory = &memory;
  AppSession session(options, 43, node, kStart);
  const auto say = [&](wire::FrameKind kind, const google::protobuf::MessageLite& message, std::uint32_t id) {
    const std::string bytes = message.SerializeAsString();
    wire::FrameView frame;
    frame.header.kind = kind;
    frame.header.template_or_status = id;
    frame.metadata = wire::as_span(bytes);
    session.handle_frame(kStart, frame);
  };
  v1::Hello hello;
  hello.mutable_versions()->set_min(wire::kVersions.min);
  hello.mutable_versions()->set_max(wire::kVersions.max);
  say(wire::FrameKind::kHello, hello, 0);
  v1::Prepare prepare;
  prepare.mutable_function()->set_name("f");
  for (int i = 0; i < 64; ++i) prepare.mutable_placement()->add_tolerations()->set_key(std::string(64, 'k'));
  say(wire::FrameKind::kPrepare, prepare, 1);
  EXPECT_EQ(node.sent.back().header.kind, wire::FrameKind::kPrepared) << "of 16 KiB, one may have 5";
  prepare.mutable_placement()->mutable_tolerations()->DeleteSubrange(8, 56);
  say(wire::FrameKind::kPrepare, prepare, 1);
  EXPECT_EQ(node.sent.back().header.kind, wire::FrameKind::kPrepared) << "nothing more was sent";
  EXPECT_GT(memory.used(wire::MemoryKind::kTemplates), 8 * sizeof(Toleration));
  say(wire::FrameKind::kPrepare, prepare, 60000);
  expect_answer(wire::FrameKind::kPrepared, 60000, wire::Outcome::kRejected, "(limits.memory); use the lowest ids");
  session.close(absl::UnavailableError("the node stops"), /*retry=*/true);
  EXPECT_EQ(memory.used(), 0U);
}

TEST_F(AppSessionTest, PreparingATemplateAgainReplacesIt) {
  say_hello();
  prepare(1, "old");
  prepare(1, "new");
  say(wire::FrameKind::kCall, {}, {}, 1, 5);
  EXPECT_EQ(node.calls.at(0).placement->spec().function_name, "new");
}

TEST_F(AppSessionTest, ARefusedTemplateIsAnsweredAndSoAreItsCalls) {
  say_hello();
  node.refuse_placements = true;
  prepare(1);
  EXPECT_EQ(node.sent.back().header.kind, wire::FrameKind::kPrepared);
  EXPECT_EQ(node.sent.back().header.call_id, 1U);
  EXPECT_EQ(node.sent.back().header.template_or_status, static_cast<std::uint32_t>(wire::Outcome::kRejected));
  say(wire::FrameKind::kCall, {}, {}, 1, 5);
  EXPECT_TRUE(node.calls.empty());
  EXPECT_EQ(node.sent.back().header.kind, wire::FrameKind::kResult);
  EXPECT_EQ(node.sent.back().header.call_id, 5U);
  EXPECT_EQ(node.sent.back().header.template_or_status, static_cast<std::uint32_t>(wire::Outcome::kRejected));
}

TEST_F(AppSessionTest, ABadPlacementIsRefusedWithoutEndingTheSession) {
  say_hello();
  prepare(1, "");
  EXPECT_FALSE(node.closed);
  EXPECT_EQ(node.sent.back().header.template_or_status, static_cast<std::uint32_t>(wire::Outcome::kInvalidArgument));
  EXPECT_NE(node.last<v1::ResultError>().message().find("a function's name is empty"), std::string::npos);
}

TEST_F(AppSessionTest, AnOverlongSchemaIsRefusedWithThePlacement) {
  say_hello();
  v1::Prepare message;
  message.mutable_function()->set_name("f");
  message.mutable_function()->set_schema(std::string(wire::kMaxSchemaBytes + 1, 'x'));
  say(wire::FrameKind::kPrepare, message.SerializeAsString(), {}, 1);
  EXPECT_FALSE(node.closed);
  EXPECT_EQ(node.sent.back().header.template_or_status, static_cast<std::uint32_t>(wire::Outcome::kInvalidArgument));
  EXPECT_NE(node.last<v1::ResultError>().message().find("function f takes 65537 bytes"), std::string::npos);
}

TEST_F(AppSessionTest, CallsBeyondTheCreditsAreRejectedAndCounted) {
  say_hello();
  prepare(1);
  for (std::uint64_t id = 1; id <= 3; ++id) say(wire::FrameKind::kCall, {}, {}, 1, id);
  EXPECT_EQ(node.calls.size(), 2U);
  EXPECT_EQ(node.sent.back().header.call_id, 3U);
  EXPECT_EQ(node.sent.back().header.template_or_status, static_cast<std::uint32_t>(wire::Outcome::kRejected));
  EXPECT_GT(node.last<v1::ResultError>().retry_after_ns(), 0U);
  EXPECT_EQ(session.calls_over_credit(), 1U);
  session.deliver(1, {});
  say(wire::FrameKind::kCall, {}, {}, 1, 4);
  EXPECT_EQ(node.calls.size(), 3U);
}

TEST_F(AppSessionTest, AnArgumentThatWasCutOffFailsItsCallAlone) {
  say_hello();
  prepare(1);
  wire::FrameView frame;
  frame.header.kind = wire::FrameKind::kCall;
  frame.header.template_or_status = 1;
  frame.header.call_id = 7;
  frame.payload = wire::Body::make_failed(1U << 30, wire::BodyFailure::kTooLarge);
  session.handle_frame(kStart, frame);
  EXPECT_TRUE(node.calls.empty());
  EXPECT_EQ(node.sent.back().header.call_id, 7U);
  EXPECT_EQ(node.sent.back().header.template_or_status, static_cast<std::uint32_t>(wire::Outcome::kInvalidArgument));
  EXPECT_NE(node.last<v1::ResultError>().message().find("larger than its receiver accepts"), std::string::npos);
  say(wire::FrameKind::kCall, {}, {}, 1, 8);
  EXPECT_EQ(node.calls.size(), 1U);
}

TEST_F(AppSessionTest, ACallIdInFlightTwiceIsAViolation) {
  say_hello();
  prepare(1);
  node.accept_calls = false;
  say(wire::FrameKind::kCall, {}, {}, 1, 5);
  expect_violation("call id 5 is in flight already", /*may_come_back=*/true);
}

TEST_F(AppSessionTest, WorkersGetCallsAndTheirAnswersComeBack) {
  say_hello();
  session.dispatch({.function_index = 3,
                    .call = 900,
                    .attempt = 2,
                    .budget = 50ms,
                    .info = wire::as_span("info"),
                    .payload = payload("arguments")});
  const SentFrame& call = node.sent.back();
  EXPECT_EQ(call.header.kind, wire::FrameKind::kCall);
  EXPECT_EQ(call.header.template_or_status, 3U);
  EXPECT_EQ(call.header.call_id, 900U);
  EXPECT_EQ(call.header.attempt(), 2U);
  EXPECT_EQ(call.header.budget_ns, 50'000'000U);
  EXPECT_EQ(call.metadata, "info");
  EXPECT_EQ(call.payload, "arguments");
  say(wire::FrameKind::kResult, {}, "42", 0, 900);
  v1::ResultError error;
  error.set_message("boom");
  say(wire::FrameKind::kResult, error.SerializeAsString(), {}, 1, 901);
  EXPECT_EQ(node.results, (std::vector<std::string>{"900 succeeded 42", "901 panicked boom"}));
}

TEST_F(AppSessionTest, AnUnknownStatusEndsThatCallAsInternal) {
  say_hello();
  say(wire::FrameKind::kResult, {}, {}, 999, 900);
  ASSERT_EQ(node.results.size(), 1U);
  EXPECT_EQ(node.results[0].rfind("900 internal ", 0), 0U) << node.results[0];
  EXPECT_NE(node.results[0].find("999"), std::string::npos) << node.results[0];
  EXPECT_FALSE(node.closed);
}

TEST_F(AppSessionTest, AResultWhoseErrorCannotBeReadEndsThatCallOnly) {
  say_hello();
  say(wire::FrameKind::kResult, "\xff\xff\xff", {}, static_cast<std::uint32_t>(wire::Outcome::kPanicked), 900);
  v1::ResultError error;
  error.set_message("caf\xe9");
  say(wire::FrameKind::kResult, error.SerializeAsString(), {}, static_cast<std::uint32_t>(wire::Outcome::kPanicked),
      901);
  error.set_message(std::string(100'000, 'x'));
  say(wire::FrameKind::kResult, error.SerializeAsString(), {}, static_cast<std::uint32_t>(wire::Outcome::kPanicked),
      902);
  EXPECT_FALSE(node.closed);
  ASSERT_EQ(node.results.size(), 3U);
  EXPECT_EQ(node.results[0].rfind("900 panicked ", 0), 0U) << node.results[0];
  EXPECT_EQ(node.results[1], "901 panicked caf\xef\xbf\xbd");
  EXPECT_LT(node.results[2].size(), kMaxErrorTextBytes + 100);
  EXPECT_NE(node.results[2].find("(100000 bytes in all)"), std::string::npos);
}

TEST_F(AppSessionTest, CancelsTravelBothWays) {
  say_hello();
  say(wire::FrameKind::kCancel, {}, {}, 0, 5);
  EXPECT_EQ(node.cancelled, std::vector<std::uint64_t>{5});
  session.cancel_at_worker(900);
  EXPECT_EQ(node.sent.back().header.kind, wire::FrameKind::kCancel);
  EXPECT_EQ(node.sent.back().header.call_id, 900U);
}

TEST_F(AppSessionTest, PingsAreAnsweredAndUnknownIgnorableFramesSkipped) {
  say_hello();
  say(wire::FrameKind::kPing, {}, {}, 0, 123);
  EXPECT_EQ(node.sent.back().header.kind, wire::FrameKind::kPong);
  EXPECT_EQ(node.sent.back().header.call_id, 123U);
  say(static_cast<wire::FrameKind>(200), {}, "from a later version", 0, 0, wire::kIgnorable);
  say(wire::FrameKind::kYield, {}, {}, 0, 900, wire::kIgnorable);
  say(wire::FrameKind::kResume, {}, {}, 0, 900, wire::kIgnorable);
  EXPECT_FALSE(node.closed);
  say(static_cast<wire::FrameKind>(200));
  expect_violation("kind 200", /*may_come_back=*/true);
}

TEST_F(AppSessionTest, GoodbyeIsAnsweredByNothingMore) {
  say_hello();
  const std::size_t sent = node.sent.size();
  say(wire::FrameKind::kGoodbye);
  ASSERT_TRUE(node.closed);
  EXPECT_TRUE(node.closed->ok());
  session.deliver(1, {});
  session.cancel_at_worker(1);
  say(wire::FrameKind::kPing);
  EXPECT_EQ(node.sent.size(), sent);
}

}  // namespace
}  // namespace kaido::daemon
