// try_join: all values, or the first error.
#include <kaido/join.h>

#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/coop.h>
#include <kaido/result.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/sync/oneshot.h>

#include "sdk/testing/probe.h"
#include "tests/tokio/support.h"

namespace kaido {
namespace {

using testing::Probe;

Task<Result<int>> value_of(int value) { co_return value; }

TEST(macros_try_join, sync_one_lit_expr_no_comma) {
  parity::current_thread().block_on([]() -> Task<void> {
    const Result<std::tuple<int>> fair = co_await try_join(value_of(1));
    EXPECT_EQ(fair.value(), std::tuple(1));
    const Result<std::tuple<int>> in_order = co_await try_join(biased, value_of(1));
    EXPECT_EQ(in_order.value(), std::tuple(1));
  });
}

TEST(macros_try_join, sync_two_lit_expr_no_comma) {
  parity::current_thread().block_on([]() -> Task<void> {
    const Result<std::tuple<int, int>> fair = co_await try_join(value_of(1), value_of(2));
    EXPECT_EQ(fair.value(), std::tuple(1, 2));
    const Result<std::tuple<int, int>> in_order = co_await try_join(biased, value_of(1), value_of(2));
    EXPECT_EQ(in_order.value(), std::tuple(1, 2));
  });
}

TEST(macros_try_join, two_await) {
  auto [first_sender, first] = oneshot::channel<const char*>();
  auto [second_sender, second] = oneshot::channel<int>();
  Probe probe([&first = first, &second = second]() -> Task<std::tuple<const char*, int>> {
    auto both = co_await try_join(first, second);
    co_return both.value();
  });
  EXPECT_FALSE(probe.poll());
  EXPECT_TRUE(second_sender.send(123));
  EXPECT_TRUE(probe.is_woken());
  EXPECT_FALSE(probe.poll());
  EXPECT_TRUE(first_sender.send("hello"));
  EXPECT_TRUE(probe.is_woken());
  ASSERT_TRUE(probe.poll());
  const auto both = probe.take();
  EXPECT_STREQ(std::get<0>(both), "hello");
  EXPECT_EQ(std::get<1>(both), 123);
}

TEST(macros_try_join, err_abort_early) {
  auto [first_sender, first] = oneshot::channel<int>();
  auto [second_sender, second] = oneshot::channel<int>();
  auto [third_sender, third] = oneshot::channel<int>();
  auto failing = [](oneshot::Receiver<int>& receiver) -> Task<Result<int>> {
    static_cast<void>(co_await receiver);
    co_return Error(ErrorKind::kInvalidArgument, "refused");
  };
  auto passing = [](oneshot::Receiver<int>& receiver) -> Task<Result<int>> {
    const auto received = co_await receiver;
    co_return received.value();
  };
  Probe probe([&, &one = first, &two = second, &three = third]() -> Task<Result<std::tuple<int, int, int>>> {
    co_return co_await try_join(passing(one), failing(two), passing(three));
  });
  EXPECT_FALSE(probe.poll());
  EXPECT_TRUE(first_sender.send(1));
  EXPECT_FALSE(probe.poll());
  EXPECT_TRUE(second_sender.send(2));
  EXPECT_TRUE(probe.is_woken());
  ASSERT_TRUE(probe.poll());
  EXPECT_EQ(probe.take().error().kind(), ErrorKind::kInvalidArgument);
  EXPECT_FALSE(third_sender.is_closed());  // The third never ended; its receiver is ours.
}

TEST(macros_try_join, try_join_does_not_allow_tasks_to_starve) {
  int polite_rounds = 0;
  bool is_done = false;
  auto hungry = [&]() -> Task<Result<void>> {
    while (!is_done) co_await consume_budget();
    co_return Result<void>();
  };
  auto polite = [&]() -> Task<Result<void>> {
    for (; polite_rounds < 5; ++polite_rounds) co_await consume_budget();
    is_done = true;
    co_return Result<void>();
  };
  parity::current_thread().block_on([&]() -> Task<void> {
    const auto both = co_await try_join(hungry(), polite());
    EXPECT_TRUE(both.has_value());
  });
  EXPECT_EQ(polite_rounds, 5);
}

/// Notes each poll, and is ready at the `last`.
class Noting {
 public:
  Noting(std::vector<int>& order, int name, int last) : order_(&order), name_(name), left_(last) {}
  bool poll(PollContext& context) {
    order_->push_back(name_);
    if (--left_ == 0) return true;
    context.target().wake_by_ref();
    return false;
  }
  Result<void> take() { return Result<void>(); }

 private:
  std::vector<int>* order_;
  int name_;
  int left_;
};

TEST(macros_try_join, a_different_future_is_polled_first_every_time_poll_fn_is_polled) {
  std::vector<int> order;
  parity::current_thread().block_on([&]() -> Task<void> {
    const auto all = co_await try_join(Noting(order, 1, 4), Noting(order, 2, 4), Noting(order, 3, 4));
    EXPECT_TRUE(all.has_value());
  });
  const std::vector<int> expected{1, 2, 3, 2, 3, 1, 3, 1, 2, 1, 2, 3};
  EXPECT_EQ(order, expected);
}

TEST(macros_try_join, futures_are_polled_in_order_in_biased_mode) {
  std::vector<int> order;
  parity::current_thread().block_on([&]() -> Task<void> {
    const auto all = co_await try_join(biased, Noting(order, 1, 4), Noting(order, 2, 4), Noting(order, 3, 4));
    EXPECT_TRUE(all.has_value());
  });
  const std::vector<int> expected{1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3};
  EXPECT_EQ(order, expected);
}

TEST(macros_try_join, empty_try_join) {
  parity::current_thread().block_on([]() -> Task<void> {
    const Result<std::tuple<>> fair = co_await try_join();
    EXPECT_TRUE(fair.has_value());
    const Result<std::tuple<>> in_order = co_await try_join(biased);
    EXPECT_TRUE(in_order.has_value());
  });
}

}  // namespace
}  // namespace kaido
