/// The workloads of //tests/bench:runtime: tokio's own benchmark workloads and parameters, on Kaido, on asio::co_spawn
/// and, in tests/bench/tokio, on tokio. README.md of tests/bench lists them.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace kaido::bench {

/// Parameters that all implementations share (tests/bench/tokio/src/main.rs has the same).
inline constexpr std::size_t kSpawns = 1'000;
inline constexpr std::size_t kSpawnsMultiThread = 10'000;
inline constexpr std::size_t kYieldTasks = 200;
inline constexpr std::size_t kYields = 1'000;
inline constexpr std::size_t kPings = 1'000;
inline constexpr std::size_t kChainLength = 1'000;
inline constexpr std::size_t kBlockingTasks = 8;
inline constexpr std::size_t kBlockingBatches = 10;
inline constexpr std::size_t kBlockingBatch = 16;
inline constexpr std::size_t kTimers = 1'000;
inline constexpr std::size_t kMessages = 1'000;
inline constexpr std::size_t kSenders = 5;
inline constexpr std::size_t kReceivers = 100;
inline constexpr std::size_t kSends = 100;
inline constexpr std::size_t kWakes = 500;
inline constexpr std::size_t kSemaphoreTasks = 6;
inline constexpr std::size_t kSemaphoreRounds = 200;

/// One workload on one implementation: runs for about so many milliseconds, gives nanoseconds per operation.
struct Workload {
  std::string name;
  double (*measure)(double milliseconds);
};

[[nodiscard]] std::vector<Workload> kaido_task_workloads();
[[nodiscard]] std::vector<Workload> kaido_sync_workloads();
[[nodiscard]] std::vector<Workload> asio_workloads();

/// Repeats `iteration`, which returns how many operations it did, for so long; nanoseconds of one. The first is for
/// warming up.
template <typename Iteration>
[[nodiscard]] double repeat(double milliseconds, Iteration iteration) {
  iteration();
  const auto start = std::chrono::steady_clock::now();
  std::size_t operations = 0;
  for (;;) {
    operations += iteration();
    const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
    if (elapsed.count() >= milliseconds * 1e6) return elapsed.count() / static_cast<double>(operations);
  }
}

}  // namespace kaido::bench
