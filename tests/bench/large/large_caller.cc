#include "tests/bench/large/large_caller.h"

#include <chrono>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <stdexcept>
#include <vector>

#include "tests/bench/caller.h"
#include "tests/bench/process.h"
#include "tests/bench/stats.h"

namespace kaido::bench {
namespace {

std::vector<std::byte> make_argument(std::size_t bytes) {
  std::vector<std::byte> argument(bytes);
  std::uint64_t word = 1;
  for (std::size_t at = 0; at + sizeof word <= bytes; at += sizeof word) {
    word = word * 6364136223846793005U + 1442695040888963407U;  // Knuth's generator: no two pages are alike.
    std::memcpy(argument.data() + at, &word, sizeof word);
  }
  return argument;
}

}  // namespace

std::uint64_t sum_of(std::span<const std::byte> argument) {
  std::uint64_t sum = 0;
  std::uint64_t word = 0;
  for (std::size_t at = 0; at + sizeof word <= argument.size(); at += sizeof word) {
    std::memcpy(&word, argument.data() + at, sizeof word);
    sum += word;
  }
  return sum;
}

int serve_large_harness(LargeCaller& caller) {
  announce_ready();
  std::vector<std::byte> argument;
  std::uint64_t expected = 0;
  std::size_t bytes = 0;
  int milliseconds = 0;
  while (std::cin >> bytes >> milliseconds) {
    if (bytes != argument.size()) {
      argument = make_argument(bytes);
      expected = sum_of(argument);
    }
    std::vector<double> times_ms;
    const double cpu_before = cpu_seconds_of(0);
    const auto end = Clock::now() + std::chrono::milliseconds(milliseconds);
    do {
      const auto sent = Clock::now();
      if (caller.call(argument) != expected) throw std::runtime_error("a sum that does not match its argument");
      times_ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - sent).count());
    } while (Clock::now() < end);
    std::printf("%zu %.6f %.9f\n", times_ms.size(), percentile(times_ms, 0.5), cpu_seconds_of(0) - cpu_before);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace kaido::bench
