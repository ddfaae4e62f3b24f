// Encoding and decoding beside memcpy, libprotobuf and msgpack, and what registering functions costs when compiling.
// tests/bench/README.md says how to read it.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "tests/bench/codec/compile_cost.h"
#include "tests/bench/codec/subject.h"
#include "tests/bench/measurements.h"
#include "tests/bench/stats.h"

namespace kaido::bench {
namespace {

constexpr const char* kHeaders = "sdk/include";  // where `bazel run` and `bazel test` start

/// Nanoseconds per repetition over about so long.
double measure(const CodecCase& one, double milliseconds) {
  using Clock = std::chrono::steady_clock;
  std::size_t times = 16;
  for (;;) {
    const auto before = Clock::now();
    one.run(times);
    const double elapsed = std::chrono::duration<double, std::nano>(Clock::now() - before).count();
    if (elapsed >= milliseconds * 1e6) return elapsed / static_cast<double>(times);
    const double wanted = milliseconds * 1.1e6 * static_cast<double>(times) / std::max(elapsed, 100.0);
    times = static_cast<std::size_t>(std::min(wanted, static_cast<double>(times) * 100)) + 1;
  }
}

std::vector<CodecCase> all_cases() {
  std::vector<CodecCase> cases = kaido_cases();
  for (auto& more : {memcpy_cases(), protobuf_cases(), msgpack_cases()})
    cases.insert(cases.end(), more.begin(), more.end());
  return cases;
}

void add_ratios(Measurements& measurements) {
  for (const char* const workload : {"small", "doubles", "nested", "map"}) {
    for (const char* const way : {"_encode", "_decode"}) {
      const std::string name = std::string(workload) + way;
      measurements.add_ratio(name + "_protobuf_over_kaido", name, "protobuf", "kaido");
      measurements.add_ratio(name + "_protobuf_wire_over_kaido", name, "protobuf-wire", "kaido");
      measurements.add_ratio(name + "_msgpack_over_kaido", name, "msgpack", "kaido");
      measurements.add_ratio(name + "_kaido_over_memcpy", name, "kaido", "memcpy");
    }
  }
}

/// The median of so many compilations of each size.
void add_compile_costs(Measurements& measurements, int rounds) {
  double first = 0;
  for (const int functions : {1, 10, 100}) {
    std::vector<double> milliseconds;
    std::size_t object_bytes = 0;
    for (int round = 0; round < rounds; ++round) {
      const auto cost = compile(functions, kHeaders);
      if (!cost)
        return measurements.add_note("compile", "skipped: no compiler, or no headers at " + std::string(kHeaders));
      milliseconds.push_back(cost->cpu_seconds * 1000);
      object_bytes = cost->object_bytes;
    }
    const Spread spread = spread_of(milliseconds);
    const std::string suffix = "_" + std::to_string(functions);
    measurements.add_note("compile_ms" + suffix,
                          fmt::format("{:.0f} ({:.0f}-{:.0f})", spread.median, spread.min, spread.max));
    measurements.add_note("object_bytes" + suffix, std::to_string(object_bytes));
    if (functions == 1) first = spread.median;
    if (functions == 100) {
      measurements.add_note("compile_ms_per_function_beyond_the_first",
                            fmt::format("{:.1f}", (spread.median - first) / 99));
    }
  }
}

void compare(const MeasureOptions& options) {
  constexpr int kCompilations = 3;
  const std::vector<CodecCase> cases = all_cases();
  Measurements measurements("ns per operation");
  for (int round = 0; round < options.rounds; ++round) {
    std::fprintf(stderr, "round %d of %d\n", round + 1, options.rounds);
    for (const CodecCase& one : cases) {
      if (one.workload.find(options.only) == std::string::npos) continue;
      measurements.add(one.workload, one.subject, measure(one, options.milliseconds));
    }
  }
  add_ratios(measurements);
  if (msgpack_cases().empty()) measurements.add_note("msgpack", "skipped: its C++ headers are not installed");
  if (options.only.empty()) add_compile_costs(measurements, std::min(options.rounds, kCompilations));
  publish(measurements, options);
}

}  // namespace
}  // namespace kaido::bench

int main(int argc, char** argv) {
  try {
    kaido::bench::compare(kaido::bench::parse_measure_options(argc, argv));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: %s\n", error.what());
    return 1;
  }
}
