/// tokio's rt_common.rs, on each flavour: the end of a runtime, and cooperation.
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/coop.h>
#include <kaido/join_set.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/sync/mpsc.h>
#include <kaido/sync/notify.h>
#include <kaido/sync/oneshot.h>
#include <kaido/time.h>

#include "sdk/testing/probe.h"
#include "tests/tokio/poll_fn.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

using namespace std::chrono_literals;

class rt_common : public FlavourTest {};

TEST_P(rt_common, outstanding_tasks_dropped) {
  auto witness = std::make_shared<int>(1);
  {
    Runtime rt = runtime();
    rt.block_on([&witness]() -> Task<void> {
      auto [sender, receiver] = oneshot::channel<int>();
      start([witness, sender = std::move(sender)]() mutable -> Task<void> {
        send(sender, 1);
        co_await pending();
      });
      EXPECT_TRUE((co_await receiver).has_value());
    });
    EXPECT_EQ(witness.use_count(), 2);
  }
  EXPECT_EQ(witness.use_count(), 1);
}

TEST_P(rt_common, eagerly_drops_futures_on_shutdown) {
  auto witness = std::make_shared<int>(1);
  Notify waits;
  {
    Runtime rt = runtime();
    start_on(rt, [witness, &waits]() -> Task<void> {
      waits.notify_one();
      co_await pending();
    });
    rt.block_on([&waits]() -> Task<void> { co_await waits.notified(); });
  }
  EXPECT_EQ(witness.use_count(), 1);
}

TEST_P(rt_common, wake_while_rt_is_dropping) {
  struct SendOnDrop {
    oneshot::Sender<int> sender;
    ~SendOnDrop() { send(sender, 1); }
  };
  std::atomic<int> resumed = 0;
  {
    auto [sender1, receiver1] = oneshot::channel<int>();
    auto [sender2, receiver2] = oneshot::channel<int>();
    auto [sender3, receiver3] = oneshot::channel<int>();
    Runtime rt = runtime();
    const auto wait = [&resumed](oneshot::Sender<int> sender, oneshot::Receiver<int> receiver) -> Task<void> {
      SendOnDrop on_drop{std::move(sender)};
      static_cast<void>(co_await receiver);
      ++resumed;
    };
    start_on(rt, wait(std::move(sender2), std::move(receiver1)));
    start_on(rt, wait(std::move(sender3), std::move(receiver2)));
    start_on(rt, wait(std::move(sender1), std::move(receiver3)));
    rt.block_on([]() -> Task<void> { co_await yield_now(); });
  }
  // A multi-thread runtime may still run what a dying sibling woke.
  if (GetParam() == Flavour::kCurrentThread) {
    EXPECT_EQ(resumed, 0);
  } else {
    EXPECT_LE(resumed, 2);
  }
}

/// A closure that blocks until the test lets it go, and tells when it runs.
struct Stuck {
  std::promise<void> runs;
  std::promise<void> release;
};

std::shared_ptr<Stuck> block_a_thread(const Runtime& rt) {
  auto stuck = std::make_shared<Stuck>();
  static_cast<void>(rt.spawn_blocking([stuck] {
    stuck->runs.set_value();
    stuck->release.get_future().wait();
  }));
  stuck->runs.get_future().wait();
  return stuck;
}

TEST_P(rt_common, shutdown_timeout) {
  Runtime rt = runtime();
  const auto stuck = block_a_thread(rt);
  const auto begin = std::chrono::steady_clock::now();
  std::move(rt).shutdown_timeout(100ms);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 100ms);
  stuck->release.set_value();
}

TEST_P(rt_common, shutdown_timeout_0) {
  Runtime rt = runtime();
  const auto stuck = block_a_thread(rt);
  const auto begin = std::chrono::steady_clock::now();
  std::move(rt).shutdown_timeout(0ns);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 1s);
  stuck->release.set_value();
}

