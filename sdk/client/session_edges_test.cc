// The protocol without sockets at its limits: bounds, texts, time, silence, failures of one call.
#include "sdk/client/session.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proto/wire/frame_writer.h"
#include "sdk/client/session_fixture.h"

namespace kaido::detail {
namespace {

using namespace std::chrono_literals;

TEST_F(SessionTest, AnyNumberOfRulesCanBeUsedWithinTheNodesBound) {
  max_templates_ = 2;
  make_ready(100);
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(start("", on_node(std::to_string(i)))->is_done);
  std::string bound;  // To what each call's template stood for when it was sent.
  std::vector<std::string> names(3);
  for (const SentFrame& frame : sent()) {
    const std::uint32_t number = frame.header.template_or_status;
    ASSERT_LE(number, 2U);
    if (frame.header.kind == Kind::kPrepare) {
      v1::Prepare prepare;
      ASSERT_TRUE(prepare.ParseFromString(frame.metadata));
      names[number] = prepare.placement().node_name();
    } else {
      bound += names[number];
    }
  }
  EXPECT_EQ(bound, "0123456789");
}

TEST_F(SessionTest, OnlyArgumentsThatNobodyElseHoldsAreHandedOver) {
  max_frame_bytes_ = 1U << 20;
  make_ready();
  wire::FrameHeader header;
  header.kind = Kind::kCall;
  EXPECT_TRUE(deliver(Kind::kCall, {}, header, std::string(100'000, 'a')));
  wire::FrameWriter in_one_piece;
  in_one_piece.append(header, {}, wire::as_span(std::string(wire::kChunkBytes, 'a')));
  while (!in_one_piece.empty()) {
    const auto space = session_->input_space();
    const std::size_t count = std::min(space.size(), in_one_piece.pending().size());
    std::memcpy(space.data(), in_one_piece.pending().data(), count);
    in_one_piece.consume(count);
    ASSERT_TRUE(session_->handle_input(now_, count));
  }
  ASSERT_EQ(runs_.size(), 2U);
  EXPECT_EQ(runs_[0].large.size(), 100'000U);
  EXPECT_TRUE(runs_[1].large.empty());
}

TEST_F(SessionTest, LargeArgumentsAreTakenBackAndSentAgain) {
  max_frame_bytes_ = 1U << 20;
  make_ready();
  auto rules = std::make_shared<PlacementRules>();
  rules->set(PlacementField::kIdempotent, true);
  const std::string large(300'000, 'a');
  const auto call = start(large, rules);
  take_output();  // Not all of it: the node has made no room for the rest.
  EXPECT_EQ(kinds(std::exchange(frames_, {})), std::vector{Kind::kPrepare});
  session_->handle_disconnected(now_, "gone");
  EXPECT_FALSE(call->is_done);
  connect_again();
  welcome(8);
  const auto frames = sent();
  ASSERT_EQ(kinds(frames), (std::vector{Kind::kHello, Kind::kRegister, Kind::kPrepare, Kind::kCall}));
  EXPECT_EQ(frames[3].payload, large);
  deliver_result(frames[3].header.call_id, large);
  EXPECT_EQ(call->text(), large);
}

TEST_F(SessionTest, NothingFollowsTheGoodbye) {
  max_frame_bytes_ = 4U << 20;
  make_ready();
  const auto call = start(std::string(3U << 20, 'a'));
  const auto reply = Buffer(wire::as_span(std::string(3U << 20, 'r')));
  wire::FrameHeader header;
  header.call_id = 7;
  deliver(Kind::kCall, {}, header, "args");
  session_->reply_large(session_->connection(), 7, Buffer(reply.bytes()));
  take_output();
  carry_to_session();  // the node makes room for both: chunks are due
  session_->close("done");
  EXPECT_TRUE(call->is_done);
  std::vector<std::byte> last;
  std::array<std::span<const std::byte>, 3> segments;
  while (const std::size_t count = session_->output(segments)) {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < count; bytes += segments[i++].size())
      last.insert(last.end(), segments[i].begin(), segments[i].end());
    session_->consume_output(now_, bytes);
  }
  std::vector<Kind> kinds;
  wire::FrameReader reader(wire::kMaxWireFrameBytes);
  for (std::span<const std::byte> rest = last; !rest.empty();) {
    const auto space = reader.writable();
    const std::size_t count = std::min(space.size(), rest.size());
    std::memcpy(space.data(), rest.data(), count);
    reader.commit(count);
    rest = rest.subspan(count);
    while (const auto frame = reader.next()) kinds.push_back(frame->header.kind);
  }
  ASSERT_FALSE(kinds.empty());
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), Kind::kChunk), 0) << "they would be of no use";
  EXPECT_EQ(kinds.back(), Kind::kGoodbye);
}

TEST_F(SessionTest, ARefusalForLackOfRoomIsNotForEver) {
  make_ready();
  const auto first = start();
  const auto frames = sent();
  wire::FrameHeader refusal;
  refusal.call_id = frames[0].header.template_or_status;
  refusal.template_or_status = static_cast<std::uint32_t>(wire::Outcome::kRejected);
  EXPECT_TRUE(deliver(Kind::kPrepared, {}, refusal));
  const auto second = start();
  EXPECT_EQ(kinds(sent()), (std::vector{Kind::kPrepare, Kind::kCall}));
}

TEST_F(SessionTest, WhatCannotBeSaidFailsItsCallAlone) {
  make_ready();
  const auto fine = start("fine");
  sent();
  CallTarget empty{FunctionFacts("", 3, kSignature<void>, {}), CallTarget::Kind::kName};
  CallTarget not_utf8{FunctionFacts("f\xff", 4, kSignature<void>, {}), CallTarget::Kind::kName};
  const std::string endless(3U << 20, 'f');
  CallTarget too_long{FunctionFacts(endless, 5, kSignature<void>, {}), CallTarget::Kind::kName};
  for (CallTarget* target : {&empty, &not_utf8, &too_long}) {
    Call call(*target);
    session_->start(call, Waker(), now_);
    ASSERT_TRUE(call.is_done);
    EXPECT_EQ(call.error->kind(), ErrorKind::kInvalidArgument);
  }
  auto bad_key = std::make_shared<PlacementRules>();
  bad_key->set(PlacementField::kTags, "k\xff", "v");
  auto many = std::make_shared<PlacementRules>();
  for (int i = 0; i < 100; ++i) many->set(PlacementField::kTags, std::to_string(i), std::string(20, 'v'));
  for (const auto& rules : {on_node("n\xff"), on_node(endless), bad_key, many}) {
    const auto call = start("", rules);
    ASSERT_TRUE(call->is_done);
    EXPECT_EQ(call->error->kind(), ErrorKind::kInvalidArgument) << *call->error;
  }
  EXPECT_TRUE(sent().empty());
  EXPECT_FALSE(fine->is_done);
}

/// What a generated message's description does where memory runs out.
GeneratedMessage throws() { throw std::bad_alloc(); }
constexpr TypeSchema kThrowingType{.type = ProtoType::kMessage, .is_generated = true, .generated = &throws};
constexpr FieldSchema kThrowingField{FieldLabel::kSingle, &kThrowingType, nullptr};
constexpr SignatureSchema kThrowing{{&kThrowingField, 1}, {}};

TEST_F(SessionTest, AThrowInSendTouchesNobodyElsesSlot) {
  make_ready();
  const auto bystander = start("bystander");
  const std::uint64_t id = sent()[1].header.call_id;
  CallTarget target{FunctionFacts("g", 3, kThrowing, {}), CallTarget::Kind::kFunction};
  {
    Call call(target);
    session_->start(call, Waker(), now_);
    ASSERT_TRUE(call.is_done);
    EXPECT_TRUE(call.error->is_rejected()) << *call.error;
    session_->drop(call);
    // One that was never taken up at all, as when start() itself has thrown.
    Call never_started(target_);
    session_->drop(never_started);
  }
  EXPECT_TRUE(sent().empty());
  deliver_result(id, "still mine");
  EXPECT_EQ(bystander->text(), "still mine");
  // Numbers have no gap after it.
  static_cast<void>(start("next", on_node("a")));
  EXPECT_EQ(sent()[0].header.template_or_status, 2U);
}

TEST_F(SessionTest, ASilentNodeIsAskedAndGivenUp) {
  make_ready();
  auto rules = std::make_shared<PlacementRules>();
  rules->set(PlacementField::kIdempotent, true);
  const auto once = start("once");
  const auto again = start("again", rules);
  sent();
  now_ += 1s;
  ASSERT_TRUE(session_->handle_timeout(now_));
  EXPECT_EQ(kinds(sent()), std::vector{Kind::kPing});
  now_ += 2s;
  deliver(Kind::kPong);
  for (int i = 0; i < 3; ++i) {  // Alive for as long as anything comes.
    now_ = session_->next_timeout().value();
    ASSERT_TRUE(session_->handle_timeout(now_));
    deliver(Kind::kPrepared);
  }
  now_ = session_->next_timeout().value();
  ASSERT_TRUE(session_->handle_timeout(now_));
  now_ = session_->next_timeout().value();
  ASSERT_FALSE(session_->handle_timeout(now_));
  session_->handle_disconnected(now_, session_->disconnect_reason());
  ASSERT_TRUE(once->is_done);
  EXPECT_TRUE(once->error->is_unavailable());
  EXPECT_NE(once->error->message().find("does not answer"), std::string::npos);
  EXPECT_FALSE(again->is_done);
}

TEST_F(SessionTest, ALimitThatTheNodeRaisedIsKeptWithTheRelaysHeadroom) {
  max_frame_bytes_ = 128U << 20;
  make_ready();
  const auto call = start();
  const std::uint64_t id = sent()[1].header.call_id;
  // Each is judged when it is announced: a refusal comes at once.
  wire::FrameHeader header;
  header.kind = Kind::kResult;
  header.call_id = id;
  const std::string result(65U << 20, 'x');
  ASSERT_EQ(node_->send(header, {}, wire::as_span(result)), wire::SendResult::kTaken);
  EXPECT_TRUE(carry_to_session());
  EXPECT_FALSE(call->is_done);
  session_->reply_large(session_->connection(), 5, Buffer(wire::as_span(std::string(100U << 20, 'y'))));
  take_output();
  EXPECT_TRUE(frames_.empty());
}

TEST_F(SessionTest, AFrameOfTheAnnouncedSizeMayHaveGrownOnItsWay) {
  make_ready();
  wire::FrameHeader header;
  header.call_id = 7;
  EXPECT_TRUE(deliver(Kind::kCall, std::string(wire::kFrameHeadroomBytes, 'i'), header, std::string(936, 'a')));
  EXPECT_EQ(runs_.size(), 1U);
  // One that is larger than that is refused alone.
  EXPECT_TRUE(deliver(Kind::kCall, std::string(wire::kFrameHeadroomBytes, 'i'), header, std::string(937, 'a')));
  EXPECT_EQ(runs_.size(), 1U);
  const auto frames = sent();
  ASSERT_EQ(kinds(frames), std::vector{Kind::kResult});
  EXPECT_EQ(frames[0].header.template_or_status, static_cast<std::uint32_t>(wire::Outcome::kInvalidArgument));
}

TEST_F(SessionTest, FunctionsThatTheNodeCouldNotTakeAreRefusedWithASentence) {
  max_frame_bytes_ = 80;
  connect();
  welcome(8);
  EXPECT_EQ(session_->state(), Session::State::kClosed);
  EXPECT_NE(session_->failure()->message().find("limits.max_frame_bytes"), std::string::npos);
}

TEST_F(SessionTest, ErrorsAreMendedForTheWire) {
  max_frame_bytes_ = 64U << 10;
  make_ready();
  std::vector<NodeReason> reasons;
  for (int i = 0; i < 10000; ++i) reasons.emplace_back("n\xff", std::string(100, 'r'));
  const Error error = Error(ErrorKind::kPanicked, "caf\xe9" + std::string(17U << 20, 'x'))
                          .with_exception_type(std::string(5000, 'T'))
                          .with_retry_after(std::chrono::milliseconds::max())
                          .with_reasons(std::move(reasons));
  session_->reply(session_->connection(), 1, &error, {});
  const Error negative = Error(ErrorKind::kRejected, "later").with_retry_after(-5ms);
  session_->reply(session_->connection(), 2, &negative, {});
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_LE(frames[0].header.length, max_frame_bytes_);
  v1::ResultError message;
  ASSERT_TRUE(message.ParseFromString(frames[0].metadata));
  EXPECT_EQ(message.message().substr(0, 6), "caf\xef\xbf\xbd");
  EXPECT_NE(message.message().find("more bytes left out"), std::string::npos);
  EXPECT_NE(message.reasons(message.reasons_size() - 1).reason().find("more nodes left out"), std::string::npos);
  EXPECT_LT(message.retry_after_ns(), std::uint64_t{1} << 63U);
  ASSERT_TRUE(message.ParseFromString(frames[1].metadata));
  EXPECT_EQ(message.retry_after_ns(), 0U);
}

TEST_F(SessionTest, ARetryAfterOfAnySizeCanBeRead) {
  make_ready();
  const auto call = start();
  v1::ResultError message;
  message.set_retry_after_ns(~std::uint64_t{0});
  wire::FrameHeader header;
  header.call_id = sent()[1].header.call_id;
  header.template_or_status = static_cast<std::uint32_t>(wire::Outcome::kRejected);
  deliver(Kind::kResult, message.SerializeAsString(), header);
  EXPECT_GT(call->error->retry_after(), 1h);
}

TEST_F(SessionTest, LimitsOfTheExtremesNeitherWrapNorWait) {
  SessionOptions options;
  options.unavailable_after = std::chrono::nanoseconds::max();
  options.handshake_timeout = std::chrono::nanoseconds::max();
  options.ping_interval = std::chrono::nanoseconds::max();
  make_session(options);
  make_ready();
  session_->handle_disconnected(now_, "gone");
  auto hopeful = start();
  EXPECT_TRUE(session_->handle_timeout(now_ + 1h));
  EXPECT_FALSE(hopeful->is_done);
  session_->drop(*hopeful);

  options.unavailable_after = -1s;
  make_session(options);
  make_ready();
  session_->handle_disconnected(now_, "gone");
  const auto late = start();
  EXPECT_TRUE(session_->handle_timeout(now_));
  EXPECT_TRUE(late->error->is_unavailable());
}

TEST_F(SessionTest, TellsTheNodeWhoYieldsInFramesThatItMayIgnore) {
  make_ready();
  session_->yield(session_->connection(), 7);
  session_->resume(session_->connection(), 7);
  session_->yield(session_->connection() + 1, 8);  // Of a connection that is gone.
  const auto frames = sent();
  ASSERT_EQ(kinds(frames), (std::vector{Kind::kYield, Kind::kResume}));
  for (const SentFrame& frame : frames) {
    EXPECT_EQ(frame.header.flags, wire::kIgnorable);
    EXPECT_EQ(frame.header.call_id, 7U);
  }
}

TEST_F(SessionTest, ACallsTraceTravelsBothWays) {
  make_ready();
  Call call(target_);
  call.trace.trace_id[3] = 9;
  call.trace.span_id = 77;
  session_->start(call, Waker(), now_);
  const auto frames = sent();
  EXPECT_EQ(frames[1].header.trace.trace_id[3], 9);
  EXPECT_EQ(frames[1].header.trace.span_id, 77U);
  wire::FrameHeader header = frames[1].header;
  header.template_or_status = 0;
  deliver(Kind::kCall, {}, header);
  EXPECT_EQ(runs_.at(0).trace, call.trace);
  session_->drop(call);
}

}  // namespace
}  // namespace kaido::detail
