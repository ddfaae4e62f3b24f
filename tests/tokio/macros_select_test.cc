// select: which branch wins, what happens to the others, preconditions, patterns, otherwise.
#include <kaido/select.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/coop.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/sync/mpsc.h>
#include <kaido/sync/oneshot.h>
#include <kaido/time.h>

#include "sdk/testing/probe.h"
#include "tests/tokio/support.h"

namespace kaido {
namespace {

using namespace std::chrono_literals;
using testing::Probe;

/// Never ready.
struct Pending {
  bool poll(PollContext&) { return false; }
  void take() {}
};

template <typename T>
Task<T> value_of(T value) {
  co_return value;
}

TEST(macros_select, no_branch_else_only) {
  parity::current_thread().block_on([]() -> Task<void> {
    const int one = co_await select(otherwise([] { return 1; }));
    EXPECT_EQ(one, 1);
    const int two = co_await select(otherwise([] { return value_of(2); }));
    EXPECT_EQ(two, 2);
  });
}

TEST(macros_select, no_branch_else_only_biased) {
  parity::current_thread().block_on([]() -> Task<void> {
    const int one = co_await select(biased, otherwise([] { return 1; }));
    EXPECT_EQ(one, 1);
  });
}

TEST(macros_select, nested_one) {
  parity::current_thread().block_on([]() -> Task<void> {
    const int won = co_await select(on(value_of(1), [](int outer) -> Task<int> {
      co_return co_await select(on(value_of(2), [outer](int inner) { return outer + inner; }));
    }));
    EXPECT_EQ(won, 3);
  });
}

TEST(macros_select, sync_one_await) {
  parity::current_thread().block_on([]() -> Task<void> {
    const int won = co_await select(on(value_of(1), [](int value) { return value; }));
    EXPECT_EQ(won, 1);
    const std::variant<int> plain = co_await select(value_of(1));
    EXPECT_EQ(std::get<0>(plain), 1);
  });
}

TEST(macros_select, sync_two) {
  parity::current_thread().block_on([]() -> Task<void> {
    int bodies = 0;
    const int won = co_await select(on(value_of(1),
                                       [&](int value) {
                                         ++bodies;
                                         return value;
                                       }),
                                    on(value_of(2), [&](int value) {
                                      ++bodies;
                                      return value;
                                    }));
    EXPECT_EQ(bodies, 1);
    EXPECT_TRUE(won == 1 || won == 2);
  });
}

TEST(macros_select, one_ready) {
  parity::current_thread().block_on([]() -> Task<void> {
    auto [first_sender, first] = oneshot::channel<int>();
    auto [second_sender, second] = oneshot::channel<int>();
    EXPECT_TRUE(first_sender.send(1));
    const int won =
        co_await select(on_value(first, [](int value) { return value; }), on_value(second, [](int) { return 0; }));
    EXPECT_EQ(won, 1);
  });
}

TEST(macros_select, select_streams) {
  parity::current_thread().block_on([]() -> Task<void> {
    auto [first_sender, first] = mpsc::unbounded_channel<std::string>();
    auto [second_sender, second] = mpsc::unbounded_channel<std::string>();
    auto sending = spawn([first = std::move(first_sender), second = std::move(second_sender)]() mutable -> Task<void> {
      EXPECT_TRUE(second.send("one"));
      co_await yield_now();
      EXPECT_TRUE(first.send("two"));
      co_await yield_now();
      EXPECT_TRUE(second.send("three"));
      co_await yield_now();
      {
        auto dropped = std::move(first);
      }
      {
        auto dropped = std::move(second);
      }
    });
    std::vector<std::string> received;
    auto keep = [&](std::string value) { received.push_back(std::move(value)); };
    bool ended = false;
    while (!ended) {
      co_await select(on_value(first.recv(), keep), on_value(second.recv(), keep), otherwise([&] { ended = true; }));
    }
    const std::vector<std::string> expected{"one", "two", "three"};
    EXPECT_EQ(received, expected);
    EXPECT_TRUE((co_await sending).has_value());
  });
}

TEST(macros_select, move_uncompleted_futures) {
  parity::current_thread().block_on([]() -> Task<void> {
    auto [first_sender, first] = oneshot::channel<int>();
    auto [second_sender, second] = oneshot::channel<int>();
    EXPECT_TRUE(first_sender.send(1));
    int bodies = 0;
    co_await select(on_value(first, [&](int value) { bodies += value; }), on_value(second, [&](int) { bodies = -1; }));
    EXPECT_EQ(bodies, 1);
    EXPECT_TRUE(second_sender.send(2));
    const auto later = co_await second;
    EXPECT_EQ(later.value(), 2);
  });
}

TEST(macros_select, nested) {
  parity::current_thread().block_on([]() -> Task<void> {
    const int won =
        co_await select(on(value_of(1),
                           [](int outer) -> Task<int> {
                             co_return co_await select(on(value_of(2), [&](int inner) { return outer + inner; }),
                                                       on(Pending(), [] { return 0; }));
                           }),
                        on(Pending(), [] { return 0; }));
    EXPECT_EQ(won, 3);
  });
}

/// Ready at its first poll; a second one is a failure.
struct ReadyOnce {
  bool poll(PollContext&) {
    EXPECT_EQ(polls++, 0);
    return true;
  }
  std::optional<int> take() { return std::nullopt; }
  int polls = 0;
};

TEST(macros_select, future_panics_after_poll) {
  auto [sender, receiver] = oneshot::channel<int>();
  Probe probe([&receiver = receiver]() -> Task<int> {
    co_return co_await select(on_value(ReadyOnce(), [](int value) { return value; }),
                              on_value(receiver, [](int value) { return value; }));
  });
  EXPECT_FALSE(probe.poll());
  EXPECT_FALSE(probe.poll());
  EXPECT_TRUE(sender.send(1));
  EXPECT_TRUE(probe.is_woken());
  ASSERT_TRUE(probe.poll());
  EXPECT_EQ(probe.take(), 1);
}

TEST(macros_select, disable_with_if) {
  auto [sender, receiver] = oneshot::channel<int>();
  bool was_started = false;
  Probe probe([&, &receiver = receiver]() -> Task<bool> {
    auto operation = [&]() -> Task<void> {
      was_started = true;
      co_return;
    };
    co_return co_await select(on(operation(), [] { return false; }).when(false),
                              on_value(receiver, [](int) { return true; }));
  });
  EXPECT_FALSE(probe.poll());
  EXPECT_TRUE(sender.send(1));
  ASSERT_TRUE(probe.poll());
  EXPECT_TRUE(probe.take());
  EXPECT_FALSE(was_started);
}

TEST(macros_select, join_with_select) {
  auto [first_sender, first] = oneshot::channel<int>();
  auto [second_sender, second] = oneshot::channel<int>();
  Probe probe([&first = first, &second = second]() -> Task<std::pair<int, int>> {
    std::optional<int> a;
    std::optional<int> b;
    while (!a || !b) {
      co_await select(on_value(first, [&](int value) { a = value; }).when(!a),
                      on_value(second, [&](int value) { b = value; }).when(!b));
    }
    co_return std::pair(*a, *b);
  });
  EXPECT_FALSE(probe.poll());
  EXPECT_TRUE(second_sender.send(123));
  EXPECT_TRUE(probe.is_woken());
  EXPECT_FALSE(probe.poll());
  EXPECT_TRUE(first_sender.send(321));
  EXPECT_TRUE(probe.is_woken());
  ASSERT_TRUE(probe.poll());
  EXPECT_EQ(probe.take(), std::pair(321, 123));
}

TEST(macros_select, use_future_in_if_condition) {
  parity::current_thread().block_on([]() -> Task<void> {
    Sleep waiting = sleep(10ms);
    const bool is_elapsed = waiting.is_elapsed();
    co_await select(on(waiting, [] { ADD_FAILURE(); }).when(is_elapsed), on(value_of(1), [](int) {}));
  });
}

TEST(macros_select, use_future_in_if_condition_biased) {
  parity::current_thread().block_on([]() -> Task<void> {
    Sleep waiting = sleep(10ms);
    const bool is_elapsed = waiting.is_elapsed();
    co_await select(biased, on(waiting, [] { ADD_FAILURE(); }).when(is_elapsed), on(value_of(1), [](int) {}));
  });
}

template <std::size_t... I>
Task<std::size_t> select_of_many(std::size_t ready, std::index_sequence<I...>) {
  co_return co_await select(on(Pending(), [] { return I; }).when(false)...,
                            on(value_of(ready), [](std::size_t value) { return value; }));
}

TEST(macros_select, many_branches) {
  parity::current_thread().block_on([]() -> Task<void> {
    const std::size_t won = co_await select_of_many(7, std::make_index_sequence<63>());
    EXPECT_EQ(won, 7u);
  });
}

TEST(macros_select, biased_one_not_ready) {
  parity::current_thread().block_on([]() -> Task<void> {
    auto [first_sender, first] = oneshot::channel<int>();
    auto [second_sender, second] = oneshot::channel<int>();
    auto [third_sender, third] = oneshot::channel<int>();
    EXPECT_TRUE(second_sender.send(2));
    EXPECT_TRUE(third_sender.send(3));
    auto same = [](int value) { return value; };
    const int won = co_await select(biased, on_value(first, same), on_value(second, same), on_value(third, same));
    EXPECT_EQ(won, 2);
  });
}

TEST(macros_select, biased_eventually_ready) {
  parity::current_thread().block_on([]() -> Task<void> {
    auto first = spawn([]() -> Task<void> { co_return; });
    auto second = spawn([]() -> Task<void> { co_await yield_now(); });
    auto third = spawn([]() -> Task<void> { co_await yield_now(); });
    std::vector<int> order;
    bool done[4] = {};
    auto note = [&](int which) {
      done[which] = true;
      order.push_back(which);
    };
    while (!done[1] || !done[2] || !done[3]) {
      co_await select(biased, on(first, [&](Result<void>) { note(1); }).when(!done[1]),
                      on(second, [&](Result<void>) { note(2); }).when(!done[2]),
                      on(third, [&](Result<void>) { note(3); }).when(!done[3]));
    }
    const std::vector<int> expected{1, 2, 3};
    EXPECT_EQ(order, expected);
  });
}

std::vector<int> choices_of(Runtime runtime) {
  auto choose = []() -> Task<std::vector<int>> {
    std::vector<int> choices;
    for (int i = 0; i < 100; ++i) {
      const auto won = co_await select(value_of(0), value_of(1), value_of(2));
      choices.push_back(static_cast<int>(won.index()));
    }
    co_return choices;
  };
  std::vector<int> choices = runtime.block_on(choose);
  JoinHandle<std::vector<int>> handle = runtime.spawn(choose);
  const std::vector<int> spawned = runtime.block_on(handle).value();
  choices.insert(choices.end(), spawned.begin(), spawned.end());
  return choices;
}

TEST(macros_select, unstable__deterministic_select_current_thread) {
  auto choose = [](std::uint64_t seed) {
    return choices_of(RuntimeBuilder::new_current_thread().rng_seed(RngSeed(seed)).build().value());
  };
  EXPECT_EQ(choose(1234), choose(1234));
  EXPECT_NE(choose(1234), choose(4321));
}

TEST(macros_select, unstable__deterministic_select_multi_thread) {
  auto choose = [](std::uint64_t seed) {
    return choices_of(RuntimeBuilder::new_multi_thread().worker_threads(1).rng_seed(RngSeed(seed)).build().value());
  };
  EXPECT_EQ(choose(1234), choose(1234));
  EXPECT_NE(choose(1234), choose(4321));
}

TEST(macros_select, select_is_budget_aware) {
  bool was_exhausted = false;
  Probe probe([&]() -> Task<bool> {
    for (int i = 0; i < detail::Budget::kPerPoll; ++i) co_await consume_budget();
    was_exhausted = true;
    co_return co_await select(on(value_of(true), [](bool value) { return value; }));
  });
  EXPECT_FALSE(probe.poll());
  EXPECT_TRUE(was_exhausted);
  EXPECT_TRUE(probe.is_woken());
  ASSERT_TRUE(probe.poll());
  EXPECT_TRUE(probe.take());
}

}  // namespace
}  // namespace kaido
