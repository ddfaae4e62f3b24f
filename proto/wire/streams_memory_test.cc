/// What large payloads on their way cost the node's memory, and what becomes of those that do not move.
#include <string>

#include <gtest/gtest.h>

#include "proto/base/random.h"
#include "proto/wire/body.h"
#include "proto/wire/channel.h"
#include "proto/wire/channel_pipe.h"
#include "proto/wire/frame.h"
#include "proto/wire/limits.h"
#include "proto/wire/memory_budget.h"
#include "proto/wire/payload.h"
#include "proto/wire/window_budget.h"

namespace kaido::wire {
namespace {

constexpr std::size_t kMiB = 1U << 20;
constexpr MemoryOwner kSender{1};
constexpr MemoryOwner kTaker{2};

FrameHeader call(std::uint64_t id) {
  FrameHeader header;
  header.kind = FrameKind::kCall;
  header.call_id = id;
  return header;
}

Payload large(std::size_t size) { return Payload::copy_of(std::vector<std::byte>(size)); }

/// A node between two apps: what comes from the one goes out to the other.
struct Node {
  explicit Node(std::size_t memory_bytes) : memory(memory_bytes) {
    in.channel.set_memory_owner(kSender);
    out.channel.set_memory_owner(kTaker);
    in.on_frame = [this](const FrameView& frame) {
      if (frame.payload.body() != nullptr && frame.payload.body()->has_failed()) {
        failure = frame.payload.body()->failure();
      } else if (holds) {
        held.push_back(frame.payload);
      } else {
        EXPECT_EQ(out.channel.send(frame.header, frame.metadata, frame.payload), SendResult::kTaken);
      }
    };
  }
  std::size_t streams() const { return memory.used(MemoryKind::kStreams); }
  /// Whether it is the owner who has all of it: he may have less more than another.
  bool pays(MemoryOwner owner) const {
    const std::size_t most = (3 * memory.max() / 4 - streams()) / 3 + 1;
    const MemoryOwner other{owner.value + 100};
    return memory.has_room(other, MemoryKind::kStreams, most - 1) &&
           !memory.has_room(owner, MemoryKind::kStreams, most - 1);
  }

