// timeout: who wins, and when.
#include <kaido/time.h>

#include <chrono>

#include <gtest/gtest.h>

#include <kaido/coop.h>
#include <kaido/runtime.h>
#include <kaido/sync/oneshot.h>

#include "sdk/testing/probe.h"
#include "tests/tokio/support.h"

namespace kaido {
namespace {

using namespace std::chrono_literals;
using testing::Probe;

/// Never ready.
struct Pending {
  bool poll(PollContext&) { return false; }
  void take() {}
};

Task<void> nothing() { co_return; }

TEST(time_timeout, simultaneous_deadline_future_completion) {
  parity::paused().block_on([]() -> Task<void> {
    Probe probe([]() -> Task<Result<void>> { co_return co_await timeout_at(Clock::now(), nothing()); });
    EXPECT_TRUE(probe.poll());
    EXPECT_TRUE(probe.take().has_value());
    co_return;
  });
}

TEST(time_timeout, completed_future_past_deadline) {
  parity::paused().block_on([]() -> Task<void> {
    co_await advance_clock(2s);
    Probe probe([]() -> Task<Result<void>> { co_return co_await timeout_at(Clock::now() - 1s, nothing()); });
    EXPECT_TRUE(probe.poll());
    EXPECT_TRUE(probe.take().has_value());
  });
}

template <typename F>
void expect_in_time(F with_timeout) {
  parity::paused().block_on([&]() -> Task<void> {
    auto [sender, receiver] = oneshot::channel<int>();
    Probe probe([&, &awaited = receiver]() -> Task<bool> {
      const auto result = co_await with_timeout(awaited);
      co_return result.has_value() && result->has_value();
    });
    EXPECT_FALSE(probe.poll());
    co_await advance_clock(90ms);
    EXPECT_FALSE(probe.poll());
    EXPECT_TRUE(sender.send(1));
    EXPECT_TRUE(probe.is_woken());
    EXPECT_TRUE(probe.poll());
    EXPECT_TRUE(probe.take());
  });
}

TEST(time_timeout, future_and_deadline_in_future) {
  expect_in_time([](oneshot::Receiver<int>& awaited) { return timeout_at(Clock::now() + 100ms, awaited); });
}

TEST(time_timeout, future_and_timeout_in_future) {
  expect_in_time([](oneshot::Receiver<int>& awaited) { return timeout(100ms, awaited); });
}

TEST(time_timeout, very_large_timeout) {
  parity::paused().block_on([]() -> Task<void> {
    auto [sender, receiver] = oneshot::channel<int>();
    Probe probe([&awaited = receiver]() -> Task<bool> {
      const auto result = co_await timeout(std::chrono::nanoseconds::max(), awaited);
      co_return result.has_value();
    });
    EXPECT_FALSE(probe.poll());
    co_await advance_clock(std::chrono::hours(24 * 365 * 10));
    EXPECT_FALSE(probe.poll());
    EXPECT_TRUE(sender.send(1));
    EXPECT_TRUE(probe.poll());
    EXPECT_TRUE(probe.take());
  });
}

TEST(time_timeout, deadline_now_elapses) {
  parity::paused().block_on([]() -> Task<void> {
    Probe probe([]() -> Task<Result<void>> { co_return co_await timeout_at(Clock::now(), Pending()); });
    // Ready at once if the clock is on a tick, at the next one otherwise.
    if (!probe.poll()) {
      co_await advance_clock(1ms);
      EXPECT_TRUE(probe.is_woken());
      EXPECT_TRUE(probe.poll());
    }
    EXPECT_TRUE(probe.take().error().is_timed_out());
  });
}

TEST(time_timeout, deadline_future_elapses) {
  parity::paused().block_on([]() -> Task<void> {
    Probe probe([]() -> Task<Result<void>> { co_return co_await timeout_at(Clock::now() + 300ms, Pending()); });
    EXPECT_FALSE(probe.poll());
    co_await advance_clock(301ms);
    EXPECT_TRUE(probe.is_woken());
    EXPECT_TRUE(probe.poll());
    EXPECT_TRUE(probe.take().error().is_timed_out());
  });
}

TEST(time_timeout, timeout_is_not_exhausted_by_future) {
  parity::current_thread().block_on([]() -> Task<void> {
    auto always_ready = []() -> Task<void> {
      for (;;) co_await consume_budget();
    };
    const auto result = co_await timeout(10ms, always_ready());
    EXPECT_TRUE(result.has_error() && result.error().is_timed_out());
  });
}

}  // namespace
}  // namespace kaido
