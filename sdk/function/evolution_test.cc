// The C++ half of the rules for a changed signature (docs/sdk/functions.md, "Evolution"): what one side encodes under
// its signature, as the other decodes it under its own. The node's half, which pairs are let through, is
// daemon/core/schema/compatibility_test.cc.
#include <kaido/function.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

namespace kaido::detail {
namespace {

/// Encodes with the first signature, decodes with the second; the failure's text, or nothing.
template <class... To, class... P>
std::string translate(std::tuple<To...>& out, const P&... values) {
  std::vector<std::byte> wire;
  const auto allocate = [&wire](std::size_t size) {
    wire.resize(size);
    return wire.data();
  };
  if (!Arguments<P...>::encode(allocate, values...)) return "too deep";
  const auto failure = Arguments<To...>::read(wire, out);
  return failure ? explain("f", *failure, "parameter") : std::string();
}

template <class... To>
struct Sent {
  template <class... P>
  explicit Sent(const P&... values) : error(translate(received, values...)) {}
  std::tuple<To...> received;
  std::string error;
};

/// One row: what is sent arrives as the expected values.
template <class... To, class... P>
void expect_arrives(std::tuple<To...> expected, const P&... values) {
  const Sent<To...> sent(values...);
  EXPECT_EQ(sent.error, "");
  EXPECT_TRUE(sent.received == expected) << schema_text<void, P...>() << " as " << schema_text<void, To...>();
}

struct Address {
  std::string city;
  bool operator==(const Address&) const = default;
};
struct LargerAddress {
  std::string city;
  std::optional<std::int32_t> code;
  std::vector<std::string> lines;
  bool operator==(const LargerAddress&) const = default;
};

const std::string kText = "text";

// "A field that only one side knows": optional or repeated, and behind all others.
TEST(Evolution, AParameterThatTheWorkerAddedIsAbsent) {
  expect_arrives(std::tuple(5, std::optional<int>()), 5);
  expect_arrives(std::tuple(5, std::vector<int>()), 5);
  expect_arrives(std::tuple(5, std::map<std::string, int>()), 5);
}
TEST(Evolution, AParameterThatTheWorkerDoesNotKnowIsIgnored) {
  expect_arrives(std::tuple(5), 5, std::optional<int>(7));
  expect_arrives(std::tuple(5), 5, std::optional<int>());
  expect_arrives(std::tuple(5), 5, std::vector<std::string>{"a", "b"}, std::map<std::string, Address>{{"a", {"b"}}});
}
TEST(Evolution, TheSameHoldsForMembersOfStructs) {
  expect_arrives(std::tuple(LargerAddress{"Edo", {}, {}}), Address{"Edo"});
  expect_arrives(std::tuple(Address{"Edo"}), LargerAddress{"Edo", 7, {"line"}});
  expect_arrives(std::tuple(std::vector{LargerAddress{"Edo", {}, {}}}), std::vector{Address{"Edo"}});
}
TEST(Evolution, AWorkerMayAnswerMore) {
  // A result is a message with one field: what was added to it is within its struct.
  expect_arrives(std::tuple(Address{"Edo"}), LargerAddress{"Edo", 7, {}});
  expect_arrives(std::tuple(LargerAddress{"Edo", {}, {}}), Address{"Edo"});
}

// "Integers widen and narrow within their signedness."
TEST(Evolution, IntegersWiden) {
  expect_arrives(std::tuple(std::int64_t{-5}), std::int32_t{-5});
  expect_arrives(std::tuple(std::int64_t{std::numeric_limits<std::int32_t>::min()}),
                 std::numeric_limits<std::int32_t>::min());
  expect_arrives(std::tuple(std::uint64_t{4'000'000'000}), std::uint32_t{4'000'000'000});
  expect_arrives(std::tuple(std::int32_t{-5}), std::int8_t{-5});
  expect_arrives(std::tuple(std::vector<std::int64_t>{-1, 2}), std::vector<std::int32_t>{-1, 2});
  expect_arrives(std::tuple(std::optional<std::int64_t>(-1)), std::optional<std::int32_t>(-1));
}
TEST(Evolution, IntegersNarrowIfTheValueFits) {
  expect_arrives(std::tuple(std::int32_t{-5}), std::int64_t{-5});
  expect_arrives(std::tuple(std::numeric_limits<std::int32_t>::max()),
                 std::int64_t{std::numeric_limits<std::int32_t>::max()});
  expect_arrives(std::tuple(std::uint32_t{4'000'000'000}), std::uint64_t{4'000'000'000});
  expect_arrives(std::tuple(std::int8_t{-5}), std::int64_t{-5});
}
TEST(Evolution, AValueThatDoesNotFitIsRefusedByName) {
  constexpr std::string_view kDoesNotFit = "a number does not fit the parameter's type";
  const auto refused = [&](const std::string& error, std::string_view parameter) {
    EXPECT_EQ(error.find("f: parameter " + std::string(parameter) + " malformed at byte"), 0U) << error;
    EXPECT_NE(error.find(kDoesNotFit), std::string::npos) << error;
  };
  refused(Sent<int, std::int32_t>(1, std::int64_t{1} << 31).error, "2");
  refused(Sent<std::int32_t>(std::int64_t{1} << 32).error, "1");
  refused(Sent<std::int32_t>(std::numeric_limits<std::int64_t>::min()).error, "1");
  refused(Sent<std::uint32_t>(std::uint64_t{1} << 32).error, "1");
  refused(Sent<std::int8_t>((std::int64_t{1} << 32) + 1).error, "1");
  refused(Sent<std::uint8_t>(std::uint32_t{256}).error, "1");
  refused(Sent<std::vector<std::int32_t>>(std::vector<std::int64_t>{1, std::int64_t{1} << 40}).error, "1");
  refused(Sent<std::optional<std::int16_t>>(std::optional<std::int32_t>(40000)).error, "1");
}

// "Text and bytes are the same bytes."
TEST(Evolution, TextAndBytesMeet) {
  const std::vector<std::byte> bytes{std::byte{'t'}, std::byte{'e'}, std::byte{'x'}, std::byte{'t'}};
  expect_arrives(std::tuple(bytes), kText);
  expect_arrives(std::tuple(kText), bytes);
  expect_arrives(std::tuple(std::array<char, 4>{'t', 'e', 'x', 't'}), kText);
}

// "Plain and optional do not mix": the node keeps them apart, since this would happen.
TEST(Evolution, PlainAndOptionalWouldTakeZeroForAbsent) {
  expect_arrives(std::tuple(std::optional<int>()), 0);
  expect_arrives(std::tuple(0), std::optional<int>());
}

// "Everything else": the fingerprints differ, and the node refuses the pair.
TEST(Evolution, WhatCannotMeetHasAnotherFingerprint) {
  const std::uint64_t known = fingerprint<int, std::int32_t, std::string>();
  EXPECT_NE((fingerprint<int, std::int32_t, std::string, std::optional<int>>()), known);
  EXPECT_NE((fingerprint<int, std::int64_t, std::string>()), known);
  EXPECT_NE((fingerprint<int, std::uint32_t, std::string>()), known);
  EXPECT_NE((fingerprint<int, std::optional<std::int32_t>, std::string>()), known);
  EXPECT_NE((fingerprint<int, std::vector<std::int32_t>, std::string>()), known);
  EXPECT_NE((fingerprint<int, std::string, std::int32_t>()), known);
  EXPECT_NE((fingerprint<double, std::int32_t, std::string>()), known);
  EXPECT_NE((fingerprint<void, std::int32_t, std::string>()), known);
  // And of what is written alike it is one: names, views and references do not count.
  EXPECT_EQ((fingerprint<int, std::int16_t, std::string_view>()), known);
  EXPECT_EQ((fingerprint<int, Defaulted<std::int32_t>>()), (fingerprint<int, std::optional<std::int32_t>>()));
}

}  // namespace
}  // namespace kaido::detail

// A function, and what became of it: the worker's new version serves callers of the old one, and the other way round.
namespace v1 {
std::string greet(std::string name) { return "Hello, " + name; }
KAIDO_FUNCTION(greet);
}  // namespace v1
namespace v2 {
std::string greet(std::string name, std::optional<int> times, std::string mark = "!") {
  return "Hello, " + name + mark + std::to_string(times.value_or(1));
}
KAIDO_FUNCTION(greet);
}  // namespace v2

namespace kaido::detail {
namespace {

template <auto Worker, auto Caller, class... A>
std::string call(A&&... arguments) {
  Buffer bytes;
  const bool fits = WireOf<Caller, DeclaredOf<Caller>>::encode([&](std::size_t size) { return bytes.allocate(size); },
                                                               std::make_index_sequence<sizeof...(A)>{},
                                                               std::forward<A>(arguments)...);
  EXPECT_TRUE(fits);
  CallControl control;
  kaido::Context context(control);
  Invocation invocation(context, bytes.bytes());
  kEntryOf<Worker>.run(invocation);
  if (invocation.error) return invocation.error->to_string();
  std::tuple<std::string> result;
  EXPECT_FALSE(Arguments<std::string>::read(invocation.result.bytes(), result));
  return std::get<0>(result);
}

TEST(Evolution, OldCallersMeetNewWorkersAndNewCallersOldWorkers) {
  EXPECT_EQ((call<&v2::greet, &v1::greet>("you")), "Hello, you!1");
  EXPECT_EQ((call<&v1::greet, &v2::greet>("you")), "Hello, you");
  EXPECT_EQ((call<&v1::greet, &v2::greet>("you", 3, "?")), "Hello, you");
  EXPECT_EQ((call<&v2::greet, &v2::greet>("you", 3, "?")), "Hello, you?3");
}

}  // namespace
}  // namespace kaido::detail
