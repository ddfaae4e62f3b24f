// The paused clock: pausing, advancing and resuming.
#include <chrono>
#include <stdexcept>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/time.h>

#include "tests/tokio/support.h"

namespace kaido {
namespace {

using namespace std::chrono_literals;

TEST(test_clock, resume_lets_time_move_forward_instead_of_resetting_it) {
  parity::paused().block_on([]() -> Task<void> {
    const Instant start = Clock::now();
    co_await advance_clock(10s);
    const Instant advanced = Clock::now();
    EXPECT_EQ(advanced - start, 10s);
    resume_clock();
    EXPECT_GE(Clock::now(), advanced);
  });
}

TEST(test_clock, can_pause_after_resume) {
  parity::paused().block_on([]() -> Task<void> {
    const Instant start = Clock::now();
    co_await advance_clock(10s);
    resume_clock();
    pause_clock();
    co_await advance_clock(10s);
    EXPECT_GE(Clock::now() - start, 20s);
    EXPECT_LT(Clock::now() - start, 21s);
  });
}

TEST(test_clock, freezing_time_while_frozen_panics) {
  parity::current_thread().block_on([]() -> Task<void> {
    pause_clock();
    EXPECT_THROW(pause_clock(), std::logic_error);
    co_return;
  });
}

TEST(test_clock, advancing_time_when_time_is_not_frozen_panics) {
  auto advance = []() -> Task<void> { co_await advance_clock(1s); };
  EXPECT_THROW(parity::current_thread().block_on(advance), std::logic_error);
}

TEST(test_clock, resuming_time_when_not_frozen_panics) {
  parity::paused().block_on([]() -> Task<void> {
    resume_clock();
    EXPECT_THROW(resume_clock(), std::logic_error);
    co_return;
  });
}

}  // namespace
}  // namespace kaido
