// JoinQueue: results in the order of spawning.
#include <chrono>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/join_queue.h>
#include <kaido/spawn.h>
#include <kaido/sync/oneshot.h>
#include <kaido/time.h>

#include "sdk/testing/probe.h"
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

Task<int> receive(oneshot::Receiver<int> receiver) {
  auto value = co_await receiver;
  co_return value.value();
}

Task<int> wait_for_ever(Token token) {
  co_await hold(std::move(token));
  co_return 0;
}

Task<void> turns(int count) {
  for (int i = 0; i < count; ++i) co_await yield_now();
}

TEST(task_join_queue, test_join_queue_no_spurious_wakeups) {
  auto [first_sender, first] = oneshot::channel<int>();
  auto [second_sender, second] = oneshot::channel<int>();
  Runtime runtime = current_thread();
  JoinQueue<int> queue;
  queue.spawn_on(receive(std::move(first)), runtime.handle());
  queue.spawn_on(receive(std::move(second)), runtime.handle());
  kaido::testing::Probe<int> probe([](JoinQueue<int>& joined) -> Task<int> {
    auto next = co_await joined.join_next();
    co_return next->value();
  }(queue));
  runtime.block_on(turns(2));
  EXPECT_FALSE(probe.poll());

  static_cast<void>(second_sender.send(2));
  runtime.block_on(turns(2));
  EXPECT_FALSE(probe.is_woken());
  EXPECT_FALSE(probe.poll());

  static_cast<void>(first_sender.send(1));
  runtime.block_on(turns(2));
  EXPECT_TRUE(probe.is_woken());
  EXPECT_TRUE(probe.poll());
  EXPECT_EQ(probe.take(), 1);
}

TEST(task_join_queue, test_join_queue_abort_on_drop) {
  current_thread().block_on([]() -> Task<void> {
    std::vector<Watch> frames;
    {
      JoinQueue<int> queue;
      for (int i = 0; i < 16; ++i) {
        Token token = make_token();
        frames.emplace_back(token);
        queue.spawn(wait_for_ever(std::move(token)));
      }
      co_await yield_now();
      for (const Watch& frame : frames) EXPECT_FALSE(frame.expired());
    }
    co_await yield_now();
    for (const Watch& frame : frames) EXPECT_TRUE(frame.expired());
  });
}

TEST(task_join_queue, test_join_queue_alternating) {
  current_thread().block_on([]() -> Task<void> {
    JoinQueue<void> queue;
    EXPECT_EQ(queue.len(), 0u);
    queue.spawn(nothing());
    EXPECT_EQ(queue.len(), 1u);
    queue.spawn(nothing());
    EXPECT_EQ(queue.len(), 2u);
    for (int i = 0; i < 16; ++i) {
      auto joined = co_await queue.join_next();
      EXPECT_TRUE(joined && joined->ok());
      EXPECT_EQ(queue.len(), 1u);
      queue.spawn(nothing());
      EXPECT_EQ(queue.len(), 2u);
    }
  });
}

TEST(task_join_queue, test_join_queue_abort_all) {
  current_thread().block_on([]() -> Task<void> {
    JoinQueue<int> queue;
    for (int i = 0; i < 5; ++i) queue.spawn(wait_for_ever(make_token()));
    for (int i = 5; i < 10; ++i) queue.spawn(value_of(i));
    co_await yield_now();
    queue.abort_all();
    EXPECT_EQ(queue.len(), 10u);
    for (int i = 0; i < 10; ++i) {
      auto joined = co_await queue.join_next();
      if (i < 5) {
        EXPECT_TRUE(joined->error().is_cancelled());
      } else {
        EXPECT_EQ(joined->value(), i);
      }
    }
    EXPECT_EQ(queue.len(), 0u);
  });
}

TEST(task_join_queue, test_join_queue_join_all) {
  paused().block_on([]() -> Task<void> {
    JoinQueue<int> queue;
    for (int i = 0; i < 5; ++i) queue.spawn(value_after(i, milliseconds(5 - i)));
    const std::vector<int> values = co_await queue.join_all();
    EXPECT_EQ(values, (std::vector<int>{0, 1, 2, 3, 4}));
  });
}

