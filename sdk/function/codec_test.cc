// The codec by itself: round trips, what it accepts, what it refuses.
#include <kaido/codec.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "sdk/function/codec_zoo.h"

namespace kaido::detail {
namespace {

using codec_zoo::Colour;
using codec_zoo::Empty;
using codec_zoo::Money;
using codec_zoo::Point;
using codec_zoo::Polygon;
using codec_zoo::Shape;
using codec_zoo::Tree;

using Bytes = std::vector<std::byte>;

Bytes bytes(std::initializer_list<int> values) {
  Bytes out;
  for (const int value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

template <class... P>
Bytes encode(const P&... values) {
  Bytes out;
  const auto allocate = [&out](std::size_t size) {
    out.resize(size);
    return out.data();
  };
  const auto written = Arguments<P...>::encode(allocate, values...);
  EXPECT_EQ(written, out.size());
  return out;
}

/// The decoded values, or the failure's text.
template <class... P>
std::pair<std::tuple<P...>, std::string> decode(const Bytes& in) {
  typename Arguments<P...>::Storage storage;
  if (const auto failure = Arguments<P...>::read(in, storage)) {
    return {std::tuple<P...>(), explain("f", *failure, "parameter")};
  }
  return {std::tuple<P...>(storage), {}};
}

template <class T>
std::string decode_failure(const Bytes& in) {
  typename Arguments<T>::Storage storage;
  const auto failure = Arguments<T>::read(in, storage);
  return failure ? explain("f", *failure, "parameter") : std::string();
}

template <class... P>
void expect_round_trip(const P&... values) {
  const Bytes wire = encode(values...);
  const auto [decoded, error] = decode<P...>(wire);
  EXPECT_EQ(error, "");
  EXPECT_TRUE(decoded == std::tuple<P...>(values...)) << (schema_text<void, P...>());
}

TEST(Codec, RoundTripsEveryKindOfType) {
  using namespace std::chrono_literals;
  expect_round_trip(true, std::int8_t{-128}, std::uint16_t{65535}, std::numeric_limits<std::int32_t>::min(),
                    std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::uint64_t>::max(), -0.5F, 1e300);
  expect_round_trip(Colour::kRed, Colour::kGreen, std::byte{200}, 'c', 1500ms, std::chrono::hours(-2), 0.25s);
  expect_round_trip(std::string("text\0more", 9), std::string_view("view"), std::vector<std::byte>(300, std::byte{1}),
                    std::vector<char>{'a'}, std::array<std::uint8_t, 4>{1, 2});
  expect_round_trip(std::vector<double>{1, -2}, std::vector<std::int64_t>{0, -1, 1LL << 40},
                    std::vector<bool>{true, false}, std::vector<std::string>{"", "a"}, std::array<float, 3>{1, 0, 2});
  expect_round_trip(std::optional<int>(0), std::optional<int>(), std::optional<std::string>(""),
                    std::vector<std::optional<int>>{1, std::nullopt}, std::vector<std::vector<int>>{{1, 2}, {}, {3}});
  expect_round_trip(std::map<std::string, double>{{"", 0}, {"a", 1}}, std::unordered_map<int, Point>{{0, {0, 0}}},
                    std::map<double, int>{{0.5, 1}}, std::pair(1, std::string("b")),
                    std::tuple(1, 2.0, std::tuple<>()));
  expect_round_trip(Shape{"", {{0, 0}, {1, 2}}, 0, {{"k", {1, 0}}}, Colour::kRed, Point{1, 2}}, Shape{}, Empty{},
                    Money(12));
}

TEST(Codec, WhatTheSenderLeftOutIsZeroAndNotTheClassesDefault) {
  const auto [decoded, error] = decode<Shape>(encode(Shape{"", {}, {}, {}, {}, {}}));
  EXPECT_EQ(std::get<0>(decoded).name, "");
  const auto [point, point_error] = decode<std::vector<Point>>(encode(std::vector<Point>{{0, 0}}));
  EXPECT_EQ(std::get<0>(point).at(0), (Point{0, 0}));
}

TEST(Codec, WritesProtobufBytes) {
  // {int32 1: 150}, the example of protobuf's own documentation.
  EXPECT_EQ(encode(150), bytes({0x08, 0x96, 0x01}));
  EXPECT_EQ(encode(std::string("testing")), bytes({0x0a, 7, 't', 'e', 's', 't', 'i', 'n', 'g'}));
  EXPECT_EQ(encode(std::vector<int>{3, 270, 86942}), bytes({0x0a, 6, 3, 0x8e, 2, 0x9e, 0xa7, 5}));
  EXPECT_EQ(encode(0, std::string(), std::vector<int>()), Bytes());
  EXPECT_EQ(encode(0, -1).size(), 11U);
  // The example of docs/protocol/arguments.md.
  EXPECT_EQ(encode(std::int64_t{150}, std::string("hi"), std::vector<double>{1.0}, std::optional<int>(0)),
            bytes({0x08, 0x96, 0x01, 0x12, 2, 'h', 'i', 0x1a, 8, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x20, 0}));
}

TEST(Codec, TakesFieldsInAnyOrderAndTheLastOfTwo) {
  const auto [decoded, error] = decode<int, int>(bytes({0x10, 1, 0x08, 2, 0x08, 3}));
  EXPECT_EQ(error, "");
  EXPECT_EQ(decoded, std::tuple(3, 1));
}

TEST(Codec, SkipsUnknownFieldsOfEveryWireType) {
  const auto [decoded, error] = decode<int>(bytes({0x10, 0x80, 1, 0x19, 0,    0, 0, 0, 0, 0,    0, 0, 0x22, 2, 9, 9,  //
                                                   0x2b, 0x08, 1, 0x2c, 0x35, 0, 0, 0, 0, 0x08, 5}));
  EXPECT_EQ(error, "");
  EXPECT_EQ(std::get<0>(decoded), 5);
}

TEST(Codec, TakesPackedAndUnpackedNumbers) {
  const auto [decoded, error] =
      decode<std::vector<int>, std::vector<float>>(bytes({0x08, 1, 0x0a, 2, 2, 3, 0x08, 4, 0x15, 0, 0, 0x80, 0x3f}));
  EXPECT_EQ(error, "");
  EXPECT_EQ(std::get<0>(decoded), (std::vector<int>{1, 2, 3, 4}));
  EXPECT_EQ(std::get<1>(decoded), std::vector<float>{1.0F});
}

TEST(Codec, ViewsPointIntoTheReceivedBytes) {
  using Args = Arguments<std::string_view, std::span<const std::byte>, std::span<const double>>;
  const std::vector<double> numbers{1, 2, 3};
  const Bytes data = bytes({1, 2});
  for (std::size_t shift = 0; shift < 8; ++shift) {
    // With every alignment of the block of doubles: viewed where it is aligned, else copied.
    const Bytes wire = encode(std::string_view(std::string(shift, 'x')), std::span<const std::byte>(data),
                              std::span<const double>(numbers));
    Args::Storage storage;
    ASSERT_FALSE(Args::read(wire, storage));
    const auto inside = [&wire](const void* at) { return at >= wire.data() && at < wire.data() + wire.size(); };
    EXPECT_TRUE(inside(std::get<1>(storage).data()));
    const std::span<const double> view = std::get<2>(storage);
    EXPECT_EQ(std::vector<double>(view.begin(), view.end()), numbers);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view.data()) % alignof(double), 0U);
  }
}

TEST(Codec, SpansInSeveralPartsAreJoined) {
  Arguments<std::span<const std::int32_t>, std::span<const float>>::Storage storage;
  ASSERT_FALSE((Arguments<std::span<const std::int32_t>, std::span<const float>>::read(
      bytes({0x0a, 2, 1, 2, 0x12, 4, 0, 0, 0x80, 0x3f, 0x0a, 1, 3, 0x15, 0, 0, 0, 0x40}), storage)));
  const std::span<const std::int32_t> ints = std::get<0>(storage);
  const std::span<const float> floats = std::get<1>(storage);
  EXPECT_EQ(std::vector<std::int32_t>(ints.begin(), ints.end()), (std::vector<std::int32_t>{1, 2, 3}));
  EXPECT_EQ(std::vector<float>(floats.begin(), floats.end()), (std::vector<float>{1, 2}));
}

TEST(Codec, RefusesMalformedBytesNamingParameterAndOffset) {
  EXPECT_EQ(decode<int>(bytes({0x08})).second, "f: parameter 1 malformed at byte 1: a varint is cut off");
  EXPECT_EQ((decode<int, double>(bytes({0x08, 1, 0x11, 0})).second),
            "f: parameter 2 malformed at byte 3: a fixed-width value is cut off");
  EXPECT_EQ(decode<std::string>(bytes({0x0a, 3, 'a'})).second,
            "f: parameter 1 malformed at byte 2: a length exceeds the bytes that are left");
  EXPECT_EQ(decode<std::vector<double>>(bytes({0x0a, 3, 1, 2, 3})).second,
            "f: parameter 1 malformed at byte 2: a packed block ends within an element");
  EXPECT_EQ((decode<std::array<int, 2>>(bytes({0x0a, 3, 1, 2, 3})).second),
            "f: parameter 1 malformed at byte 5: more elements than the array holds");
  EXPECT_EQ(decode<std::int8_t>(bytes({0x08, 0x80, 1})).second,
            "f: parameter 1 malformed at byte 3: a number does not fit the parameter's type");
  EXPECT_EQ(decode<Shape>(bytes({0x0a, 4, 0x12, 2, 0x09, 0})).second,
            "f: parameter 1 malformed at byte 5: a fixed-width value is cut off");
  EXPECT_EQ(decode<Money>(encode(-1)).second,
            "f: parameter 1 malformed at byte 11: kaido::Represent refused the value");
  EXPECT_EQ(decode<int>(bytes({0x00})).second, "f: parameter malformed at byte 1: a field number is out of range");
  EXPECT_EQ(decode<int>(bytes({0x0c})).second, "f: parameter 1 malformed at byte 1: a group ends that did not begin");
  EXPECT_EQ(decode<int>(Bytes(500, std::byte{0x2b})).second.find("f: parameter 5 malformed"), 0U);
  EXPECT_EQ(decode<int>(bytes({0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})).second,
            "f: parameter 1 malformed at byte 11: a varint is longer than ten bytes");
}

TEST(Codec, DurationsSaturateInsteadOfOverflowing) {
  const auto [decoded, error] = decode<std::chrono::nanoseconds>(encode(std::chrono::hours::max()));
  EXPECT_EQ(std::get<0>(decoded), std::chrono::nanoseconds::max());
}

TEST(Codec, CountsTheMembersOfEveryStruct) {
  struct Views {
    std::string_view text;
    std::span<const std::byte> bytes;
    std::unique_ptr<int> number;
    std::vector<std::unique_ptr<int>> numbers;
  };
  struct One {
    std::optional<std::string> only;
  };
  static_assert(kMembersOf<codec_zoo::Mixture> == 20 && kMembersOf<Shape> == 6 && kMembersOf<Tree> == 3 &&
                kMembersOf<Empty> == 0);
  static_assert(kMembersOf<codec_zoo::Wide> == kMaxMembers && kMembersOf<Views> == 4 && kMembersOf<One> == 1);
  expect_round_trip(One{"x"}.only, codec_zoo::Mixture());
}

TEST(Codec, TimePointsAreNanosecondsSinceTheEpoch) {
  using std::chrono::system_clock;
  EXPECT_EQ(encode(system_clock::time_point(std::chrono::nanoseconds(150))), bytes({0x08, 0x96, 0x01}));
  expect_round_trip(system_clock::now(),
                    std::chrono::time_point<system_clock, std::chrono::minutes>(std::chrono::minutes(-3)));
}

TEST(Codec, CharIsItsByteOnEveryProcessor) {
  EXPECT_EQ(encode('\xff'), bytes({0x08, 0xff, 1}));
  EXPECT_EQ(std::get<0>(decode<char>(bytes({0x08, 0xff, 1})).first), '\xff');
  EXPECT_NE(decode<char>(bytes({0x08, 0x80, 2})).second, "");
}

TEST(Codec, SetsAndMapsKeepOneOfEqualElements) {
  EXPECT_EQ(std::get<0>(decode<std::set<int>>(bytes({0x0a, 4, 3, 1, 3, 1})).first), (std::set<int>{1, 3}));
  EXPECT_EQ((std::get<0>(decode<std::map<int, int>>(bytes({0x0a, 4, 8, 1, 16, 2, 0x0a, 4, 8, 1, 16, 3})).first)),
            (std::map<int, int>{{1, 3}}));
}

TEST(Codec, VariantsHoldTheLastAlternativeThatCame) {
  using Variant = std::variant<std::int32_t, std::string, Point>;
  expect_round_trip(Variant(0), Variant(std::string()), Variant(Point{0, 0}), std::variant<std::monostate, int>(0));
  // Always written, so that a zero is told from the other alternatives.
  EXPECT_EQ(encode(Variant(0)), bytes({0x0a, 2, 0x08, 0}));
  EXPECT_EQ(std::get<0>(decode<Variant>(bytes({0x0a, 5, 0x08, 1, 0x12, 1, 'x'})).first), Variant(std::string("x")));
  // None, or one that is not known: the first, cleared.
  EXPECT_EQ(std::get<0>(decode<Variant>(bytes({0x0a, 2, 0x38, 1})).first), Variant(0));
  EXPECT_EQ(std::get<0>(decode<Variant>(Bytes()).first), Variant(0));
}

TEST(Codec, ViewsInsideContainersPointIntoTheReceivedBytes) {
  using Args = Arguments<std::vector<std::string_view>, std::map<std::string_view, std::span<const std::byte>>>;
  const Bytes data = bytes({7});
  const std::string wire =
      codec_zoo::encode_text<std::vector<std::string_view>, std::map<std::string_view, std::span<const std::byte>>>(
          {"one", "two"}, {{"key", data}});
  Args::Storage storage;
  ASSERT_FALSE(Args::read(std::as_bytes(std::span(wire.data(), wire.size())), storage));
  const auto inside = [&wire](const void* at) { return at >= wire.data() && at < wire.data() + wire.size(); };
  EXPECT_TRUE(inside(std::get<0>(storage).at(1).data()));
  EXPECT_TRUE(inside(std::get<1>(storage).at("key").data()));
}

TEST(Codec, ParametersThatMayBeLeftOutSayWhetherTheyCame) {
  using Args = Arguments<int, Defaulted<int>, Defaulted<std::string>, Defaulted<std::vector<int>>,
                         Defaulted<std::span<const double>>>;
  const std::string text;
  const std::vector<int> list;
  const std::vector<double> numbers = {1, 2};
  const std::span<const double> view = numbers;
  const Bytes wire = encode<int, Defaulted<int>, Defaulted<std::string>, Defaulted<std::vector<int>>,
                            Defaulted<std::span<const double>>>(1, 0, text, list, view);
  Args::Storage all;
  ASSERT_FALSE(Args::read(wire, all));
  EXPECT_EQ(std::get<1>(all), 0);
  EXPECT_EQ(std::get<2>(all), "");
  EXPECT_EQ(std::get<3>(all), std::vector<int>());
  EXPECT_EQ(std::get<4>(all)->view.size(), 2U);

  Args::Storage fewer;
  ASSERT_FALSE(Args::read(encode(1), fewer));
  EXPECT_FALSE(std::get<1>(fewer) || std::get<2>(fewer) || std::get<3>(fewer) || std::get<4>(fewer));
  // The same bytes as of an std::optional.
  EXPECT_EQ(encode(1, std::optional(0)), bytes({0x08, 1, 0x10, 0}));
}

TEST(Codec, WhatIsRepresentedIsAbsentAsItsRepresentation) {
  expect_round_trip(Money(0), Polygon({{1, 2}}), std::vector<Money>{Money(1), Money(0)},
                    std::optional<Polygon>(Polygon()));
  EXPECT_EQ(encode(Money(0)), Bytes());
  EXPECT_EQ(encode(std::vector<Money>{Money(1), Money(2)}), bytes({0x0a, 2, 1, 2}));
}

TEST(Codec, RefusesMessagesThatAreNestedTooDeeply) {
  Bytes wire;
  for (int i = 0; i < 200; ++i) {
    Bytes outer = bytes({i == 199 ? 0x0a : 0x12});
    outer.resize(11);
    std::byte* const end = write_varint(outer.data() + 1, wire.size());
    outer.resize(static_cast<std::size_t>(end - outer.data()));
    outer.insert(outer.end(), wire.begin(), wire.end());
    wire = outer;
  }
  EXPECT_NE(decode_failure<Tree>(wire).find("messages are nested too deeply"), std::string::npos);
  EXPECT_NE(decode<int>(Bytes(500, std::byte{0x2b})).second.find("groups are nested too deeply"), std::string::npos);
}

}  // namespace
}  // namespace kaido::detail
