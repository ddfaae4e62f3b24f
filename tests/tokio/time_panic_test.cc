// Misuse of the clock and of timers is told to the caller.
#include <chrono>
#include <stdexcept>

#include <gtest/gtest.h>

#include <kaido/interval.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/time.h>

#include "tests/tokio/support.h"

namespace kaido {
namespace {

using namespace std::chrono_literals;

TEST(time_panic, pause_panic_caller) {
  parity::paused().block_on([]() -> Task<void> {
    EXPECT_THROW(pause_clock(), std::logic_error);
    co_return;
  });
  parity::multi_thread(1).block_on([]() -> Task<void> {
    EXPECT_THROW(pause_clock(), std::logic_error);
    co_return;
  });
}

TEST(time_panic, resume_panic_caller) {
  parity::current_thread().block_on([]() -> Task<void> {
    EXPECT_THROW(resume_clock(), std::logic_error);
    co_return;
  });
}

TEST(time_panic, interval_panic_caller) {
  parity::current_thread().block_on([]() -> Task<void> {
    EXPECT_THROW(static_cast<void>(interval(0ms)), std::logic_error);
    co_return;
  });
}

TEST(time_panic, interval_at_panic_caller) {
  parity::current_thread().block_on([]() -> Task<void> {
    EXPECT_THROW(static_cast<void>(interval_at(Clock::now(), 0ms)), std::logic_error);
    co_return;
  });
}

Runtime without_timers() { return RuntimeBuilder::new_current_thread().build().value(); }

TEST(time_panic, timeout_panic_caller) {
  without_timers().block_on([]() -> Task<void> {
    EXPECT_THROW(static_cast<void>(timeout(5ms, yield_now())), std::logic_error);
    co_return;
  });
}

TEST(time_panic, timeout_at_panic_caller) {
  without_timers().block_on([]() -> Task<void> {
    EXPECT_THROW(static_cast<void>(timeout_at(Clock::now() + 5ms, yield_now())), std::logic_error);
    co_return;
  });
}

}  // namespace
}  // namespace kaido
