#include "proto/wire/channel.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "proto/base/random.h"
#include "proto/wire/body.h"
#include "proto/wire/channel_pipe.h"
#include "proto/wire/frame.h"
#include "proto/wire/frame_writer.h"
#include "proto/wire/limits.h"
#include "proto/wire/payload.h"
#include "proto/wire/window_budget.h"
#include "proto/wire/written.h"

namespace kaido::wire {
namespace {

constexpr std::size_t kMiB = 1U << 20;

std::string noise(std::uint64_t seed, std::size_t size) {
  base::Random random(seed);
  std::string text(size, '\0');
  std::size_t at = 0;
  for (; at + 8 <= size; at += 8) {
    const std::uint64_t word = random.next();
    std::memcpy(text.data() + at, &word, 8);
  }
  for (; at < size; ++at) text[at] = static_cast<char>(random.next());
  return text;
}

Payload payload(std::string_view text) { return Payload::copy_of(as_span(text)); }
std::string text(const Payload& whole) { return std::string(as_text(whole.bytes())); }

FrameHeader call(std::uint64_t id) {
  FrameHeader header;
  header.kind = FrameKind::kCall;
  header.call_id = id;
  return header;
}

constexpr ChannelOptions kAssemble{.assemble = true};

/// An end that keeps what comes.
struct Receiver : TestEnd {
  explicit Receiver(const ChannelOptions& options = kAssemble) : TestEnd(options) {
    on_frame = [this](const FrameView& frame) {
      headers.push_back(frame.header);
      metadata.emplace_back(as_text(frame.metadata));
      payloads[frame.header.call_id] = frame.payload;
    };
  }
  std::vector<FrameHeader> headers;
  std::vector<std::string> metadata;
  std::map<std::uint64_t, Payload> payloads;
};

TEST(Channel, PayloadsOfAllSizesArriveHoweverTheBytesAreCut) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    base::Random random(seed);
    TestEnd sender;
    Receiver receiver;
    std::map<std::uint64_t, std::string> sent;
    for (std::uint64_t id = 1; id <= 60; ++id) {
      const std::uint32_t size = random.below(random.below(4) == 0 ? 900'000 : 3000);
      sent[id] = noise(id, size);
      ASSERT_EQ(sender.channel.send(call(id), as_span("about " + std::to_string(id)), payload(sent[id])),
                SendResult::kTaken);
      if (random.below(3) == 0) carry(sender, receiver, 1 + random.below(200'000));
      if (random.below(3) == 0) carry(receiver, sender, 1 + random.below(200));
    }
    settle(sender, receiver, random);
    ASSERT_EQ(receiver.payloads.size(), sent.size()) << "seed " << seed;
    for (const auto& [id, expected] : sent) ASSERT_TRUE(text(receiver.payloads[id]) == expected) << id;
    for (std::size_t i = 0; i < receiver.headers.size(); ++i)
      EXPECT_EQ(receiver.metadata[i], "about " + std::to_string(receiver.headers[i].call_id));
    EXPECT_TRUE(sender.channel.is_flushed());
    EXPECT_EQ(receiver.channel.streams_in(), 0U);
    EXPECT_FALSE(receiver.channel.failed());
  }
}

TEST(Channel, SmallFramesPassBetweenTheChunksOfLargeOnes) {
  TestEnd sender;
  Receiver receiver;
  base::Random random(1);
  for (std::uint64_t id = 1; id <= 5; ++id)
    ASSERT_EQ(sender.channel.send(call(id), {}, payload(std::string(8 * kMiB, 'x'))), SendResult::kTaken);
  while (receiver.channel.streams_in() < 5) carry(sender, receiver, 100'000);
  carry(receiver, sender, kMiB);  // all is granted
  for (std::uint64_t id = 100; id < 200; ++id) {
    carry(sender, receiver, 1 + random.below(300'000));
    ASSERT_EQ(sender.channel.send(call(id), {}, payload("small")), SendResult::kTaken);
    const std::uint64_t before = sender.bytes_out;
    while (receiver.payloads.find(id) == receiver.payloads.end()) carry(sender, receiver, 5000);
    EXPECT_LE(sender.bytes_out - before, kBulkQueuedBytes + kChunkBytes + 10'000);
  }
  settle(sender, receiver, random);
  EXPECT_EQ(receiver.payloads.size(), 105U);
}

TEST(Channel, LargePayloadsTakeTurns) {
  TestEnd sender;
  Receiver receiver;
  base::Random random(2);
  const std::string large(16 * kMiB, 'l');
  const std::string medium(kMiB, 'm');
  ASSERT_EQ(sender.channel.send(call(1), {}, payload(large)), SendResult::kTaken);
  ASSERT_EQ(sender.channel.send(call(2), {}, payload(medium)), SendResult::kTaken);
  settle(sender, receiver, random);
  ASSERT_EQ(receiver.headers.size(), 2U);
  EXPECT_EQ(receiver.headers[0].call_id, 2U) << "it waited for one that is larger and came first";
}

/// Two connections and a node between them that passes on what comes, as it comes.
struct Relay {
  explicit Relay(const ChannelOptions& options = {}, const ChannelOptions& at_worker = kAssemble)
      : in(options), out(options), worker(at_worker) {
    in.on_frame = [this](const FrameView& frame) {
      body = frame.payload.body();
      result = out.channel.send(frame.header, frame.metadata, frame.payload);
    };
    out.on_frame = [this](const FrameView& frame) {
      EXPECT_EQ(in.channel.send(frame.header, frame.metadata, frame.payload), SendResult::kTaken);
    };
  }
  bool step(base::Random& random, std::uint32_t cut) {
    bool moved = carry(client, in, 1 + random.below(cut));
    moved = carry(in, client, 1 + random.below(cut)) || moved;
    moved = carry(out, worker, 1 + random.below(cut)) || moved;
    return carry(worker, out, 1 + random.below(cut)) || moved;
  }
  void run(base::Random& random, std::uint32_t cut = 300'000) {
    while (step(random, cut)) {
    }
  }

  TestEnd client;
  TestEnd in;
  TestEnd out;
  Receiver worker;
  Body* body = nullptr;  ///< of the last frame, while it is under way
  SendResult result = SendResult::kTaken;
};

TEST(Channel, ARelayHoldsNoMoreThanAWindowOfALargePayload) {
  base::Random random(3);
  Relay relay;
  const std::string large = noise(3, 60 * kMiB);
  ASSERT_EQ(relay.client.channel.send(call(1), {}, payload(large)), SendResult::kTaken);
  std::size_t most = 0;
  std::size_t most_memory = 0;
  do {
    if (relay.in.channel.streams_in() == 0) continue;
    // The worker's side is the slow one.
    while (carry(relay.client, relay.in, 400'000)) {
    }
    if (relay.in.channel.streams_in() == 0) continue;
    most = std::max(most, relay.body->arrived() - relay.body->released());
    most_memory = std::max(most_memory, relay.body->footprint());
  } while (relay.step(random, 70'000));
  ASSERT_EQ(relay.worker.payloads.size(), 1U);
  EXPECT_TRUE(text(relay.worker.payloads[1]) == large);
  EXPECT_GT(most, kStreamWindowBytes / 2);
  EXPECT_LE(most, kStreamWindowBytes + kChunkBytes);
  EXPECT_LE(most_memory, 2 * kStreamWindowBytes + kReadBytes) << "chunks pin the blocks of reads";
  EXPECT_EQ(relay.worker.payloads[1].footprint(), sizeof(Block) + large.size()) << "one buffer of exactly its size";
}

TEST(Channel, NothingIsGrantedBeforeTheWorkerHasGranted) {
  base::Random random(4);
  Relay relay({}, ChannelOptions{});  // the worker's frames are streamed, and nobody takes them
  const std::string large = noise(4, 3 * kMiB);
  ASSERT_EQ(relay.client.channel.send(call(1), {}, payload(large)), SendResult::kTaken);
  relay.run(random);
  ASSERT_NE(relay.body, nullptr);
  EXPECT_EQ(relay.body->arrived(), kChunkBytes);
  EXPECT_TRUE(relay.body->is_replayable());
  // It goes elsewhere: to another worker, from its beginning.
  Payload handle(*relay.body);
  TestEnd other;
  Receiver second;
  ASSERT_EQ(other.channel.send(call(7), {}, handle), SendResult::kTaken);
  handle = Payload();
  bool moved = true;
  while (moved) {
    moved = relay.step(random, 50'000);
    moved = carry(other, second, 1 + random.below(50'000)) || moved;
    moved = carry(second, other, 1 + random.below(50'000)) || moved;
  }
  EXPECT_TRUE(text(second.payloads[7]) == large);
  ASSERT_EQ(relay.worker.payloads.size(), 1U);
  EXPECT_EQ(relay.worker.payloads[1].body()->failure(), BodyFailure::kAborted) << "the first worker was told";
}

TEST(Channel, ARetainedPayloadCanBeSentAgainAtAnyTime) {
  base::Random random(5);
  Relay relay;
  Payload kept;
  relay.in.on_frame = [&](const FrameView& frame) {
    kept = frame.payload.kept();
    kept.body()->retain();
    ASSERT_EQ(relay.out.channel.send(frame.header, {}, frame.payload), SendResult::kTaken);
  };
  const std::string large = noise(5, 5 * kMiB);
  ASSERT_EQ(relay.client.channel.send(call(1), {}, payload(large)), SendResult::kTaken);
  while (kept.empty() || kept.body()->arrived() < 3 * kMiB) ASSERT_TRUE(relay.step(random, 100'000));
  relay.out.channel.close();  // that worker is lost
  TestEnd again;
  Receiver second;
  ASSERT_EQ(again.channel.send(call(1), {}, kept), SendResult::kTaken);
  for (bool moved = true; moved;) {
    settle(relay.client, relay.in, random);
    moved = carry(again, second, 1 + random.below(100'000));
    moved = carry(second, again, 1 + random.below(100'000)) || moved;
  }
  EXPECT_TRUE(text(second.payloads[1]) == large);
  EXPECT_GE(kept.footprint(), large.size());
}

TEST(Channel, WhenTheSenderIsLostTheReceiversFrameEndsWithAFailure) {
  base::Random random(6);
  Relay relay;
  ASSERT_EQ(relay.client.channel.send(call(1), as_span("about"), payload(std::string(9 * kMiB, 'x'))),
            SendResult::kTaken);
  for (int i = 0; i < 40; ++i) relay.step(random, 100'000);
  ASSERT_EQ(relay.worker.channel.streams_in(), 1U);
  relay.in.channel.close();
  EXPECT_GT(relay.out.wakes, 0);
  settle(relay.out, relay.worker, random);
  ASSERT_EQ(relay.worker.payloads.size(), 1U);
  ASSERT_FALSE(relay.worker.payloads[1].is_whole());
  EXPECT_EQ(relay.worker.payloads[1].body()->failure(), BodyFailure::kAborted);
  EXPECT_EQ(relay.worker.metadata[0], "about");
  EXPECT_EQ(relay.out.channel.streams_out(), 0U);
}

TEST(Channel, WhenNobodyWantsTheRestTheSenderStops) {
  base::Random random(7);
  Relay relay;
  ASSERT_EQ(relay.client.channel.send(call(1), {}, payload(std::string(60 * kMiB, 'x'))), SendResult::kTaken);
  ASSERT_EQ(relay.client.channel.send(call(2), {}, payload(std::string(2 * kMiB, 'y'))), SendResult::kTaken);
  relay.in.on_frame = [&](const FrameView& frame) {
    if (frame.header.call_id == 1) return;  // dropped
    ASSERT_EQ(relay.out.channel.send(frame.header, {}, frame.payload), SendResult::kTaken);
  };
  relay.run(random);
  EXPECT_TRUE(relay.client.channel.is_flushed());
  EXPECT_LT(relay.client.bytes_out, 3 * kMiB);
  ASSERT_EQ(relay.worker.payloads.size(), 1U);
  EXPECT_EQ(relay.worker.payloads[2].size(), 2 * kMiB);
}

TEST(Channel, ALostWorkerStopsTheClientToo) {
  base::Random random(8);
  Relay relay;
  ASSERT_EQ(relay.client.channel.send(call(1), {}, payload(std::string(60 * kMiB, 'x'))), SendResult::kTaken);
  for (int i = 0; i < 60; ++i) relay.step(random, 100'000);
  ASSERT_EQ(relay.in.channel.streams_in(), 1U);
  relay.out.channel.close();
  settle(relay.client, relay.in, random);
  EXPECT_EQ(relay.in.channel.streams_in(), 0U);
  EXPECT_TRUE(relay.client.channel.is_flushed());
  EXPECT_LT(relay.client.bytes_out, 12 * kMiB);
}

TEST(Channel, ACancelledCallsArgumentsAreGivenUp) {
  for (const std::uint32_t named : {70'000U, 0U}) {  // A node that cancels at a worker names no attempt.
    base::Random random(9);
    TestEnd sender;
    Receiver receiver;
    FrameHeader header = call(1);
    header.set_attempt(70'000);
    ASSERT_EQ(sender.channel.send(header, {}, payload(std::string(32 * kMiB, 'x'))), SendResult::kTaken);
    for (int i = 0; i < 20; ++i) {
      carry(sender, receiver, 100'000);
      carry(receiver, sender, 100'000);
    }
    header.kind = FrameKind::kCancel;
    header.set_attempt(named);
    ASSERT_EQ(sender.channel.send(header), SendResult::kTaken);
    settle(sender, receiver, random);
    EXPECT_LT(sender.bytes_out, 4 * kMiB);
    ASSERT_EQ(receiver.headers.size(), 2U);
    EXPECT_EQ(receiver.headers[0].kind, FrameKind::kCall);
    EXPECT_EQ(receiver.headers[1].kind, FrameKind::kCancel);
    EXPECT_EQ(receiver.headers[1].attempt(), named);
  }
}

TEST(Channel, ACancelOfACallThatIsBeingAssembledComesAfterIt) {
  TestEnd sender;
  Receiver receiver;
  FrameWriter raw;
  const StreamPrefix prefix{100, 1};
  FrameHeader header = call(5);
  header.flags = kStreamed;
  raw.append(header, {}, std::as_bytes(std::span(&prefix, 1)));
  FrameHeader cancel = call(5);
  cancel.kind = FrameKind::kCancel;
  raw.append(cancel);
  FrameHeader chunk;
  chunk.kind = FrameKind::kChunk;
  chunk.call_id = 1;
  raw.append(chunk, {}, as_span(std::string(100, 'x')));
  const std::string bytes = take_written(raw);
  std::memcpy(receiver.channel.writable().data(), bytes.data(), bytes.size());
  receiver.channel.commit(bytes.size());
  while (auto frame = receiver.channel.next()) receiver.on_frame(*frame);
  ASSERT_EQ(receiver.headers.size(), 2U);
  EXPECT_EQ(receiver.headers[0].kind, FrameKind::kCall);
  EXPECT_EQ(receiver.headers[1].kind, FrameKind::kCancel);
}

TEST(Channel, OneConnectionCanBeBothEndsOfARelay) {
  base::Random random(10);
  TestEnd app;
  TestEnd node;
  std::string received;
  app.on_frame = [&](const FrameView&) { FAIL() << "the app assembles nothing here"; };
  std::vector<Payload> held;
  node.on_frame = [&](const FrameView& frame) {
    ASSERT_EQ(node.channel.send(frame.header, {}, frame.payload), SendResult::kTaken);
  };
  app.on_frame = [&](const FrameView& frame) { held.push_back(frame.payload); };
  ASSERT_EQ(app.channel.send(call(1), {}, payload(std::string(5 * kMiB, 'x'))), SendResult::kTaken);
  settle(app, node, random);
  ASSERT_EQ(held.size(), 1U);
  held.clear();  // the app does not want what it has sent itself
  settle(app, node, random);
  EXPECT_TRUE(app.channel.is_flushed());
  EXPECT_EQ(node.channel.streams_in(), 0U);
  EXPECT_EQ(node.channel.streams_out(), 0U);
  ASSERT_EQ(app.channel.send(call(2), {}, payload(std::string(5 * kMiB, 'x'))), SendResult::kTaken);
  settle(app, node, random);
  node.channel.close();  // with a payload that comes and goes by itself
}

TEST(Channel, ABudgetSlowsStreamsAndStopsNone) {
  base::Random random(11);
  WindowBudget budget(300'000);
  const ChannelOptions options{.budget = &budget};
  {
    Relay relay(options);
    std::map<std::uint64_t, std::string> sent;
    for (std::uint64_t id = 1; id <= 8; ++id) {
      sent[id] = noise(id, 2 * kMiB + id);
      ASSERT_EQ(relay.client.channel.send(call(id), {}, payload(sent[id])), SendResult::kTaken);
    }
    std::size_t most = 0;
    while (relay.step(random, 100'000)) most = std::max(most, budget.used());
    for (const auto& [id, expected] : sent) ASSERT_TRUE(text(relay.worker.payloads[id]) == expected) << id;
    EXPECT_GT(most, 200'000U);
    EXPECT_LE(most, 300'000U + 8 * kChunkBytes);
    ASSERT_EQ(relay.client.channel.send(call(9), {}, payload(std::string(9 * kMiB, 'x'))), SendResult::kTaken);
    for (int i = 0; i < 30; ++i) relay.step(random, 100'000);
  }
  EXPECT_EQ(budget.used(), 0U);
}

TEST(Channel, RandomStreamsCancelsDropsAndLossesLeaveNothingBehind) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    base::Random random(seed);
    WindowBudget budget(random.below(2) == 0 ? 200'000 : 8 * kMiB);
    const ChannelOptions options{.window_bytes = 100'000 + random.below(1'000'000), .budget = &budget};
    auto relay = std::make_unique<Relay>(options);
    std::vector<Payload> handles;
    relay->in.on_frame = [&](const FrameView& frame) {
      const std::uint32_t choice = random.below(10);
      if (choice == 0) return;                                   // dropped
      if (choice == 1) return handles.push_back(frame.payload);  // held for a while
      if (choice == 2 && frame.payload.body() != nullptr) frame.payload.body()->retain();
      static_cast<void>(relay->out.channel.send(frame.header, frame.metadata, frame.payload));
    };
    std::map<std::uint64_t, std::string> sent;
    std::uint64_t id = 0;
    for (int i = 0; i < 300; ++i) {
      const std::uint32_t choice = random.below(12);
      if (choice < 2) {
        const std::string bytes = noise(++id, random.below(random.below(2) == 0 ? 700'000 : 5000));
        if (relay->client.channel.send(call(id), as_span("m"), payload(bytes)) == SendResult::kTaken) sent[id] = bytes;
      } else if (choice == 2 && id != 0) {
        FrameHeader cancel = call(1 + random.below(static_cast<std::uint32_t>(id)));
        cancel.kind = FrameKind::kCancel;
        static_cast<void>(relay->client.channel.send(cancel));
      } else if (choice == 3 && !handles.empty()) {
        const Payload held = std::move(handles.back());
        handles.pop_back();
        if (random.below(2) == 0) continue;
        static_cast<void>(relay->out.channel.send(call(1'000'000 + id), {}, held));
      } else {
        relay->step(random, 1 + random.below(200'000));
      }
    }
    if (random.below(3) == 0) (random.below(2) == 0 ? relay->in : relay->out).channel.close();
    relay->run(random);
    handles.clear();
    relay->run(random);
    for (const auto& [received, bytes] : relay->worker.payloads) {
      if (!bytes.is_whole() || received > 1'000'000 || sent.count(received) == 0 || bytes.empty()) continue;
      ASSERT_TRUE(text(bytes) == sent[received]) << "seed " << seed << " id " << received;
    }
    EXPECT_EQ(relay->in.channel.streams_in(), 0U) << "seed " << seed;
    EXPECT_FALSE(relay->worker.channel.failed() || relay->in.channel.failed() || relay->client.channel.failed());
    relay.reset();
    EXPECT_EQ(budget.used(), 0U) << "seed " << seed;
  }
}

/// What a sender that keeps no rule does to a receiver.
class BadSender {
 public:
  explicit BadSender(const ChannelOptions& options = {}) : receiver(options) {}

  void announce(std::uint64_t stream, std::uint64_t size, std::size_t first) {
    const StreamPrefix prefix{size, stream};
    FrameHeader header = call(stream);
    header.flags = kStreamed;
    writer_.append(header, {}, std::as_bytes(std::span(&prefix, 1)), payload(std::string(first, 'x')));
    deliver();
  }
  void chunk(std::uint64_t stream, std::uint64_t offset, std::size_t size) {
    FrameHeader header;
    header.kind = FrameKind::kChunk;
    header.call_id = stream;
    header.aux = offset;
    writer_.append(header, {}, payload(std::string(size, 'x')));
    deliver();
  }
  void deliver() {
    std::string bytes = take_written(writer_);
    for (std::string_view rest = bytes; !rest.empty();) {
      const auto space = receiver.channel.writable();
      const std::size_t count = std::min(space.size(), rest.size());
      std::memcpy(space.data(), rest.data(), count);
      receiver.channel.commit(count);
      rest.remove_prefix(count);
      while (auto frame = receiver.channel.next()) receiver.on_frame(*frame);
    }
  }
  BodyFailure failure(std::uint64_t stream) { return receiver.payloads.at(stream).body()->failure(); }

  Receiver receiver;
  FrameWriter writer_;
};

TEST(Channel, WhatIsAnnouncedIsJudgedBeforeAnythingIsAllocated) {
  BadSender sender({.message_bytes_max = 10 * kMiB, .streams_max = 2});
  sender.announce(1, UINT64_MAX, 100);
  EXPECT_EQ(sender.failure(1), BodyFailure::kTooLarge);
  sender.announce(2, 10 * kMiB, 100);
  EXPECT_EQ(sender.failure(2), BodyFailure::kTooLarge) << "with its header";
  sender.announce(3, 50, 100);
  EXPECT_EQ(sender.failure(3), BodyFailure::kBrokeProtocol);
  sender.announce(4, 0, 0);
  EXPECT_EQ(sender.failure(4), BodyFailure::kBrokeProtocol);
  sender.announce(5, kMiB, 100);
  sender.announce(6, kMiB, 100);
  sender.announce(7, kMiB, 100);
  EXPECT_EQ(sender.failure(5), BodyFailure::kNone);
  EXPECT_EQ(sender.failure(7), BodyFailure::kTooManyStreams);
  EXPECT_FALSE(sender.receiver.channel.failed());
  EXPECT_EQ(sender.receiver.channel.streams_in(), 2U);
  EXPECT_EQ(sender.receiver.channel.stream_stats().refused, 3U);
  EXPECT_EQ(sender.receiver.channel.stream_stats().violations, 2U);
}

TEST(Channel, PayloadsAreAssembledOneAfterTheOtherWithinTheirBound) {
  base::Random random(12);
  TestEnd sender;
  Receiver receiver({.assemble = true, .assembling_bytes_max = 2 * kMiB});
  std::map<std::uint64_t, std::string> sent;
  for (std::uint64_t id = 1; id <= 9; ++id) {
    sent[id] = noise(id, id == 4 ? 5 * kMiB : kMiB - id);
    ASSERT_EQ(sender.channel.send(call(id), {}, payload(sent[id])), SendResult::kTaken);
  }
  FrameHeader cancel = call(6);  // one that waits
  cancel.kind = FrameKind::kCancel;
  while (receiver.channel.streams_in() < 9) ASSERT_TRUE(carry(sender, receiver, 100'000));
  ASSERT_EQ(sender.channel.send(cancel), SendResult::kTaken);
  std::size_t most = 0;
  std::size_t most_beside_the_large = 0;
  for (bool moved = true; moved;) {
    moved = carry(sender, receiver, 1 + random.below(100'000));
    moved = carry(receiver, sender, 1 + random.below(1000)) || moved;
    const std::size_t now = receiver.channel.assembling_bytes();
    most = std::max(most, now);
    if (now < 5 * kMiB) most_beside_the_large = std::max(most_beside_the_large, now);
  }
  EXPECT_EQ(most, 5 * kMiB) << "alone";
  EXPECT_LE(most_beside_the_large, 2 * kMiB);
  EXPECT_EQ(receiver.channel.assembling_bytes(), 0U);
  for (const auto& [id, expected] : sent) {
    if (id == 6) {
      EXPECT_TRUE(receiver.payloads[id].empty()) << "its cancel came last";
    } else {
      ASSERT_TRUE(text(receiver.payloads[id]) == expected) << id;
    }
  }
}

TEST(Channel, AViolationFailsItsPayloadAndNoOther) {
  struct Case {
    std::uint64_t offset;
    std::size_t size;
    const char* what;
  };
  for (const Case& c : {Case{101, 10, "a gap"}, Case{99, 10, "twice"}, Case{100, 10, "nothing was granted"},
                        Case{100, 0, "no bytes"}, Case{UINT64_MAX, 10, "an offset that wraps"}}) {
    BadSender sender;
    sender.announce(1, kMiB, 100);
    sender.announce(2, kMiB, 100);
    sender.chunk(1, c.offset, c.size);
    EXPECT_EQ(sender.failure(1), BodyFailure::kBrokeProtocol) << c.what;
    EXPECT_EQ(sender.failure(2), BodyFailure::kNone) << c.what;
    sender.chunk(1, 100, 10);  // of what has failed, and of what never was
    sender.chunk(77, 0, 10);
    EXPECT_EQ(sender.receiver.channel.stream_stats().stray_chunks, 2U);
    EXPECT_FALSE(sender.receiver.channel.failed());
  }
}

TEST(Channel, NoChunkIsLargerThanAChunkNorAFirstOneNorAFramesPayload) {
  BadSender sender;
  sender.announce(1, kMiB, kChunkBytes + 1);
  EXPECT_EQ(sender.failure(1), BodyFailure::kBrokeProtocol);
  sender.announce(2, kChunkBytes + 1, kChunkBytes + 1);
  EXPECT_EQ(sender.failure(2), BodyFailure::kBrokeProtocol) << "whole, too";
  sender.announce(3, kMiB, kChunkBytes);
  EXPECT_EQ(sender.failure(3), BodyFailure::kNone);
  sender.receiver.payloads.at(3).body()->open();
  sender.chunk(3, kChunkBytes, kChunkBytes + 1);
  EXPECT_EQ(sender.failure(3), BodyFailure::kBrokeProtocol);
  sender.writer_.append(call(4), {}, payload(std::string(kChunkBytes + 1, 'x')));
  sender.writer_.append(call(5), as_span(std::string(kChunkBytes, 'm')), payload(std::string(kChunkBytes, 'x')));
  sender.deliver();
  EXPECT_EQ(sender.failure(4), BodyFailure::kBrokeProtocol) << "it should have come in chunks";
  EXPECT_TRUE(sender.receiver.payloads.at(5).is_whole()) << "its payload is judged, not its metadata";
  EXPECT_FALSE(sender.receiver.channel.failed());
}

TEST(Channel, MoreThanAnnouncedIsAViolationWhileAssembling) {
  BadSender sender(kAssemble);
  sender.announce(1, 150, 100);
  sender.chunk(1, 100, 51);
  EXPECT_EQ(sender.failure(1), BodyFailure::kBrokeProtocol);
  sender.announce(2, 150, 100);
  sender.chunk(2, 100, 50);
  EXPECT_EQ(sender.receiver.payloads.at(2).size(), 150U);
}

TEST(Channel, AnAnnouncementWithoutASizeIsBrokenFraming) {
  Receiver receiver;
  FrameWriter raw;
  FrameHeader header = call(1);
  header.flags = kStreamed;
  raw.append(header, {}, as_span("123456789012345"));
  const std::string bytes = take_written(raw);
  std::memcpy(receiver.channel.writable().data(), bytes.data(), bytes.size());
  receiver.channel.commit(bytes.size());
  EXPECT_FALSE(receiver.channel.next());
  EXPECT_TRUE(receiver.channel.failed());
  EXPECT_NE(receiver.channel.error().find("in chunks"), std::string::npos);
}

TEST(Channel, AFrameBeyondTheLimitComesWithAPayloadThatHasFailed) {
  TestEnd sender;
  Receiver receiver({.message_bytes_max = 4096});
  ASSERT_EQ(sender.channel.send(call(1), {}, payload(std::string(8192, 'x'))), SendResult::kTaken);
  ASSERT_EQ(sender.channel.send(call(2), {}, payload("small")), SendResult::kTaken);
  while (carry(sender, receiver, 1000)) {
  }
  ASSERT_EQ(receiver.headers.size(), 2U);
  EXPECT_EQ(receiver.payloads[1].body()->failure(), BodyFailure::kTooLarge);
  EXPECT_EQ(text(receiver.payloads[2]), "small");
}

TEST(Channel, SendersKeepToTheReceiversLimits) {
  TestEnd sender;
  sender.channel.set_peer_limits(kMiB, 2);
  EXPECT_EQ(sender.channel.send(call(1), {}, payload(std::string(kMiB, 'x'))), SendResult::kTooLarge);
  EXPECT_EQ(sender.channel.send(call(1), {}, payload(std::string(kMiB - kHeaderBytes, 'x'))), SendResult::kTaken);
  EXPECT_EQ(sender.channel.send(call(2), {}, payload(std::string(100'000, 'x'))), SendResult::kTaken);
  EXPECT_EQ(sender.channel.send(call(3), {}, payload(std::string(100'000, 'x'))), SendResult::kTooManyStreams);
  EXPECT_EQ(sender.channel.send(call(4), {}, payload("small")), SendResult::kTaken);
  EXPECT_EQ(sender.channel.send(call(5), {}, Body::make_failed(100'000, BodyFailure::kAborted)),
            SendResult::kUnsendable);
}

}  // namespace
}  // namespace kaido::wire
