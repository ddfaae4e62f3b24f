// The codec by itself: round trips, what it accepts, what it refuses.
#include <kaido/codec.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

enum class Colour : std::int16_t { kRed = -1, kGreen = 7 };

struct Point {
  double x = 1;
  double y = 1;
  bool operator==(const Point&) const = default;
};
struct Shape {
  std::string name = "unnamed";
  std::vector<Point> points;
  std::optional<std::int32_t> weight;
  std::map<std::string, std::vector<std::uint32_t>> marks;
  bool operator==(const Shape&) const = default;
};
struct Empty {
  bool operator==(const Empty&) const = default;
};

class Money {
 public:
  Money() = default;
  explicit Money(std::int64_t cents) : cents_(cents) {}
  [[nodiscard]] std::int64_t cents() const { return cents_; }
  bool operator==(const Money&) const = default;

 private:
  std::int64_t cents_ = 0;
};

}  // namespace

template <>
struct kaido::Represent<Money> {
  using type = std::int64_t;
  static type to(const Money& money) { return money.cents(); }
  static Money from(type cents) {
    if (cents < 0) throw std::invalid_argument("debt");
    return Money(cents);
  }
};

namespace kaido::detail {
namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes(std::initializer_list<int> values) {
  Bytes out;
  for (const int value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

template <class... P>
Bytes encode(const P&... values) {
  Bytes out(Arguments<P...>::size(values...));
  EXPECT_EQ(Arguments<P...>::write(out.data(), values...), out.data() + out.size());
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
  expect_round_trip(std::vector<double>{1, -2}, std::vector<std::int64_t>{0, -1, 1LL << 40}, std::vector<bool>{true, false},
                    std::vector<std::string>{"", "a"}, std::array<float, 3>{1, 0, 2});
  expect_round_trip(std::optional<int>(0), std::optional<int>(), std::optional<std::string>(""),
                    std::vector<std::optional<int>>{1, std::nullopt}, std::vector<std::vector<int>>{{1, 2}, {}, {3}});
  expect_round_trip(std::map<std::string, double>{{"", 0}, {"a", 1}}, std::unordered_map<int, Point>{{0, {0, 0}}},
                    std::map<double, int>{{0.5, 1}}, std::pair(1, std::string("b")), std::tuple(1, 2.0, std::tuple<>()));
  expect_round_trip(Shape{"", {{0, 0}, {1, 2}}, 0, {{"k", {1, 0}}}}, Shape{}, Empty{}, Money(12));
}

TEST(Codec, WhatTheSenderLeftOutIsZeroAndNotTheClassesDefault) {
  const auto [decoded, error] = decode<Shape>(encode(Shape{"", {}, {}, {}}));
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
}

TEST(Codec, TakesFieldsInAnyOrderAndTheLastOfTwo) {
  const auto [decoded, error] = decode<int, int>(bytes({0x10, 1, 0x08, 2, 0x08, 3}));
  EXPECT_EQ(error, "");
  EXPECT_EQ(decoded, std::tuple(3, 1));
}

TEST(Codec, SkipsUnknownFieldsOfEveryWireType) {
  const auto [decoded, error] = decode<int>(bytes({0x10, 0x80, 1, 0x19, 0, 0, 0, 0, 0, 0, 0, 0, 0x22, 2, 9, 9,  //
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
    const Bytes wire = encode(std::string_view(std::string(shift, 'x')), std::span<const std::byte>(data), std::span<const double>(numbers));
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
  EXPECT_EQ(decode<Money>(encode(-1)).second, "f: parameter 1 malformed at byte 11: kaido::Represent refused the value");
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

TEST(Schema, IsCanonicalText) {
  EXPECT_EQ((schema_text<std::int64_t, std::string_view, std::vector<double>>()), "(string, repeated double) -> int64");
  EXPECT_EQ((schema_text<void, Shape>()),
            "({string, repeated {double, double}, optional int32, map<string, {repeated uint32}>}) -> void");
  EXPECT_EQ((schema_text<Money, Empty, std::vector<std::uint8_t>>()), "({}, bytes) -> int64");
  // Views and owners of the same bytes meet.
  EXPECT_EQ((fingerprint<void, std::string>()), (fingerprint<void, std::string_view>()));
  EXPECT_NE((fingerprint<void, std::string>()), (fingerprint<void, std::vector<char>>()));
}

}  // namespace
}  // namespace kaido::detail
