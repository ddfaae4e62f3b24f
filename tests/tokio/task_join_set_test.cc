// JoinSet: order of joining, aborting, detaching, the budget. Local tasks: task_join_set_local_test.cc.
#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/join_set.h>
#include <kaido/spawn.h>
#include <kaido/sync/oneshot.h>
#include <kaido/time.h>

#include "tests/tokio/task_support.h"

namespace kaido::parity {
namespace {

using std::chrono::milliseconds;

Task<void> nothing() { co_return; }

Task<int> index_after(int index, milliseconds delay) {
  co_await sleep(delay);
  co_return index;
}

Task<void> until_finished(const std::vector<AbortHandle>& handles) {
  for (const AbortHandle& handle : handles) {
    while (!handle.is_finished()) co_await yield_now();
  }
}

Task<void> receive(oneshot::Receiver<int> receiver) { static_cast<void>(co_await receiver); }

TEST(task_join_set, test_with_sleep) {
  paused().block_on([]() -> Task<void> {
    JoinSet<int> set;
    for (int i = 0; i < 10; ++i) {
      set.spawn([i]() -> Task<int> { co_return i; });
      EXPECT_EQ(set.len(), static_cast<std::size_t>(1 + i));
    }
    set.detach_all();
    EXPECT_EQ(set.len(), 0u);
    auto none = co_await set.join_next();
    EXPECT_FALSE(none);

    for (int i = 0; i < 10; ++i) {
      set.spawn(index_after(i, milliseconds(10)));
      EXPECT_EQ(set.len(), static_cast<std::size_t>(1 + i));
    }
    std::set<int> seen;
    while (auto next = co_await set.join_next()) seen.insert(next->value());
    EXPECT_EQ(seen.size(), 10u);
    auto empty = co_await set.join_next();
    EXPECT_FALSE(empty);
    EXPECT_TRUE(set.is_empty());
  });
}

TEST(task_join_set, test_abort_on_drop) {
  current_thread().block_on([]() -> Task<void> {
    JoinSet<void> set;
    std::vector<Watch> frames;
    for (int i = 0; i < 16; ++i) {
      Token token = make_token();
      frames.emplace_back(token);
      set.spawn(hold(std::move(token)));
    }
    co_await yield_now();
    for (const Watch& frame : frames) EXPECT_FALSE(frame.expired());
    set = JoinSet<void>();
    co_await yield_now();
    for (const Watch& frame : frames) EXPECT_TRUE(frame.expired());
  });
}

TEST(task_join_set, alternating) {
  current_thread().block_on([]() -> Task<void> {
    JoinSet<void> set;
    EXPECT_EQ(set.len(), 0u);
    set.spawn(nothing());
    EXPECT_EQ(set.len(), 1u);
    set.spawn(nothing());
    EXPECT_EQ(set.len(), 2u);
    for (int i = 0; i < 16; ++i) {
      auto joined = co_await set.join_next();
      EXPECT_TRUE(joined && joined->ok());
      EXPECT_EQ(set.len(), 1u);
      set.spawn(nothing());
      EXPECT_EQ(set.len(), 2u);
    }
  });
}

TEST(task_join_set, abort_tasks) {
  paused().block_on([]() -> Task<void> {
    JoinSet<int> set;
    int completed = 0;
    int cancelled = 0;
    for (int i = 0; i < 16; ++i) {
      AbortHandle handle = set.spawn(index_after(i, milliseconds(i * 10)));
      if (i % 2 != 0) handle.abort();
    }
    while (auto next = co_await set.join_next()) {
      if (next->ok()) {
        EXPECT_EQ(next->value() % 2, 0);
        ++completed;
      } else {
        EXPECT_TRUE(next->error().is_cancelled());
        ++cancelled;
      }
    }
    EXPECT_EQ(completed, 8);
    EXPECT_EQ(cancelled, 8);
  });
}

TEST(task_join_set, runtime_gone) {
  JoinSet<void> set;
  {
    const Runtime runtime = current_thread();
    set.spawn_on(nothing(), runtime.handle());
  }
  current_thread().block_on([&]() -> Task<void> {
    auto joined = co_await set.join_next();
    EXPECT_TRUE(joined && joined->error().is_cancelled());
  });
}

TEST(task_join_set, join_all) {
  paused().block_on([]() -> Task<void> {
    JoinSet<int> set;
    for (int i = 0; i < 5; ++i) set.spawn(index_after(i, milliseconds(i)));
    const std::vector<int> values = co_await set.join_all();
    EXPECT_EQ(values, (std::vector<int>{0, 1, 2, 3, 4}));
  });
}

TEST(task_join_set, task_panics) {
  current_thread().block_on([]() -> Task<void> {
    JoinSet<int> set;
    Token token = make_token();
    const Watch other = token;
    set.spawn([token = std::move(token)]() -> Task<int> {
      Pending pending;
      co_await pending;
      co_return 0;
    });
    set.spawn([]() -> Task<int> {
      throw std::runtime_error("failed");
      co_return 0;
    });
    std::optional<Error> failure;
    try {
      static_cast<void>(co_await set.join_all());
    } catch (const ErrorException& thrown) {
      failure = thrown.error();
    }
    EXPECT_TRUE(failure && failure->is_panic());
    EXPECT_EQ(failure ? failure->message() : "", "failed");
    co_await yield_now();
    EXPECT_TRUE(other.expired());
  });
}

TEST(task_join_set, abort_all) {
  current_thread().block_on([]() -> Task<void> {
    JoinSet<void> set;
    for (int i = 0; i < 5; ++i) set.spawn(hold(make_token()));
    for (int i = 0; i < 5; ++i) set.spawn(nothing());
    // Those that are ready run first.
    co_await yield_now();
    set.abort_all();
    EXPECT_EQ(set.len(), 10u);
    int joined = 0;
    while (auto next = co_await set.join_next()) {
      EXPECT_TRUE(next->ok() || next->error().is_cancelled());
      ++joined;
    }
    EXPECT_EQ(joined, 10);
    EXPECT_EQ(set.len(), 0u);
  });
}

// The budget makes a join wait although tasks are finished, but not try_join_next.
TEST(task_join_set, join_set_coop) {
  static constexpr std::size_t kTasks = 1000;
  current_thread().block_on([]() -> Task<void> {
    JoinSet<void> set;
    std::vector<AbortHandle> handles;
    for (std::size_t i = 0; i < kTasks; ++i) handles.push_back(set.spawn(nothing()));
    co_await until_finished(handles);
    struct CountPolls {
      bool poll(PollContext& context) {
        if (next.poll(context)) return true;
        ++*pending;
        return false;
      }
      auto take() { return next.take(); }
      JoinSet<void>::JoinNext next;
      std::size_t* pending;
    };
    std::size_t joined = 0;
    std::size_t pending = 0;
    for (;;) {
      CountPolls polls{set.join_next(), &pending};
      if (!co_await polls) break;
      ++joined;
    }
    EXPECT_EQ(joined, kTasks);
    EXPECT_GE(pending, 1u);
  });
}

TEST(task_join_set, try_join_next) {
  static constexpr int kTasks = 1000;
  current_thread().block_on([]() -> Task<void> {
    JoinSet<void> set;
    auto [sender, receiver] = oneshot::channel<int>();
    set.spawn(receive(std::move(receiver)));
    EXPECT_FALSE(set.try_join_next());
    static_cast<void>(sender.send(1));
    while (!set.try_join_next()) co_await yield_now();

    std::vector<AbortHandle> handles;
    for (int i = 0; i < kTasks; ++i) handles.push_back(set.spawn(nothing()));
    co_await until_finished(handles);
    int joined = 0;
    while (set.try_join_next()) ++joined;
    EXPECT_EQ(joined, kTasks);
  });
}

TEST(task_join_set, try_join_next_with_id) {
  static constexpr int kTasks = 1000;
  current_thread().block_on([]() -> Task<void> {
    JoinSet<void> set;
    EXPECT_FALSE(set.try_join_next_with_id());
    std::set<TaskId> spawned;
    std::vector<AbortHandle> handles;
    for (int i = 0; i < kTasks; ++i) handles.push_back(set.spawn(nothing()));
    for (const AbortHandle& handle : handles) spawned.insert(handle.id());
    co_await until_finished(handles);
    std::set<TaskId> joined;
    while (auto next = set.try_join_next_with_id()) joined.insert(next->first);
    EXPECT_EQ(joined, spawned);
    EXPECT_EQ(joined.size(), static_cast<std::size_t>(kTasks));
  });
}

TEST(task_join_set, extend) {
  current_thread().block_on([]() -> Task<void> {
    const auto tasks = [](int from, int to) {
      std::vector<Task<int>> made;
      for (int i = from; i < to; ++i) made.push_back([](int value) -> Task<int> { co_return value; }(i));
      return made;
    };
    JoinSet<int> set;
    set.extend(tasks(0, 5));
    set.extend(tasks(5, 10));
    std::set<int> seen;
    while (auto next = co_await set.join_next()) seen.insert(next->value());
    EXPECT_EQ(seen.size(), 10u);
    EXPECT_EQ(*seen.begin(), 0);
    EXPECT_EQ(*seen.rbegin(), 9);
  });
}

}  // namespace
}  // namespace kaido::parity
