#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/spawn.h>
#include <kaido/sync/set_once.h>

#include "tests/tokio/drop_counter.h"
#include "tests/tokio/support.h"

namespace kaido {
namespace {

using parity::DropCounter;

TEST(sync_set_once, drop_cell) {
  auto drops = std::make_shared<int>(0);
  {
    SetOnce<DropCounter> cell;
    EXPECT_TRUE(cell.set(DropCounter(drops)));
    EXPECT_EQ(*drops, 0);
  }
  EXPECT_EQ(*drops, 1);
}

TEST(sync_set_once, drop_cell_new_with) {
  auto drops = std::make_shared<int>(0);
  {
    auto cell = SetOnce<DropCounter>::new_with(std::make_optional<DropCounter>(drops));
    EXPECT_TRUE(cell.initialized());
    EXPECT_EQ(*drops, 0);
  }
  EXPECT_EQ(*drops, 1);
}

TEST(sync_set_once, drop_into_inner) {
  auto drops = std::make_shared<int>(0);
  SetOnce<DropCounter> cell;
  EXPECT_TRUE(cell.set(DropCounter(drops)));
  {
    std::optional<DropCounter> value = std::move(cell).into_inner();
    EXPECT_TRUE(value.has_value());
    EXPECT_EQ(*drops, 0);
  }
  EXPECT_EQ(*drops, 1);
}

TEST(sync_set_once, drop_into_inner_new_with) {
  auto drops = std::make_shared<int>(0);
  auto cell = SetOnce<DropCounter>::new_with(std::make_optional<DropCounter>(drops));
  {
    std::optional<DropCounter> value = std::move(cell).into_inner();
    EXPECT_EQ(*drops, 0);
  }
  EXPECT_EQ(*drops, 1);
}

TEST(sync_set_once, from) {
  SetOnce<int> cell(2);
  ASSERT_NE(cell.get(), nullptr);
  EXPECT_EQ(*cell.get(), 2);
}

TEST(sync_set_once, set_and_get) {
  SetOnce<int> cell;
  EXPECT_TRUE(cell.set(5));
  ASSERT_NE(cell.get(), nullptr);
  EXPECT_EQ(*cell.get(), 5);
}

TEST(sync_set_once, set_and_wait) {
  SetOnce<int> cell;
  parity::current_thread().block_on([&]() -> Task<void> {
    auto setter = spawn([&]() -> Task<void> {
      EXPECT_TRUE(cell.set(5));
      co_return;
    });
    const int value = co_await cell.wait();
    EXPECT_EQ(value, 5);
    EXPECT_TRUE(co_await setter);
  });
}

TEST(sync_set_once, set_and_wait_multiple_threads) {
  SetOnce<int> cell;
  parity::multi_thread(2).block_on([&]() -> Task<void> {
    auto set = [&](int value) -> Task<bool> { co_return cell.set(value).has_value(); };
    auto first = spawn(set(4));
    auto second = spawn(set(5));
    const int value = co_await cell.wait();
    const bool first_won = (co_await first).value();
    const bool second_won = (co_await second).value();
    EXPECT_NE(first_won, second_won);
    EXPECT_EQ(value, first_won ? 4 : 5);
  });
}

TEST(sync_set_once, set_and_wait_threads) {
  SetOnce<int> cell;
  std::thread setter;
  parity::current_thread().block_on([&]() -> Task<void> {
    setter = std::thread([&] { EXPECT_TRUE(cell.set(5)); });
    const int value = co_await cell.wait();
    EXPECT_EQ(value, 5);
  });
  setter.join();
}

TEST(sync_set_once, get_uninit) {
  SetOnce<int> cell;
  EXPECT_EQ(cell.get(), nullptr);
  EXPECT_FALSE(cell.initialized());
}

TEST(sync_set_once, set_twice) {
  SetOnce<int> cell;
  EXPECT_TRUE(cell.set(5));
  auto again = cell.set(6);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().value, 6);
  EXPECT_EQ(*cell.get(), 5);
}

TEST(sync_set_once, is_none_initializing) {
  SetOnce<int> cell;
  EXPECT_EQ(cell.get(), nullptr);
  EXPECT_TRUE(cell.set(20));
  EXPECT_FALSE(cell.set(10));
  ASSERT_NE(cell.get(), nullptr);
  EXPECT_EQ(*cell.get(), 20);
}

TEST(sync_set_once, is_some_initializing) {
  SetOnce<int> cell;
  parity::multi_thread(1).block_on([&]() -> Task<void> {
    auto setter = spawn([&]() -> Task<void> {
      co_await yield_now();
      EXPECT_TRUE(cell.set(20));
    });
    const int value = co_await cell.wait();
    EXPECT_EQ(value, 20);
    EXPECT_TRUE(co_await setter);
  });
}

TEST(sync_set_once, into_inner_int_empty_setonce) {
  SetOnce<int> cell;
  EXPECT_EQ(std::move(cell).into_inner(), std::nullopt);
}

}  // namespace
}  // namespace kaido