TEST_P(rt_common, shutdown_wakeup_time) {
  Runtime rt = runtime();
  rt.block_on([]() -> Task<void> { co_await sleep(10ms); });
  const auto begin = std::chrono::steady_clock::now();
  std::move(rt).shutdown_timeout(10'000s);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

TEST_P(rt_common, runtime_in_thread_local) {
  std::thread([this] {
    static thread_local std::optional<Runtime> kept;
    kept.emplace(runtime());
    kept->block_on([]() -> Task<void> { co_await yield_now(); });
  }).join();
}

TEST_P(rt_common, shutdown_concurrent_spawn) {
  constexpr int kTasks = 10'000;
  for (int round = 0; round < 5; ++round) {
    std::vector<oneshot::Sender<int>> senders;
    std::thread thread;
    {
      Runtime rt = runtime();
      for (int i = 0; i < kTasks; ++i) {
        auto [sender, receiver] = oneshot::channel<int>();
        senders.push_back(std::move(sender));
        start_on(rt,
                 [receiver = std::move(receiver)]() mutable -> Task<void> { static_cast<void>(co_await receiver); });
      }
      thread = std::thread([&senders] {
        for (auto& sender : senders) send(sender, 1);
      });
    }
    thread.join();
    for (auto& sender : senders) EXPECT_THROW(send(sender, 1), std::logic_error);  // Every one was used.
  }
}

/// Polls until it is ready, at most `limit` times; how often it was not.
template <typename T>
int count_pending(testing::Probe<T>& probe, int limit) {
  int polls = 0;
  while (polls < limit && !probe.poll()) ++polls;
  return polls;
}

Task<void> receive_1000(mpsc::UnboundedReceiver<int>& receiver) {
  for (int i = 0; i < 1000; ++i) static_cast<void>(co_await receiver.recv());
}

mpsc::UnboundedReceiver<int> filled_with_1000() {
  auto [sender, receiver] = mpsc::unbounded_channel<int>();
  for (int i = 0; i < 1000; ++i) send(sender, i);
  return std::move(receiver);
}

TEST_P(rt_common, coop) {
  Runtime rt = runtime();
  rt.block_on([]() -> Task<void> {
    auto receiver = filled_with_1000();
    testing::Probe<void> probe(receive_1000(receiver));
    EXPECT_GE(count_pending(probe, 1000), 1);
    co_return;
  });
}

TEST_P(rt_common, coop_unconstrained) {
  Runtime rt = runtime();
  rt.block_on([]() -> Task<void> {
    auto receiver = filled_with_1000();
    testing::Probe<void> probe([&receiver]() -> Task<void> { co_await unconstrained(receive_1000(receiver)); });
    EXPECT_EQ(count_pending(probe, 1000), 0);
    co_return;
  });
}

TEST_P(rt_common, coop_consume_budget) {
  Runtime rt = runtime();
  rt.block_on([]() -> Task<void> {
    testing::Probe<void> probe([]() -> Task<void> {
      for (int i = 0; i < 1000; ++i) co_await consume_budget();
    });
    EXPECT_GE(count_pending(probe, 1000), 1);
    co_return;
  });
}

Task<void> bounce(mpsc::Receiver<int> in, mpsc::Sender<int> out) {
  while (auto ball = co_await in.recv()) {
    const bool is_taken = (co_await out.send(*ball)).has_value();
    if (!is_taken) co_return;
  }
}

TEST_P(rt_common, ping_pong_saturation) {
  Runtime rt = runtime();
  rt.block_on([]() -> Task<void> {
    JoinSet<void> players;
    for (int pair = 0; pair < 100; ++pair) {
      auto [ping_sender, ping] = mpsc::channel<int>(1);
      auto [pong_sender, pong] = mpsc::channel<int>(1);
      static_cast<void>(ping_sender.try_send(1));
      players.spawn(bounce(std::move(ping), std::move(pong_sender)));
      players.spawn(bounce(std::move(pong), std::move(ping_sender)));
    }
    auto handle = spawn([]() -> Task<void> {
      for (int i = 0; i < 100; ++i) co_await yield_now();
    });
    EXPECT_TRUE((co_await handle).has_value());
  });
}

KAIDO_FLAVOURS(rt_common);

}  // namespace
}  // namespace kaido::parity
