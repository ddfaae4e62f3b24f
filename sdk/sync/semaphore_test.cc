// The order in which a semaphore serves, closes and takes back: the cases of tokio's own semaphore_batch tests; and
// what the parity tests leave open.
#include <kaido/sync/semaphore.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/join_handle.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/time.h>

#include "sdk/testing/probe.h"

namespace kaido {
namespace {

using testing::probe_of;

using Acquired = Expected<SemaphorePermit, AcquireError>;

/// An acquire whose wait can be dropped.
struct Acquiring {
  Acquiring(Semaphore& semaphore, std::size_t count)
      : probe(std::in_place, testing::await_owned(semaphore.acquire_many(count))) {}
  bool poll() { return probe->poll(); }
  [[nodiscard]] bool is_woken() const { return probe->is_woken(); }
  /// Polls, expects permits, and keeps them out of the semaphore.
  void take() {
    ASSERT_TRUE(probe->poll());
    auto permits = probe->take();
    ASSERT_TRUE(permits.has_value());
    permits->forget();
  }
  void expect_closed() {
    ASSERT_TRUE(probe->poll());
    EXPECT_FALSE(probe->take().has_value());
  }
  void cancel() { probe.reset(); }

  std::optional<testing::Probe<Acquired>> probe;
};

void take(Semaphore& semaphore, std::size_t count) { semaphore.try_acquire_many(count).value().forget(); }

TEST(semaphore_batch, poll_acquire_one_available) {
  Semaphore semaphore(100);
  Acquiring(semaphore, 1).take();
  EXPECT_EQ(semaphore.available_permits(), 99U);
}

TEST(semaphore_batch, poll_acquire_many_available) {
  Semaphore semaphore(100);
  Acquiring(semaphore, 5).take();
  EXPECT_EQ(semaphore.available_permits(), 95U);
  Acquiring(semaphore, 95).take();
  EXPECT_EQ(semaphore.available_permits(), 0U);
}

TEST(semaphore_batch, try_acquire_one_available) {
  Semaphore semaphore(100);
  take(semaphore, 1);
  take(semaphore, 1);
  EXPECT_EQ(semaphore.available_permits(), 98U);
}

TEST(semaphore_batch, try_acquire_many_available) {
  Semaphore semaphore(100);
  take(semaphore, 5);
  take(semaphore, 5);
  EXPECT_EQ(semaphore.available_permits(), 90U);
}

TEST(semaphore_batch, poll_acquire_one_unavailable) {
  Semaphore semaphore(1);
  Acquiring(semaphore, 1).take();
  Acquiring waiting(semaphore, 1);
  EXPECT_FALSE(waiting.poll());
  EXPECT_FALSE(waiting.is_woken());
  semaphore.add_permits(1);
  EXPECT_EQ(semaphore.available_permits(), 0U);
  EXPECT_TRUE(waiting.is_woken());
  waiting.take();
  EXPECT_EQ(semaphore.available_permits(), 0U);
  semaphore.add_permits(1);
  EXPECT_EQ(semaphore.available_permits(), 1U);
}

TEST(semaphore_batch, poll_acquire_many_unavailable) {
  Semaphore semaphore(5);
  Acquiring(semaphore, 1).take();
  Acquiring first(semaphore, 5);
  Acquiring second(semaphore, 3);
  Acquiring third(semaphore, 2);
  EXPECT_FALSE(first.poll());
  EXPECT_FALSE(second.poll());
  EXPECT_FALSE(third.poll());
  EXPECT_EQ(semaphore.available_permits(), 0U);  // The first has four of its five.
  semaphore.add_permits(1);
  EXPECT_TRUE(first.is_woken());
  first.take();
  EXPECT_FALSE(second.is_woken());
  semaphore.add_permits(1);
  semaphore.add_permits(1);
  EXPECT_FALSE(second.is_woken());
  EXPECT_EQ(semaphore.available_permits(), 0U);
  semaphore.add_permits(4);  // One for the second, two for the third, one over.
  EXPECT_TRUE(second.is_woken());
  EXPECT_TRUE(third.is_woken());
  EXPECT_EQ(semaphore.available_permits(), 1U);
  second.take();
  third.take();
}

TEST(semaphore_batch, try_acquire_one_unavailable) {
  Semaphore semaphore(1);
  take(semaphore, 1);
  EXPECT_EQ(semaphore.try_acquire().error(), TryAcquireError::kNoPermits);
  semaphore.add_permits(1);
  take(semaphore, 1);
}

TEST(semaphore_batch, try_acquire_many_unavailable) {
  Semaphore semaphore(5);
  take(semaphore, 1);
  EXPECT_EQ(semaphore.try_acquire_many(5).error(), TryAcquireError::kNoPermits);
  EXPECT_EQ(semaphore.available_permits(), 4U);
  semaphore.add_permits(1);
  take(semaphore, 5);
  EXPECT_EQ(semaphore.try_acquire().error(), TryAcquireError::kNoPermits);
  semaphore.add_permits(2);
  EXPECT_FALSE(semaphore.try_acquire_many(3).has_value());
  take(semaphore, 1);
  EXPECT_EQ(semaphore.available_permits(), 1U);
}

TEST(semaphore_batch, poll_acquire_one_zero_permits) {
  Semaphore semaphore(0);
  Acquiring waiting(semaphore, 1);
  EXPECT_FALSE(waiting.poll());
  semaphore.add_permits(1);
  EXPECT_TRUE(waiting.is_woken());
  waiting.take();
}

TEST(semaphore_batch, max_permits_doesnt_panic) {
  const Semaphore semaphore(Semaphore::kMaxPermits);
  EXPECT_EQ(semaphore.available_permits(), Semaphore::kMaxPermits);
}

TEST(semaphore_batch, validates_permits) { EXPECT_THROW(Semaphore(Semaphore::kMaxPermits + 1), std::logic_error); }

TEST(semaphore_batch, close_semaphore_prevents_acquire) {
  Semaphore semaphore(5);
  semaphore.close();
  EXPECT_EQ(semaphore.available_permits(), 5U);
  Acquiring(semaphore, 1).expect_closed();
  Acquiring(semaphore, 1).expect_closed();
  EXPECT_EQ(semaphore.try_acquire().error(), TryAcquireError::kClosed);
  EXPECT_EQ(semaphore.available_permits(), 5U);
}

TEST(semaphore_batch, close_semaphore_notifies_permit1) {
  Semaphore semaphore(0);
  Acquiring waiting(semaphore, 1);
  EXPECT_FALSE(waiting.poll());
  semaphore.close();
  EXPECT_TRUE(waiting.is_woken());
  waiting.expect_closed();
}

TEST(semaphore_batch, close_semaphore_notifies_permit2) {
  Semaphore semaphore(2);
  Acquiring(semaphore, 1).take();
  Acquiring(semaphore, 1).take();
  Acquiring third(semaphore, 1);
  Acquiring fourth(semaphore, 1);
  EXPECT_FALSE(third.poll());
  EXPECT_FALSE(fourth.poll());
  semaphore.close();
  EXPECT_TRUE(third.is_woken());
  EXPECT_TRUE(fourth.is_woken());
  third.expect_closed();
  fourth.expect_closed();
  Acquiring(semaphore, 1).expect_closed();
  semaphore.add_permits(1);
  EXPECT_EQ(semaphore.available_permits(), 1U);
  Acquiring(semaphore, 1).expect_closed();
}

TEST(semaphore_batch, cancel_acquire_releases_permits) {
  Semaphore semaphore(10);
  take(semaphore, 4);
  EXPECT_EQ(semaphore.available_permits(), 6U);
  Acquiring waiting(semaphore, 8);
  EXPECT_FALSE(waiting.poll());
  EXPECT_EQ(semaphore.available_permits(), 0U);
  EXPECT_FALSE(semaphore.try_acquire().has_value());
  waiting.cancel();
  EXPECT_EQ(semaphore.available_permits(), 6U);
  take(semaphore, 6);
}

TEST(semaphore_batch, release_permits_at_drop) {
  // A granted wait that is dropped hands on, also to a waiter that goes in the same breath.
  Semaphore semaphore(1);
  take(semaphore, 1);
  Acquiring first(semaphore, 1);
  EXPECT_FALSE(first.poll());
  {
    Acquiring second(semaphore, 1);
    EXPECT_FALSE(second.poll());
    semaphore.add_permits(1);
    EXPECT_TRUE(first.is_woken());
    first.cancel();
    EXPECT_TRUE(second.is_woken());
  }
  EXPECT_EQ(semaphore.available_permits(), 1U);
}

TEST(semaphore_batch, forget_permits_basic) {
  Semaphore semaphore(10);
  EXPECT_EQ(semaphore.forget_permits(4), 4U);
  EXPECT_EQ(semaphore.available_permits(), 6U);
  EXPECT_EQ(semaphore.forget_permits(10), 6U);
  EXPECT_EQ(semaphore.available_permits(), 0U);
}

TEST(semaphore_batch, update_permits_many_times) {
  Semaphore semaphore(5);
  Acquiring waiting(semaphore, 7);
  EXPECT_FALSE(waiting.poll());
  EXPECT_EQ(semaphore.forget_permits(3), 0U);  // The waiter has them.
  semaphore.add_permits(2);
  EXPECT_TRUE(waiting.is_woken());
  waiting.take();
  semaphore.add_permits(4);
  EXPECT_EQ(semaphore.forget_permits(3), 3U);
  EXPECT_EQ(semaphore.available_permits(), 1U);
}

TEST(Semaphore, WakesMoreWaitersThanOneBatchHolds) {
  Semaphore semaphore(0);
  std::vector<std::unique_ptr<Acquiring>> waiting;
  for (int i = 0; i < 200; ++i) {
    waiting.push_back(std::make_unique<Acquiring>(semaphore, 1));
    EXPECT_FALSE(waiting.back()->poll());
  }
  semaphore.add_permits(100);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(waiting[static_cast<std::size_t>(i)]->is_woken(), i < 100);
  semaphore.close();
  for (auto& waiter : waiting) EXPECT_TRUE(waiter->is_woken());
}

TEST(Semaphore, CountsInTheBudgetOfATask) {
  Semaphore semaphore(1);
  auto probe = testing::Probe<int>([](Semaphore& shared) -> Task<int> {
    int count = 0;
    for (; count < 200; ++count) auto permit = co_await shared.acquire();
    co_return count;
  }(semaphore));
  EXPECT_FALSE(probe.poll());
  EXPECT_TRUE(probe.is_woken());
  EXPECT_EQ(semaphore.available_permits(), 1U);
  ASSERT_TRUE(probe.poll());
  EXPECT_EQ(probe.take(), 200);
}

TEST(Semaphore, AMovedWaitStartsAnew) {
  Semaphore semaphore(0);
  auto acquiring = semaphore.acquire();
  testing::Probe<void> first([](auto& operation) -> Task<void> { static_cast<void>(co_await operation); }(acquiring));
  EXPECT_FALSE(first.poll());
  Acquiring second(semaphore, 1);
  EXPECT_FALSE(second.poll());
  auto moved = probe_of(std::move(acquiring));
  EXPECT_FALSE(moved.poll());
  semaphore.add_permits(1);
  EXPECT_TRUE(second.is_woken());
  EXPECT_FALSE(moved.is_woken());
}

constexpr std::size_t kPermits = 7;

/// Counts permits that are out, and that they are never too many.
class InUse {
 public:
  InUse(std::atomic<std::size_t>& counter, std::size_t count) : counter_(counter), count_(count) {
    EXPECT_LE(counter_.fetch_add(count_) + count_, kPermits);
  }
  InUse(const InUse&) = delete;
  InUse& operator=(const InUse&) = delete;
  ~InUse() { counter_.fetch_sub(count_); }

