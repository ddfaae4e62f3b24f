// select, join and timeout beyond the parity cases: when losers go, where exceptions go, what handlers may be.
#include <kaido/join.h>
#include <kaido/select.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/expected.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/time.h>

namespace kaido {
namespace {

using namespace std::chrono_literals;

Runtime paused() { return RuntimeBuilder::new_current_thread().enable_all().start_paused().build().value(); }

Task<int> value_of(int value) { co_return value; }

Task<int> after(std::chrono::milliseconds delay, int value) {
  co_await sleep(delay);
  co_return value;
}

/// Holds `alive` while its frame exists.
Task<void> endless(std::shared_ptr<int> alive) {
  co_await sleep(1h);
  EXPECT_EQ(*alive, -1) << "not reached";
}

Task<int> fail() {
  throw std::runtime_error("failed");
  co_return 0;
}

template <typename F>
bool throws(Runtime& runtime, F body) {
  try {
    runtime.block_on(body);
  } catch (const std::runtime_error&) {
    return true;
  }
  return false;
}

TEST(Select, DestroysTheLosersBeforeTheHandlerRuns) {
  paused().block_on([]() -> Task<void> {
    auto alive = std::make_shared<int>(0);
    const std::weak_ptr<int> watched = alive;
    Task<void> loser = endless(std::move(alive));
    co_await select(on(std::move(loser), [] { ADD_FAILURE(); }),
                    on(after(1ms, 1), [&](int) { EXPECT_TRUE(watched.expired()); }));
    EXPECT_TRUE(watched.expired());
  });
}

TEST(Select, GivesWhatTheHandlersHaveInCommon) {
  paused().block_on([]() -> Task<void> {
    auto both = select(on(value_of(1), [](int) { return 1; }), on(sleep(1s), []() -> Task<double> { co_return 2.5; }));
    static_assert(std::is_same_v<decltype(both)::Output, double>);
    EXPECT_EQ(co_await both, 1.0);
    const auto plain = co_await select(sleep(1ms), after(2ms, 3), otherwise([] { return std::string("none"); }));
    static_assert(std::is_same_v<decltype(plain), const std::variant<std::monostate, int, std::string>>);
    EXPECT_EQ(plain.index(), 0u);
  });
}

TEST(Select, PatternsRefuseAndMoveOnlyValuesPass) {
  paused().block_on([]() -> Task<void> {
    const int won = co_await select(
        biased, on(value_of(1), [](int value) { return value; }).matching([](int value) { return value > 1; }),
        on(value_of(2), [](int value) { return value; }).matching([](int value) { return value > 1; }));
    EXPECT_EQ(won, 2);
    auto make = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); };
    const auto kept = co_await select(on(make(), [](std::unique_ptr<int> value) { return value; }));
    EXPECT_EQ(*kept, 7);
  });
}

TEST(Select, ThrowsWithoutAnyBranchLeft) {
  auto runtime = paused();
  EXPECT_THROW(runtime.block_on([]() -> Task<void> { co_await select(on(value_of(1), [](int) {}).when(false)); }),
               std::logic_error);
}

TEST(Select, ExceptionsOfOperationsAndHandlersPassThrough) {
  auto runtime = paused();
  auto alive = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = alive;
  EXPECT_TRUE(throws(runtime, [&]() -> Task<void> {
    Task<void> sibling = endless(std::move(alive));
    co_await select(on(fail(), [](int) { ADD_FAILURE(); }), on(std::move(sibling), [] {}));
  }));
  EXPECT_TRUE(watched.expired());
  EXPECT_TRUE(throws(runtime, []() -> Task<void> {
    co_await select(on(value_of(1), [](int) { throw std::runtime_error("in the handler"); }));
  }));
  EXPECT_TRUE(throws(runtime, []() -> Task<void> {
    co_await select(on(value_of(1), [](int) -> Task<void> {
      co_await sleep(1ms);
      throw std::runtime_error("in the coroutine");
    }));
  }));
}

TEST(Select, StartsAnywhereUnlessBiased) {
  paused().block_on([]() -> Task<void> {
    std::vector<int> wins(3);
    for (int i = 0; i < 3000; ++i) ++wins[(co_await select(value_of(0), value_of(1), value_of(2))).index()];
    for (const int count : wins) EXPECT_GT(count, 700);
    for (int i = 0; i < 100; ++i) {
      const auto won = co_await select(biased, value_of(0), value_of(1));
      EXPECT_EQ(won.index(), 0u);
    }
  });
}

TEST(Select, AnAbortedOneDestroysBranchesAndHandlers) {
  paused().block_on([]() -> Task<void> {
    auto in_branch = std::make_shared<int>(0);
    auto in_handler = std::make_shared<int>(0);
    auto waiting = spawn([in_branch]() -> Task<void> {
      Task<void> operation = endless(in_branch);
      co_await select(std::move(operation), sleep(1h));
    });
    auto handling = spawn([in_handler]() -> Task<void> {
      auto handler = [in_handler](int) -> Task<void> { co_await endless(in_handler); };
      co_await select(on(value_of(1), std::move(handler)));
    });
    co_await sleep(1ms);
    EXPECT_GT(in_branch.use_count(), 1);
    EXPECT_GT(in_handler.use_count(), 1);
    waiting.abort();
    handling.abort();
    co_await join(waiting, handling);
    EXPECT_EQ(in_branch.use_count(), 1);
    EXPECT_EQ(in_handler.use_count(), 1);
  });
}

TEST(Join, DestroysABranchWhenItIsDoneAndTheRestWhenOneThrows) {
  auto runtime = paused();
  auto done = std::make_shared<int>(0);
  auto sibling = std::make_shared<int>(0);
  EXPECT_TRUE(throws(runtime, [&]() -> Task<void> {
    auto short_lived = [](std::shared_ptr<int> alive) -> Task<int> {
      co_await sleep(1ms);
      co_return *alive;
    };
    auto late_failure = [&]() -> Task<int> {
      co_await sleep(2ms);
      EXPECT_EQ(done.use_count(), 1);
      co_return co_await fail();
    };
    co_await join(short_lived(done), late_failure(), endless(sibling));
  }));
  EXPECT_EQ(sibling.use_count(), 1);
}

TEST(TryJoin, DestroysTheRestAtTheFirstErrorAndKeepsItsType) {
  paused().block_on([]() -> Task<void> {
    auto sibling = std::make_shared<int>(0);
    auto refuse = []() -> Task<Expected<int, std::string>> {
      co_await sleep(1ms);
      co_return Unexpected(std::string("refused"));
    };
    auto wait = [](std::shared_ptr<int> alive) -> Task<Expected<int, std::string>> {
      co_await endless(std::move(alive));
      co_return 1;
    };
    const auto both = co_await try_join(refuse(), wait(sibling));
    static_assert(std::is_same_v<decltype(both), const Expected<std::tuple<int, int>, std::string>>);
    EXPECT_EQ(both.error(), "refused");
    EXPECT_EQ(sibling.use_count(), 1);
  });
}

TEST(Combinators, Nest) {
  paused().block_on([]() -> Task<void> {
    const auto result = co_await timeout(
        1s, join(timeout(1ms, after(1h, 1)), select(after(5ms, 2), sleep(1h)), [] { return after(3ms, 4); }));
    const auto& [late, won, made] = *result;
    EXPECT_TRUE(late.error().is_timed_out());
    EXPECT_EQ(std::get<0>(won), 2);
    EXPECT_EQ(made, 4);
  });
}

}  // namespace
}  // namespace kaido
