#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proto/base/random.h"
#include "proto/wire/frame.h"
#include "proto/wire/frame_reader.h"
#include "proto/wire/frame_writer.h"
#include "proto/wire/handshake.h"
#include "proto/wire/limits.h"
#include "proto/wire/outcome.h"
#include "proto/wire/written.h"

namespace kaido::wire {
namespace {

struct Golden {
  std::string file;
  FrameHeader header;
  std::string metadata;
  std::string payload;
};

std::vector<Golden> golden_frames() {
  FrameHeader hello;
  hello.kind = FrameKind::kHello;
  FrameHeader call;
  call.kind = FrameKind::kCall;
  call.template_or_status = 3;
  call.call_id = 0x0123456789abcdef;
  call.budget_ns = 50'000'000;
  for (std::uint8_t i = 0; i < 16; ++i) call.trace.trace_id[i] = i;
  call.trace.span_id = 0xfedcba9876543210;
  FrameHeader result;
  result.kind = FrameKind::kResult;
  result.set_attempt(1);
  result.call_id = 0x0123456789abcdef;
  result.set_load({5, 64});
  FrameHeader error;
  error.kind = FrameKind::kResult;
  error.set_attempt(2);
  error.template_or_status = static_cast<std::uint32_t>(Outcome::kNodeLost);
  error.call_id = 7;
  FrameHeader later;
  later.kind = static_cast<FrameKind>(200);
  later.flags = kIgnorable;
  FrameHeader streamed = call;
  streamed.flags = kStreamed;
  streamed.budget_ns = 0;
  streamed.trace = {};
  const StreamPrefix prefix{11, 5};
  FrameHeader chunk;
  chunk.kind = FrameKind::kChunk;
  chunk.call_id = 5;
  chunk.aux = 5;
  FrameHeader abort = chunk;
  abort.flags = kAbort;
  abort.aux = 11;
  FrameHeader window;
  window.kind = FrameKind::kWindow;
  window.call_id = 5;
  window.aux = 1U << 20;
  FrameHeader late;
  late.kind = FrameKind::kCancel;
  late.call_id = 7;
  late.set_attempt(70'000);
  return {
      {"streamed_call", streamed, "", std::string(as_text(std::as_bytes(std::span(&prefix, 1)))) + "\x0a\x09hel"},
      {"chunk", chunk, "", "lo kai"},
      {"chunk_abort", abort, "", ""},
      {"window", window, "", ""},
      {"late_attempt", late, "", ""},
      {"hello", hello,
       std::string("\x0a\x04\x08\x01\x10\x01\x12\x04"
                   "demo"),
       ""},
      {"call", call, "", "\x0a\x05hello"},
      {"result", result, "", "\x08\x2a"},
      {"result_error", error, "\x0a\x09node lost\x1a\x02n7\x20\x02", ""},
      {"ignorable", later, "", "from a later version"},
  };
}

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Feeds bytes in steps of `step` and returns what came out, as text of header fields that tests compare.
std::vector<std::pair<FrameHeader, std::string>> feed(FrameReader& reader, std::string_view bytes, std::size_t step) {
  std::vector<std::pair<FrameHeader, std::string>> frames;
  while (!bytes.empty()) {
    const auto space = reader.writable();
    const std::size_t count = std::min({step, bytes.size(), space.size()});
    std::memcpy(space.data(), bytes.data(), count);
    reader.commit(count);
    bytes.remove_prefix(count);
    while (auto frame = reader.next()) {
      frames.emplace_back(frame->header,
                          std::string(as_text(frame->metadata)) + "|" + std::string(as_text(frame->payload.bytes())));
    }
  }
  return frames;
}

TEST(Frame, GoldenFramesEncodeToTheirBytes) {
  for (const Golden& golden : golden_frames()) {
    FrameWriter writer;
    writer.append(golden.header, as_span(golden.metadata), as_span(golden.payload));
    EXPECT_EQ(take_written(writer), contents("proto/wire/testdata/" + golden.file + ".frame")) << golden.file;
  }
}

TEST(Frame, GoldenFramesDecodeToTheirValuesHoweverTheyAreCut) {
  for (const Golden& golden : golden_frames()) {
    const std::string bytes = contents("proto/wire/testdata/" + golden.file + ".frame");
    for (const std::size_t step : {std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{65}, bytes.size()}) {
      FrameReader reader;
      const auto frames = feed(reader, bytes, step);
      ASSERT_EQ(frames.size(), 1U) << golden.file << " in steps of " << step;
      FrameHeader expected = golden.header;
      expected.length = static_cast<std::uint32_t>(bytes.size());
      expected.metadata_length = static_cast<std::uint32_t>(golden.metadata.size());
      EXPECT_EQ(frames[0].first, expected);
      EXPECT_EQ(frames[0].second, golden.metadata + "|" + golden.payload);
    }
  }
}

TEST(Frame, KindsHaveNamesAndUnknownOnesAreSaidToBeUnknown) {
  EXPECT_EQ(name(FrameKind::kHello), "hello");
  EXPECT_EQ(name(FrameKind::kGoodbye), "goodbye");
  EXPECT_EQ(name(static_cast<FrameKind>(0)), "unknown");
  EXPECT_EQ(name(static_cast<FrameKind>(26)), "unknown");
  EXPECT_TRUE(is_known(FrameKind::kGoodbye));
  EXPECT_FALSE(is_known(static_cast<FrameKind>(0)));
  EXPECT_FALSE(is_known(static_cast<FrameKind>(26)));
}

TEST(Frame, LoadTravelsInAux) {
  FrameHeader header;
  header.set_load({7, 256});
  EXPECT_EQ(header.load(), (Load{7, 256}));
  header.set_load({0xffffffff, 0xffffffff});
  EXPECT_EQ(header.load(), (Load{0xffffffff, 0xffff}));
}

TEST(Frame, AttemptsKeepTheirWidthBesideTheLoad) {
  for (const std::uint32_t attempt : {0U, 1U, 65'535U, 65'536U, 0xffff'ffffU}) {
    FrameHeader header;
    header.set_attempt(attempt);
    header.set_load({7, 256});
    EXPECT_EQ(header.attempt(), attempt);
    EXPECT_EQ(header.load(), (Load{7, 256}));
    header.set_load({1, 2});
    header.set_attempt(attempt);
    EXPECT_EQ(header.attempt(), attempt);
    EXPECT_EQ(header.load(), (Load{1, 2}));
  }
}

std::string header_bytes(std::uint32_t length, std::uint32_t metadata_length) {
  FrameHeader header;
  header.length = length;
  header.metadata_length = metadata_length;
  std::string bytes(kHeaderBytes, '\0');
  encode(header, std::as_writable_bytes(std::span<char, kHeaderBytes>(bytes.data(), kHeaderBytes)));
  return bytes;
}

TEST(FrameReader, RefusesLengthsThatCannotBe) {
  struct Case {
    std::uint32_t length;
    std::uint32_t metadata_length;
    const char* says;
  };
  for (const Case& c : {Case{63, 0, "less than its header"}, Case{0, 0, "less than its header"},
                        Case{1025, 0, "exceeds the largest that there is, 1024"},
                        Case{0xffffffff, 0, "exceeds the largest that there is"}, Case{100, 37, "metadata of 37 bytes"},
                        Case{1024, 300, "limit of 256"}}) {
    FrameReader reader(1024, 256);
    EXPECT_TRUE(feed(reader, header_bytes(c.length, c.metadata_length), 64).empty());
    EXPECT_TRUE(reader.failed());
    EXPECT_NE(reader.error().find(c.says), std::string::npos) << reader.error();
  }
}

TEST(FrameReader, AnErrorIsFinalAndFramesBeforeItCount) {
  FrameWriter writer;
  writer.append(FrameHeader{});
  const std::string good = take_written(writer);
  FrameReader reader;
  const auto frames = feed(reader, good + header_bytes(1, 0), 1000);
  EXPECT_EQ(frames.size(), 1U);
  EXPECT_TRUE(reader.failed());
  EXPECT_TRUE(feed(reader, good, 64).empty());
}

TEST(FrameReader, BigFramesPassAndTheBufferShrinksAgain) {
  FrameWriter writer;
  FrameHeader header;
  header.kind = FrameKind::kCall;
  const std::string big(16U << 20, 'x');
  writer.append(header, {}, as_span(big));
  writer.append(header, {}, as_span("small"));
  FrameReader reader;
  const auto frames = feed(reader, take_written(writer), 64U << 10);
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].second.size(), big.size() + 1);
  EXPECT_EQ(frames[1].second, "|small");
  EXPECT_EQ(reader.pending_bytes(), 0U);
  EXPECT_LE(reader.writable().size(), kReadBytes);
}

TEST(FrameReader, AFrameThatHasBegunPinsNoMoreThanHasComeOnceItIsCompacted) {
  FrameWriter writer;
  const std::string payload(100'000, 'p');
  writer.append(FrameHeader{.kind = FrameKind::kCall, .call_id = 1}, {}, as_span("first"));
  writer.append(FrameHeader{.kind = FrameKind::kCall, .call_id = 2}, {}, as_span(payload));
  FrameReader reader;
  std::uint64_t frames = 0;
  while (!writer.empty()) {
    const auto space = reader.writable();
    ASSERT_FALSE(space.empty());
    const std::size_t count = std::min({space.size(), writer.pending().size(), std::size_t{30'000}});
    std::memcpy(space.data(), writer.pending().data(), count);
    writer.consume(count);
    reader.commit(count);
    while (const auto frame = reader.next()) {
      EXPECT_EQ(frame->header.call_id, ++frames);
      EXPECT_EQ(as_text(frame->payload.bytes()), frames == 1 ? "first" : payload);
    }
    const std::size_t begun = reader.pending_bytes();
    reader.compact();
    EXPECT_EQ(reader.pending_bytes(), begun);
    EXPECT_EQ(reader.block_bytes(), begun);
  }
  EXPECT_EQ(frames, 2U);
}

TEST(FrameReader, ManyRandomFramesSurviveRandomCuts) {
  base::Random random(7);
  for (int round = 0; round < 20; ++round) {
    FrameWriter writer;
    std::vector<std::string> sent;
    for (int i = 0; i < 200; ++i) {
      const std::string payload(random.below(random.below(10) == 0 ? 100'000 : 200), static_cast<char>('a' + i % 26));
      FrameHeader header;
      header.call_id = static_cast<std::uint64_t>(i);
      writer.append(header, {}, as_span(payload));
      sent.push_back("|" + payload);
    }
    FrameReader reader;
    std::vector<std::string> received;
    const std::string written = take_written(writer);
    std::string_view bytes = written;
    while (!bytes.empty()) {
      const std::size_t count = std::min<std::size_t>(bytes.size(), 1 + random.below(70'000));
      for (auto& [header, text] : feed(reader, bytes.substr(0, count), count)) received.push_back(text);
      bytes.remove_prefix(count);
    }
    EXPECT_EQ(received, sent);
  }
}

TEST(FrameWriter, PartialWritesKeepOrderAndBytes) {
  FrameWriter writer;
  std::string expected;
  std::string sent;
  base::Random random(11);
  std::array<std::span<const std::byte>, 3> segments;
  for (int i = 0; i < 2000; ++i) {
    const std::uint32_t size = random.below(random.below(8) == 0 ? 200'000 : 3000);
    const Payload payload = Payload::copy_of(as_span(std::string(size, static_cast<char>('a' + i % 26))));
    const std::string metadata(random.below(10) == 0 ? random.below(100'000) : random.below(20), 'm');
    FrameWriter single;
    single.append(FrameHeader{}, as_span(metadata), payload.bytes());
    expected += take_written(single);
    if (random.below(2) == 0) {
      writer.append(FrameHeader{}, as_span(metadata), payload);
    } else {
      writer.append(FrameHeader{}, as_span(metadata), payload.bytes());
    }
    std::string gathered;
    for (std::size_t n = writer.gather(segments), at = 0; at < n; ++at) gathered += as_text(segments[at]);
    const std::size_t count = random.below(static_cast<std::uint32_t>(gathered.size() + 1));
    sent += gathered.substr(0, count);
    writer.consume(count);
  }
  EXPECT_EQ(writer.pending_bytes(), expected.size() - sent.size());
  sent += take_written(writer);
  EXPECT_TRUE(sent == expected);
}

TEST(FrameWriter, LargePayloadsAreSentFromWhereTheyLieAndHeldUntilThen) {
  FrameWriter writer;
  Payload payload = Payload::copy_of(as_span(std::string(kReferencedBytes, 'x')));
  const std::byte* const at = payload.bytes().data();
  writer.append(FrameHeader{}, as_span("metadata"), payload);
  writer.append(FrameHeader{}, as_span("metadata"), as_span("small"));
  payload = Payload();
  std::array<std::span<const std::byte>, kMaxSegments> segments;
  ASSERT_EQ(writer.gather(segments), 3U);
  EXPECT_EQ(segments[1].data(), at);
  EXPECT_EQ(segments[1].back(), std::byte{'x'});
  writer.clear();
  EXPECT_EQ(writer.gather(segments), 0U);
}

TEST(Handshake, TakesTheHighestCommonVersion) {
  EXPECT_EQ(common_version({1, 1}, {1, 1}), 1U);
  EXPECT_EQ(common_version({2, 3}, {1, 2}), 2U);
  EXPECT_EQ(common_version({1, 3}, {2, 5}), 3U);
  EXPECT_EQ(common_version({1, 2}, {3, 4}), std::nullopt);
  EXPECT_EQ(common_version({3, 4}, {1, 2}), std::nullopt);
  EXPECT_EQ(common_version({1, 4}, {3, 2}), std::nullopt);
}

TEST(Handshake, SaysWhoSpeaksWhatAndWhoMustBeUpgraded) {
  EXPECT_EQ(no_common_version({2, 3}, {1, 1}),
            "no common protocol version: this side speaks 2 to 3, the other side 1; upgrade the other side");
  EXPECT_EQ(no_common_version({1, 1}, {2, 3}),
            "no common protocol version: this side speaks 1, the other side 2 to 3; upgrade this side");
}

TEST(Outcome, NumbersRoundTripAndUnknownOnesAreRefused) {
  for (std::uint32_t status = 0; status < kOutcomeCount; ++status) {
    ASSERT_TRUE(outcome_from(status));
    EXPECT_FALSE(name(*outcome_from(status)).empty());
    EXPECT_EQ(label(*outcome_from(status)).find(' '), std::string_view::npos);
  }
  EXPECT_EQ(outcome_from(kOutcomeCount), std::nullopt);
}

}  // namespace
}  // namespace kaido::wire
