#include "daemon/core/session/app_session.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/core/session/call_info.h"

namespace kaido::daemon {
namespace {

using namespace std::chrono_literals;

constexpr base::Instant kStart{};

struct SentFrame {
  wire::FrameHeader header;
  std::string metadata;
  std::string payload;
};

/// The node as a session sees it: remembers what was asked, answers as told.
class Node final : public AppSessionActions {
 public:
  void send(const wire::FrameHeader& header, std::span<const std::byte> metadata, Payload payload) override {
    sent.push_back({header, std::string(wire::as_text(metadata)), std::string(wire::as_text(payload))});
  }
  void close(base::Status reason) override { closed = std::move(reason); }
  base::Status offer(std::vector<FunctionInfo> functions, std::uint32_t slots) override {
    offered = std::move(functions);
    offered_slots = slots;
    return offer_answer;
  }
  PlacementRef prepare(PlacementSpec spec) override {
    if (refuse_placements) return nullptr;
    return std::make_shared<PreparedPlacement>(std::move(spec), 0, 1);
  }
  bool submit(const AppCall& call) override {
    calls.push_back(call);
    return accept_calls;
  }
  void cancel(std::uint64_t call_id) override { cancelled.push_back(call_id); }
  bool worker_result(std::uint64_t call, wire::Outcome outcome, const TaskError* error, Payload payload) override {
    results.push_back(std::to_string(call) + " " + std::string(wire::name(outcome)) + " " +
                      (error != nullptr ? error->message : std::string(wire::as_text(payload))));
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
  base::Status offer_answer;
  bool refuse_placements = false;
  bool accept_calls = true;
  std::vector<AppCall> calls;
  std::vector<std::uint64_t> cancelled;
  std::vector<std::string> results;
};

class AppSessionTest : public testing::Test {
 protected:
  void say(wire::FrameKind kind, const std::string& metadata = {}, const std::string& payload = {},
           std::uint32_t template_or_status = 0, std::uint64_t call_id = 0, std::uint8_t flags = 0) {
    wire::FrameView frame;
    frame.header.kind = kind;
    frame.header.template_or_status = template_or_status;
    frame.header.call_id = call_id;
    frame.header.flags = flags;
    frame.metadata = wire::as_span(metadata);
    frame.payload = wire::Payload::copy_of(wire::as_span(payload));
    session.handle_frame(kStart, frame);
  }

