// Aborting a task of a LocalSet from another thread.
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/local_set.h>
#include <kaido/spawn.h>

#include "tests/tokio/task_support.h"

namespace kaido::parity {
namespace {

TEST(task_abort, remote_abort_local_set_3929) {
  const Runtime runtime = multi_thread(1);
  const LocalSet local;
  const std::thread::id owner = std::this_thread::get_id();
  std::thread::id dropped_on;
  auto wait = [dropped = OnDrop([&dropped_on] { dropped_on = std::this_thread::get_id(); })]() -> Task<void> {
    Pending pending;
    co_await pending;
  };
  auto handle = local.spawn_local(std::move(wait));
  const AbortHandle remote = handle.abort_handle();
  std::thread thread([&remote] { remote.abort(); });
  local.block_on(runtime, [&]() -> Task<void> {
    auto result = co_await handle;
    EXPECT_TRUE(result.error().is_cancelled());
  });
  thread.join();
  EXPECT_EQ(dropped_on, owner);
}

}  // namespace
}  // namespace kaido::parity
