/// tokio's rt_common_before_park.rs: what the hook before a wait may do.
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/sync/mpsc.h>
#include <kaido/sync/notify.h>
#include <kaido/sync/oneshot.h>
#include <kaido/time.h>

#include "tests/tokio/poll_fn.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using namespace std::chrono_literals;

Runtime with_hook(std::function<void()> hook) {
  return RuntimeBuilder::new_current_thread().enable_all().on_thread_park(std::move(hook)).build().value();
}

Task<void> wait_for(Notify& notify) { co_await notify.notified(); }

TEST(rt_common_before_park, before_park_wakes_block_on_task) {
  Notify notify;
  Runtime rt = with_hook([&notify] { notify.notify_one(); });
  rt.block_on(wait_for(notify));
  EXPECT_EQ(rt.metrics().worker_park_count(0), 0u);
}

TEST(rt_common_before_park, before_park_spawns_task) {
  Notify notify;
  Runtime rt = with_hook([&notify] {
    start([&notify]() -> Task<void> {
      notify.notify_one();
      co_return;
    });
  });
  rt.block_on(wait_for(notify));
  EXPECT_EQ(rt.metrics().worker_park_count(0), 0u);
}

TEST(rt_common_before_park, wake_from_other_thread_block_on) {
  Notify parks;
  Notify notify;
  Runtime rt = with_hook([&parks] { parks.notify_one(); });
  std::thread other([&, handle = rt.handle()] {
    // From a root that is polled on a thread of its own.
    handle.block_on([&]() -> Task<void> {
      co_await parks.notified();
      notify.notify_one();
    });
  });
  rt.block_on(wait_for(notify));
  other.join();
}

TEST(rt_common_before_park, before_park_does_not_stall_spawned_timer) {
  Notify notify;
  Runtime rt = with_hook([&notify] { notify.notify_one(); });
  rt.block_on([&notify]() -> Task<void> {
    auto timer = spawn([]() -> Task<void> { co_await sleep(10ms); });
    while (!timer.is_finished()) co_await notify.notified();
    EXPECT_TRUE((co_await timer).has_value());
  });
}

}  // namespace
}  // namespace kaido::parity
