#include "tests/bench/large/large_arguments.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "tests/bench/large/large_caller.h"

namespace kaido::bench {
namespace {

constexpr std::size_t kSizes[] = {1, 16, kLargestMebibytes};
/// Before the first measurement: connections are made, templates prepared.
constexpr std::size_t kSmallBytes = 4096;
/// Small calls are watched for at least this long, which is several large calls.
constexpr int kBesideMillisecondsMin = 1000;

const std::string kMemcpy = "large-memcpy";
const std::string kRelay = "large-relay";
const std::string kGrpc = "large-grpc";
const std::string kKaido = "large-kaido";
const std::string kKaidoTwoNodes = "large-kaido-2-nodes";
const std::string kBeside = "large-beside";
const std::string kMemory = "large-memory";

std::string mebibytes(std::size_t count) { return std::to_string(count) + " MiB"; }

struct LargeSample {
  double calls = 0;
  double milliseconds = 0;  // The median call's.
  double client_cpu_seconds = 0;
};

void order(Process& client, std::size_t bytes, int milliseconds) {
  client.write_line(std::to_string(bytes) + " " + std::to_string(milliseconds));
}

LargeSample read_sample(Process& client) {
  std::istringstream line(client.read_line());
  LargeSample sample;
  if (!(line >> sample.calls >> sample.milliseconds >> sample.client_cpu_seconds) || sample.calls < 1) {
    throw std::runtime_error("unexpected answer of " + client.name());
  }
  return sample;
}

std::unique_ptr<Subject> start_relay(const TemporaryFolder& folder, const std::string& name) {
  auto subject = std::make_unique<Subject>(name, std::vector<std::size_t>{});
  const std::string client_socket = folder.file(name + "-client");
  const std::string worker_socket = folder.file(name + "-worker");
  subject->add_server({own_program(), "role", "large-stream-relay", client_socket, worker_socket});
  subject->add_server({own_program(), "role", "large-stream-worker", worker_socket});
  subject->add_client({own_program(), "role", "large-stream-client", client_socket});
  return subject;
}

std::unique_ptr<Subject> start_large_grpc(const TemporaryFolder& folder, const std::string& name) {
  auto subject = std::make_unique<Subject>(name, std::vector<std::size_t>{});
  const std::string socket = folder.file(name);
  subject->add_server({own_program(), "role", "large-grpc-server", socket});
  subject->add_client({own_program(), "role", "large-grpc-client", socket});
  return subject;
}

std::unique_ptr<Subject> start_large_kaido(const TemporaryFolder& folder, const std::string& name, std::size_t nodes,
                                           const char* client_role = "large-kaido-client") {
  return start_kaido(folder, name, {.nodes = nodes, .client_role = client_role, .worker_role = "large-kaido-worker"},
                     {});
}

}  // namespace

LargeArguments::LargeArguments(const TemporaryFolder& folder, std::string only)
    : folder_(folder), only_(std::move(only)) {
  if (is_wanted(kMemcpy)) {
    subjects_.push_back(std::make_unique<Subject>(kMemcpy, std::vector<std::size_t>{}));
    subjects_.back()->add_client({own_program(), "role", "large-memcpy-client"});
  }
  if (is_wanted(kRelay)) subjects_.push_back(start_relay(folder_, kRelay));
  if (is_wanted(kGrpc)) subjects_.push_back(start_large_grpc(folder_, kGrpc));
  if (is_wanted(kKaido)) subjects_.push_back(start_large_kaido(folder_, kKaido, 1));
  if (is_wanted(kKaidoTwoNodes)) subjects_.push_back(start_large_kaido(folder_, kKaidoTwoNodes, 2));
  if (is_wanted(kBeside)) {
    beside_ = start_large_kaido(folder_, kBeside, 1, "kaido-client");
    beside_->add_client({own_program(), "role", "large-kaido-client", folder_.file(kBeside + "-0.app")});
  }
  for (const std::size_t size : kSizes) {
    const std::string row = mebibytes(size);
    for (const auto& [subject, base] : {std::pair(kKaido, kRelay), std::pair(kKaido, kMemcpy), std::pair(kKaido, kGrpc),
                                        std::pair(kKaidoTwoNodes, kKaido), std::pair(kGrpc, kRelay)}) {
      times_.add_ratio(row + ": " + subject + " over " + base, row, subject, base);
    }
    times_.add_ratio(row + " CPU: " + kKaido + " over " + kRelay, row + " CPU", kKaido, kRelay);
  }
}

void LargeArguments::measure_round(int milliseconds) {
  for (const auto& subject : subjects_) measure_times(*subject, milliseconds);
  if (beside_ != nullptr) measure_beside(std::max(milliseconds, kBesideMillisecondsMin));
}

void LargeArguments::measure_times(Subject& subject, int milliseconds) {
  for (const std::size_t size : kSizes) {
    // One call of this size first: buffers are as large as they will be.
    order(subject.client(0), size * kMebibyte, 0);
    static_cast<void>(read_sample(subject.client(0)));
    const double cpu_before = subject.server_cpu_seconds();
    order(subject.client(0), size * kMebibyte, milliseconds);
    const LargeSample sample = read_sample(subject.client(0));
    const double cpu = sample.client_cpu_seconds + subject.server_cpu_seconds() - cpu_before;
    times_.add(mebibytes(size), subject.name(), sample.milliseconds);
    times_.add(mebibytes(size) + " CPU", subject.name(), cpu * 1000 / sample.calls);
  }
}

void LargeArguments::measure_beside(int milliseconds) {
  const auto small = [&] {
    Process& client = beside_->client(0);
    client.write_line("1 " + std::to_string(milliseconds));
    std::istringstream line(client.read_line());
    double calls = 0;
    double seconds = 0;
    double p50 = 0;
    double p99 = 0;
    if (!(line >> calls >> seconds >> p50 >> p99)) throw std::runtime_error("unexpected answer of " + client.name());
    return std::pair(p50, p99);
  };
  const std::string beside = "beside " + mebibytes(kLargestMebibytes) + " calls";
  const auto add = [&](const std::string& subject, std::pair<double, double> latency) {
    beside_latency_.add("p50", subject, latency.first);
    beside_latency_.add("p99", subject, latency.second);
  };
  add("alone", small());
  Process& large = beside_->client(1);
  order(large, kSmallBytes, 0);  // Until it answers, the argument of the former round is gone and nothing is called.
  static_cast<void>(read_sample(large));
  order(large, kLargestMebibytes * kMebibyte, 2 * milliseconds);
  add(beside, small());
  static_cast<void>(read_sample(large));
}

void LargeArguments::measure_memory(int milliseconds) {
  if (!is_wanted(kMemory)) return;
  measure_memory_of(*start_relay(folder_, kMemory + "-relay"), {"relay or daemon", "worker"}, milliseconds);
  measure_memory_of(*start_large_grpc(folder_, kMemory + "-grpc"), {"worker"}, milliseconds);
  measure_memory_of(*start_large_kaido(folder_, kMemory + "-kaido", 1), {"relay or daemon", "worker"}, milliseconds);
  measure_memory_of(*start_large_kaido(folder_, kMemory + "-kaido-2-nodes", 2),
                    {"relay or daemon", "second daemon", "worker"}, milliseconds);
}

void LargeArguments::measure_memory_of(Subject& subject, const std::vector<std::string>& rows, int milliseconds) {
  std::vector<std::pair<std::string, Process*>> processes = {{"client", &subject.client(0)}};
  for (std::size_t i = 0; i < rows.size(); ++i) processes.emplace_back(rows[i], subject.servers()[i].get());
  order(subject.client(0), kSmallBytes, milliseconds);
  static_cast<void>(read_sample(subject.client(0)));
  std::vector<double> before;
  for (const auto& [row, process] : processes) {
    process->forget_peak();
    before.push_back(process->resident_megabytes());
  }
  order(subject.client(0), kLargestMebibytes * kMebibyte, milliseconds);
  static_cast<void>(read_sample(subject.client(0)));
  for (std::size_t i = 0; i < processes.size(); ++i) {
    const auto& [row, process] = processes[i];
    memory_.add(row, subject.name(), process->peak_resident_megabytes() - before[i]);
  }
}

void LargeArguments::add_to(Report& report) const {
  if (!subjects_.empty()) report.add_section("large_arguments", times_);
  if (beside_ != nullptr) {
    Measurements latency = beside_latency_;
    const std::string beside = "beside " + mebibytes(kLargestMebibytes) + " calls";
    for (const char* row : {"p50", "p99"})
      latency.add_ratio(std::string(row) + ": " + beside + " over alone", row, beside, "alone");
    report.add_section("small_calls_beside_large", std::move(latency));
  }
  if (is_wanted(kMemory)) {
    Measurements memory = memory_;
    memory.add_note("argument", mebibytes(kLargestMebibytes) + ", the client's own copy of which is in its figure");
    report.add_section("large_memory", std::move(memory));
  }
}

}  // namespace kaido::bench
