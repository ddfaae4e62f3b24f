/// tokio's rt_poll_callbacks.rs: the hooks around each poll of a task.
#include <atomic>
#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/spawn.h>

namespace kaido::parity {
namespace {

struct Polls {
  std::atomic<int> before = 0;
  std::atomic<int> after = 0;
  std::atomic<std::uint64_t> task = 0;
};

Task<void> yield_thrice() {
  co_await yield_now();
  co_await yield_now();
  co_await yield_now();
}

void check_callbacks(RuntimeBuilder builder) {
  Polls polls;
  std::optional<Runtime> rt(builder
                                .on_before_task_poll([&polls](const TaskMeta& meta) {
                                  ++polls.before;
                                  polls.task = meta.id().value();
                                })
                                .on_after_task_poll([&polls](const TaskMeta& meta) {
                                  ++polls.after;
                                  EXPECT_EQ(meta.id().value(), polls.task);
                                })
                                .build()
                                .value());
  auto handle = rt->spawn(yield_thrice());
  const TaskId id = handle.id();
  EXPECT_TRUE(rt->block_on(handle).has_value());
  rt.reset();  // The last hook may come after the join.
  EXPECT_EQ(polls.before, 4);
  EXPECT_EQ(polls.after, 4);
  EXPECT_EQ(polls.task, id.value());
}

TEST(rt_poll_callbacks, callbacks_fire_multi_thread) {
  check_callbacks(RuntimeBuilder::new_multi_thread().worker_threads(1));
}

TEST(rt_poll_callbacks, callbacks_fire_current_thread) { check_callbacks(RuntimeBuilder::new_current_thread()); }

}  // namespace
}  // namespace kaido::parity
