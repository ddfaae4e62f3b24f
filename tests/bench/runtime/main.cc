// Compares Kaido's local runtime with tokio and with asio::co_spawn, in one run. tests/bench/README.md says how to read
// it.
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "tests/bench/measurements.h"
#include "tests/bench/runtime/memory.h"
#include "tests/bench/runtime/tokio.h"
#include "tests/bench/runtime/workload.h"

namespace kaido::bench {
namespace {

const Workload* find(const std::vector<Workload>& workloads, const std::string& name) {
  for (const Workload& workload : workloads) {
    if (workload.name == name) return &workload;
  }
  return nullptr;
}

void compare(const MeasureOptions& options, bool with_tokio) {
  std::vector<Workload> kaido = kaido_task_workloads();
  for (Workload& workload : kaido_sync_workloads()) kaido.push_back(std::move(workload));
  const std::vector<Workload> asio = asio_workloads();
  Tokio tokio = with_tokio ? Tokio::build("tests/bench/tokio") : Tokio("skipped: --without-tokio");
  if (!tokio.why().empty()) std::fprintf(stderr, "tokio: %s\n", tokio.why().c_str());

  Measurements measurements("ns per operation");
  for (int round = 0; round < options.rounds; ++round) {
    std::fprintf(stderr, "round %d of %d\n", round + 1, options.rounds);
    for (const Workload& workload : kaido) {
      if (workload.name.find(options.only) == std::string::npos) continue;
      measurements.add(workload.name, "kaido", workload.measure(options.milliseconds));
      if (const auto ns = tokio.measure(workload.name, options.milliseconds)) {
        measurements.add(workload.name, "tokio", *ns);
      }
      if (const Workload* peer = find(asio, workload.name)) {
        measurements.add(workload.name, "asio", peer->measure(options.milliseconds));
      }
    }
  }
  for (const Workload& workload : kaido) {
    measurements.add_ratio(workload.name + "_tokio_over_kaido", workload.name, "tokio", "kaido");
    measurements.add_ratio(workload.name + "_asio_over_kaido", workload.name, "asio", "kaido");
  }
  if (!tokio.why().empty()) measurements.add_note("tokio", tokio.why());
  measurements.add_note("bytes per idle task, frame included", std::to_string(bytes_per_idle_task()));
  measurements.add_note("bytes of that task's frame", std::to_string(bytes_of_idle_frame()));
  publish(measurements, options);
}

}  // namespace
}  // namespace kaido::bench

int main(int argc, char** argv) {
  try {
    // The one argument of its own; the others are every benchmark's.
    std::vector<char*> arguments(argv, argv + argc);
    const bool with_tokio =
        std::erase_if(arguments, [](const char* a) { return a == std::string("--without-tokio"); }) == 0;
    const int count = static_cast<int>(arguments.size());
    kaido::bench::compare(kaido::bench::parse_measure_options(count, arguments.data()), with_tokio);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: %s\n", error.what());
    return 1;
  }
}
