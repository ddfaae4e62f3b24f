// One type for what may fail, under its names.
#include <kaido/result.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

namespace kaido {
namespace {

static_assert(std::is_same_v<Result<int>, Expected<int, Error>>);
static_assert(std::is_same_v<Result<void>, Expected<void, Error>>);

Error busy() { return Error(ErrorKind::kRejected, "busy"); }

TEST(Result, WhatValueThrowsCarriesTheError) {
  Result<int> result = busy();
  EXPECT_TRUE(result.has_error() && !result.ok() && !result);
  try {
    result.value();
    FAIL() << "it has no value";
  } catch (const BadResultAccess& failure) {
    EXPECT_TRUE(failure.error().is_rejected());
    EXPECT_EQ(std::string(failure.what()), busy().to_string());
  }
  EXPECT_THROW(result.value(), BadExpectedAccess) << "as other errors' do";
  EXPECT_THROW(Result<void>(busy()).value(), BadResultAccess);
  EXPECT_NO_THROW(Result<void>().value());
}

TEST(Result, ValuesAndErrorsAreAssignedToEachOther) {
  Result<std::unique_ptr<int>> result = busy();
  result = std::make_unique<int>(3);
  EXPECT_EQ(**result, 3);
  result = std::make_unique<int>(4);
  EXPECT_EQ(**result, 4);
  result = busy();
  EXPECT_TRUE(result.error().is_rejected());
  result = Error(ErrorKind::kUnavailable);
  EXPECT_TRUE(result.error().is_unavailable());

  Result<std::string> copied = std::string("text");
  const Result<std::string> other = busy();
  copied = other;
  EXPECT_TRUE(copied.error().is_rejected() && other.error().is_rejected());
}

/// Its move throws when it is told to.
struct Unruly {
  explicit Unruly(int its_number) : number(its_number) {}
  Unruly(Unruly&& other) : number(other.number) {
    if (throws) throw std::runtime_error("moved");
  }
  Unruly& operator=(Unruly&& other) {
    number = other.number;
    return *this;
  }
  ~Unruly() = default;

  static inline bool throws = false;
  int number;
};

TEST(Result, AValueWhoseMoveMayThrowIsAssignedAndTheErrorStaysWhereItDoes) {
  Result<Unruly> result = Unruly(1);
  result = Result<Unruly>(Unruly(2));
  EXPECT_EQ(result->number, 2);
  result = Result<Unruly>(busy());
  EXPECT_TRUE(result.error().is_rejected());
  Result<Unruly> next = Unruly(3);
  Unruly::throws = true;
  EXPECT_THROW(result = std::move(next), std::runtime_error);
  Unruly::throws = false;
  EXPECT_TRUE(result.error().is_rejected());
  result = std::move(next);
  EXPECT_EQ(result->number, 3);
}

}  // namespace
}  // namespace kaido
