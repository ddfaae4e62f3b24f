// Running registered functions from bytes: what is left out, how arguments are passed, coroutines and member functions.
#include <kaido/function.h>
#include <kaido/runtime.h>
#include <kaido/service.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "sdk/function/function_table.h"

namespace lab {

int next_number() {
  static int last = 100;
  return ++last;
}

std::string describe(std::string text, int number = next_number(), std::optional<int> maybe = 5,
                     std::span<const double> weights = {}) {
  return text + " " + std::to_string(number) + " " + (maybe ? std::to_string(*maybe) : "none") + " " +
         std::to_string(weights.size());
}
KAIDO_FUNCTION(describe);

std::string by_category(std::string&& taken, const std::string& seen, std::unique_ptr<int> owned) {
  const std::string mine = std::move(taken);
  return mine + seen + (owned != nullptr ? std::to_string(*owned) : "null");
}
KAIDO_FUNCTION(by_category);

kaido::Task<kaido::Result<int>> slow_sum(kaido::Context& context, int a, int b = 10) {
  if (a < 0) co_return kaido::Error(kaido::ErrorKind::kInvalidArgument, "negative");
  if (a > 1000) throw std::out_of_range("large");
  co_return a + b + static_cast<int>(context.attempt());
}
KAIDO_FUNCTION(slow_sum);

class Counter {
 public:
  virtual ~Counter() = default;
  virtual std::int64_t add(std::int64_t amount = 1) { return sum_ += amount; }
  [[nodiscard]] std::int64_t get() const noexcept { return sum_; }
  kaido::Task<std::int64_t> add_later(kaido::Context&, std::int64_t amount) { co_return add(amount); }
  kaido::Result<void> fail(const std::string& why) const {
    return kaido::Error(kaido::ErrorKind::kInvalidArgument, why);
  }
  void set(int value) { sum_ = value; }
  void set(const std::string& value) { sum_ = static_cast<std::int64_t>(value.size()); }

 protected:
  std::int64_t sum_ = 0;
};
KAIDO_METHOD(Counter, add, "amount");
KAIDO_SERVICE(Counter, add, get, add_later, fail);
KAIDO_FUNCTION_AS("lab.set_text", static_cast<void (Counter::*)(const std::string&)>(&Counter::set));

class Doubler : public Counter {
 public:
  std::int64_t add(std::int64_t amount) override { return sum_ += 2 * amount; }
};

struct Unserved {
  int one();
};
KAIDO_SERVICE(Unserved, one);

}  // namespace lab

namespace kaido::detail {
namespace {

const FunctionEntry& entry(std::string_view name) {
  for (const FunctionEntry* e = first_function(); e != nullptr; e = e->next) {
    if (e->name == name) return *e;
  }
  throw std::out_of_range(std::string(name));
}

bool is_offered(std::string_view name) { return FunctionTable::collect()->find(hash64(name)) != nullptr; }

template <class... P>
Buffer encode(const P&... values) {
  Buffer buffer;
  EXPECT_TRUE(Arguments<P...>::encode([&buffer](std::size_t size) { return buffer.allocate(size); }, values...));
  return buffer;
}

/// Runs a function to its end.
struct Execution {
  Execution(std::string_view name, const Buffer& arguments) : context(control), call(context, arguments.bytes()) {
    if (entry(name).run != nullptr) {
      entry(name).run(call);
    } else {
      Runtime::create().value().block_on(entry(name).start(call));
    }
  }
  template <class R>
  R result() {
    EXPECT_FALSE(call.error) << *call.error;
    typename Arguments<R>::Storage storage;
    EXPECT_FALSE(Arguments<R>::read(call.result.bytes(), storage));
    return std::get<0>(std::move(storage));
  }

