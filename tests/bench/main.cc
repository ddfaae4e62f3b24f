// Compares Kaido with the least that could work and with gRPC, in one run. README.md says how to read what it prints.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/caller.h"
#include "tests/bench/floor.h"
#include "tests/bench/grpc_echo.h"
#include "tests/bench/kaido_echo.h"
#include "tests/bench/large/large_arguments.h"
#include "tests/bench/large/large_grpc.h"
#include "tests/bench/large/large_kaido.h"
#include "tests/bench/large/stream_relay.h"
#include "tests/bench/report.h"
#include "tests/bench/subject.h"

namespace kaido::bench {
namespace {

constexpr int kWarmUpMs = 100;
/// Whose first daemon is looked at before anybody calls.
constexpr const char* kIdleSubject = "kaido-2-nodes";

struct Options {
  std::string json;
  double seconds = 0.7;
  int rounds = 5;
  double idle_seconds = 5;
  bool quick = false;
  std::string only;
};

Options parse(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& name = arguments[i];
    if (name == "--quick") {
      options.quick = true;
      continue;
    }
    if (i + 1 == arguments.size()) throw std::runtime_error("unknown argument, or one without its value: " + name);
    const std::string& value = arguments[++i];
    if (name == "--json") {
      options.json = value;
    } else if (name == "--seconds") {
      options.seconds = std::stod(value);
    } else if (name == "--rounds") {
      options.rounds = std::stoi(value);
    } else if (name == "--only") {
      options.only = value;
    } else {
      throw std::runtime_error("unknown argument " + name +
                               "; known: --json FILE, --seconds S, --rounds R, --only TEXT, --quick");
    }
  }
  if (options.quick) {
    options.seconds = 0.05;
    options.rounds = 1;
    options.idle_seconds = 0.5;
  }
  return options;
}

/// A subject that is started when it is wanted.
struct Plan {
  std::string name;
  std::function<std::unique_ptr<Subject>(const std::string& name)> start;
};

std::vector<Plan> plans(const TemporaryFolder& folder) {
  const std::vector<std::size_t> windows = {1, 16, 64, 256};
  const Shape two_nodes = {.nodes = 2};
  const Shape many = {.clients = 16, .workers = 4};
  return {
      {"floor", [=, &folder](auto& name) { return start_floor(folder, name, Shape(), windows); }},
      {"kaido", [=, &folder](auto& name) { return start_kaido(folder, name, Shape(), windows); }},
      {"kaido-2-nodes", [=, &folder](auto& name) { return start_kaido(folder, name, two_nodes, windows); }},
      {"grpc-unary", [=, &folder](auto& name) { return start_grpc(folder, name, "unary", false, windows); }},
      {"grpc-stream", [=, &folder](auto& name) { return start_grpc(folder, name, "stream", false, windows); }},
      {"grpc-proxy", [=, &folder](auto& name) { return start_grpc(folder, name, "unary", true, windows); }},
      {"floor-16x4", [=, &folder](auto& name) { return start_floor(folder, name, many, {64}); }},
      {"kaido-16x4", [=, &folder](auto& name) { return start_kaido(folder, name, many, {64}); }},
  };
}

/// A daemon with one peer and one connected app, while nobody calls.
IdleCost measure_idle(const Subject& subject, double seconds) {
  const Process& daemon = *subject.servers().front();
  const double before = daemon.cpu_seconds();
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  return IdleCost{.resident_megabytes = daemon.resident_megabytes(),
                  .core_percent = (daemon.cpu_seconds() - before) / seconds * 100};
}

void write_json(const std::string& file, const std::string& text) {
  // `bazel run` starts programs in a folder of its own and says where it was called.
  const char* called_from = std::getenv("BUILD_WORKING_DIRECTORY");
  const auto path = called_from == nullptr ? std::filesystem::path(file) : std::filesystem::path(called_from) / file;
  std::ofstream stream(path);
  stream << text;
  if (!stream.flush()) throw std::runtime_error("cannot write " + path.string());
}

int compare(const Options& options) {
  const TemporaryFolder folder;
  std::vector<std::unique_ptr<Subject>> subjects;
  for (const Plan& plan : plans(folder)) {
    if (plan.name.find(options.only) != std::string::npos) subjects.push_back(plan.start(plan.name));
  }
  LargeArguments large(folder, options.only);
  Report report;
  for (const auto& subject : subjects) {
    if (subject->name() == kIdleSubject) report.set_idle(measure_idle(*subject, options.idle_seconds));
  }
  for (const auto& subject : subjects) static_cast<void>(subject->measure(subject->windows().back(), kWarmUpMs));

  const int milliseconds = static_cast<int>(options.seconds * 1000);
  for (int round = 0; round < options.rounds; ++round) {
    std::fprintf(stderr, "round %d of %d\n", round + 1, options.rounds);
    for (const auto& subject : subjects) {
      for (const std::size_t window : subject->windows())
        report.add(*subject, window, subject->measure(window, milliseconds));
    }
    large.measure_round(milliseconds);
  }
  large.measure_memory(milliseconds);
  large.add_to(report);
  std::printf("%s", report.table().c_str());
  if (!options.json.empty()) write_json(options.json, report.json());
  return 0;
}

int play_large(const std::string& role, const std::vector<std::string>& arguments) {
  if (role == "large-memcpy-client") return serve_large_harness(*make_memcpy_caller());
  if (role == "large-stream-relay") return run_stream_relay(arguments.at(1), arguments.at(2));
  if (role == "large-stream-worker") return run_stream_worker(arguments.at(1));
  if (role == "large-stream-client") return serve_large_harness(*connect_stream(arguments.at(1)));
  if (role == "large-grpc-server") return run_large_grpc_server(arguments.at(1));
  if (role == "large-grpc-client") return serve_large_harness(*connect_large_grpc(arguments.at(1)));
  if (role == "large-kaido-worker") return run_large_kaido_worker(arguments.at(1));
  if (role == "large-kaido-client") return serve_large_harness(*connect_large_kaido(arguments.at(1)));
  throw std::runtime_error("unknown role " + role);
}

int play(const std::vector<std::string>& arguments) {
  const std::string& role = arguments.at(0);
  if (role == "floor-relay") return run_floor_relay(arguments.at(1), arguments.at(2));
  if (role == "floor-worker") return run_floor_worker(arguments.at(1));
  if (role == "floor-client") return serve_harness(*connect_floor(arguments.at(1)));
  if (role == "kaido-worker") return run_kaido_worker(arguments.at(1));
  if (role == "kaido-client") return serve_harness(*connect_kaido(arguments.at(1)));
  if (role == "grpc-server") return run_grpc_server(arguments.at(1));
  if (role == "grpc-proxy") return run_grpc_proxy(arguments.at(1), arguments.at(2));
  if (role == "grpc-unary-client") return serve_harness(*connect_grpc_unary(arguments.at(1)));
  if (role == "grpc-stream-client") return serve_harness(*connect_grpc_stream(arguments.at(1)));
  return play_large(role, arguments);
}

}  // namespace
}  // namespace kaido::bench

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    if (!arguments.empty() && arguments[0] == "role")
      return kaido::bench::play({arguments.begin() + 1, arguments.end()});
    return kaido::bench::compare(kaido::bench::parse(arguments));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: %s\n", error.what());
    return 1;
  }
}
