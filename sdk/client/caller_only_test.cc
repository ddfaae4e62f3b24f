// A program that only calls: it shares a header with the workers and links none of their definitions. That it links at
// all is the first test.
#include <kaido/kaido.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

// --- the shared header ---
namespace elsewhere {

std::int64_t count_words(std::string text, std::int64_t limit = 100);
KAIDO_DECLARE(count_words, "text", "limit");

kaido::Task<kaido::Result<std::string>> find(std::string key, std::optional<int> version);

template <class T>
T largest(std::vector<T> values);
KAIDO_DECLARE_AS("elsewhere.largest<double>", &largest<double>, "values");

class Counter {
 public:
  virtual ~Counter();
  virtual std::int64_t add(std::int64_t amount = 1);
  [[nodiscard]] std::int64_t get() const noexcept;
};
KAIDO_METHOD(Counter, add, "amount");
KAIDO_SERVICE(Counter, add, get);

}  // namespace elsewhere

namespace {

/// What a call without a node ends with.
template <class Call>
kaido::Error error_of(Call call) {
  return kaido::Runtime::create().value().block_on([](Call made) -> kaido::Task<kaido::Error> {
    auto result = co_await std::move(made);
    co_return std::move(result).error();
  }(std::move(call)));
}

template <class MakeCall>
kaido::Error local_error(MakeCall make) {
  auto runtime = kaido::Runtime::create().value();
  const kaido::LocalRuntime local(runtime.handle());
  return error_of(make(local));
}

TEST(CallerOnly, AFunctionThatIsNotLinkedIsAClearError) {
  const kaido::Error error =
      local_error([](auto local) { return local.template remote<&elsewhere::count_words>().call("a b"); });
  EXPECT_TRUE(error.is_unschedulable());
  EXPECT_NE(error.message().find("no node offers 'elsewhere::count_words': this program runs without a node, and it is "
                                 "declared but not linked here"),
            std::string::npos)
      << error;
  EXPECT_EQ(error.reasons().at(0).node, "local");
}

TEST(CallerOnly, SoAreCoroutinesAndTemplates) {
  EXPECT_TRUE(
      local_error([](auto local) { return local.template remote<&elsewhere::find>().call("key"); }).is_unschedulable());
  const kaido::Error error = local_error(
      [](auto local) { return local.template remote<&elsewhere::largest<double>>().call(std::vector<double>{1}); });
  EXPECT_NE(error.message().find("'elsewhere.largest<double>'"), std::string::npos) << error;
}

TEST(CallerOnly, AMethodWithoutAnObjectIsAClearError) {
  const kaido::Error error =
      local_error([](auto local) { return local.template remote<&elsewhere::Counter::add>().call(); });
  EXPECT_TRUE(error.is_unschedulable());
  EXPECT_NE(error.message().find(
                "no node offers 'elsewhere::Counter::add': this program runs without a node, and its class is "
                "declared but no object of it is served here"),
            std::string::npos)
      << error;
}

TEST(CallerOnly, AnUnknownNameIsAClearError) {
  const kaido::Error error =
      local_error([](auto local) { return local.template remote<int(int)>("no_such_thing").call(1); });
  EXPECT_TRUE(error.is_unschedulable());
  EXPECT_NE(error.message().find(
                "no node offers 'no_such_thing': this program runs without a node, and nothing of that name is "
                "registered here"),
            std::string::npos)
      << error;
}

}  // namespace
