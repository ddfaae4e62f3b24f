#include <set>

#include <gtest/gtest.h>

#include "proto/base/backoff.h"
#include "proto/base/check.h"
#include "proto/base/ids.h"
#include "proto/base/random.h"
#include "proto/base/time.h"

namespace kaido::base {
namespace {

using namespace std::chrono_literals;

NodeId counting_id() {
  NodeId id;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) id.bytes[i] = static_cast<std::uint8_t>(i * 17);
  return id;
}

TEST(NodeId, TextRoundTrips) {
  EXPECT_EQ(to_string(counting_id()), "00112233445566778899aabbccddeeff");
  EXPECT_EQ(parse_node_id("00112233445566778899aabbccddeeff"), counting_id());
}

TEST(NodeId, RefusesAnyOtherText) {
  EXPECT_FALSE(parse_node_id(""));
  EXPECT_FALSE(parse_node_id("00112233445566778899aabbccddeef"));
  EXPECT_FALSE(parse_node_id("00112233445566778899aabbccddeeff0"));
  EXPECT_FALSE(parse_node_id("00112233445566778899AABBCCDDEEFF"));
  EXPECT_FALSE(parse_node_id("00112233445566778899aabbccddeefg"));
}

TEST(NodeId, BytesRoundTripAndRefuseOtherLengths) {
  EXPECT_EQ(node_id_from_bytes(to_bytes(counting_id())), counting_id());
  EXPECT_FALSE(node_id_from_bytes("short"));
  EXPECT_FALSE(node_id_from_bytes(std::string(17, 'x')));
}

TEST(Hex, IsSixteenDigits) {
  EXPECT_EQ(to_hex(0), "0000000000000000");
  EXPECT_EQ(to_hex(0x1f), "000000000000001f");
  EXPECT_EQ(to_hex(0xfedcba9876543210), "fedcba9876543210");
}

TEST(TaskId, TextIsShortAndNamesAllParts) {
  EXPECT_EQ(to_string(TaskId{counting_id(), Epoch{7}, 42}), "00112233-7-42");
}

TEST(FunctionId, IsTheOneThatTheProtocolGivesAsAnExample) {
  EXPECT_EQ(function_id_of("word_count").value, 0x71ed9c6b8d75ded2ULL);
  EXPECT_EQ(function_id_of("8yn0iYCKYHlIj4-BwPqk"), function_id_of("GReLUrM4wMqfg9yzV3KQ")) << "they were made for it";
}

TEST(Random, SameSeedSameNumbersAndBelowStaysBelow) {
  Random a(1);
  Random b(1);
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::uint32_t value = a.below(7);
    EXPECT_EQ(value, b.below(7));
    EXPECT_LT(value, 7U);
    seen.insert(value);
  }
  EXPECT_EQ(seen.size(), 7U);
  EXPECT_EQ(a.below(0), 0U);
}

TEST(Backoff, GrowsWithinItsBoundsAndStartsAgain) {
  Backoff backoff(100ms, 1s, 3);
  Duration longest{};
  for (int i = 0; i < 50; ++i) {
    const Duration wait = backoff.next();
    EXPECT_GE(wait, 50ms);
    EXPECT_LE(wait, 1s);
    longest = std::max(longest, wait);
  }
  EXPECT_GT(longest, 500ms);
  backoff.reset();
  EXPECT_LE(backoff.next(), 100ms);
}

TEST(Check, DeathNamesPlaceAndCondition) {
  EXPECT_DEATH(KAIDO_CHECK(1 + 1 == 3), "base_test.cc.*CHECK failed: 1 \\+ 1 == 3");
}

}  // namespace
}  // namespace kaido::base
