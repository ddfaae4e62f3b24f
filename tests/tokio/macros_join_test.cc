// join: everything at once in one task, and whose turn it is.
#include <kaido/join.h>

#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/coop.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/sync/oneshot.h>

#include "sdk/testing/probe.h"
#include "tests/tokio/support.h"

namespace kaido {
namespace {

using testing::Probe;

Task<int> value_of(int value) { co_return value; }

TEST(macros_join, sync_one_lit_expr_no_comma) {
  parity::current_thread().block_on([]() -> Task<void> {
    const std::tuple<int> fair = co_await join(value_of(1));
    EXPECT_EQ(fair, std::tuple(1));
    const std::tuple<int> in_order = co_await join(biased, value_of(1));
    EXPECT_EQ(in_order, std::tuple(1));
  });
}

TEST(macros_join, sync_two_lit_expr_no_comma) {
  parity::current_thread().block_on([]() -> Task<void> {
    const std::tuple<int, int> fair = co_await join(value_of(1), value_of(2));
    EXPECT_EQ(fair, std::tuple(1, 2));
    const std::tuple<int, int> in_order = co_await join(biased, value_of(1), value_of(2));
    EXPECT_EQ(in_order, std::tuple(1, 2));
  });
}

TEST(macros_join, two_await) {
  auto [first_sender, first] = oneshot::channel<const char*>();
  auto [second_sender, second] = oneshot::channel<int>();
  Probe probe([&first = first, &second = second]() -> Task<std::tuple<const char*, int>> {
    auto [text, number] = co_await join(first, second);
    co_return std::tuple(text.value(), number.value());
  });
  EXPECT_FALSE(probe.poll());
  EXPECT_TRUE(second_sender.send(123));
  EXPECT_TRUE(probe.is_woken());
  EXPECT_FALSE(probe.poll());
  EXPECT_TRUE(first_sender.send("hello"));
  EXPECT_TRUE(probe.is_woken());
  ASSERT_TRUE(probe.poll());
  EXPECT_STREQ(std::get<0>(probe.take()), "hello");
}

// A branch that is always ready uses up the task's budget in every poll; its sibling still gets ahead.
template <typename Joined>
void expect_no_starving(Joined make_join) {
  int hungry_rounds = 0;
  int polite_rounds = 0;
  bool is_done = false;
  auto hungry = [&]() -> Task<void> {
    while (!is_done) {
      co_await consume_budget();
      ++hungry_rounds;
    }
  };
  auto polite = [&]() -> Task<void> {
    for (; polite_rounds < 5; ++polite_rounds) co_await consume_budget();
    is_done = true;
  };
  parity::current_thread().block_on([&]() -> Task<void> { co_await make_join(hungry, polite); });
  EXPECT_EQ(polite_rounds, 5);
  EXPECT_GE(hungry_rounds, 1);
}

TEST(macros_join, join_does_not_allow_tasks_to_starve) {
  expect_no_starving([](auto& hungry, auto& polite) { return join(hungry(), polite()); });
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
  void take() {}

 private:
  std::vector<int>* order_;
  int name_;
  int left_;
};

TEST(macros_join, a_different_future_is_polled_first_every_time_poll_fn_is_polled) {
  std::vector<int> order;
  parity::current_thread().block_on(
      [&]() -> Task<void> { co_await join(Noting(order, 1, 4), Noting(order, 2, 4), Noting(order, 3, 4)); });
  const std::vector<int> expected{1, 2, 3, 2, 3, 1, 3, 1, 2, 1, 2, 3};
  EXPECT_EQ(order, expected);
}

TEST(macros_join, futures_are_polled_in_order_in_biased_mode) {
  std::vector<int> order;
  parity::current_thread().block_on(
      [&]() -> Task<void> { co_await join(biased, Noting(order, 1, 4), Noting(order, 2, 4), Noting(order, 3, 4)); });
  const std::vector<int> expected{1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3};
  EXPECT_EQ(order, expected);
}

TEST(macros_join, empty_join) {
  parity::current_thread().block_on([]() -> Task<void> {
    const std::tuple<> fair = co_await join();
    EXPECT_EQ(fair, std::tuple<>());
    const std::tuple<> in_order = co_await join(biased);
    EXPECT_EQ(in_order, std::tuple<>());
  });
}

}  // namespace
}  // namespace kaido
