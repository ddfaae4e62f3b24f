/// What is compared: arrangements of processes that answer the same call.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/bench/process.h"

namespace kaido::bench {

/// One measured number of one round.
struct Sample {
  double calls_per_second = 0;
  double p50_us = 0;  // Latencies are measured with one call in flight.
  double p99_us = 0;
  double cpu_seconds_per_million = 0;
};

/// A running arrangement: servers (relays, daemons, workers) and clients, each a process, started once and kept.
class Subject {
 public:
  /// `windows`: how many calls each client keeps in flight, one cell each.
  Subject(std::string name, std::vector<std::size_t> windows) : name_(std::move(name)), windows_(std::move(windows)) {}

  /// Starts a process; it must print `ready` if `says_ready`.
  Process& add_server(const std::vector<std::string>& command, bool says_ready = true);
  void add_client(const std::vector<std::string>& command);

  /// One round of one cell: all clients at once.
  [[nodiscard]] Sample measure(std::size_t window, int milliseconds);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::vector<std::size_t>& windows() const { return windows_; }
  [[nodiscard]] std::size_t clients() const { return clients_.size(); }
  [[nodiscard]] Process& client(std::size_t index) { return *clients_[index]; }
  [[nodiscard]] const std::vector<std::unique_ptr<Process>>& servers() const { return servers_; }
  /// CPU time of all servers so far.
  [[nodiscard]] double server_cpu_seconds() const;

 private:
  std::string name_;
  std::vector<std::size_t> windows_;
  // Servers end after the clients, which are destroyed first.
  std::vector<std::unique_ptr<Process>> servers_;
  std::vector<std::unique_ptr<Process>> clients_;
};

/// How many processes of each kind; and, of Kaido's, of which role of this program.
struct Shape {
  std::size_t nodes = 1;
  std::size_t clients = 1;
  std::size_t workers = 1;
  const char* client_role = "kaido-client";
  const char* worker_role = "kaido-worker";
};

/// The floor; its one relay counts as the node.
[[nodiscard]] std::unique_ptr<Subject> start_floor(const TemporaryFolder& folder, const std::string& name,
                                                   const Shape& shape, std::vector<std::size_t> windows);

/// Kaido: clients at the first node, workers at the last. Its daemons are the first servers.
[[nodiscard]] std::unique_ptr<Subject> start_kaido(const TemporaryFolder& folder, const std::string& name,
                                                   const Shape& shape, std::vector<std::size_t> windows);

/// gRPC: `kind` is "unary" or "stream"; through a proxy if asked.
[[nodiscard]] std::unique_ptr<Subject> start_grpc(const TemporaryFolder& folder, const std::string& name,
                                                  const std::string& kind, bool proxied,
                                                  std::vector<std::size_t> windows);

}  // namespace kaido::bench
