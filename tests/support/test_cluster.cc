#include "tests/support/test_cluster.h"

#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <stdexcept>

#include <gtest/gtest.h>

#include "tests/support/raw_socket.h"

namespace kaido::test {
namespace {

constexpr int kStarts = 5;  // a port that was free a moment ago may be taken

void add_section(std::string& yaml, std::string_view name, const std::map<std::string, std::string>& values) {
  if (values.empty()) return;
  yaml += std::string(name) + ":\n";
  for (const auto& [key, value] : values) yaml += "  " + key + ": " + value + "\n";
}

}  // namespace

std::string built_program(std::string_view path) {
  // A test of Bazel's starts in the folder in which its data lies.
  return std::filesystem::absolute(path).string();
}

TestNode::TestNode(NodeSpec spec) : spec_(std::move(spec)) { choose_ports(); }

void TestNode::choose_ports() {
  peer_port_ = free_port();
  http_port_ = free_port();
}

std::string TestNode::peer_address() const {
  return spec_.is_peer_unix_ ? "unix:" + peer_socket() : "127.0.0.1:" + std::to_string(peer_port_);
}

void TestNode::write_config(const std::vector<std::string>& peers) {
  std::string yaml = "node:\n  name: " + spec_.name_ + "\n  state_dir: " + folder_ / "state" + "\n";
  if (!spec_.tags_.empty()) yaml += "  tags:\n";
  for (const auto& [key, value] : spec_.tags_) yaml += "    " + key + ": " + value + "\n";
  add_section(yaml, "listen",
              {{"app_socket", app_socket()},
               {"admin_socket", admin_socket()},
               {"peer", peer_address()},
               {"http", "127.0.0.1:" + std::to_string(http_port_)}});
  if (!peers.empty()) yaml += "peers:\n";
  for (const std::string& peer : peers) yaml += "  - " + peer + "\n";
  yaml += "security: {insecure_plaintext: true}\n";
  add_section(yaml, "timeouts", spec_.timeouts_);
  add_section(yaml, "limits", spec_.limits_);
  yaml += "log: {level: debug, format: text}\n";
  static_cast<void>(folder_.write("kaidod.yaml", yaml));
}

bool TestNode::start() {
  process_.reset();
  Command command(built_program("daemon/kaidod"));
  command.argument("--config").argument(config_file()).errors(log_file());
  process_ = std::make_unique<Process>(command);
  static_cast<void>(wait_until([this] { return !is_running() || is_ready(); }));
  return is_running() && is_ready();
}

bool TestNode::is_ready() const { return http_get(http_port_, "/readyz").status == 200; }

double TestNode::metric(std::string_view sample) const {
  const std::string page = "\n" + http_get(http_port_, "/metrics").body;
  const std::string line = "\n" + std::string(sample) + " ";
  const std::size_t at = page.find(line);
  return at == std::string::npos ? -1 : std::strtod(page.c_str() + at + line.size(), nullptr);
}

std::string TestNode::ctl(std::string_view command) const {
  const TempFolder folder;
  Command kaidoctl(built_program("daemon/kaidoctl/kaidoctl"));
  kaidoctl.argument("--socket").argument(admin_socket()).argument(std::string(command)).argument("-o").argument("json");
  kaidoctl.output(folder / "output").errors(folder / "errors");
  const auto status = Process(kaidoctl).wait();
  if (status == ExitStatus{}) return read_file(folder / "output");
  throw std::runtime_error("kaidoctl " + std::string(command) + " failed: " + read_file(folder / "errors"));
}

TestCluster::TestCluster(std::vector<NodeSpec> specs) {
  for (NodeSpec& spec : specs) nodes_.push_back(std::make_unique<TestNode>(std::move(spec)));
  start_all();
  if (!settle()) throw std::runtime_error("the daemons did not find each other\n" + logs());
}

void TestCluster::start_all() {
  for (int attempt = 1;; ++attempt) {
    bool is_started = true;
    for (auto& node : nodes_) {
      std::vector<std::string> peers;
      for (const auto& other : nodes_) {
        if (other != node) peers.push_back(other->peer_address());
      }
      node->write_config(peers);
      is_started = is_started && node->start();
    }
    if (is_started) return;
    if (attempt == kStarts) throw std::runtime_error("the daemons do not start\n" + logs());
    for (auto& node : nodes_) {
      if (node->is_running()) node->kill();
      node->choose_ports();
    }
  }
}

TestCluster::~TestCluster() {
  for (auto& node : nodes_) {
    if (!node->is_running()) continue;
    node->process().cont();
    node->process().send(SIGTERM);
  }
  for (auto& node : nodes_) {
    const auto status = node->process().wait();
    const bool is_fine = status && (*status == ExitStatus{} || status->signal == SIGKILL);
    if (!is_fine)
      ADD_FAILURE() << node->name() << " ended with code " << (status ? status->code : -1) << ", signal "
                    << (status ? status->signal : 0);
  }
  if (::testing::Test::HasFailure()) std::cerr << logs();
}

TestNode& TestCluster::operator[](std::string_view name) {
  for (auto& node : nodes_) {
    if (node->name() == name) return *node;
  }
  throw std::runtime_error("there is no node " + std::string(name));
}

bool TestCluster::settle() {
  return wait_until([this] { return is_settled(); });
}

bool TestCluster::is_settled() {
  constexpr std::string_view kOffered = "kaido_registry_functions{offered_by=\"self\"}";
  constexpr std::string_view kSeen = "kaido_registry_functions{offered_by=\"peers\"}";
  double running = 0;
  double offered = 0;
  for (auto& node : nodes_) {
    if (!node->is_running()) continue;
    running += 1;
    offered += node->metric(kOffered);
  }
  for (auto& node : nodes_) {
    if (!node->is_running()) continue;
    if (node->connected_peers() != running - 1 || node->metric(kSeen) + node->metric(kOffered) != offered) return false;
  }
  return true;
}

std::string TestCluster::logs() {
  std::string text;
  for (auto& node : nodes_) text += "---- kaidod " + node->name() + "\n" + node->log();
  return text;
}

}  // namespace kaido::test
