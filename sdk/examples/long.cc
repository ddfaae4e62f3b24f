// Functions that compute for long: plain ones, which look whether they are still wanted; and one that waits and has its
// blocking parts done elsewhere.
#include <kaido/kaido.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <string>

using namespace std::chrono_literals;

// Plain: it takes a slot and a thread until it returns.
std::int64_t count_primes(kaido::Context& context, std::int64_t limit) {
  std::int64_t primes = 0;
  for (std::int64_t n = 2; n < limit; ++n) {
    if (context.is_cancelled()) return primes;  // Nobody reads it: aborted, or too late.
    bool is_prime = true;
    for (std::int64_t d = 2; is_prime && d * d <= n; ++d) is_prime = n % d != 0;
    primes += is_prime ? 1 : 0;
  }
  return primes;
}
KAIDO_FUNCTION(count_primes);

// Returns a Task: it waits, and what blocks is done by threads that may block.
kaido::Task<std::int64_t> count_files(std::string folder) {
  auto counting = kaido::spawn_blocking([folder] {
    const std::filesystem::directory_iterator files(folder);
    return static_cast<std::int64_t>(std::distance(begin(files), end(files)));
  });
  co_return (co_await counting).value();
}
KAIDO_FUNCTION(count_files);

kaido::Task<int> run() {
  const auto primes = co_await kaido::remote<count_primes>().with_timeout(10s).call(1000);
  const auto files = co_await kaido::spawn_fn<count_files>("/");
  if (!primes || !files || *files == 0) co_return 1;

  // Too late after 20 ms, wherever it computes: the caller goes on, the function sees it in its Context.
  const auto late = co_await kaido::remote<count_primes>().with_timeout(20ms).call(1'000'000'000'000);
  if (late || !late.error().is_timed_out()) co_return 1;

  std::printf("%lld primes below 1000\n", static_cast<long long>(*primes));
  co_return 0;
}

int main() {
  auto runtime = kaido::Runtime::create().value();
  return runtime.block_on(run());
}