  void say_hello(std::uint32_t min = 1, std::uint32_t max = 1) {
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

  void expect_violation(const std::string& words) {
    ASSERT_TRUE(node.closed);
    EXPECT_NE(node.closed->message().find(words), std::string::npos) << *node.closed;
    ASSERT_EQ(node.sent.back().header.kind, wire::FrameKind::kGoodbye);
    EXPECT_NE(node.last<v1::Goodbye>().reason().find(words), std::string::npos);
    EXPECT_FALSE(node.last<v1::Goodbye>().retry());
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
  EXPECT_EQ(welcome.version(), 1U);
  EXPECT_EQ(welcome.node_name(), "n1");
  EXPECT_EQ(welcome.node_epoch(), 3U);
  EXPECT_EQ(welcome.session(), 42U);
  EXPECT_EQ(welcome.credits(), 2U);
}

TEST_F(AppSessionTest, SaysWhichSideToUpgradeWhenThereIsNoCommonVersion) {
  say_hello(2, 3);
  expect_violation("no common protocol version: this side speaks 1, the other side 2 to 3; upgrade this side");
}

TEST_F(AppSessionTest, RefusesEverythingBeforeHello) {
  say(wire::FrameKind::kCall);
  expect_violation("the first frame must be hello, not call");
}

TEST_F(AppSessionTest, RefusesASecondHello) {
  say_hello();
  say_hello();
  expect_violation("hello was said before");
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

TEST_F(AppSessionTest, AReadySessionHasNoTimeout) {
  say_hello();
  EXPECT_EQ(session.next_timeout(), std::nullopt);
  session.handle_timeout(kStart + 1h);
  EXPECT_FALSE(node.closed);
}

TEST_F(AppSessionTest, OffersWhatTheAppRegistersOnce) {
  say_hello();
  v1::Register message;
  message.set_slots(8);
  message.add_functions()->set_name("count");
  message.mutable_functions(0)->set_id(99);
  say(wire::FrameKind::kRegister, message.SerializeAsString());
  ASSERT_EQ(node.offered.size(), 1U);
  EXPECT_EQ(node.offered[0].name, "count");
  EXPECT_EQ(node.offered[0].id.value, 99U);
  EXPECT_EQ(node.offered_slots, 8U);
  EXPECT_EQ(node.sent.back().header.kind, wire::FrameKind::kRegistered);
  say(wire::FrameKind::kRegister, message.SerializeAsString());
  expect_violation("functions are registered once");
}

TEST_F(AppSessionTest, ARefusedOfferEndsTheSessionWithTheReason) {
  node.offer_answer = absl::InvalidArgumentError("one id for two names");
  say_hello();
  say(wire::FrameKind::kRegister, v1::Register().SerializeAsString());
  expect_violation("one id for two names");
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
  session.deliver(77, wire::Outcome::kSucceeded, nullptr, wire::as_span("42"));
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
  session.deliver(5, wire::Outcome::kNodeLost, &error, {});
  EXPECT_EQ(node.sent.back().header.template_or_status, static_cast<std::uint32_t>(wire::Outcome::kNodeLost));
  EXPECT_EQ(to_task_error(node.last<v1::ResultError>()), error);
}

TEST_F(AppSessionTest, ACallOfAnUnpreparedTemplateIsAViolation) {
  say_hello();
  say(wire::FrameKind::kCall, {}, {}, 1, 5);
  expect_violation("template 1, which was not prepared");
}

TEST_F(AppSessionTest, TemplateIdsLeaveNoGapsAndHaveABound) {
  say_hello();
  prepare(2);
  expect_violation("from 1 on without gaps");
}

TEST_F(AppSessionTest, TooManyTemplatesAreAViolation) {
  say_hello();
  for (std::uint32_t id = 1; id <= 3; ++id) prepare(id);
  EXPECT_FALSE(node.closed);
  prepare(4);
  expect_violation("more than 3 templates");
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
  session.deliver(1, wire::Outcome::kSucceeded, nullptr, {});
  say(wire::FrameKind::kCall, {}, {}, 1, 4);
  EXPECT_EQ(node.calls.size(), 3U);
}

TEST_F(AppSessionTest, ACallIdInFlightTwiceIsAViolation) {
  say_hello();
  prepare(1);
  node.accept_calls = false;
  say(wire::FrameKind::kCall, {}, {}, 1, 5);
  expect_violation("call id 5 is in flight already");
}

TEST_F(AppSessionTest, WorkersGetCallsAndTheirAnswersComeBack) {
  say_hello();
  session.dispatch(3, 900, 2, 50ms, {}, wire::as_span("info"), wire::as_span("arguments"));
  const SentFrame& call = node.sent.back();
  EXPECT_EQ(call.header.kind, wire::FrameKind::kCall);
  EXPECT_EQ(call.header.template_or_status, 3U);
  EXPECT_EQ(call.header.call_id, 900U);
  EXPECT_EQ(call.header.attempt, 2U);
  EXPECT_EQ(call.header.budget_ns, 50'000'000U);
  EXPECT_EQ(call.metadata, "info");
  EXPECT_EQ(call.payload, "arguments");
  say(wire::FrameKind::kResult, {}, "42", 0, 900);
  v1::ResultError error;
  error.set_message("boom");
  say(wire::FrameKind::kResult, error.SerializeAsString(), {}, 1, 901);
  EXPECT_EQ(node.results, (std::vector<std::string>{"900 succeeded 42", "901 panicked boom"}));
}

TEST_F(AppSessionTest, AnUnknownStatusIsAViolation) {
  say_hello();
  say(wire::FrameKind::kResult, {}, {}, 999, 900);
  expect_violation("unknown status 999");
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
  EXPECT_FALSE(node.closed);
  say(static_cast<wire::FrameKind>(200));
  expect_violation("kind 200");
}

TEST_F(AppSessionTest, GoodbyeIsAnsweredByNothingMore) {
  say_hello();
  const std::size_t sent = node.sent.size();
  say(wire::FrameKind::kGoodbye);
  ASSERT_TRUE(node.closed);
  EXPECT_TRUE(node.closed->ok());
  session.deliver(1, wire::Outcome::kSucceeded, nullptr, {});
  session.cancel_at_worker(1);
  say(wire::FrameKind::kPing);
  EXPECT_EQ(node.sent.size(), sent);
}

TEST(CallInfo, IsWhatLibprotobufReads) {
  base::NodeId origin;
  for (std::uint8_t i = 0; i < 16; ++i) origin.bytes[i] = static_cast<std::uint8_t>(200 + i);
  CallInfo info(origin, base::Epoch{0x1122334455667788});
  for (const std::uint64_t sequence : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
    v1::CallInfo message;
    const auto bytes = info.for_task(sequence);
    ASSERT_TRUE(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    EXPECT_EQ(message.origin(), base::to_bytes(origin));
    EXPECT_EQ(message.epoch(), 0x1122334455667788U);
    EXPECT_EQ(message.sequence(), sequence);
  }
}

TEST(Messages, PlacementsRoundTripWhateverTheOrderOfTheirTags) {
  PlacementSpec spec;
  spec.function = base::FunctionId{9};
  spec.function_name = "f";
  spec.fingerprint = 10;
  spec.signature = "() -> int64";
  spec.schema = Schema(std::string("\0\x01", 2));
  spec.node_name = "n7";
  spec.tags = {{"arch", "arm"}, {"zone", "eu-1"}};
  spec.tolerations = {{"gpu", "yes", "NoSchedule", true}};
  spec.max_attempts = 3;
  spec.idempotent = true;
  spec.wait = 1s;
  spec.timeout = 50ms;
  spec.priority = -5;
  const auto again = to_placement(to_message(spec));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, spec);
}

TEST(Messages, NodeInfoRoundTripsAndRefusesABadId) {
  NodeInfo info;
  info.id.bytes[3] = 1;
  info.name = "n1";
  info.epoch = base::Epoch{4};
  info.tags = {{"zone", "eu-1"}};
  info.taints = {{"gpu", "yes", "NoSchedule"}};
  info.slots = 8;
  info.draining = true;
  info.functions = {{base::FunctionId{1}, "f", 2, "() -> int64", Schema(std::string("\0\x01", 2))}};
  info.address = "tcp:127.0.0.1:7420";
  v1::NodeInfo message = to_message(info);
  const auto again = to_node_info(message);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, info);
  message.set_id("short");
  EXPECT_FALSE(to_node_info(message).ok());
}

TEST(Messages, RedirectReasonsRoundTripAndUnknownOnesKeepTheirMeaning) {
  for (const RedirectReason reason : {RedirectReason::kMismatch, RedirectReason::kNotOffered, RedirectReason::kDraining,
                                      RedirectReason::kQueueFull, RedirectReason::kUnreachable}) {
    EXPECT_EQ(to_redirect_reason(to_message(reason, 1ms)), reason);
  }
  v1::RedirectReason later;
  later.set_reason("a reason of a later version");
  EXPECT_EQ(to_redirect_reason(later), RedirectReason::kMismatch);
  later.set_full(true);
  EXPECT_EQ(to_redirect_reason(later), RedirectReason::kQueueFull);
}

TEST(Messages, ForeignDurationsNeverOverflow) {
  EXPECT_GT(to_duration(~std::uint64_t{0}), 24h * 365);
  EXPECT_EQ(to_duration(5), 5ns);
}

}  // namespace
}  // namespace kaido::daemon
