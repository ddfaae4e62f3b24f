#include "tests/bench/caller.h"

#include <cstdio>
#include <iostream>

#include "tests/bench/process.h"
#include "tests/bench/stats.h"

namespace kaido::bench {

void announce_ready() {
  std::printf("ready\n");
  std::fflush(stdout);
}

int serve_harness(Caller& caller) {
  announce_ready();
  std::size_t window = 0;
  int milliseconds = 0;
  while (std::cin >> window >> milliseconds) {
    const double cpu_before = cpu_seconds_of(0);
    const LoopResult result = caller.run(window, std::chrono::milliseconds(milliseconds));
    const double cpu = cpu_seconds_of(0) - cpu_before;
    std::printf("%llu %.9f %.3f %.3f %.9f\n", static_cast<unsigned long long>(result.calls), result.seconds,
                percentile(result.latencies_us, 0.50), percentile(result.latencies_us, 0.99), cpu);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace kaido::bench
