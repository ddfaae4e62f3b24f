// The smallest program outside Bazel: a function, spawned and awaited in this process.
#include <cstdint>
#include <cstdio>

#include <kaido/kaido.h>
#include <kaido/testing/probe.h>

std::int64_t twice(std::int64_t number) { return 2 * number; }
KAIDO_FUNCTION(twice);

kaido::Task<std::int64_t> answer() {
  auto result = co_await kaido::spawn_fn<twice>(21);
  co_return result.value();
}

int main() {
  kaido::Notify notify;  // Channels and locks come with kaido.h; what tests need is installed, too.
  notify.notify_one();
  kaido::testing::ready(notify.notified());
  auto runtime = kaido::Runtime::create().value();
  std::printf("%d\n", static_cast<int>(runtime.block_on(answer())));
}