  MemoryBudget memory;
  WindowBudget window{64 * kMiB};
  TestEnd in{{.budget = &window, .memory = &memory}};
  TestEnd out{{.budget = &window, .memory = &memory}};
  bool holds = false;
  std::vector<Payload> held;
  BodyFailure failure = BodyFailure::kNone;
};

TEST(StreamsMemory, IsGivenBackWhenAPayloadHasPassed) {
  base::Random random(1);
  Node node(64 * kMiB);
  TestEnd sender;
  TestEnd taker({.assemble = true});
  std::size_t arrived = 0;
  taker.on_frame = [&](const FrameView& frame) { arrived = frame.payload.size(); };
  ASSERT_EQ(sender.channel.send(call(1), {}, large(5 * kMiB)), SendResult::kTaken);
  while (arrived == 0) {
    settle(sender, node.in, random);
    settle(node.out, taker, random);
    EXPECT_LE(node.streams(), 2 * kStreamWindowBytes);
  }
  EXPECT_EQ(arrived, 5 * kMiB);
  EXPECT_EQ(node.memory.used(), 0U);
}

TEST(StreamsMemory, IsTheSendersUntilSomebodyTakesItAndTheTakersThen) {
  base::Random random(2);
  Node node(64 * kMiB);
  TestEnd sender;
  node.holds = true;
  ASSERT_EQ(sender.channel.send(call(1), {}, large(kMiB)), SendResult::kTaken);
  settle(sender, node.in, random);
  EXPECT_EQ(node.streams(), kChunkBytes);
  EXPECT_TRUE(node.pays(kSender));
  ASSERT_EQ(node.out.channel.send(call(1), {}, node.held[0]), SendResult::kTaken);
  node.held.clear();
  EXPECT_EQ(node.streams(), kChunkBytes);
  EXPECT_TRUE(node.pays(kTaker));
  node.out.channel.close();
  EXPECT_EQ(node.streams(), 0U);
}

TEST(StreamsMemory, FailsThePayloadThatFindsNoneAndNoOther) {
  base::Random random(3);
  Node node(4 * kChunkBytes);  // of which three pass through, and one is one owner's
  TestEnd sender;
  node.holds = true;
  ASSERT_EQ(sender.channel.send(call(1), {}, large(kMiB)), SendResult::kTaken);
  ASSERT_EQ(sender.channel.send(call(2), {}, large(kMiB)), SendResult::kTaken);
  settle(sender, node.in, random);
  EXPECT_EQ(node.failure, BodyFailure::kNoMemory);
  ASSERT_EQ(node.held.size(), 1U);
  EXPECT_FALSE(node.held[0].body()->has_failed());
  EXPECT_EQ(node.in.channel.stream_stats().refused, 1U);
  EXPECT_EQ(sender.channel.streams_out(), 1U) << "the sender knows";
}

TEST(StreamsMemory, APayloadWhoseSenderSendsNothingMoreIsGivenUp) {
  base::Random random(4);
  Node node(64 * kMiB);
  TestEnd sender;
  TestEnd taker({.assemble = true});
  ASSERT_EQ(sender.channel.send(call(1), {}, large(kMiB)), SendResult::kTaken);
  carry(sender, node.in, kMiB);     // the first chunk
  settle(node.out, taker, random);  // is taken, and all is granted
  ASSERT_FALSE(node.in.channel.drop_stalled());
  ASSERT_FALSE(node.in.channel.drop_stalled());
  EXPECT_EQ(node.in.channel.streams_in(), 1U) << "not before two intervals";
  ASSERT_FALSE(node.in.channel.drop_stalled());
  EXPECT_EQ(node.in.channel.streams_in(), 0U);
  EXPECT_EQ(node.in.channel.stream_stats().stalled, 1U);
  bool failed = false;
  taker.on_frame = [&](const FrameView& frame) { failed = frame.payload.body()->has_failed(); };
  settle(node.out, taker, random);
  EXPECT_TRUE(failed) << "its taker is told";
  EXPECT_EQ(node.memory.used(), 0U);
}

TEST(StreamsMemory, OneThatStallsWhileOthersMoveIsBorneForLonger) {
  base::Random random(5);
  Node node(64 * kMiB);
  TestEnd sender;
  TestEnd taker;  // takes as it is told to
  std::vector<Payload> taken;
  taker.on_frame = [&](const FrameView& frame) { taken.push_back(frame.payload); };
  for (std::uint64_t id = 1; id <= 2; ++id)
    ASSERT_EQ(sender.channel.send(call(id), {}, large(8 * kMiB)), SendResult::kTaken);
  settle(sender, node.in, random);
  settle(node.out, taker, random);
  ASSERT_EQ(taken.size(), 2U);
  std::size_t released = 0;
  taken[1].body()->open();
  for (std::uint32_t i = 0; i < 2 * kStalledPatience - 1; ++i) {
    settle(node.out, taker, random);
    settle(sender, node.in, random);
    settle(node.out, taker, random);
    released = std::min(released + kMiB / 4, taken[1].body()->arrived());
    taken[1].body()->release(released);
    settle(node.out, taker, random);
    EXPECT_FALSE(node.out.channel.drop_stalled()) << "it takes the other one";
    EXPECT_EQ(node.out.channel.streams_out(), 2U) << i;
  }
}

TEST(StreamsMemory, SaysSoWhereNothingAtAllIsTaken) {
  base::Random random(6);
  Node node(64 * kMiB);
  TestEnd sender;
  TestEnd taker;
  std::vector<Payload> ignored;
  taker.on_frame = [&](const FrameView& frame) { ignored.push_back(frame.payload); };
  ASSERT_EQ(sender.channel.send(call(1), {}, large(8 * kMiB)), SendResult::kTaken);
  settle(sender, node.in, random);
  settle(node.out, taker, random);
  EXPECT_FALSE(node.out.channel.drop_stalled());
  EXPECT_FALSE(node.out.channel.drop_stalled());
  EXPECT_TRUE(node.out.channel.drop_stalled());
}

}  // namespace
}  // namespace kaido::wire
