#include "tests/bench/subject.h"

#include <sstream>
#include <stdexcept>

namespace kaido::bench {
namespace {

void expect_ready(Process& process) {
  if (const std::string line = process.read_line(); line != "ready") {
    throw std::runtime_error("unexpected first line '" + line + "' of " + process.name());
  }
}

}  // namespace

Process& Subject::add_server(const std::vector<std::string>& command, bool says_ready) {
  servers_.push_back(std::make_unique<Process>(command));
  if (says_ready) expect_ready(*servers_.back());
  return *servers_.back();
}

void Subject::add_client(const std::vector<std::string>& command) {
  clients_.push_back(std::make_unique<Process>(command));
  expect_ready(*clients_.back());
}

double Subject::server_cpu_seconds() const {
  double sum = 0;
  for (const auto& server : servers_) sum += server->cpu_seconds();
  return sum;
}

Sample Subject::measure(std::size_t window, int milliseconds) {
  const double cpu_before = server_cpu_seconds();
  const std::string request = std::to_string(window) + " " + std::to_string(milliseconds);
  for (const auto& client : clients_) client->write_line(request);
  Sample sample;
  double calls = 0;
  double cpu = 0;
  for (const auto& client : clients_) {
    std::istringstream line(client->read_line());
    double client_calls = 0;
    double seconds = 0;
    double client_cpu = 0;
    if (!(line >> client_calls >> seconds >> sample.p50_us >> sample.p99_us >> client_cpu) || seconds <= 0) {
      throw std::runtime_error("unexpected answer of " + client->name());
    }
    calls += client_calls;
    sample.calls_per_second += client_calls / seconds;
    cpu += client_cpu;
  }
  cpu += server_cpu_seconds() - cpu_before;
  sample.cpu_seconds_per_million = cpu / (calls / 1e6);
  return sample;
}

std::unique_ptr<Subject> start_floor(const TemporaryFolder& folder, const std::string& name, const Shape& shape,
                                     std::vector<std::size_t> windows) {
  auto subject = std::make_unique<Subject>(name, std::move(windows));
  const std::string client_socket = folder.file(name + "-clients");
  const std::string worker_socket = folder.file(name + "-workers");
  subject->add_server({own_program(), "role", "floor-relay", client_socket, worker_socket});
  for (std::size_t i = 0; i < shape.workers; ++i)
    subject->add_server({own_program(), "role", "floor-worker", worker_socket});
  for (std::size_t i = 0; i < shape.clients; ++i)
    subject->add_client({own_program(), "role", "floor-client", client_socket});
  return subject;
}

std::unique_ptr<Subject> start_grpc(const TemporaryFolder& folder, const std::string& name, const std::string& kind,
                                    bool proxied, std::vector<std::size_t> windows) {
  auto subject = std::make_unique<Subject>(name, std::move(windows));
  const std::string server = folder.file(name + "-server");
  const std::string proxy = folder.file(name + "-proxy");
  subject->add_server({own_program(), "role", "grpc-server", server});
  if (proxied) subject->add_server({own_program(), "role", "grpc-proxy", proxy, server});
  subject->add_client({own_program(), "role", "grpc-" + kind + "-client", proxied ? proxy : server});
  return subject;
}

}  // namespace kaido::bench
