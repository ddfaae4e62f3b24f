/// tokio's rt_worker_index.rs: which worker runs this code.
#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/spawn.h>

#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using Index = std::optional<std::size_t>;

Task<Index> index_here() { co_return worker_index(); }

TEST(rt_worker_index, worker_index_current_thread) {
  Runtime rt = current_thread();
  EXPECT_EQ(rt.block_on(index_here()), Index(0));
  auto handle = rt.spawn(index_here());
  EXPECT_EQ(rt.block_on(handle).value(), Index(0));
}

TEST(rt_worker_index, worker_index_local_runtime) {
  auto rt = RuntimeBuilder::new_current_thread().build_local().value();
  EXPECT_EQ(rt.block_on(index_here()), Index(0));
}

TEST(rt_worker_index, worker_index_outside_runtime) {
  EXPECT_EQ(worker_index(), std::nullopt);
  Runtime rt = current_thread();
  const EnterGuard guard = rt.enter();
  EXPECT_EQ(worker_index(), std::nullopt);
}

TEST(rt_worker_index, worker_index_matches_metrics_worker_thread_id) {
  Runtime rt = multi_thread(4);
  auto handle = rt.spawn([]() -> Task<bool> {
    const Index index = worker_index();
    co_return index&& Handle::current().metrics().worker_thread_id(*index) == std::this_thread::get_id();
  });
  EXPECT_TRUE(rt.block_on(handle).value());
}

TEST(rt_worker_index, worker_index_from_spawn_blocking) {
  Runtime rt = multi_thread(4);
  auto handle = rt.spawn_blocking([] { return worker_index(); });
  EXPECT_EQ(rt.block_on(handle).value(), std::nullopt);
}

TEST(rt_worker_index, worker_index_block_on_multi_thread) {
  Runtime rt = multi_thread(4);
  EXPECT_EQ(rt.block_on(index_here()), std::nullopt);
}

}  // namespace
}  // namespace kaido::parity
