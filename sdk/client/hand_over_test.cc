#include "sdk/client/hand_over.h"

#include <array>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace kaido::inline abi0::detail {
namespace {

struct Item {
  int value = 0;
  Item* next = nullptr;
};
using Items = HandOver<Item, &Item::next>;

std::vector<int> values(const Item* item) {
  std::vector<int> found;
  for (; item != nullptr; item = item->next) found.push_back(item->value);
  return found;
}

TEST(HandOver, GivesAllInTheOrderOfPutting) {
  std::array<Item, 3> items{Item{1}, Item{2}, Item{3}};
  Items list;
  EXPECT_FALSE(list.has_any());
  for (Item& item : items) EXPECT_TRUE(list.put(item));
  EXPECT_TRUE(list.has_any());
  EXPECT_EQ(values(list.take()), (std::vector<int>{1, 2, 3}));
  EXPECT_FALSE(list.has_any());
  EXPECT_EQ(list.take(), nullptr);
}

TEST(HandOver, TakesNothingOnceItIsClosed) {
  Item first{1};
  Item late{2};
  Items list;
  EXPECT_TRUE(list.put(first));
  EXPECT_EQ(values(list.close()), std::vector<int>{1});
  EXPECT_FALSE(list.put(late));
  EXPECT_FALSE(list.has_any());
  EXPECT_EQ(list.take(), nullptr);
  EXPECT_EQ(list.close(), nullptr);
}

TEST(HandOver, LosesNothingBetweenThreads) {
  constexpr int kThreads = 3;
  constexpr int kEach = 2000;
  std::vector<Item> items(static_cast<std::size_t>(kThreads) * kEach);
  std::vector<int> taken(items.size());
  Items list;
  std::mutex mutex;  // The taker's.
  const auto note = [&taken](const Item* item) {
    for (; item != nullptr; item = item->next) ++taken[static_cast<std::size_t>(item->value)];
  };
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kEach; ++i) {
        const auto number = static_cast<std::size_t>(thread * kEach + i);
        items[number].value = static_cast<int>(number);
        const bool was_put = list.put(items[number]);
        const std::lock_guard lock(mutex);
        if (!was_put) {
          ++taken[number];  // Closed: whoever comes too late sees to it itself.
        } else if (number % 7 == 0) {
          note(list.take());
        }
        if (number == items.size() / 2) note(list.close());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken, std::vector<int>(items.size(), 1));
}

}  // namespace
}  // namespace kaido::inline abi0::detail
