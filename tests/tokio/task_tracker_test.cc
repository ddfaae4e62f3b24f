// TaskTracker: when wait() is over.
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/local_set.h>
#include <kaido/spawn.h>
#include <kaido/task_tracker.h>

#include "sdk/testing/probe.h"
#include "tests/tokio/task_support.h"

namespace kaido::parity {
namespace {

using WaitProbe = kaido::testing::Probe<void>;

// wait() is called here and not at the first poll.
Task<void> wait_for(TaskTrackerWait wait) { co_await wait; }

TEST(task_tracker, open_close) {
  const TaskTracker tracker;
  EXPECT_FALSE(tracker.is_closed());
  EXPECT_TRUE(tracker.is_empty());
  EXPECT_EQ(tracker.len(), 0u);

  EXPECT_TRUE(tracker.close());
  EXPECT_TRUE(tracker.is_closed());
  EXPECT_FALSE(tracker.close());
  EXPECT_TRUE(tracker.is_closed());

  EXPECT_TRUE(tracker.reopen());
  EXPECT_FALSE(tracker.reopen());
  EXPECT_FALSE(tracker.is_closed());
  EXPECT_TRUE(tracker.is_empty());

  EXPECT_TRUE(tracker.close());
  EXPECT_TRUE(tracker.is_closed());
}

TEST(task_tracker, token_len) {
  const TaskTracker tracker;
  std::vector<TaskTrackerToken> tokens;
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(tracker.len(), i);
    tokens.push_back(tracker.token());
  }
  EXPECT_FALSE(tracker.is_empty());
  while (!tokens.empty()) {
    EXPECT_EQ(tracker.len(), tokens.size());
    tokens.pop_back();
  }
  EXPECT_TRUE(tracker.is_empty());
}

TEST(task_tracker, notify_immediately) {
  const TaskTracker tracker;
  tracker.close();
  WaitProbe wait(wait_for(tracker.wait()));
  EXPECT_TRUE(wait.poll());
}

TEST(task_tracker, notify_immediately_on_reopen) {
  const TaskTracker tracker;
  tracker.close();
  WaitProbe wait(wait_for(tracker.wait()));
  tracker.reopen();
  EXPECT_TRUE(wait.poll());
}

TEST(task_tracker, notify_on_close) {
  const TaskTracker tracker;
  WaitProbe wait(wait_for(tracker.wait()));
  EXPECT_FALSE(wait.poll());
  EXPECT_FALSE(wait.is_woken());
  tracker.close();
  EXPECT_TRUE(wait.is_woken());
  EXPECT_TRUE(wait.poll());
}

TEST(task_tracker, notify_on_close_reopen) {
  const TaskTracker tracker;
  WaitProbe wait(wait_for(tracker.wait()));
  EXPECT_FALSE(wait.poll());
  tracker.close();
  tracker.reopen();
  EXPECT_TRUE(wait.is_woken());
  EXPECT_TRUE(wait.poll());
}

TEST(task_tracker, notify_on_last_task) {
  const TaskTracker tracker;
  tracker.close();
  auto token = std::make_unique<TaskTrackerToken>(tracker.token());
  WaitProbe wait(wait_for(tracker.wait()));
  EXPECT_FALSE(wait.poll());
  token.reset();
  EXPECT_TRUE(wait.is_woken());
  EXPECT_TRUE(wait.poll());
}

TEST(task_tracker, notify_on_last_task_respawn) {
  const TaskTracker tracker;
  tracker.close();
  auto token = std::make_unique<TaskTrackerToken>(tracker.token());
  WaitProbe wait(wait_for(tracker.wait()));
  EXPECT_FALSE(wait.poll());
  token.reset();
  const TaskTrackerToken another = tracker.token();
  EXPECT_TRUE(wait.is_woken());
  EXPECT_TRUE(wait.poll());
}

TEST(task_tracker, no_notify_on_respawn_if_open) {
  const TaskTracker tracker;
  auto token = std::make_unique<TaskTrackerToken>(tracker.token());
  WaitProbe wait(wait_for(tracker.wait()));
  EXPECT_FALSE(wait.poll());
  token.reset();
  const TaskTrackerToken another = tracker.token();
  EXPECT_FALSE(wait.is_woken());
  EXPECT_FALSE(wait.poll());
}

TEST(task_tracker, close_during_exit) {
  constexpr int kRounds = 5;
  for (int closed_at = 0; closed_at < kRounds; ++closed_at) {
    const TaskTracker tracker;
    auto token = std::make_unique<TaskTrackerToken>(tracker.token());
    WaitProbe wait(wait_for(tracker.wait()));
    for (int round = 0; round < kRounds; ++round) {
      EXPECT_FALSE(wait.poll());
      if (round == closed_at) tracker.close();
    }
    EXPECT_FALSE(wait.poll());
    token.reset();
    EXPECT_TRUE(wait.is_woken());
    EXPECT_TRUE(wait.poll());
  }
}

TEST(task_tracker, notify_many) {
  const TaskTracker tracker;
  std::vector<std::unique_ptr<WaitProbe>> waits;
  for (int i = 0; i < 10; ++i) {
    waits.push_back(std::make_unique<WaitProbe>(wait_for(tracker.wait())));
    EXPECT_FALSE(waits.back()->poll());
  }
  tracker.close();
  for (auto& wait : waits) {
    EXPECT_TRUE(wait->is_woken());
    EXPECT_TRUE(wait->poll());
  }
}

Task<void> take_a_turn() { co_await yield_now(); }

constexpr int kTasks = 16;

template <typename Spawn>
Task<void> close_and_wait(const TaskTracker& tracker, Spawn spawn_one) {
  for (int i = 0; i < kTasks; ++i) spawn_one();
  EXPECT_EQ(tracker.len(), static_cast<std::size_t>(kTasks));
  tracker.close();
  co_await tracker.wait();
  EXPECT_TRUE(tracker.is_empty());
  EXPECT_TRUE(tracker.is_closed());
}

TEST(task_tracker, spawn__spawn_then_close) {
  const TaskTracker tracker;
  current_thread().block_on([&]() -> Task<void> {
    return close_and_wait(tracker, [&] { static_cast<void>(tracker.spawn(take_a_turn())); });
  });
}

TEST(task_tracker, spawn_local__panic_outside_any_runtime) {
  const TaskTracker tracker;
  EXPECT_THROW(static_cast<void>(tracker.spawn_local(take_a_turn())), std::logic_error);
  EXPECT_TRUE(tracker.is_empty());
}

TEST(task_tracker, spawn_local__panic_in_multi_thread_runtime) {
  multi_thread(1).block_on([]() -> Task<void> {
    const TaskTracker tracker;
    EXPECT_THROW(static_cast<void>(tracker.spawn_local(take_a_turn())), std::logic_error);
    co_return;
  });
}

TEST(task_tracker, spawn_local__spawn_then_close) {
  const TaskTracker tracker;
  local_runtime().block_on([&]() -> Task<void> {
    return close_and_wait(tracker, [&] { static_cast<void>(tracker.spawn_local(take_a_turn())); });
  });
}

TEST(task_tracker, spawn_local__spawn_after_close) {
  const TaskTracker tracker;
  local_runtime().block_on([&]() -> Task<void> {
    tracker.close();
    return close_and_wait(tracker, [&] { static_cast<void>(tracker.spawn_local(take_a_turn())); });
  });
}

TEST(task_tracker, spawn_local_on__local_runtime__spawn_then_close) {
  const Runtime runtime = local_runtime();
  const LocalSet local;
  const TaskTracker tracker;
  local.block_on(runtime, [&]() -> Task<void> {
    return close_and_wait(tracker, [&] { static_cast<void>(tracker.spawn_local_on(take_a_turn(), local)); });
  });
}

TEST(task_tracker, spawn_local_on__local_set__spawn_then_drop) {
  const Runtime runtime = current_thread();
  const LocalSet local;
  std::vector<Watch> frames;
  std::vector<JoinHandle<void>> handles;
  local.block_on(runtime, [&]() -> Task<void> {
    {
      const TaskTracker tracker;
      for (int i = 0; i < kTasks; ++i) {
        Token token = make_token();
        frames.emplace_back(token);
        handles.push_back(tracker.spawn_local_on(hold(std::move(token)), local));
      }
      co_await yield_now();
    }
    co_await yield_now();
    for (const Watch& frame : frames) EXPECT_FALSE(frame.expired());
    for (const auto& handle : handles) EXPECT_FALSE(handle.is_finished());
  });
}

TEST(task_tracker, spawn_local_on__local_set__close_then_spawn) {
  const Runtime runtime = current_thread();
  const LocalSet local;
  const TaskTracker tracker;
  tracker.close();
  local.block_on(runtime, [&]() -> Task<void> {
    return close_and_wait(tracker, [&] { static_cast<void>(tracker.spawn_local_on(take_a_turn(), local)); });
  });
}

}  // namespace
}  // namespace kaido::parity