  CallControl control;
  kaido::Context context;
  Invocation call;
};

TEST(DefaultArguments, AreEvaluatedWhereTheFunctionRunsForWhatIsLeftOut) {
  const std::string first = Execution("lab::describe", encode(std::string("a"))).result<std::string>();
  const std::string second = Execution("lab::describe", encode(std::string("a"))).result<std::string>();
  EXPECT_EQ(first, "a 101 5 0");
  EXPECT_EQ(second, "a 102 5 0");
}

TEST(DefaultArguments, GiveWayToZeroThatIsThere) {
  using Number = std::optional<int>;
  EXPECT_EQ(Execution("lab::describe", encode(std::string(), Number(0))).result<std::string>(), " 0 5 0");
  EXPECT_EQ(Execution("lab::describe", encode(std::string(), Number(0), Number(0))).result<std::string>(), " 0 0 0");
  EXPECT_EQ(
      Execution("lab::describe", encode(std::string(), Number(3), Number(), std::optional(std::vector<double>{1, 2})))
          .result<std::string>(),
      " 3 none 2");
}

TEST(DefaultArguments, AreTakenFromTheEndOnly) {
  const Buffer arguments =
      encode(std::string(), std::optional<int>(), std::optional<int>(), std::optional(std::vector<double>{1}));
  const Execution run("lab::describe", arguments);
  ASSERT_TRUE(run.call.error);
  EXPECT_EQ(run.call.error->kind(), ErrorKind::kInvalidArgument);
  EXPECT_NE(run.call.error->message().find("lab::describe: an argument is left out before one that is given"),
            std::string::npos)
      << *run.call.error;
}

TEST(Parameters, ArriveInTheirOwnValueCategory) {
  EXPECT_EQ(Execution("lab::by_category", encode(std::string("a"), std::string("b"), std::optional<int>(3)))
                .result<std::string>(),
            "ab3");
  EXPECT_EQ(Execution("lab::by_category", encode(std::string("a"), std::string("b"))).result<std::string>(), "abnull");
}

TEST(Coroutine, IsStartedWithWhatCame) {
  EXPECT_EQ(entry("lab::slow_sum").run, nullptr);
  EXPECT_EQ(Execution("lab::slow_sum", encode(5)).result<int>(), 16);
  EXPECT_EQ(Execution("lab::slow_sum", encode(5, std::optional<int>(0))).result<int>(), 6);
  EXPECT_EQ(Execution("lab::slow_sum", encode(-1)).call.error->message(), "negative");
  EXPECT_EQ(Execution("lab::slow_sum", encode(2000)).call.error->exception_type(), "std::out_of_range");
}

TEST(ServedObject, IsCalledByItsMethods) {
  EXPECT_FALSE(is_offered("lab::Counter::add"));
  const auto counter = std::make_shared<lab::Counter>();
  const Service service = serve(counter);
  EXPECT_TRUE(is_offered("lab::Counter::add"));
  EXPECT_EQ(entry("lab::Counter::add").signature(), "(optional int64) -> int64");
  EXPECT_EQ(entry("lab::Counter::add").id, 0x237ad8c577c99d11ULL);  // Golden, as in function_table_test.cc.
  EXPECT_EQ(entry("lab::Counter::get").signature(), "() -> int64");
  EXPECT_EQ(Execution("lab::Counter::add", encode(std::optional<std::int64_t>(5))).result<std::int64_t>(), 5);
  EXPECT_EQ(Execution("lab::Counter::add", encode()).result<std::int64_t>(), 6);
  EXPECT_EQ(Execution("lab::Counter::add_later", encode(std::int64_t{10})).result<std::int64_t>(), 16);
  EXPECT_EQ(Execution("lab::Counter::get", encode()).result<std::int64_t>(), 16);
  EXPECT_EQ(Execution("lab::Counter::fail", encode(std::string("why"))).call.error->message(), "why");
  EXPECT_FALSE(Execution("lab.set_text", encode(std::string("four"))).call.error);
  EXPECT_EQ(counter->get(), 4);
}

TEST(ServedObject, IsItsOwnClassAlsoByDefaultArguments) {
  const Service service = serve<lab::Counter>(std::make_shared<lab::Doubler>());
  EXPECT_EQ(Execution("lab::Counter::add", encode(std::optional<std::int64_t>(5))).result<std::int64_t>(), 10);
  EXPECT_EQ(Execution("lab::Counter::add", encode()).result<std::int64_t>(), 12);
}

TEST(ServedObject, IsGoneWithItsService) {
  const auto counter = std::make_shared<lab::Counter>();
  Service service = serve(counter);
  EXPECT_EQ(counter.use_count(), 2);
  Service moved = std::move(service);
  service.end();
  EXPECT_TRUE(is_offered("lab::Counter::add"));
  moved.end();
  EXPECT_EQ(counter.use_count(), 1);
  EXPECT_FALSE(is_offered("lab::Counter::add"));
  EXPECT_FALSE(is_offered("lab.set_text"));

  // A call that was on its way.
  for (const std::string_view name : {"lab::Counter::get", "lab::Counter::add_later"}) {
    const Execution late(name, encode(std::int64_t{1}));
    ASSERT_TRUE(late.call.error);
    EXPECT_TRUE(late.call.error->is_rejected());
    EXPECT_NE(late.call.error->message().find(std::string(name) + ": this program serves no object of the class"),
              std::string::npos);
  }
  const Service again = serve(counter);
  EXPECT_TRUE(is_offered("lab::Counter::add"));
}

TEST(ServedObject, IsAliveUntilItsLastCallIsDone) {
  auto counter = std::make_shared<lab::Counter>();
  const std::weak_ptr<lab::Counter> watch = counter;
  Service service = serve(std::exchange(counter, nullptr));
  CallControl control;
  kaido::Context context(control);
  const Buffer arguments = encode(std::int64_t{2});
  Invocation call(context, arguments.bytes());
  {
    auto task = [](Invocation& running, Service& ends) -> Task<void> {
      co_await entry("lab::Counter::add_later").start(running);
      ends.end();
    }(call, service);
    Runtime::create().value().block_on(std::move(task));
  }
  EXPECT_FALSE(call.error);
  EXPECT_TRUE(watch.expired());
}

TEST(ServedObject, IsOneOfItsClass) {
  const Service service = serve(std::make_shared<lab::Counter>());
  EXPECT_THROW(static_cast<void>(serve(std::make_shared<lab::Counter>())), std::logic_error);
  EXPECT_THROW(static_cast<void>(serve(std::shared_ptr<lab::Counter>())), std::logic_error);
}

}  // namespace
}  // namespace kaido::detail
