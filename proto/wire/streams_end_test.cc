// Who sends a large payload is told how it ended, once.
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "proto/base/random.h"
#include "proto/wire/body.h"
#include "proto/wire/channel.h"
#include "proto/wire/channel_pipe.h"
#include "proto/wire/frame.h"
#include "proto/wire/limits.h"
#include "proto/wire/payload.h"
#include "proto/wire/stream_end.h"

namespace kaido::wire {
namespace {

constexpr std::size_t kMiB = 1U << 20;

struct Ended {
  FrameKind kind{};
  std::uint64_t call_id = 0;
  StreamEnd end{};
  BodyFailure failure{};
  bool operator==(const Ended&) const = default;
};

/// A worker's node or app, the node between, and the app that gets its results.
class StreamsEnd : public testing::Test, private StreamListener {
 protected:
  StreamsEnd() {
    in_.on_frame = [this](const FrameView& frame) {
      EXPECT_EQ(out_.channel.send(frame.header, frame.metadata, frame.payload), SendResult::kTaken);
    };
    app_.on_frame = [this](const FrameView& frame) { results_.push_back(frame.payload); };
  }
  void send(std::uint64_t id, std::size_t size) {
    FrameHeader header;
    header.kind = FrameKind::kResult;
    header.call_id = id;
    EXPECT_EQ(worker_.channel.send(header, {}, Payload::copy_of(std::vector<std::byte>(size))), SendResult::kTaken);
  }
  void settle() {
    for (bool moved = true; moved;) {
      moved = false;
      for (auto [from, to] : {std::pair(&worker_, &in_), {&in_, &worker_}, {&out_, &app_}, {&app_, &out_}}) {
        moved = carry(*from, *to, 1 + random_.below(100'000)) || moved;
      }
    }
  }
  /// Until the app has some of it.
  void begin(std::uint64_t id) {
    send(id, 8 * kMiB);
    while (out_.bytes_out < 2 * kMiB) {
      carry(worker_, in_, 50'000);
      carry(in_, worker_, 50'000);
      carry(out_, app_, 50'000);
      carry(app_, out_, 50'000);
    }
    EXPECT_TRUE(ended_.empty());
  }
  void on_stream_end(const FrameHeader& announced, StreamEnd end, BodyFailure failure) override {
    ended_.push_back({announced.kind, announced.call_id, end, failure});
  }

  base::Random random_{1};
  StreamListener& listener_ = *this;
  TestEnd worker_;
  TestEnd in_;
  TestEnd out_{{.stream_listener = &listener_}};
  TestEnd app_{{.assemble = true}};
  std::vector<Payload> results_;
  std::vector<Ended> ended_;
};

TEST_F(StreamsEnd, WhatIsPassedOnHasEndedWell) {
  send(7, 3 * kMiB);
  send(8, kChunkBytes + 1);
  send(9, kChunkBytes);  // in one piece: there is nothing to tell
  settle();
  ASSERT_EQ(ended_.size(), 2U);
  EXPECT_EQ(ended_[0], (Ended{FrameKind::kResult, 8, StreamEnd::kPassedOn, BodyFailure::kNone}));
  EXPECT_EQ(ended_[1], (Ended{FrameKind::kResult, 7, StreamEnd::kPassedOn, BodyFailure::kNone}));
  EXPECT_EQ(results_.size(), 3U);
}

// All of it is here before it is sent on, though it came in chunks.
TEST_F(StreamsEnd, SoHasWhatGoesOutWithItsFrame) {
  Payload held;
  in_.on_frame = [&](const FrameView& frame) { held = frame.payload; };
  FrameHeader header;
  header.kind = FrameKind::kResult;
  header.call_id = 7;
  const StreamPrefix prefix{5, 1};
  std::string announcement(reinterpret_cast<const char*>(&prefix), sizeof prefix);
  header.flags = kStreamed;
  EXPECT_EQ(worker_.channel.send(header, {}, as_span(announcement)), SendResult::kTaken);
  FrameHeader chunk;
  chunk.kind = FrameKind::kChunk;
  chunk.call_id = 1;
  settle();
  held.body()->open();
  EXPECT_EQ(worker_.channel.send(chunk, {}, as_span("12345")), SendResult::kTaken);
  settle();
  ASSERT_TRUE(held.body()->is_complete());
  header.flags = 0;
  EXPECT_EQ(out_.channel.send(header, {}, held), SendResult::kTaken);
  ASSERT_EQ(ended_.size(), 1U);
  EXPECT_EQ(ended_[0], (Ended{FrameKind::kResult, 7, StreamEnd::kPassedOn, BodyFailure::kNone}));
}

TEST_F(StreamsEnd, ASenderThatIsLostIsTheEndAndSaysWhy) {
  begin(7);
  in_.channel.close();
  ASSERT_EQ(ended_.size(), 1U);
  EXPECT_EQ(ended_[0], (Ended{FrameKind::kResult, 7, StreamEnd::kFailed, BodyFailure::kConnectionLost}));
  settle();
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].body()->failure(), BodyFailure::kAborted);
  EXPECT_EQ(ended_.size(), 1U);
}

TEST_F(StreamsEnd, WhoWantsNoMoreIsTheEnd) {
  begin(7);
  app_.channel.close();
  FrameHeader abort;
  abort.kind = FrameKind::kWindow;
  abort.flags = kAbort;
  abort.call_id = 1;
  TestEnd other;
  EXPECT_EQ(other.channel.send(abort, {}), SendResult::kTaken);
  carry(other, out_, 100'000);
  ASSERT_EQ(ended_.size(), 1U);
  EXPECT_EQ(ended_[0], (Ended{FrameKind::kResult, 7, StreamEnd::kUnwanted, BodyFailure::kNone}));
}

// It takes others, which never end, and nothing of this one.
TEST_F(StreamsEnd, AReceiverThatTakesNothingIsTheEnd) {
  const Payload large = Payload::copy_of(std::vector<std::byte>(100 * kMiB));
  FrameHeader header;
  header.kind = FrameKind::kResult;
  for (header.call_id = 7; header.call_id <= 8; ++header.call_id) {
    EXPECT_EQ(out_.channel.send(header, {}, large), SendResult::kTaken);
  }
  TestEnd hand;
  TestEnd sink;
  FrameHeader window;
  window.kind = FrameKind::kWindow;
  window.call_id = 2;
  window.aux = kChunkBytes;
  for (std::uint32_t i = 0; i < 3 * kStalledPatience && ended_.empty(); ++i) {
    window.aux += kChunkBytes;
    EXPECT_EQ(hand.channel.send(window, {}), SendResult::kTaken);
    carry(hand, out_, 100'000);
    while (carry(out_, sink, 10 * kMiB)) {
    }
    EXPECT_FALSE(out_.channel.drop_stalled());
  }
  ASSERT_EQ(ended_.size(), 1U);
  EXPECT_EQ(ended_[0], (Ended{FrameKind::kResult, 7, StreamEnd::kStalled, BodyFailure::kNone}));
}

// The end of a connection is told by its owner, who ends all that was on it.
TEST_F(StreamsEnd, TheEndOfTheConnectionIsToldByNobody) {
  begin(7);
  out_.channel.close();
  EXPECT_TRUE(ended_.empty());
  in_.channel.close();
  EXPECT_TRUE(ended_.empty());
}

}  // namespace
}  // namespace kaido::wire
