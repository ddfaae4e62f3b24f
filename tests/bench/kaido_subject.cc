#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "tests/bench/subject.h"

namespace kaido::bench {
namespace {

/// The daemon as Bazel puts it beside this program, or as KAIDO_BENCH_DAEMON says.
std::string daemon_program() {
  if (const char* given = std::getenv("KAIDO_BENCH_DAEMON")) return given;
  const std::string own = own_program();
  for (const std::string& candidate : {std::string("daemon/kaidod"), own + ".runfiles/kaido/daemon/kaidod"}) {
    if (std::filesystem::exists(candidate)) return std::filesystem::absolute(candidate).string();
  }
  throw std::runtime_error("kaidod not found: run this with bazel, or set KAIDO_BENCH_DAEMON to its file");
}

/// A port of loopback that was free a moment ago.
int free_port() {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = ::bind(probe, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     ::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(probe);
  if (!bound) throw std::runtime_error("no free port on loopback");
  return ntohs(address.sin_port);
}

/// Everything but names and addresses is the daemon's default. Returns the configuration's file.
std::string write_configuration(const TemporaryFolder& folder, const std::string& node, int port,
                                const std::vector<int>& peers) {
  const std::string file = folder.file(node + ".yaml");
  std::ofstream out(file);
  out << "node:\n  name: " << node << "\n  state_dir: " << folder.file(node + ".state") << "\n";
  out << "listen:\n  app_socket: " << folder.file(node + ".app") << "\n  admin_socket: " << folder.file(node + ".admin")
      << "\n  peer: 127.0.0.1:" << port << "\n  http: none\nsecurity: {insecure_plaintext: true}\n";
  if (!peers.empty()) out << "peers:\n";
  for (const int peer : peers) out << "  - 127.0.0.1:" << peer << "\n";
  out << "log:\n  level: error\n";
  if (!out.flush()) throw std::runtime_error("cannot write " + file);
  return file;
}

}  // namespace

std::unique_ptr<Subject> start_kaido(const TemporaryFolder& folder, const std::string& name, const Shape& shape,
                                     std::vector<std::size_t> windows) {
  auto subject = std::make_unique<Subject>(name, std::move(windows));
  std::vector<int> ports;
  std::string node;
  for (std::size_t i = 0; i < shape.nodes; ++i) {
    node = name + "-" + std::to_string(i);
    const int port = free_port();
    subject->add_server({daemon_program(), "--config", write_configuration(folder, node, port, ports)}, false);
    wait_for_socket(folder.file(node + ".app"));
    ports.push_back(port);
  }
  // Workers at the last node, clients at the first.
  for (std::size_t i = 0; i < shape.workers; ++i) {
    subject->add_server({own_program(), "role", shape.worker_role, folder.file(node + ".app")});
  }
  for (std::size_t i = 0; i < shape.clients; ++i) {
    subject->add_client({own_program(), "role", shape.client_role, folder.file(name + "-0.app")});
  }
  return subject;
}

}  // namespace kaido::bench
