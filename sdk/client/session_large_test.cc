// Large arguments and results: a session that calls itself through a node that passes on what comes, as it comes.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "proto/base/random.h"
#include "proto/kaido/v1/local.pb.h"
#include "proto/kaido/v1/task.pb.h"
#include "proto/wire/body.h"
#include "proto/wire/channel.h"
#include "proto/wire/handshake.h"
#include "proto/wire/limits.h"
#include "proto/wire/outcome.h"
#include "sdk/client/session.h"

namespace kaido::detail {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMiB = 1U << 20;

void run_nothing(Invocation&) {}

struct Call : PendingCall {
  using PendingCall::PendingCall;
  [[nodiscard]] std::string_view text() const { return wire::as_text(result()); }
};

std::string noise(std::uint64_t seed, std::size_t size) {
  base::Random random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random.next());
  return text;
}

class SessionLargeTest : public testing::Test, private SessionEvents {
 protected:
  void SetUp() override {
    function_.name = "f";
    function_.id = 1;
    function_.schema = &kSignature<void>;
    function_.run = &run_nothing;
    SessionEvents& events = *this;
    session_.emplace(SessionOptions(), FunctionTable::of({&function_}).value(), events);
    connect();
  }
  void connect() {
    node_.emplace(wire::ChannelOptions{}, [] {});
    session_->handle_connected(now_);
    v1::Welcome welcome;
    welcome.set_version(wire::kVersions.max);
    welcome.set_features(features_);
    welcome.set_credits(5000);
    welcome.set_max_frame_bytes(wire::kMaxFrameBytes);
    wire::FrameHeader header;
    header.kind = wire::FrameKind::kWelcome;
    ASSERT_EQ(node_->send(header, wire::as_span(welcome.SerializeAsString())), wire::SendResult::kTaken);
    settle();
  }

  std::unique_ptr<Call> start(const std::string& arguments, std::shared_ptr<const PlacementRules> rules = nullptr) {
    auto call = std::make_unique<Call>(target_);
    std::memcpy(call->arguments.allocate(arguments.size()), arguments.data(), arguments.size());
    call->placement = std::move(rules);
    session_->start(*call, Waker(), now_);
    return call;
  }

