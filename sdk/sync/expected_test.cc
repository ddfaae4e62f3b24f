#include <kaido/expected.h>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

namespace kaido {
namespace {

enum class Colour { kRed, kGreen };
const char* message(Colour colour) { return colour == Colour::kRed ? "red" : "green"; }

Expected<int, Colour> number(bool good) {
  if (good) return 7;
  return Colour::kGreen;
}

TEST(Expected, HoldsAValueOrAnError) {
  EXPECT_TRUE(number(true).has_value());
  EXPECT_EQ(*number(true), 7);
  EXPECT_EQ(number(true).value(), 7);
  EXPECT_FALSE(number(false));
  EXPECT_EQ(number(false).error(), Colour::kGreen);
  EXPECT_EQ(number(false).value_or(3), 3);
}

TEST(Expected, ThrowsTheErrorsTextWhereTheValueIsMissing) {
  try {
    static_cast<void>(number(false).value());
    FAIL() << "value() must throw";
  } catch (const BadExpectedAccess& failure) {
    EXPECT_STREQ(failure.what(), "green");
  }
}

TEST(Expected, TellsValueAndErrorOfOneTypeApart) {
  using Same = Expected<std::string, std::string>;
  const Same value("value");
  const Same error(Unexpected<std::string>("error"));
  EXPECT_EQ(*value, "value");
  EXPECT_EQ(error.error(), "error");
}

TEST(Expected, CopiesMovesAndAssigns) {
  Expected<std::string, Colour> first(std::string("a text that is too long to be stored in place"));
  Expected<std::string, Colour> second(Colour::kRed);
  const auto copy = first;
  EXPECT_EQ(*copy, *first);
  std::swap(first, second);
  EXPECT_EQ(first.error(), Colour::kRed);
  EXPECT_EQ(*second, *copy);
  first = copy;
  EXPECT_EQ(*first, *copy);

  using Unique = Expected<std::unique_ptr<int>, Colour>;
  static_assert(!std::is_copy_constructible_v<Unique>);
  Unique unique(std::make_unique<int>(1));
  const std::unique_ptr<int> taken = *std::move(unique);
  EXPECT_EQ(*taken, 1);
}

TEST(Expected, OfNothingIsSuccessOrAnError) {
  const Expected<void, Colour> success;
  const Expected<void, Colour> failure(Colour::kRed);
  EXPECT_TRUE(success.has_value());
  EXPECT_NO_THROW(success.value());
  EXPECT_THROW(failure.value(), BadExpectedAccess);
  EXPECT_EQ(failure.error(), Colour::kRed);
}

}  // namespace
}  // namespace kaido
