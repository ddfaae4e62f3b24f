// JoinMap: keys, replacing, aborting, joining. Local tasks: task_join_map_local_test.cc.
#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/join_map.h>
#include <kaido/spawn.h>
#include <kaido/sync/oneshot.h>
#include <kaido/time.h>

#include "tests/tokio/task_support.h"

namespace kaido::parity {
namespace {

using std::chrono::milliseconds;

Task<void> nothing() { co_return; }

Task<int> value_of(int value) { co_return value; }

Task<int> value_after(int value, milliseconds delay) {
  co_await sleep(delay);
  co_return value;
}

Task<int> wait_for_ever(Token token) {
  co_await hold(std::move(token));
  co_return 0;
}

// Lets what was spawned so far run.
Task<void> turns(int count) {
  for (int i = 0; i < count; ++i) co_await yield_now();
}

TEST(task_join_map, test_with_sleep) {
  paused().block_on([]() -> Task<void> {
    JoinMap<int, int> map;
    for (int i = 0; i < 10; ++i) {
      map.spawn(i, value_of(i));
      EXPECT_EQ(map.len(), static_cast<std::size_t>(1 + i));
    }
    map.detach_all();
    EXPECT_EQ(map.len(), 0u);
    auto none = co_await map.join_next();
    EXPECT_FALSE(none);

    for (int i = 0; i < 10; ++i) map.spawn(i, value_after(i, milliseconds(10)));
    EXPECT_EQ(map.len(), 10u);
    std::set<int> seen;
    while (auto next = co_await map.join_next()) {
      EXPECT_EQ(next->first, next->second.value());
      seen.insert(next->first);
    }
    EXPECT_EQ(seen.size(), 10u);
  });
}

TEST(task_join_map, test_abort_on_drop) {
  current_thread().block_on([]() -> Task<void> {
    std::vector<Watch> frames;
    {
      JoinMap<int, int> map;
      for (int i = 0; i < 16; ++i) {
        Token token = make_token();
        frames.emplace_back(token);
        map.spawn(i, wait_for_ever(std::move(token)));
      }
      co_await yield_now();
      for (const Watch& frame : frames) EXPECT_FALSE(frame.expired());
    }
    co_await yield_now();
    for (const Watch& frame : frames) EXPECT_TRUE(frame.expired());
  });
}

TEST(task_join_map, alternating) {
  current_thread().block_on([]() -> Task<void> {
    JoinMap<int, void> map;
    EXPECT_EQ(map.len(), 0u);
    map.spawn(1, nothing());
    EXPECT_EQ(map.len(), 1u);
    map.spawn(2, nothing());
    EXPECT_EQ(map.len(), 2u);
    for (int i = 0; i < 16; ++i) {
      auto joined = co_await map.join_next();
      EXPECT_TRUE(joined && joined->second.ok());
      EXPECT_EQ(map.len(), 1u);
      map.spawn(i + 3, nothing());
      EXPECT_EQ(map.len(), 2u);
    }
  });
}

TEST(task_join_map, test_keys) {
  current_thread().block_on([]() -> Task<void> {
    JoinMap<int, void> map;
    EXPECT_TRUE(map.keys().empty());
    map.spawn(1, nothing());
    EXPECT_EQ(map.keys(), std::vector<int>{1});
    map.spawn(2, nothing());
    auto keys = map.keys();
    std::sort(keys.begin(), keys.end());
    EXPECT_EQ(keys, (std::vector<int>{1, 2}));
    auto first = co_await map.join_next();
    auto second = co_await map.join_next();
    EXPECT_TRUE(first && second);
    EXPECT_TRUE(map.keys().empty());
  });
}

// Of sixteen tasks the odd ones are aborted.
Task<void> expect_odd_cancelled(JoinMap<int, int>& map) {
  int completed = 0;
  int cancelled = 0;
  while (auto next = co_await map.join_next()) {
    if (next->second.ok()) {
      EXPECT_EQ(next->first % 2, 0);
      ++completed;
    } else {
      EXPECT_TRUE(next->second.error().is_cancelled());
      EXPECT_EQ(next->first % 2, 1);
      ++cancelled;
    }
  }
  EXPECT_EQ(completed, 8);
  EXPECT_EQ(cancelled, 8);
}

TEST(task_join_map, abort_by_key) {
  paused().block_on([]() -> Task<void> {
    JoinMap<int, int> map;
    for (int i = 0; i < 16; ++i) map.spawn(i, value_after(i, milliseconds(i)));
    for (int i = 1; i < 16; i += 2) EXPECT_TRUE(map.abort(i));
    EXPECT_FALSE(map.abort(16));
    co_await expect_odd_cancelled(map);
  });
}

TEST(task_join_map, abort_by_predicate) {
  paused().block_on([]() -> Task<void> {
    JoinMap<int, int> map;
    for (int i = 0; i < 16; ++i) map.spawn(i, value_after(i, milliseconds(i)));
    map.abort_matching([](int key) { return key % 2 != 0; });
    co_await expect_odd_cancelled(map);
  });
}

TEST(task_join_map, runtime_gone) {
  JoinMap<std::string, void> map;
  {
    const Runtime runtime = current_thread();
    map.spawn_on("key", nothing(), runtime.handle());
  }
  current_thread().block_on([&]() -> Task<void> {
    auto joined = co_await map.join_next();
    EXPECT_TRUE(joined);
    EXPECT_EQ(joined->first, "key");
    EXPECT_TRUE(joined->second.error().is_cancelled());
  });
}

TEST(task_join_map, join_map_coop) {
  static constexpr std::size_t kTasks = 1000;
  current_thread().block_on([]() -> Task<void> {
    JoinMap<int, int> map;
    for (int i = 0; i < static_cast<int>(kTasks); ++i) map.spawn(i, value_of(i));
    co_await turns(40);
    struct CountPolls {
      bool poll(PollContext& context) {
        if (next.poll(context)) return true;
        ++*pending;
        return false;
      }
      auto take() { return next.take(); }
      JoinMap<int, int>::JoinNext next;
      std::size_t* pending;
    };
    std::size_t joined = 0;
    std::size_t pending = 0;
    for (;;) {
      CountPolls polls{map.join_next(), &pending};
      if (!co_await polls) break;
      ++joined;
    }
    EXPECT_EQ(joined, kTasks);
    EXPECT_GE(pending, 1u);
  });
}

TEST(task_join_map, abort_all) {
  current_thread().block_on([]() -> Task<void> {
    JoinMap<int, int> map;
    for (int i = 0; i < 5; ++i) map.spawn(i, wait_for_ever(make_token()));
    for (int i = 5; i < 10; ++i) map.spawn(i, value_of(i));
    co_await yield_now();
    map.abort_all();
    EXPECT_EQ(map.len(), 10u);
    std::set<int> seen;
    while (auto next = co_await map.join_next()) {
      EXPECT_TRUE(next->second.ok() || next->second.error().is_cancelled());
      seen.insert(next->first);
    }
    EXPECT_EQ(seen.size(), 10u);
    EXPECT_EQ(map.len(), 0u);
  });
}

TEST(task_join_map, try_join_next_empty) {
  JoinMap<int, int> map;
  EXPECT_FALSE(map.try_join_next());
}

TEST(task_join_map, try_join_next_no_ready_task) {
  current_thread().block_on([]() -> Task<void> {
    JoinMap<int, int> map;
    map.spawn(1, wait_for_ever(make_token()));
    co_await yield_now();
    EXPECT_FALSE(map.try_join_next());
    EXPECT_EQ(map.len(), 1u);
  });
}

TEST(task_join_map, try_join_next_completed_task) {
  current_thread().block_on([]() -> Task<void> {
    JoinMap<std::string, int> map;
    map.spawn("key", value_of(42));
    co_await yield_now();
    auto joined = map.try_join_next();
    EXPECT_TRUE(joined);
    EXPECT_EQ(joined->first, "key");
    EXPECT_EQ(joined->second.value(), 42);
    EXPECT_FALSE(map.try_join_next());
  });
}

TEST(task_join_map, try_join_next_aborted_task) {
  current_thread().block_on([]() -> Task<void> {
    JoinMap<std::string, int> map;
    map.spawn("key", wait_for_ever(make_token()));
    co_await yield_now();
    EXPECT_TRUE(map.abort("key"));
    co_await yield_now();
    auto joined = map.try_join_next();
    EXPECT_TRUE(joined);
    EXPECT_EQ(joined->first, "key");
    EXPECT_TRUE(joined->second.error().is_cancelled());
  });
}

TEST(task_join_map, try_join_next_advances_through_multiple) {
  current_thread().block_on([]() -> Task<void> {
    JoinMap<int, int> map;
    for (int i = 0; i < 8; ++i) map.spawn(i, value_of(i * i));
    co_await yield_now();
    std::set<int> seen;
    while (auto joined = map.try_join_next()) {
      EXPECT_EQ(joined->second.value(), joined->first * joined->first);
      seen.insert(joined->first);
    }
    EXPECT_EQ(seen.size(), 8u);
    EXPECT_TRUE(map.is_empty());
  });
}

TEST(task_join_map, try_join_next_skips_replaced_task) {
  current_thread().block_on([]() -> Task<void> {
    JoinMap<std::string, int> map;
    map.spawn("key", value_of(1));
    co_await yield_now();
    map.spawn("key", value_of(2));
    co_await yield_now();
    auto joined = map.try_join_next();
    EXPECT_TRUE(joined);
    EXPECT_EQ(joined->second.value(), 2);
    EXPECT_FALSE(map.try_join_next());
    EXPECT_TRUE(map.is_empty());
  });
}

TEST(task_join_map, duplicate_keys) {
  current_thread().block_on([]() -> Task<void> {
    JoinMap<int, int> map;
    map.spawn(1, wait_for_ever(make_token()));
    map.spawn(1, value_of(2));
    EXPECT_EQ(map.len(), 1u);
    auto joined = co_await map.join_next();
    EXPECT_EQ(joined->first, 1);
    EXPECT_EQ(joined->second.value(), 2);
    EXPECT_TRUE(map.is_empty());
    auto none = co_await map.join_next();
    EXPECT_FALSE(none);
  });
}

TEST(task_join_map, duplicate_keys2) {
  paused().block_on([]() -> Task<void> {
    JoinMap<int, int> map;
    auto [sender, receiver] = oneshot::channel<int>();
    map.spawn(1, [receiver = std::move(receiver)]() mutable -> Task<int> {
      auto value = co_await receiver;
      co_return value.value();
    });
    // The first ends before it is replaced, but is not joined before.
    static_cast<void>(sender.send(1));
    co_await turns(3);
    map.spawn(1, wait_for_ever(make_token()));
    auto joined = co_await timeout(milliseconds(10), map.join_next());
    EXPECT_FALSE(joined.has_value());
    EXPECT_EQ(map.len(), 1u);
  });
}

}  // namespace
}  // namespace kaido::parity
