// Cancellation and deadlines, seen from both ends: the caller stops waiting, the function notices.
#include <kaido/kaido.h>

#include <chrono>
#include <cstdint>
#include <cstdio>

using namespace std::chrono_literals;

// Returns a Task, so that it waits without holding a thread, and is destroyed where it waits when it is cancelled.
kaido::Task<std::int64_t> count_slowly(kaido::Context& context, std::int64_t limit) {
  std::int64_t reached = 0;
  while (reached < limit && !context.is_cancelled()) {
    co_await kaido::sleep(1ms);
    ++reached;
  }
  co_return reached;
}
KAIDO_FUNCTION(count_slowly);

kaido::Task<int> watch() {
  // A deadline: the error says so, and the function is stopped wherever it runs.
  const auto too_slow = co_await kaido::remote<count_slowly>().with_timeout(20ms).call(1'000'000);
  if (too_slow || !too_slow.error().is_timed_out()) co_return 1;
  std::printf("deadline: %s\n", too_slow.error().to_string().c_str());

  // A handle that is aborted: the same, by hand.
  auto handle = kaido::spawn_fn<count_slowly>(1'000'000);
  co_await kaido::sleep(5ms);
  handle.abort();
  const auto aborted = co_await handle;
  if (aborted || !aborted.error().is_cancelled()) co_return 1;
  std::printf("abort: %s\n", aborted.error().to_string().c_str());

  const auto in_time = co_await kaido::remote<count_slowly>().with_timeout(10s).call(3);
  std::printf("in time: %lld\n", static_cast<long long>(in_time.value()));
  co_return 0;
}

int main() {
  auto runtime = kaido::Runtime::create().value();
  return runtime.block_on(watch());
}
