// Names, ids, fingerprints and the registration of functions.
#include "sdk/function/function_table.h"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace geo {
double distance(double x, double y) { return x + y; }
KAIDO_FUNCTION(distance);

template <class T>
T largest(std::vector<T> values) {
  T best{};
  for (const T& value : values) best = value > best ? value : best;
  return best;
}
KAIDO_FUNCTION_AS("geo.largest<int>", &largest<int>);

struct Tools {
  static std::string upper(const std::string& text) { return text + "!"; }
};
KAIDO_FUNCTION(Tools::upper);
}  // namespace geo

std::int64_t word_count(std::string_view text) noexcept { return static_cast<std::int64_t>(text.size()); }
KAIDO_FUNCTION(word_count);
KAIDO_FUNCTION(word_count);  // As from a header that is included twice.

void always_throws(kaido::Context&, std::string&& text) { throw std::runtime_error("cannot " + std::move(text)); }
KAIDO_FUNCTION(always_throws);

kaido::Result<int> checked_half(int number) {
  if (number % 2 != 0) return kaido::Error(kaido::ErrorKind::kInvalidArgument, "an odd number has no half");
  return number / 2;
}
KAIDO_FUNCTION(checked_half);

namespace kaido::detail {
namespace {

const FunctionEntry& entry(std::string_view name) {
  for (const FunctionEntry* e = first_function(); e != nullptr; e = e->next) {
    if (e->name == name) return *e;
  }
  throw std::out_of_range(std::string(name));
}

template <class... P>
Buffer encode(const P&... values) {
  Buffer buffer;
  EXPECT_TRUE(Arguments<P...>::encode([&buffer](std::size_t size) { return buffer.allocate(size); }, values...));
  return buffer;
}

FunctionEntry named(std::string_view name) {
  FunctionEntry entry;
  entry.name = name;
  entry.id = hash64(name);
  entry.schema = &kSignature<void>;
  return entry;
}

TEST(FunctionTable, ANameThatCannotBeSentIsRefusedWithASentence) {
  const std::string long_name(513, 'f');
  for (const std::string_view name : {std::string_view(""), std::string_view("f\xff"), std::string_view(long_name)}) {
    const FunctionEntry entry = named(name);
    const auto table = FunctionTable::of({&entry});
    ASSERT_TRUE(table.has_error());
    EXPECT_EQ(table.error().kind(), ErrorKind::kInvalidArgument);
    EXPECT_NE(table.error().message().find("KAIDO_FUNCTION_AS"), std::string::npos) << table.error();
  }
}

TEST(FunctionTable, OffersTheKindsThatAreAskedFor) {
  KindsOffered none;
  none.computing = false;
  EXPECT_TRUE(FunctionTable::collect(none)->empty());  // All of this program's compute.
  EXPECT_FALSE(FunctionTable::collect()->empty());
}

TEST(FunctionName, IsQualifiedAndTheSameForEveryCompiler) {
  EXPECT_EQ(function_name<&word_count>(), "word_count");
  EXPECT_EQ(function_name<&geo::distance>(), "geo::distance");
  EXPECT_EQ(function_name<&geo::Tools::upper>(), "geo::Tools::upper");
  EXPECT_EQ(function_name<&geo::largest<int>>(), "geo.largest<int>");
}

// Programs built by other compilers and years apart find each other's functions by these numbers.
TEST(FunctionId, AndFingerprintAreGolden) {
  EXPECT_EQ(entry("word_count").id, 0x71ed9c6b8d75ded2ULL);
  EXPECT_EQ(entry("geo::distance").id, 0x26ddcc9216e3ccacULL);
  EXPECT_EQ(entry("geo.largest<int>").id, 0x0f856941cf94589dULL);
  EXPECT_EQ(entry("word_count").fingerprint, 0x341103d3fac4f7e3ULL);
  EXPECT_EQ(entry("geo::distance").fingerprint, 0x13897fb414718b37ULL);
}

TEST(FunctionEntry, HasTheCanonicalSchema) {
  EXPECT_EQ(entry("word_count").signature(), "(string) -> int64");
  EXPECT_EQ(entry("geo.largest<int>").signature(), "(repeated int32) -> int32");
  EXPECT_EQ(entry("always_throws").signature(), "(string) -> void");
  EXPECT_EQ(entry("checked_half").signature(), "(int32) -> int32");
}

TEST(FunctionTable, OffersEachFunctionOnceSortedByName) {
  const auto table = FunctionTable::collect();
  ASSERT_TRUE(table.ok()) << table.error();
  std::vector<std::string_view> names;
  for (const FunctionEntry* e : *table) names.push_back(e->name);
  EXPECT_EQ(names, (std::vector<std::string_view>{"always_throws", "checked_half", "geo.largest<int>",
                                                  "geo::Tools::upper", "geo::distance", "word_count"}));
  EXPECT_EQ(table->find(entry("word_count").id), &(*table)[5]);
  EXPECT_EQ(table->find(42), nullptr);
}

TEST(FunctionTable, RefusesCollisionsNamingBoth) {
  FunctionEntry a = entry("word_count");
  FunctionEntry b = entry("geo::distance");
  b.id = a.id;
  const auto by_chance = FunctionTable::of({&a, &b});
  ASSERT_FALSE(by_chance.ok());
  EXPECT_NE(by_chance.error().message().find("'word_count' (string) -> int64"), std::string::npos);
  EXPECT_NE(by_chance.error().message().find("'geo::distance' (double, double) -> double"), std::string::npos);

  b.name = a.name;
  const auto same_name = FunctionTable::of({&a, &b});
  ASSERT_FALSE(same_name.ok());
  EXPECT_NE(same_name.error().message().find("registered as"), std::string::npos);
}

struct Execution {
  explicit Execution(std::string_view name, const Buffer& arguments)
      : context(control), call(context, arguments.bytes()) {
    entry(name).run(call);
  }
  CallControl control;
  kaido::Context context;
  Invocation call;
};

TEST(RunPlain, DecodesCallsAndEncodes) {
  const Execution run("geo.largest<int>", encode(std::vector<int>{3, 9, 4}));
  ASSERT_FALSE(run.call.error) << *run.call.error;
  Arguments<int>::Storage result;
  ASSERT_FALSE(Arguments<int>::read(run.call.result.bytes(), result));
  EXPECT_EQ(std::get<0>(result), 9);
}

TEST(RunPlain, AnExceptionBecomesPanickedWithTypeAndText) {
  const Execution run("always_throws", encode(std::string("fly")));
  ASSERT_TRUE(run.call.error);
  EXPECT_TRUE(run.call.error->is_panic());
  EXPECT_EQ(run.call.error->exception_type(), "std::runtime_error");
  EXPECT_NE(run.call.error->message().find("cannot fly"), std::string::npos);
}

TEST(RunPlain, AResultCarriesItsError) {
  const Execution odd("checked_half", encode(3));
  ASSERT_TRUE(odd.call.error);
  EXPECT_EQ(odd.call.error->kind(), ErrorKind::kInvalidArgument);
  const Execution even("checked_half", encode(4));
  EXPECT_FALSE(even.call.error);
}

TEST(RunPlain, MalformedArgumentsNameFunctionParameterAndOffset) {
  Buffer cut;
  cut.allocate(2)[0] = std::byte{0x0a};
  cut.data()[1] = std::byte{5};
  const Execution run("word_count", cut);
  ASSERT_TRUE(run.call.error);
  EXPECT_EQ(run.call.error->kind(), ErrorKind::kInvalidArgument);
  EXPECT_EQ(run.call.error->message(),
            "word_count: parameter 1 malformed at byte 2: a length exceeds the bytes that are left");
}

}  // namespace
}  // namespace kaido::detail
