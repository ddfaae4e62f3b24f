// Timers on each kind of runtime.
#include <chrono>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/sync/oneshot.h>
#include <kaido/time.h>

#include "sdk/testing/probe.h"
#include "tests/tokio/support.h"

namespace kaido {
namespace {

using namespace std::chrono_literals;

void expect_not_early(Runtime runtime) {
  runtime.block_on([]() -> Task<void> {
    auto handle = spawn([]() -> Task<void> {
      const Instant when = Clock::now() + 10ms;
      co_await sleep_until(when);
      EXPECT_GE(Clock::now(), when);
    });
    const auto result = co_await handle;
    EXPECT_TRUE(result.has_value());
  });
}

TEST(time_rt, timer_with_threaded_runtime) { expect_not_early(parity::multi_thread(2)); }

TEST(time_rt, timer_with_current_thread_scheduler) { expect_not_early(parity::current_thread()); }

/// Wakes itself in every poll, until its timer fires.
class Starving {
 public:
  explicit Starving(Instant deadline) : sleep_(deadline) {}
  bool poll(PollContext& context) {
    if (sleep_.poll(context)) return true;
    ++polls;
    context.target().wake_by_ref();
    return false;
  }
  void take() {}
  int polls = 0;

 private:
  Sleep sleep_;
};

TEST(time_rt, starving) {
  parity::current_thread().block_on([]() -> Task<void> {
    const Instant when = Clock::now() + 10ms;
    Starving starving(when);
    co_await starving;
    EXPECT_GE(Clock::now(), when);
    EXPECT_GT(starving.polls, 0);
  });
}

TEST(time_rt, timeout_value) {
  using parity::Flavour;
  for (const Flavour flavour : {Flavour::kCurrentThread, Flavour::kMultiThread4, Flavour::kMultiThread1}) {
    parity::make_runtime(flavour).block_on([]() -> Task<void> {
      auto [sender, receiver] = oneshot::channel<int>();
      const Instant before = Clock::now();
      const auto result = co_await timeout(10ms, receiver);
      EXPECT_TRUE(result.has_error() && result.error().is_timed_out());
      EXPECT_GE(Clock::now() - before, 10ms);
    });
  }
}

TEST(time_rt, tickspace) {
  // Two clocks that stand still; the second is ahead by a minute. A sleep of the first, armed and reset while the
  // second is the current one, still counts the first one's time.
  auto first = parity::paused();
  auto second = parity::paused();
  second.block_on([]() -> Task<void> { co_await advance_clock(1min); });
  testing::Probe<void> probe(first.block_on([]() -> Task<Task<void>> {
    co_return [](Instant deadline, Sleep own) -> Task<void> {
      own.reset(deadline);
      co_await own;
    }(Clock::now() + 5ms, sleep(1s));
  }));
  {
    const EnterGuard guard = second.enter();
    EXPECT_FALSE(probe.poll());
  }
  second.block_on([&]() -> Task<void> {
    co_await advance_clock(1s);
    EXPECT_FALSE(probe.is_woken());
  });
  first.block_on([&]() -> Task<void> {
    co_await advance_clock(4ms);
    EXPECT_FALSE(probe.is_woken());
    co_await advance_clock(2ms);
    EXPECT_TRUE(probe.is_woken());
    EXPECT_TRUE(probe.poll());
  });
}

}  // namespace
}  // namespace kaido
