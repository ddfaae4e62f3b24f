// Spawning, yielding, blocking and timers on Kaido.
#include <atomic>
#include <memory>
#include <semaphore>
#include <utility>

#include <kaido/kaido.h>
#include <kaido/sync.h>

#include "tests/bench/runtime/runtimes.h"
#include "tests/bench/runtime/workload.h"

namespace kaido::bench {

namespace {

using namespace std::chrono_literals;

Task<void> nothing() { co_return; }

Task<void> spawn_one_by_one() {
  for (std::size_t i = 0; i < kSpawns; ++i) (void)co_await spawn(nothing());
}

double spawn_join(Runtime runtime, double milliseconds) {
  return repeat(milliseconds, [&] {
    auto all = runtime.spawn(spawn_one_by_one());
    (void)runtime.block_on(all);
    return kSpawns;
  });
}
double spawn_join_1(double milliseconds) { return spawn_join(current_thread(), milliseconds); }
double spawn_join_2(double milliseconds) { return spawn_join(multi_thread(2), milliseconds); }

Task<void> spawn_and_join_all(std::size_t count) {
  std::vector<JoinHandle<void>> handles;
  handles.reserve(count);
  for (std::size_t i = 0; i < count; ++i) handles.push_back(spawn(nothing()));
  for (auto& handle : handles) (void)co_await handle;
}

double spawn_many_local(Runtime runtime, std::size_t count, double milliseconds) {
  return repeat(milliseconds, [&] {
    runtime.block_on(spawn_and_join_all(count));
    return count;
  });
}
double spawn_many_local_1(double milliseconds) { return spawn_many_local(current_thread(), kSpawns, milliseconds); }
double spawn_many_local_4(double milliseconds) {
  return spawn_many_local(multi_thread(4), kSpawnsMultiThread, milliseconds);
}

Task<void> join_all(std::vector<JoinHandle<void>>& handles) {
  for (auto& handle : handles) (void)co_await handle;
}

double spawn_many_remote_idle(Runtime runtime, std::size_t count, double milliseconds) {
  return repeat(milliseconds, [&] {
    std::vector<JoinHandle<void>> handles;
    handles.reserve(count);
    for (std::size_t i = 0; i < count; ++i) handles.push_back(runtime.spawn(nothing()));
    runtime.block_on(join_all(handles));
    return count;
  });
}
double spawn_many_remote_idle_1(double milliseconds) {
  return spawn_many_remote_idle(current_thread(), kSpawns, milliseconds);
}
double spawn_many_remote_idle_4(double milliseconds) {
  return spawn_many_remote_idle(multi_thread(4), kSpawnsMultiThread, milliseconds);
}

using Signal = std::counting_semaphore<>;
struct Token {};

Task<void> yield_often(Signal& done) {
  for (std::size_t i = 0; i < kYields; ++i) co_await yield_now();
  done.release();
}

double yield_many(double milliseconds) {
  Runtime runtime = multi_thread(4);
  Signal done(0);
  return repeat(milliseconds, [&] {
    for (std::size_t i = 0; i < kYieldTasks; ++i) (void)runtime.spawn(yield_often(done));
    for (std::size_t i = 0; i < kYieldTasks; ++i) done.acquire();
    return kYieldTasks * kYields;
  });
}

Task<void> pong(oneshot::Receiver<Token> ping, oneshot::Sender<Token> answer) {
  (void)co_await ping;
  (void)answer.send(Token());
}

Task<void> ping(std::shared_ptr<std::atomic<std::size_t>> remaining, Signal& done) {
  auto [tx1, rx1] = oneshot::channel<Token>();
  auto [tx2, rx2] = oneshot::channel<Token>();
  (void)spawn(pong(std::move(rx1), std::move(tx2)));
  (void)tx1.send(Token());
  (void)co_await rx2;
  if (remaining->fetch_sub(1, std::memory_order_relaxed) == 1) done.release();
}

Task<void> spawn_pings(std::shared_ptr<std::atomic<std::size_t>> remaining, Signal& done) {
  for (std::size_t i = 0; i < kPings; ++i) (void)spawn(ping(remaining, done));
  co_return;
}

double ping_pong(double milliseconds) {
  Runtime runtime = multi_thread(4);
  Signal done(0);
  auto remaining = std::make_shared<std::atomic<std::size_t>>(0);
  return repeat(milliseconds, [&] {
    remaining->store(kPings, std::memory_order_relaxed);
    (void)runtime.spawn(spawn_pings(remaining, done));
    done.acquire();
    return kPings;
  });
}

Task<void> chain(std::size_t remaining, Signal& done) {
  if (remaining == 0) {
    done.release();
  } else {
    (void)spawn(chain(remaining - 1, done));
  }
  co_return;
}

double chained_spawn(double milliseconds) {
  Runtime runtime = multi_thread(4);
  Signal done(0);
  return repeat(milliseconds, [&] {
    (void)runtime.spawn(chain(kChainLength, done));
    done.acquire();
    return kChainLength;
  });
}

Task<void> blocking_batches() {
  for (std::size_t batch = 0; batch < kBlockingBatches; ++batch) {
    JoinSet<void> set;
    for (std::size_t i = 0; i < kBlockingBatch; ++i) set.spawn_blocking([] {});
    while (auto next = co_await set.join_next()) (void)next;
  }
}

template <typename Body>
Task<void> run_tasks(std::size_t tasks, Body body) {
  JoinSet<void> set;
  for (std::size_t i = 0; i < tasks; ++i) set.spawn(body());
  while (auto next = co_await set.join_next()) (void)next;
}

double blocking(double milliseconds) {
  Runtime runtime = multi_thread(2);
  return repeat(milliseconds, [&] {
    runtime.block_on(run_tasks(kBlockingTasks, &blocking_batches));
    return kBlockingTasks * kBlockingBatches * kBlockingBatch;
  });
}

Task<int> ready_job() { co_return 1; }

Task<void> timeouts() {
  for (std::size_t i = 0; i < kTimers; ++i) (void)co_await timeout(1s, ready_job());
}
Task<void> sleeps() {
  for (std::size_t i = 0; i < kTimers; ++i) {
    auto timer = sleep(1s);
    asm volatile("" : : "g"(&timer) : "memory");  // Made and dropped, not optimised away.
  }
  co_return;
}

double timers(Runtime runtime, std::size_t tasks, Task<void> (*body)(), double milliseconds) {
  return repeat(milliseconds, [&] {
    runtime.block_on(run_tasks(tasks, body));
    return tasks * kTimers;
  });
}
double timeout_1(double milliseconds) { return timers(current_thread(), 1, &timeouts, milliseconds); }
double timeout_8(double milliseconds) { return timers(multi_thread(8), 8, &timeouts, milliseconds); }
double sleep_1(double milliseconds) { return timers(current_thread(), 1, &sleeps, milliseconds); }
double sleep_8(double milliseconds) { return timers(multi_thread(8), 8, &sleeps, milliseconds); }

}  // namespace

std::vector<Workload> kaido_task_workloads() {
  return {
      {"spawn_join", &spawn_join_1},
      {"spawn_join_2", &spawn_join_2},
      {"spawn_many_local", &spawn_many_local_1},
      {"spawn_many_local_4", &spawn_many_local_4},
      {"spawn_many_remote_idle", &spawn_many_remote_idle_1},
      {"spawn_many_remote_idle_4", &spawn_many_remote_idle_4},
      {"yield_many", &yield_many},
      {"ping_pong", &ping_pong},
      {"chained_spawn", &chained_spawn},
      {"spawn_blocking", &blocking},
      {"timeout", &timeout_1},
      {"timeout_8", &timeout_8},
      {"sleep", &sleep_1},
      {"sleep_8", &sleep_8},
  };
}

}  // namespace kaido::bench
