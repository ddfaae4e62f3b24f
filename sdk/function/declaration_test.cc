// What the macros say about a function: its name, its parameters' names, and what callers may leave out.
#include <kaido/function.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace shop {

// In a shared header.
std::int64_t price(std::string_view item, std::int64_t count = 1, double discount = 0);
KAIDO_DECLARE(price, "item", "count", "discount");
int only_declared(int number);

// In the worker.
std::int64_t price(std::string_view item, std::int64_t count, double) {
  return static_cast<std::int64_t>(item.size()) * count;
}
KAIDO_FUNCTION(price);

int plain(int a, int b) noexcept { return a + b; }
KAIDO_FUNCTION(plain);
KAIDO_FUNCTION(plain);  // As from a header that is included twice.

int with_context(kaido::Context&, int a, std::optional<int> b = 7, std::vector<int> c = {1}) {
  return a + b.value_or(0) + static_cast<int>(c.size());
}
KAIDO_FUNCTION(with_context, "first", "second", "third");

void optionals(std::optional<int>, int, std::optional<std::string>, std::unique_ptr<int>);

template <class A, class B>
A convert(B value) {
  return static_cast<A>(value);
}
KAIDO_FUNCTION_AS("shop.convert", &convert<int, double>, "value");

int overloaded(int a) { return a; }
int overloaded(const std::string& a) { return static_cast<int>(a.size()); }
KAIDO_DECLARE_AS("shop.overloaded(string)", static_cast<int (*)(const std::string&)>(&overloaded), "text");
KAIDO_FUNCTION_AS("shop.overloaded(string)", static_cast<int (*)(const std::string&)>(&overloaded), "text");
KAIDO_FUNCTION_AS("shop.overloaded(int)", static_cast<int (*)(int)>(&overloaded));

struct Tools {
  static int half(int number, int rounding = 0) { return (number + rounding) / 2; }
};
KAIDO_FUNCTION(Tools::half);

kaido::Task<kaido::Result<int>> coroutine(std::string text = "three") noexcept {
  co_return static_cast<int>(text.size());
}
KAIDO_FUNCTION(coroutine);

}  // namespace shop

namespace kaido::detail {
namespace {

template <auto F>
using Form = WireOf<F, DeclaredOf<F>>;

template <auto F>
std::vector<std::string_view> names() {
  const auto declared = declared_parameters<F, DeclaredOf<F>>();
  return {declared.begin(), declared.end()};
}

TEST(Declaration, NamesParametersWhereGiven) {
  EXPECT_EQ(names<&shop::price>(), (std::vector<std::string_view>{"item", "count", "discount"}));
  EXPECT_EQ(names<&shop::with_context>(), (std::vector<std::string_view>{"first", "second", "third"}));
  EXPECT_EQ((names<&shop::convert<int, double>>()), std::vector<std::string_view>{"value"});
  EXPECT_TRUE(names<&shop::plain>().empty());
}

TEST(Declaration, NamesFunctionsAlsoOverloadsAndTemplates) {
  EXPECT_EQ(function_name<&shop::price>(), "shop::price");
  EXPECT_EQ((function_name<&shop::convert<int, double>>()), "shop.convert");
  EXPECT_EQ(function_name<static_cast<int (*)(const std::string&)>(&shop::overloaded)>(), "shop.overloaded(string)");
  EXPECT_EQ(function_name<static_cast<int (*)(int)>(&shop::overloaded)>(), "shop.overloaded(int)");
}

TEST(Declaration, DefaultArgumentsAreOptionalParameters) {
  EXPECT_EQ(schema_text(Form<&shop::price>::schema()), "(string, optional int64, optional double) -> int64");
  EXPECT_EQ(schema_text(Form<&shop::with_context>::schema()),
            "(int32, optional int32, optional {repeated int32}) -> int32");
  EXPECT_EQ(schema_text(Form<&shop::Tools::half>::schema()), "(int32, optional int32) -> int32");
  EXPECT_EQ(schema_text(Form<&shop::coroutine>::schema()), "(optional string) -> int32");
  EXPECT_EQ(schema_text(Form<&shop::plain>::schema()), "(int32, int32) -> int32");
  // To leave out or to name an argument changes nothing else.
  EXPECT_EQ(Form<&shop::price>::fingerprint(),
            (fingerprint<std::int64_t, std::string, std::optional<std::int64_t>, std::optional<double>>()));
}

// Beside those of function_table_test.cc: what the macros add is as much the same for every compiler.
TEST(Declaration, KeepsIdsAndFingerprintsGolden) {
  EXPECT_EQ(hash64(function_name<&shop::price>()), 0x2720f3767008cc5cULL);
  EXPECT_EQ(Form<&shop::price>::fingerprint(), 0x7bd7951596f5b516ULL);
}

TEST(Declaration, TellsHowManyArgumentsEveryCallGives) {
  EXPECT_EQ(Form<&shop::price>::least(), 1U);
  EXPECT_EQ(Form<&shop::with_context>::least(), 1U);
  EXPECT_EQ(Form<&shop::coroutine>::least(), 0U);
  EXPECT_EQ(Form<&shop::plain>::least(), 2U);
  EXPECT_EQ((Wire<Signature<decltype(&shop::optionals)>, 4>::least()), 2U);  // What is optional at the end.
}

TEST(Declaration, WithoutAMacroNothingIsDeclared) {
  EXPECT_TRUE((std::is_same_v<DeclaredOf<&shop::only_declared>, NotDeclared>));
  // Neither by one that has nothing to say, so that files with and without it agree.
  EXPECT_TRUE((std::is_same_v<DeclaredOf<&shop::plain>, NotDeclared>));
  EXPECT_FALSE((std::is_same_v<DeclaredOf<&shop::price>, NotDeclared>));
}

TEST(ParameterName, IsAsProtobufWantsIt) {
  EXPECT_TRUE(is_parameter_name("a_1"));
  EXPECT_TRUE(is_parameter_name("_A"));
  EXPECT_FALSE(is_parameter_name(""));
  EXPECT_FALSE(is_parameter_name("1a"));
  EXPECT_FALSE(is_parameter_name("a b"));
}

TEST(ParameterName, DiffersForJsonToo) {
  EXPECT_TRUE(same_in_json("text_size", "textSize"));
  EXPECT_TRUE(same_in_json("a", "a_"));
  EXPECT_FALSE(same_in_json("a", "ab"));
  EXPECT_FALSE(same_in_json("ab", "a"));
  EXPECT_FALSE(same_in_json("text1", "text2"));
}

}  // namespace
}  // namespace kaido::detail