TEST(task_join_queue, test_join_queue_shutdown) {
  current_thread().block_on([]() -> Task<void> {
    JoinQueue<int> queue;
    std::vector<Watch> frames;
    for (int i = 0; i < 5; ++i) {
      Token token = make_token();
      frames.emplace_back(token);
      queue.spawn(wait_for_ever(std::move(token)));
    }
    co_await queue.shutdown();
    EXPECT_TRUE(queue.is_empty());
    for (const Watch& frame : frames) EXPECT_TRUE(frame.expired());
  });
}

TEST(task_join_queue, test_join_queue_with_manual_abort) {
  paused().block_on([]() -> Task<void> {
    JoinQueue<int> queue;
    for (int i = 0; i < 16; ++i) {
      AbortHandle handle = queue.spawn(value_after(i, milliseconds(16 - i)));
      if (i % 2 != 0) handle.abort();
    }
    for (int i = 0; i < 16; ++i) {
      auto joined = co_await queue.join_next();
      if (i % 2 != 0) {
        EXPECT_TRUE(joined->error().is_cancelled());
      } else {
        EXPECT_EQ(joined->value(), i);
      }
    }
  });
}

TEST(task_join_queue, test_join_queue_join_next_with_id) {
  paused().block_on([]() -> Task<void> {
    JoinQueue<int> queue;
    std::vector<TaskId> ids;
    for (int i = 0; i < 10; ++i) ids.push_back(queue.spawn(value_after(i, milliseconds(10 - i))).id());
    for (int i = 0; i < 10; ++i) {
      auto joined = co_await queue.join_next_with_id();
      EXPECT_EQ(joined->first, ids[static_cast<std::size_t>(i)]);
      EXPECT_EQ(joined->second.value(), i);
    }
    auto none = co_await queue.join_next_with_id();
    EXPECT_FALSE(none);
  });
}

TEST(task_join_queue, test_join_queue_try_join_next) {
  current_thread().block_on([]() -> Task<void> {
    JoinQueue<int> queue;
    auto [sender, receiver] = oneshot::channel<int>();
    queue.spawn(receive(std::move(receiver)));
    queue.spawn(value_of(2));
    co_await turns(2);
    EXPECT_FALSE(queue.try_join_next());
    EXPECT_FALSE(queue.try_join_next());
    EXPECT_EQ(queue.len(), 2u);
    static_cast<void>(sender.send(1));
    co_await turns(2);
    EXPECT_EQ(queue.try_join_next()->value(), 1);
    EXPECT_EQ(queue.try_join_next()->value(), 2);
    EXPECT_FALSE(queue.try_join_next());
  });
}

TEST(task_join_queue, test_join_queue_try_join_next_disabled_coop) {
  current_thread().block_on([]() -> Task<void> {
    JoinQueue<int> queue;
    for (int i = 0; i < 1000; ++i) queue.spawn(value_of(i));
    co_await turns(40);
    int joined = 0;
    while (auto next = queue.try_join_next()) EXPECT_EQ(next->value(), joined++);
    EXPECT_EQ(joined, 1000);
  });
}

TEST(task_join_queue, test_join_queue_try_join_next_with_id_disabled_coop) {
  current_thread().block_on([]() -> Task<void> {
    JoinQueue<int> queue;
    std::vector<TaskId> ids;
    for (int i = 0; i < 1000; ++i) ids.push_back(queue.spawn(value_of(i)).id());
    co_await turns(40);
    std::vector<TaskId> joined;
    while (auto next = queue.try_join_next_with_id()) joined.push_back(next->first);
    EXPECT_EQ(joined, ids);
  });
}

TEST(task_join_queue, spawn_local_panic_outside_any_runtime) {
  JoinQueue<int> queue;
  EXPECT_THROW(queue.spawn_local(value_of(1)), std::logic_error);
}

TEST(task_join_queue, spawn_local_panic_in_multi_thread_runtime) {
  multi_thread(1).block_on([]() -> Task<void> {
    JoinQueue<int> queue;
    EXPECT_THROW(queue.spawn_local(value_of(1)), std::logic_error);
    co_return;
  });
}

}  // namespace
}  // namespace kaido::parity
