/// Real kaidod processes on this host, as many as a test needs, each with a folder of its own.
///
///     TestCluster cluster({NodeSpec("a"), NodeSpec("b").tag("disk", "ssd")});   // running, and connected with each
///     other cluster["b"].kill(); ASSERT_TRUE(wait_until([&] { return
///     cluster["a"].metric("kaido_gossip_peers{state=\"connected\"}") == 0; }));
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/temp_folder.h"

namespace kaido::test {

/// What one daemon is configured with. A class with setters, chainable.
class NodeSpec {
 public:
  explicit NodeSpec(std::string name) : name_(std::move(name)) {}

  NodeSpec& tag(std::string key, std::string value) {
    tags_.emplace(std::move(key), std::move(value));
    return *this;
  }
  /// Of the section `timeouts`. Defaults that differ from kaidod's: ping_interval 100ms, drain 10s, reconnect_initial
  /// 20ms, reconnect_max 200ms.
  NodeSpec& timeout(const std::string& key, std::string value) {
    timeouts_[key] = std::move(value);
    return *this;
  }
  NodeSpec& limit(const std::string& key, std::string value) {
    limits_[key] = std::move(value);
    return *this;
  }
  /// Peers reach it by a Unix socket instead of TCP.
  NodeSpec& peers_over_unix() {
    is_peer_unix_ = true;
    return *this;
  }

 private:
  friend class TestNode;
  std::string name_;
  std::map<std::string, std::string> tags_;
  std::map<std::string, std::string> timeouts_{
      {"ping_interval", "100ms"}, {"drain", "10s"}, {"reconnect_initial", "20ms"}, {"reconnect_max", "200ms"}};
  std::map<std::string, std::string> limits_;
  bool is_peer_unix_ = false;
};

/// One daemon: its configuration, and its process while it runs.
class TestNode {
 public:
  explicit TestNode(NodeSpec spec);

  [[nodiscard]] const std::string& name() const { return spec_.name_; }
  [[nodiscard]] std::string app_socket() const { return folder_ / "app.sock"; }
  [[nodiscard]] std::string admin_socket() const { return folder_ / "admin.sock"; }
  [[nodiscard]] std::string peer_socket() const { return folder_ / "peer.sock"; }
  [[nodiscard]] std::string state_folder() const { return folder_ / "state"; }
  [[nodiscard]] std::string config_file() const { return folder_ / "kaidod.yaml"; }
  [[nodiscard]] std::string log_file() const { return folder_ / "kaidod.log"; }
  [[nodiscard]] std::string peer_address() const;
  [[nodiscard]] std::uint16_t peer_port() const { return peer_port_; }
  [[nodiscard]] std::uint16_t http_port() const { return http_port_; }

  /// Other ports than before.
  void choose_ports();
  void write_config(const std::vector<std::string>& peers);
  /// Starts the process and waits until it is ready. False if it ended before.
  [[nodiscard]] bool start();
  /// SIGKILL.
  void kill() { process_->kill(); }
  /// The process of the last start.
  [[nodiscard]] Process& process() { return *process_; }
  [[nodiscard]] bool is_running() { return process_ != nullptr && process_->is_running(); }

  [[nodiscard]] bool is_ready() const;
  /// A sample of /metrics by its name and labels as written there; -1 if there is none or nobody answers.
  [[nodiscard]] double metric(std::string_view sample) const;
  [[nodiscard]] double connected_peers() const { return metric("kaido_gossip_peers{state=\"connected\"}"); }
  /// Standard output of `kaidoctl ... -o json`; throws std::runtime_error if it fails.
  [[nodiscard]] std::string ctl(std::string_view command) const;
  [[nodiscard]] std::string log() const { return read_file(log_file()); }

 private:
  NodeSpec spec_;
  TempFolder folder_;
  std::uint16_t peer_port_ = 0;
  std::uint16_t http_port_ = 0;
  std::unique_ptr<Process> process_;
};

/// Threading: one thread, that of the test.
/// Lifetime: declare it before the apps that use it. The destructor stops every daemon politely, and a daemon that does
/// not then end with code 0 (a crash, a sanitizer's finding) fails the test. When the test has failed, it prints the
/// logs.
class TestCluster {
 public:
  /// Throws std::runtime_error, with the logs, if the daemons do not find each other.
  explicit TestCluster(std::vector<NodeSpec> specs);
  ~TestCluster();
  TestCluster(const TestCluster&) = delete;
  TestCluster& operator=(const TestCluster&) = delete;

  [[nodiscard]] TestNode& operator[](std::string_view name);

  /// Waits until all running daemons are connected with each other and know each other's functions.
  [[nodiscard]] bool settle();

 private:
  void start_all();
  [[nodiscard]] bool is_settled();
  [[nodiscard]] std::string logs();

  std::vector<std::unique_ptr<TestNode>> nodes_;
};

/// A program of the build by its path from the repository's root, e.g. "daemon/kaidod"; a test lists it as data.
[[nodiscard]] std::string built_program(std::string_view path);

}  // namespace kaido::test
