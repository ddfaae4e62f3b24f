// A function that calls functions, itself: each call gives its slot back while it waits for the two it made.
#include <kaido/kaido.h>

#include <cstdint>
#include <cstdio>

kaido::Task<std::int64_t> fib(kaido::Context& context, std::int64_t n) {
  if (n < 2) co_return n;
  auto left = kaido::remote<fib>().within(context).spawn(n - 1);
  auto right = kaido::remote<fib>().within(context).spawn(n - 2);
  const std::int64_t sum = (co_await left).value();
  co_return sum + (co_await right).value();
}
KAIDO_FUNCTION(fib);

kaido::Task<int> run() {
  const kaido::Result<std::int64_t> sum = co_await kaido::spawn_fn<fib>(12);
  if (!sum) {
    std::fprintf(stderr, "%s\n", sum.error().to_string().c_str());
    co_return 1;
  }
  std::printf("fib(12) = %lld\n", static_cast<long long>(*sum));
  co_return 0;
}

int main() {
  auto runtime = kaido::Runtime::create().value();
  return runtime.block_on(run());
}