  bool to_node(std::size_t bytes_max) {
    std::array<std::span<const std::byte>, 8> segments;
    std::size_t count = session_->output(segments);
    if (count == 0) return false;
    const std::span<std::byte> space = node_->writable();
    const std::size_t bytes = std::min({segments[0].size(), space.size(), bytes_max});
    std::memcpy(space.data(), segments[0].data(), bytes);
    node_->commit(bytes);
    session_->consume_output(now_, bytes);
    bytes_to_node_ += bytes;
    while (auto frame = node_->next()) pass_on(*frame);
    return true;
  }
  bool to_session(std::size_t bytes_max) {
    std::array<std::span<const std::byte>, 8> segments;
    if (node_->gather(segments) == 0) return false;
    const std::span<std::byte> space = session_->input_space();
    const std::size_t bytes = std::min({segments[0].size(), space.size(), bytes_max});
    std::memcpy(space.data(), segments[0].data(), bytes);
    node_->consume(bytes);
    EXPECT_TRUE(session_->handle_input(now_, bytes));
    return true;
  }
  void settle() {
    for (bool moved = true; moved;) {
      moved = to_node(1 + random_.below(200'000));
      moved = to_session(1 + random_.below(200'000)) || moved;
      for (IncomingCall& call : std::exchange(runs_, {})) echo(call);
    }
  }
  void pass_on(const wire::FrameView& frame) {
    wire::FrameHeader header = frame.header;
    kinds_.push_back(header.kind);
    if (header.kind == wire::FrameKind::kCall) header.template_or_status = 0;
    const bool is_call = header.kind == wire::FrameKind::kCall || header.kind == wire::FrameKind::kResult;
    if (!is_call) return;
    EXPECT_EQ(node_->send(header, {}, frame.payload), wire::SendResult::kTaken);
  }
  void echo(IncomingCall& call) {
    Buffer result(call.large.empty() ? call.arguments : call.large.bytes());
    if (!call.large.empty()) most_pinned_ = std::max(most_pinned_, call.large.footprint());
    if (result.size() > wire::kChunkBytes) {
      session_->reply_large(call.connection, call.call_id, std::move(result));
    } else {
      session_->reply(call.connection, call.call_id, nullptr, result.bytes());
    }
  }

  void run(IncomingCall& call) override {
    deadlines_.push_back(call.deadline.value_or(TimePoint{}));
    runs_.push_back(call);
    if (call.large.empty()) small_.push_back(Buffer(call.arguments));
    if (call.large.empty()) runs_.back().arguments = small_.back().bytes();
  }
  void cancel(std::uint64_t) override { ++cancels_; }
  void cancel_all() override {}

  TimePoint now_ = TimePoint{} + 1h;
  base::Random random_{1};
  FunctionEntry function_;
  CallTarget target_{FunctionFacts("f", 2, kSignature<void>, {}), CallTarget::Kind::kFunction};
  std::uint64_t features_ = wire::kFeatures;  ///< of the node
  std::optional<wire::Channel> node_;
  std::optional<Session> session_;
  std::vector<IncomingCall> runs_;
  std::vector<Buffer> small_;
  std::vector<TimePoint> deadlines_;    ///< of what came to run
  std::vector<wire::FrameKind> kinds_;  ///< of the frames that the node received
  std::size_t most_pinned_ = 0;
  std::uint64_t bytes_to_node_ = 0;
  int cancels_ = 0;
};

TEST_F(SessionLargeTest, ArgumentsAndResultsArriveInOneBufferOfTheirSize) {
  std::map<std::string, std::unique_ptr<Call>> calls;
  for (const std::size_t size : {std::size_t{10}, wire::kChunkBytes, wire::kChunkBytes + 1, 9 * kMiB, 700'000UL}) {
    const std::string arguments = noise(size, size);
    calls[arguments] = start(arguments);
  }
  settle();
  for (const auto& [arguments, call] : calls) {
    ASSERT_TRUE(call->is_done) << arguments.size();
    EXPECT_FALSE(call->error);
    EXPECT_TRUE(call->text() == arguments) << arguments.size();
  }
  EXPECT_EQ(most_pinned_, 9 * kMiB + sizeof(wire::Block));
}

TEST_F(SessionLargeTest, MoreThanTheNodeTakesAtOnceWaitTheirTurn) {
  std::vector<std::unique_ptr<Call>> calls;
  const std::string arguments = noise(1, wire::kChunkBytes + 1000);
  for (std::size_t i = 0; i < wire::kMaxStreams + 20; ++i) calls.push_back(start(arguments));
  EXPECT_EQ(session_->waiting(), 20U);
  settle();
  EXPECT_EQ(session_->waiting(), 0U);
  for (const auto& call : calls) ASSERT_TRUE(call->is_done && !call->error);
}

TEST_F(SessionLargeTest, ACallThatMayBeRepeatedTakesItsArgumentsBackWhenTheConnectionIsLost) {
  auto rules = std::make_shared<PlacementRules>();
  rules->set(PlacementField::kIdempotent, true);
  const std::string arguments = noise(2, 5 * kMiB);
  const auto repeated = start(arguments, rules);
  const auto once = start(noise(3, 5 * kMiB));
  for (int i = 0; i < 30; ++i) {
    to_node(50'000);
    to_session(50'000);
  }
  session_->handle_disconnected(now_, "gone");
  runs_.clear();
  EXPECT_TRUE(once->is_done && once->error && once->error->is_unavailable());
  EXPECT_FALSE(repeated->is_done);
  EXPECT_EQ(repeated->arguments.size(), arguments.size());
  connect();
  settle();
  ASSERT_TRUE(repeated->is_done && !repeated->error);
  EXPECT_TRUE(repeated->text() == arguments);
}

TEST_F(SessionLargeTest, ADroppedCallStopsSendingItsArguments) {
  auto call = start(noise(4, 30 * kMiB));
  for (int i = 0; i < 40; ++i) {
    to_node(50'000);
    to_session(50'000);
  }
  session_->drop(*call);
  call.reset();
  settle();
  EXPECT_LT(bytes_to_node_, 5 * kMiB);
  EXPECT_TRUE(runs_.empty()) << "it never had all of its arguments";
}

TEST_F(SessionLargeTest, TheDeadlineOfLargeArgumentsCountsFromTheirFirstChunk) {
  auto call = std::make_unique<Call>(target_);
  std::memset(call->arguments.allocate(5 * kMiB), 'x', 5 * kMiB);
  const TimePoint deadline = now_ + 10s;
  call->deadline = deadline;
  session_->start(*call, Waker(), now_);
  for (int i = 0; i < 30; ++i) {
    to_node(50'000);
    to_session(50'000);
  }
  EXPECT_TRUE(runs_.empty());
  now_ += 4s;
  settle();
  EXPECT_EQ(deadlines_, std::vector({deadline}));
  ASSERT_TRUE(call->is_done && !call->error);
}

TEST_F(SessionLargeTest, NothingFollowsTheGoodbye) {
  std::vector<std::unique_ptr<Call>> calls;
  for (std::size_t i = 0; i < wire::kMaxStreams + 3; ++i) calls.push_back(start("small"));
  while (runs_.size() < calls.size()) {
    to_node(10'000);
    to_session(10'000);
  }
  session_->drain();
  EXPECT_FALSE(session_->owes_results());
  for (const IncomingCall& call : std::exchange(runs_, {})) {
    Buffer result;
    std::memset(result.allocate(wire::kChunkBytes + 1000), 'x', wire::kChunkBytes + 1000);
    session_->reply_large(call.connection, call.call_id, std::move(result));
  }
  EXPECT_TRUE(session_->owes_results());
  session_->close("the test is over");
  settle();
  ASSERT_FALSE(kinds_.empty());
  EXPECT_EQ(kinds_.back(), wire::FrameKind::kGoodbye);
}

TEST_F(SessionLargeTest, ArgumentsThatNobodyTakesAreNotOwed) {
  const auto large = start(std::string(2 * kMiB, 'x'));
  while (session_->has_output()) to_node(10'000);
  session_->drain();
  EXPECT_FALSE(session_->owes_results()) << "a program that ends would wait for its callee";
  EXPECT_FALSE(large->is_done);
}

TEST_F(SessionLargeTest, WhoDrainsOwesResultsUntilTheLastChunk) {
  const auto call = start("small");
  while (runs_.empty()) {
    to_node(10'000);
    to_session(10'000);
  }
  session_->drain();
  Buffer result;
  std::memset(result.allocate(2 * kMiB), 'x', 2 * kMiB);
  session_->reply_large(runs_[0].connection, runs_[0].call_id, std::move(result));
  runs_.clear();
  EXPECT_TRUE(session_->owes_results());
  settle();
  EXPECT_FALSE(session_->owes_results());
  ASSERT_TRUE(call->is_done && !call->error);
}

/// The node has begun to send a large result, and loses its sender.
class SessionCutOffTest : public SessionLargeTest, private wire::BodySource {
 protected:
  void begin_result() {
    while (runs_.empty()) {
      to_node(1000);
      to_session(1000);
    }
    header_.kind = wire::FrameKind::kResult;
    header_.call_id = runs_[0].call_id;
    runs_.clear();
    wire::BodySource& source = *this;
    result_ = wire::Body::make(3 * kMiB, source);
    result_.body()->push(wire::Payload::copy_of(wire::as_span(noise(5, 1000))));
    ASSERT_EQ(node_->send(header_, {}, result_), wire::SendResult::kTaken);
    settle();
  }
  void cut_off() {
    result_.body()->fail(wire::BodyFailure::kConnectionLost);
    settle();
  }
  void on_demand(wire::Body&) override {}
  void on_abandoned(wire::Body&) override {}

  wire::FrameHeader header_;
  wire::Payload result_;
};

TEST_F(SessionCutOffTest, ItsCallWaitsForTheNextResult) {
  const auto call = start("small");
  begin_result();
  cut_off();
  EXPECT_FALSE(call->is_done);
  EXPECT_EQ(session_->in_flight(), 1U);
  const std::string whole = noise(6, 3 * kMiB);
  ASSERT_EQ(node_->send(header_, {}, wire::Payload::copy_of(wire::as_span(whole))), wire::SendResult::kTaken);
  settle();
  ASSERT_TRUE(call->is_done && !call->error);
  EXPECT_TRUE(call->text() == whole);
  EXPECT_EQ(session_->in_flight(), 0U);
  EXPECT_EQ(session_->late_results(), 0U);
}

TEST_F(SessionCutOffTest, OrForTheErrorThatSaysWhy) {
  const auto call = start("small");
  begin_result();
  cut_off();
  v1::ResultError error;
  error.set_message("its node was lost");
  header_.template_or_status = static_cast<std::uint32_t>(wire::Outcome::kNodeLost);
  ASSERT_EQ(node_->send(header_, wire::as_span(error.SerializeAsString())), wire::SendResult::kTaken);
  settle();
  ASSERT_TRUE(call->is_done && call->error);
  EXPECT_TRUE(call->error->is_node_lost()) << *call->error;
  EXPECT_EQ(session_->in_flight(), 0U);
}

TEST_F(SessionCutOffTest, ADroppedCallKeepsItsCreditUntilThen) {
  auto call = start("small");
  begin_result();
  session_->drop(*call);
  call.reset();
  cut_off();
  EXPECT_EQ(session_->in_flight(), 1U);
  ASSERT_EQ(node_->send(header_, {}, wire::Payload::copy_of(wire::as_span("42"))), wire::SendResult::kTaken);
  settle();
  EXPECT_EQ(session_->in_flight(), 0U);
}

TEST_F(SessionCutOffTest, ALostConnectionEndsTheWaiting) {
  auto rules = std::make_shared<PlacementRules>();
  rules->set(PlacementField::kIdempotent, true);
  const auto repeated = start("small", rules);
  begin_result();
  cut_off();
  session_->handle_disconnected(now_, "gone");
  EXPECT_FALSE(repeated->is_done);
  connect();
  settle();
  ASSERT_TRUE(repeated->is_done && !repeated->error);
  EXPECT_EQ(repeated->text(), "small");
}

TEST_F(SessionCutOffTest, ANodeThatSendsNoOtherFailsTheCall) {
  session_->handle_disconnected(now_, "an older node comes");
  features_ = 0;
  connect();
  const auto call = start("small");
  begin_result();
  EXPECT_FALSE(call->is_done);
  cut_off();
  ASSERT_TRUE(call->is_done && call->error);
  EXPECT_TRUE(call->error->is_unavailable()) << *call->error;
  EXPECT_NE(call->error->message().find("cut off"), std::string::npos);
}

}  // namespace
}  // namespace kaido::detail
