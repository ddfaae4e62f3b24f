#include "proto/wire/payload.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "proto/base/random.h"
#include "proto/wire/body.h"
#include "proto/wire/frame.h"
#include "proto/wire/frame_reader.h"
#include "proto/wire/frame_writer.h"
#include "proto/wire/limits.h"
#include "proto/wire/written.h"

namespace kaido::wire {
namespace {

std::string text(const Payload& payload) { return std::string(as_text(payload.bytes())); }

TEST(Payload, AnEmptyOnePinsNothing) {
  const Payload empty;
  EXPECT_TRUE(empty.empty());
  EXPECT_EQ(empty.footprint(), 0U);
  EXPECT_TRUE(Payload::copy_of({}).kept().empty());
  EXPECT_EQ(Payload::copy_of({}).footprint(), 0U);
}

TEST(Payload, CopiesShareTheBytesAndTheLastOneReleasesThem) {
  Payload first = Payload::copy_of(as_span("arguments"));
  Payload second = first;
  EXPECT_EQ(first.bytes().data(), second.bytes().data());
  Payload third = std::move(first);
  second = Payload();
  third = third.part(2, 3);
  EXPECT_EQ(text(third), "gum");
}

TEST(Payload, AssigningItToItselfKeepsIt) {
  Payload payload = Payload::copy_of(as_span("arguments"));
  const Payload& same = payload;
  payload = same;
  EXPECT_EQ(text(payload), "arguments");
}

TEST(Payload, WhatIsKeptPinsAtMostTwiceItsSize) {
  BlockRef block = BlockRef::allocate(kReadBytes);
  std::memset(block.data(), 'x', kReadBytes);
  const Payload small(block, block.data() + 100, 1000);
  const Payload large(block, block.data(), kReadBytes / 2);
  block.reset();
  EXPECT_GE(small.footprint(), kReadBytes);
  const Payload kept = small.kept();
  EXPECT_NE(kept.bytes().data(), small.bytes().data());
  EXPECT_LE(kept.footprint(), 1000 + sizeof(Block));
  EXPECT_EQ(text(kept), text(small));
  EXPECT_EQ(kept.kept().bytes().data(), kept.bytes().data()) << "copied once, not again";
  EXPECT_EQ(large.kept().bytes().data(), large.bytes().data()) << "half of its block";
}

TEST(Payload, BlocksOfReadsAreUsedAgainLastOneFirst) {
  BlockRef block = BlockRef::allocate(kReadBytes);
  const Payload payload(block, block.data(), 10);
  EXPECT_FALSE(block.is_unique());
  std::vector<BlockRef> more(3 * kPooledBlocks);
  for (BlockRef& other : more) other = BlockRef::allocate(kReadBytes);
  more.clear();  // more than are pooled
  for (int i = 0; i < 3; ++i) EXPECT_EQ(BlockRef::allocate(kReadBytes).capacity(), kReadBytes);
}

/// Feeds `bytes`, cut at random, and gives every frame's payload to `keep`.
template <class Keep>
void feed(FrameReader& reader, std::string_view bytes, base::Random& random, Keep keep) {
  while (!bytes.empty()) {
    const auto space = reader.writable();
    const std::size_t count = std::min<std::size_t>({1 + random.below(70'000), bytes.size(), space.size()});
    std::memcpy(space.data(), bytes.data(), count);
    reader.commit(count);
    bytes.remove_prefix(count);
    while (auto frame = reader.next()) keep(*frame);
  }
}

TEST(FrameReader, PayloadsStayAsTheyWereAsLongAsTheyAreHeld) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    base::Random random(seed);
    FrameWriter writer;
    std::vector<std::string> sent;
    for (int i = 0; i < 300; ++i) {
      const std::uint32_t size = random.below(10) == 0 ? random.below(600'000) : random.below(500);
      std::string payload(size, static_cast<char>('a' + i % 26));
      for (char& c : payload) c = static_cast<char>(c ^ (random.next() & 7));
      writer.append(FrameHeader{}, as_span("metadata"), as_span(payload));
      sent.push_back(std::move(payload));
    }
    const std::string written = take_written(writer);
    FrameReader reader;
    std::vector<std::pair<std::size_t, Payload>> held;
    std::size_t next = 0;
    feed(reader, written, random, [&](const FrameView& frame) {
      ASSERT_EQ(as_text(frame.metadata), "metadata");
      ASSERT_EQ(text(frame.payload), sent[next]) << "seed " << seed;
      if (random.below(3) == 0) held.emplace_back(next, frame.payload);
      if (random.below(5) == 0 && !held.empty()) {
        std::swap(held[random.below(static_cast<std::uint32_t>(held.size()))], held.back());
        ASSERT_EQ(text(held.back().second), sent[held.back().first]) << "seed " << seed;
        held.pop_back();
      }
      ++next;
    });
    EXPECT_EQ(next, sent.size());
    for (const auto& [index, payload] : held) ASSERT_EQ(text(payload), sent[index]) << "seed " << seed;
  }
}

TEST(FrameReader, ALargeFrameGetsABlockOfItsSize) {
  FrameWriter writer;
  const std::string large(3U << 20, 'x');
  writer.append(FrameHeader{}, {}, as_span(large));
  writer.append(FrameHeader{}, {}, as_span("small"));
  const std::string written = take_written(writer);
  base::Random random(3);
  FrameReader reader;
  std::vector<Payload> payloads;
  feed(reader, written, random, [&](const FrameView& frame) { payloads.push_back(frame.payload); });
  ASSERT_EQ(payloads.size(), 2U);
  EXPECT_EQ(payloads[0].footprint(), sizeof(Block) + kHeaderBytes + large.size());
  EXPECT_EQ(text(payloads[0]), large);
  EXPECT_EQ(text(payloads[1]), "small");
}

struct NoSource final : BodySource {
  void on_demand(Body&) override {}
  void on_abandoned(Body&) override {}
};

TEST(Body, ChunksOfOneByteCostLittleMoreThanAByte) {
  NoSource source;
  const Payload whole = Body::make(1U << 20, source);
  Body& body = *whole.body();
  std::string expected;
  for (int i = 0; i < 20'000; ++i) {
    expected.push_back(static_cast<char>('a' + i % 26));
    body.push(Payload::copy_of(as_span(std::string_view(expected).substr(expected.size() - 1))));
  }
  EXPECT_EQ(body.arrived(), 20'000U);
  EXPECT_LT(body.footprint(), 2 * kChunkBytes);
  EXPECT_EQ(as_text(body.at(0).bytes()), expected) << "they lie in one piece";
  EXPECT_LT(body.footprint(), 2 * expected.size());
  body.release(10'000);
  EXPECT_EQ(as_text(body.at(10'000).bytes()), expected.substr(10'000));
}

TEST(Body, AFirstChunkThatNothingFollowsTakesLittleMoreThanItself) {
  NoSource source;
  const Payload whole = Body::make(1U << 20, source);
  whole.body()->push(Payload::copy_of(as_span(std::string(100, 'x'))));
  EXPECT_LT(whole.footprint(), 1024U);
}

}  // namespace
}  // namespace kaido::wire
