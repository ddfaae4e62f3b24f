/// tokio's task_yield_now.rs.
#include <gtest/gtest.h>

#include <kaido/coop.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>

#include "sdk/testing/probe.h"
#include "tests/tokio/poll_fn.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

Task<void> yield_once() { co_await yield_now(); }

TEST(task_yield_now, yield_now_outside_of_runtime) {
  testing::Probe<void> probe(yield_once());
  EXPECT_FALSE(probe.poll());
  EXPECT_TRUE(probe.is_woken());
  EXPECT_TRUE(probe.poll());
}

TEST(task_yield_now, yield_now_external_executor_and_block_in_place) {
  Runtime rt = multi_thread(1);
  auto handle = rt.spawn([]() -> Task<void> {
    block_in_place([] { foreign_block_on(yield_once()); });
    co_return;
  });
  EXPECT_TRUE(rt.block_on(handle).has_value());
}

}  // namespace
}  // namespace kaido::parity
