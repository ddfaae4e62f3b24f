// Channels and locks on Kaido.
#include <atomic>
#include <memory>
#include <utility>

#include <kaido/kaido.h>
#include <kaido/sync.h>

#include "tests/bench/runtime/runtimes.h"
#include "tests/bench/runtime/workload.h"

namespace kaido::bench {

namespace {

Task<void> echo(mpsc::Receiver<std::size_t> pinged, mpsc::Sender<std::size_t> pong) {
  while (auto value = co_await pinged.recv()) (void)co_await pong.send(*value);
}
Task<void> call_echo(mpsc::Sender<std::size_t> ping, mpsc::Receiver<std::size_t> ponged) {
  for (std::size_t i = 0; i < kMessages; ++i) {
    (void)co_await ping.send(i);
    (void)co_await ponged.recv();
  }
}
Task<void> ping_pong_once() {
  auto [ping, pinged] = mpsc::channel<std::size_t>(1);
  auto [pong, ponged] = mpsc::channel<std::size_t>(1);
  auto echoing = spawn(echo(std::move(pinged), std::move(pong)));
  auto calling = spawn(call_echo(std::move(ping), std::move(ponged)));
  (void)co_await calling;
  (void)co_await echoing;
}
double mpsc_ping_pong(Runtime runtime, double milliseconds) {
  return repeat(milliseconds, [&] {
    runtime.block_on(ping_pong_once());
    return kMessages;
  });
}
double mpsc_ping_pong_1(double milliseconds) { return mpsc_ping_pong(current_thread(), milliseconds); }
double mpsc_ping_pong_2(double milliseconds) { return mpsc_ping_pong(multi_thread(2), milliseconds); }

Task<void> reply(mpsc::Receiver<oneshot::Sender<int>> requests) {
  while (auto request = co_await requests.recv()) (void)request->send(1);
}
Task<void> ask(mpsc::Sender<oneshot::Sender<int>>& requests) {
  for (std::size_t i = 0; i < kMessages; ++i) {
    auto [tx, rx] = oneshot::channel<int>();
    (void)co_await requests.send(std::move(tx));
    (void)co_await rx;
  }
}
double request_reply(double milliseconds) {
  Runtime runtime = current_thread();
  auto [requests, received] = mpsc::channel<oneshot::Sender<int>>(10);
  (void)runtime.spawn(reply(std::move(received)));
  return repeat(milliseconds, [&runtime, &requests = requests] {
    runtime.block_on(ask(requests));
    return kMessages;
  });
}

Task<void> send_all(mpsc::Sender<std::size_t> tx) {
  for (std::size_t i = 0; i < kMessages; ++i) (void)co_await tx.send(i);
}
Task<void> contend_bounded(std::size_t capacity) {
  auto [tx, rx] = mpsc::channel<std::size_t>(capacity);
  for (std::size_t i = 0; i < kSenders; ++i) (void)spawn(send_all(tx));
  for (std::size_t i = 0; i < kSenders * kMessages; ++i) (void)co_await rx.recv();
}
double contention(std::size_t capacity, double milliseconds) {
  Runtime runtime = multi_thread(6);
  return repeat(milliseconds, [&] {
    runtime.block_on(contend_bounded(capacity));
    return kSenders * kMessages;
  });
}
double contention_bounded(double milliseconds) { return contention(1'000'000, milliseconds); }
double contention_bounded_full(double milliseconds) { return contention(100, milliseconds); }

Task<void> send_all_unbounded(mpsc::UnboundedSender<std::size_t> tx) {
  for (std::size_t i = 0; i < kMessages; ++i) (void)tx.send(i);
  co_return;
}
Task<void> contend_unbounded() {
  auto [tx, rx] = mpsc::unbounded_channel<std::size_t>();
  for (std::size_t i = 0; i < kSenders; ++i) (void)spawn(send_all_unbounded(tx));
  for (std::size_t i = 0; i < kSenders * kMessages; ++i) (void)co_await rx.recv();
}
double contention_unbounded(double milliseconds) {
  Runtime runtime = multi_thread(6);
  return repeat(milliseconds, [&] {
    runtime.block_on(contend_unbounded());
    return kSenders * kMessages;
  });
}

Task<void> count_wakes(Notify& notify, std::atomic<std::size_t>& counter) {
  for (;;) {
    co_await notify.notified();
    counter.fetch_add(1, std::memory_order_relaxed);
  }
}
double notify_waiters(double milliseconds) {
  Notify notify;
  std::atomic<std::size_t> counter = 0;
  Runtime runtime = multi_thread(6);  // Last: its end ends the tasks that refer to the two above.
  for (std::size_t i = 0; i < kReceivers; ++i) (void)runtime.spawn(count_wakes(notify, counter));
  return repeat(milliseconds, [&] {
    counter.store(0, std::memory_order_relaxed);
    do {
      notify.notify_waiters();
    } while (counter.load(std::memory_order_relaxed) < kWakes);
    return kWakes;
  });
}

struct Round {
  Notify done;
  std::atomic<std::size_t> pending = 0;
  void arrive() {
    if (pending.fetch_sub(1, std::memory_order_acq_rel) == 1) done.notify_one();
  }
};

Task<void> receive_broadcasts(broadcast::Receiver<std::size_t> rx, std::shared_ptr<Round> round) {
  while (auto value = co_await rx.recv()) round->arrive();
}
Task<void> contend_broadcast() {
  auto [tx, keep] = broadcast::channel<std::size_t>(1'000);
  auto round = std::make_shared<Round>();
  for (std::size_t i = 0; i < kReceivers; ++i) (void)spawn(receive_broadcasts(tx.subscribe(), round));
  for (std::size_t i = 0; i < kSends; ++i) {
    round->pending.store(kReceivers, std::memory_order_release);
    (void)tx.send(i);
    co_await round->done.notified();
  }
}
double broadcast_contention(double milliseconds) {
  Runtime runtime = multi_thread(6);
  return repeat(milliseconds, [&] {
    runtime.block_on(contend_broadcast());
    return kReceivers * kSends;
  });
}

Task<void> receive_changes(watch::Receiver<std::size_t> rx, std::shared_ptr<Round> round) {
  while (auto changed = co_await rx.changed()) {
    const std::size_t value = *rx.borrow();
    asm volatile("" : : "g"(value));
    round->arrive();
  }
}
Task<void> contend_watch() {
  auto [tx, keep] = watch::channel<std::size_t>(0);
  auto round = std::make_shared<Round>();
  for (std::size_t i = 0; i < kReceivers; ++i) (void)spawn(receive_changes(tx.subscribe(), round));
  for (std::size_t i = 0; i < kSends; ++i) {
    round->pending.store(kReceivers, std::memory_order_release);
    (void)tx.send(i);
    co_await round->done.notified();
  }
}
double watch_contention(double milliseconds) {
  Runtime runtime = multi_thread(6);
  return repeat(milliseconds, [&] {
    runtime.block_on(contend_watch());
    return kReceivers * kSends;
  });
}

Task<void> acquire_often(std::shared_ptr<Semaphore> semaphore) {
  for (std::size_t i = 0; i < kSemaphoreRounds; ++i) auto permit = co_await semaphore->acquire();
}
Task<void> contend_semaphore() {
  auto semaphore = std::make_shared<Semaphore>(5);
  JoinSet<void> set;
  for (std::size_t i = 0; i < kSemaphoreTasks; ++i) set.spawn(acquire_often(semaphore));
  while (auto next = co_await set.join_next()) (void)next;
}
double semaphore_contention(double milliseconds) {
  Runtime runtime = multi_thread(6);
  return repeat(milliseconds, [&] {
    runtime.block_on(contend_semaphore());
    return kSemaphoreTasks * kSemaphoreRounds;
  });
}

}  // namespace

std::vector<Workload> kaido_sync_workloads() {
  return {
      {"mpsc_ping_pong", &mpsc_ping_pong_1},
      {"mpsc_ping_pong_2", &mpsc_ping_pong_2},
      {"request_reply", &request_reply},
      {"contention_bounded", &contention_bounded},
      {"contention_bounded_full", &contention_bounded_full},
      {"contention_unbounded", &contention_unbounded},
      {"notify_waiters", &notify_waiters},
      {"broadcast_contention", &broadcast_contention},
      {"watch_contention", &watch_contention},
      {"semaphore_contention", &semaphore_contention},
  };
}

}  // namespace kaido::bench