 private:
  std::atomic<std::size_t>& counter_;
  std::size_t count_;
};

struct Stressed {
  Semaphore semaphore{kPermits};
  std::atomic<std::size_t> out = 0;
};

Task<void> take_at_random(std::shared_ptr<Stressed> shared, unsigned seed) {
  std::minstd_rand random(seed);
  for (int round = 0; round < 300; ++round) {
    const std::size_t count = 1 + random() % kPermits;
    auto acquiring = shared->semaphore.acquire_many(count);
    if (random() % 3 == 0) {
      auto permits = co_await timeout(std::chrono::microseconds(random() % 2000), std::move(acquiring));
      if (!permits) continue;
      const InUse in_use(shared->out, count);
      co_await yield_now();
    } else {
      auto permits = co_await acquiring;
      const InUse in_use(shared->out, count);
      if (random() % 2 == 0) co_await yield_now();
    }
  }
}

// Tasks take, wait, give up and are aborted at random: nothing is lost, and never are more permits out than exist.
TEST(Semaphore, KeepsItsPermitsUnderRandomCancellation) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  auto shared = std::make_shared<Stressed>();
  auto runtime = RuntimeBuilder::new_multi_thread().worker_threads(4).enable_all().build().value();
  runtime.block_on([&]() -> Task<void> {
    std::vector<JoinHandle<void>> tasks;
    for (unsigned task = 0; task < 16; ++task) tasks.push_back(spawn(take_at_random(shared, seed + task)));
    for (unsigned task = 0; task < 16; ++task) {
      if (task % 5 == 4) tasks[task].abort();
      auto result = co_await tasks[task];
      EXPECT_TRUE(result.has_value() || result.error().kind() == ErrorKind::kCancelled);
    }
  });
  EXPECT_EQ(shared->semaphore.available_permits(), kPermits);
}

}  // namespace
}  // namespace kaido
