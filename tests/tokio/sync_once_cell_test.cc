#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/spawn.h>
#include <kaido/sync/once_cell.h>
#include <kaido/time.h>

#include "tests/tokio/drop_counter.h"
#include "tests/tokio/support.h"

namespace kaido {
namespace {

using namespace std::chrono_literals;
using parity::DropCounter;

Task<int> five_after_a_yield() {
  co_await yield_now();
  co_return 5;
}
Task<int> ten_after_a_sleep() {
  co_await sleep(1ms);
  co_return 10;
}

TEST(sync_once_cell, drop_cell) {
  auto drops = std::make_shared<int>(0);
  {
    OnceCell<DropCounter> cell;
    EXPECT_TRUE(cell.set(DropCounter(drops)));
    EXPECT_EQ(*drops, 0);
  }
  EXPECT_EQ(*drops, 1);
}

TEST(sync_once_cell, drop_cell_new_with) {
  auto drops = std::make_shared<int>(0);
  {
    auto cell = OnceCell<DropCounter>::new_with(std::make_optional<DropCounter>(drops));
    EXPECT_TRUE(cell.initialized());
    EXPECT_EQ(*drops, 0);
  }
  EXPECT_EQ(*drops, 1);
}

TEST(sync_once_cell, drop_into_inner) {
  auto drops = std::make_shared<int>(0);
  OnceCell<DropCounter> cell;
  EXPECT_TRUE(cell.set(DropCounter(drops)));
  {
    std::optional<DropCounter> value = std::move(cell).into_inner();
    EXPECT_TRUE(value.has_value());
    EXPECT_EQ(*drops, 0);
  }
  EXPECT_EQ(*drops, 1);
}

TEST(sync_once_cell, drop_into_inner_new_with) {
  auto drops = std::make_shared<int>(0);
  auto cell = OnceCell<DropCounter>::new_with(std::make_optional<DropCounter>(drops));
  {
    std::optional<DropCounter> value = std::move(cell).into_inner();
    EXPECT_EQ(*drops, 0);
  }
  EXPECT_EQ(*drops, 1);
}

TEST(sync_once_cell, from) {
  OnceCell<int> cell(2);
  ASSERT_NE(cell.get(), nullptr);
  EXPECT_EQ(*cell.get(), 2);
}

TEST(sync_once_cell, get_or_init) {
  OnceCell<int> cell;
  parity::paused().block_on([&]() -> Task<void> {
    auto first = spawn([&]() -> Task<int> { co_return co_await cell.get_or_init(five_after_a_yield); });
    auto second = spawn([&]() -> Task<int> { co_return co_await cell.get_or_init(ten_after_a_sleep); });
    const int a = (co_await first).value();
    const int b = (co_await second).value();
    EXPECT_EQ(a, 5);
    EXPECT_EQ(b, 5);
  });
}

TEST(sync_once_cell, get_or_init_panic) {
  OnceCell<int> cell;
  parity::paused().block_on([&]() -> Task<void> {
    auto first = spawn([&]() -> Task<int> { co_return co_await cell.get_or_init(five_after_a_yield); });
    auto second = spawn([&]() -> Task<int> {
      auto init = []() -> Task<int> {
        co_await sleep(1ms);
        throw std::runtime_error("must not run");
      };
      co_return co_await cell.get_or_init(init);
    });
    const int a = (co_await first).value();
    const int b = (co_await second).value();
    EXPECT_EQ(a, 5);
    EXPECT_EQ(b, 5);
  });
}

TEST(sync_once_cell, set_and_get) {
  OnceCell<int> cell;
  parity::current_thread().block_on([&]() -> Task<void> {
    auto task = spawn([&]() -> Task<void> {
      EXPECT_TRUE(cell.set(5));
      co_return;
    });
    EXPECT_TRUE(co_await task);
  });
  ASSERT_NE(cell.get(), nullptr);
  EXPECT_EQ(*cell.get(), 5);
}

TEST(sync_once_cell, get_uninit) {
  OnceCell<int> cell;
  EXPECT_EQ(cell.get(), nullptr);
  EXPECT_FALSE(cell.initialized());
}

TEST(sync_once_cell, set_twice) {
  OnceCell<int> cell;
  EXPECT_TRUE(cell.set(5));
  auto again = cell.set(6);
  ASSERT_FALSE(again);
  EXPECT_TRUE(again.error().is_already_init_err());
  EXPECT_EQ(again.error().value, 6);
  EXPECT_EQ(*cell.get(), 5);
}

TEST(sync_once_cell, set_while_initializing) {
  OnceCell<int> cell;
  parity::paused().block_on([&]() -> Task<void> {
    auto making = spawn([&]() -> Task<int> { co_return co_await cell.get_or_init(ten_after_a_sleep); });
    auto setting = spawn([&]() -> Task<void> {
      auto set = cell.set(5);
      EXPECT_TRUE(!set && set.error().is_initializing_err());
      co_return;
    });
    EXPECT_TRUE(co_await setting);
    const int made = (co_await making).value();
    EXPECT_EQ(made, 10);
  });
}

TEST(sync_once_cell, get_or_try_init) {
  OnceCell<int> cell;
  parity::current_thread().block_on([&]() -> Task<void> {
    auto fail = []() -> Task<Expected<int, std::string>> { co_return std::string("not yet"); };
    auto failed = co_await cell.get_or_try_init(fail);
    EXPECT_EQ(failed.error(), "not yet");
    EXPECT_FALSE(cell.initialized());

    auto succeed = []() -> Task<Expected<int, std::string>> {
      co_await yield_now();
      co_return 15;
    };
    auto made = co_await cell.get_or_try_init(succeed);
    EXPECT_EQ(*made.value(), 15);
    EXPECT_EQ(*cell.get(), 15);
  });
}

}  // namespace
}  // namespace kaido
