// Every line of C++ in docs/sdk/from-tokio.md, compiled and run: from_tokio_test.py compares the two.
#include <chrono>
#include <cstdio>
#include <string>
#include <utility>

#include <kaido/coop.h>
#include <kaido/interval.h>
#include <kaido/join.h>
#include <kaido/kaido.h>
#include <kaido/select.h>
#include <kaido/sync.h>

using namespace kaido;
using namespace std::chrono_literals;

namespace {

Task<int> answer() { co_return 42; }
Task<int> work() { co_return 1; }
Task<Result<int>> checked(int value) { co_return value; }

// Tasks.
Task<int> tasks() {
  int sum = co_await answer();
  {
    auto handle = spawn(answer());
    sum += (co_await handle).value();
  }
  {
    auto handle = spawn(answer());
    handle.abort();
    if ((co_await handle).error().is_cancelled()) ++sum;
  }
  sum += (co_await spawn_blocking([] { return 42; })).value();
  sum += block_in_place([] { return 42; });
  co_await yield_now();
  JoinSet<int> set;
  set.spawn(answer());
  while (auto next = co_await set.join_next()) sum += next->value();
  co_return sum;
}

// Time and choice.
Task<int> choices() {
  int sum = 0;
  co_await sleep(5ms);
  sum += (co_await timeout(5ms, answer())).value();
  Interval every = interval(5ms);
  co_await every.tick();
  const auto both = co_await join(answer(), answer());
  sum += std::get<0>(both) + std::get<1>(both);
  const auto checked_both = co_await try_join(checked(1), checked(2));
  if (checked_both) ++sum;

  auto [tx, rx] = mpsc::channel<int>(8);
  (void)co_await tx.send(7);
  auto handler = [&sum](std::optional<int> value) { sum += value.value_or(0); };
  auto otherwise = [&sum] { sum = -1; };
  co_await select(on(rx.recv(), handler), on(sleep(5ms), otherwise));
  (void)co_await tx.send(7);
  co_await select(biased, on(rx.recv(), handler), on(sleep(5ms), otherwise));
  co_return sum;
}

// Channels.
Task<int> channels() {
  int sum = 0;
  {
    auto [tx, rx] = mpsc::channel<int>(8);
    (void)(co_await tx.send(1));
    {
      auto last = std::move(tx);
    }
    while (auto value = co_await rx.recv()) sum += *value;
  }
  {
    auto [tx, rx] = oneshot::channel<int>();
    (void)tx.send(1);
    sum += (co_await rx).value();
  }
  {
    auto [tx, rx] = watch::channel(0);
    (void)tx.send(5);
    (void)(co_await rx.changed());
    sum += *rx.borrow();
  }
  {
    auto [tx, rx] = broadcast::channel<int>(8);
    auto second = tx.subscribe();
    (void)tx.send(3);
    sum += (co_await second.recv()).value();
  }
  co_return sum;
}

// Locks.
Task<int> locks() {
  Mutex<int> mutex(1);
  {
    auto guard = co_await mutex.lock();
    *guard += 1;
  }
  Semaphore semaphore(1);
  auto permit = (co_await semaphore.acquire()).value();
  Notify notify;
  notify.notify_one();
  co_await notify.notified();
  CancellationToken token;
  auto child = token.child_token();
  token.cancel();
  co_await child.cancelled();
  auto guard = co_await mutex.lock();
  co_return *guard;
}

// The two programs.
kaido::Task<int> worker(kaido::mpsc::Receiver<int> rx) {
  int sum = 0;
  while (auto value = co_await rx.recv()) sum += *value;
  co_return sum;
}

kaido::Task<int> total() {
  auto [tx, rx] = kaido::mpsc::channel<int>(8);
  auto sum = kaido::spawn(worker(std::move(rx)));
  for (int n = 1; n <= 4; ++n) (void)co_await tx.send(n);
  {
    auto dropped = std::move(tx);  // the channel ends with its last sender
  }
  co_return (co_await sum).value();
}

int runtimes() {
  auto first = Runtime::create().value();
  auto two = RuntimeBuilder::new_multi_thread().worker_threads(2).enable_all().build().value();
  auto paused = RuntimeBuilder::new_current_thread().enable_all().start_paused().build().value();
  auto local = RuntimeBuilder::new_current_thread().enable_all().build_local().value();
  int sum = first.block_on(work()) + two.block_on(work()) + paused.block_on(work()) + local.block_on(work());

  auto& runtime = two;
  {
    auto guard = runtime.enter();
    auto handle = Handle::current().spawn(work());
    sum += runtime.block_on(handle).value();
    sum += runtime.block_on(work());
  }
  std::move(runtime).shutdown_background();
  return sum;
}

}  // namespace

int main() {
  auto runtime = kaido::Runtime::create().value();
  std::printf("%d\n", runtime.block_on(total()));
  std::printf("%d %d %d %d %d\n", runtimes(),
              runtime.block_on([]() -> Task<int> { co_return (co_await spawn(tasks())).value(); }),
              runtime.block_on(choices()), runtime.block_on(channels()), runtime.block_on(locks()));
}
