// The protocol without sockets at its numbers: what just fits, what is just too many, what came over another
// connection.
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proto/wire/limits.h"
#include "proto/wire/outcome.h"
#include "sdk/client/session.h"
#include "sdk/client/session_fixture.h"

namespace kaido::detail {
namespace {

Buffer buffer_of(std::size_t size) {
  Buffer buffer;
  std::memset(buffer.allocate(size), 'r', size);
  return buffer;
}

std::uint32_t status(const SentFrame& frame) { return frame.header.template_or_status; }

TEST_F(SessionTest, WhatANodeMaySayKeepsTheConnection) {
  connect();
  welcome(8);
  EXPECT_TRUE(deliver(Kind::kRegistered));
  EXPECT_TRUE(session_->is_registered());
  EXPECT_TRUE(deliver(Kind::kPing));
  EXPECT_TRUE(deliver(Kind::kPong));
  EXPECT_TRUE(deliver(Kind::kCancel));
  EXPECT_TRUE(deliver_result(77, "of no call"));
  EXPECT_TRUE(deliver(Kind::kCall));
}

TEST_F(SessionTest, AResultMayTakeAllThatTheNodeAccepts) {
  make_ready();
  for (const std::uint64_t id : {1U, 2U}) {
    wire::FrameHeader header;
    header.call_id = id;
    ASSERT_TRUE(deliver(Kind::kCall, {}, header));
  }
  const std::string most(max_frame_bytes_ - wire::kHeaderBytes, 'r');
  session_->reply(runs_[0].connection, 1, nullptr, wire::as_span(most));
  session_->reply(runs_[1].connection, 2, nullptr, wire::as_span(most + 'r'));
  const auto frames = sent();
  ASSERT_EQ(kinds(frames), (std::vector{Kind::kResult, Kind::kResult}));
  EXPECT_EQ(status(frames[0]), static_cast<std::uint32_t>(wire::Outcome::kSucceeded));
  EXPECT_EQ(frames[0].payload, most);
  EXPECT_EQ(status(frames[1]), static_cast<std::uint32_t>(wire::Outcome::kInvalidArgument));
}

TEST_F(SessionTest, ALargeResultMayTakeAllThatTheNodeAccepts) {
  max_frame_bytes_ = 1U << 20;
  make_ready();
  for (const std::uint64_t id : {1U, 2U}) {
    wire::FrameHeader header;
    header.call_id = id;
    ASSERT_TRUE(deliver(Kind::kCall, {}, header));
  }
  const std::size_t most = max_frame_bytes_ - wire::kHeaderBytes;
  session_->reply_large(runs_[0].connection, 1, buffer_of(most));
  session_->reply_large(runs_[1].connection, 2, buffer_of(most + 1));
  std::size_t succeeded = 0;
  for (const SentFrame& frame : sent()) {
    ASSERT_EQ(frame.header.kind, Kind::kResult);
    if (status(frame) != 0) continue;
    ++succeeded;
    EXPECT_EQ(frame.header.call_id, 1U);
    EXPECT_EQ(frame.payload.size(), most);
  }
  EXPECT_EQ(succeeded, 1U);
}

TEST_F(SessionTest, ALargeResultOfAnotherConnectionIsDropped) {
  max_frame_bytes_ = 1U << 20;
  make_ready();
  ASSERT_TRUE(deliver(Kind::kCall));
  session_->handle_disconnected(now_, "gone");
  session_->reply_large(runs_[0].connection, 0, buffer_of(100'000));
  connect_again();
  welcome(8);
  deliver(Kind::kRegistered);
  sent();
  session_->reply_large(runs_[0].connection, 0, buffer_of(100'000));
  EXPECT_EQ(kinds(sent()), std::vector<Kind>());
}

TEST_F(SessionTest, CallsThatGoBackAreCountedAsWaiting) {
  make_ready();
  auto rules = std::make_shared<PlacementRules>();
  rules->set(PlacementField::kIdempotent, true);
  const auto first = start("1", rules);
  const auto second = start("2", rules);
  EXPECT_EQ(session_->waiting(), 0U);
  session_->handle_disconnected(now_, "gone");
  EXPECT_EQ(session_->waiting(), 2U);
  connect_again();
  welcome(8);
  EXPECT_EQ(session_->waiting(), 0U);
  EXPECT_FALSE(first->is_done || second->is_done);
}

// Room for one more comes without a frame that the session sees.
TEST_F(SessionTest, ALargeCallThatWaitsForRoomGoesWhenOthersAreOut) {
  max_frame_bytes_ = 1U << 20;
  make_ready(2 * wire::kMaxStreams);
  const std::string large(wire::kChunkBytes + 1, 'a');
  std::vector<std::unique_ptr<Call>> calls;
  for (std::size_t i = 0; i <= wire::kMaxStreams; ++i) calls.push_back(start(large));
  EXPECT_EQ(session_->waiting(), 1U);
  std::size_t arrived = 0;
  for (const SentFrame& frame : sent()) arrived += frame.header.kind == Kind::kCall && frame.payload == large;
  EXPECT_EQ(arrived, wire::kMaxStreams + 1);
  EXPECT_EQ(session_->waiting(), 0U);
}

}  // namespace
}  // namespace kaido::detail
