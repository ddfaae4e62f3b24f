/// A protocol story as text: what happens, and what must follow. The words are in tests/scenario/README.md.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/scenario/virtual_cluster.h"

namespace kaido::daemon::testing {

/// Runs one script, line by line.
///
/// Threading: one thread.
/// Errors: the first line that cannot be read or whose expectation fails ends the run; error() names it.
class Scenario {
 public:
  /// False at the first failure.
  bool run(const std::string& script);
  /// "line 12: expect delivered a t1 succeeded: it is still open"
  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] int expectations() const { return expectations_; }

 private:
  using Words = std::vector<std::string>;

  bool run_line(const Words& words);
  bool set_up(const Words& words);
  bool act_app(const Words& words);
  bool act_world(const Words& words);
  bool expect(const Words& words);
  bool expect_delivered(const Words& words);
  bool expect_error(const Words& words);
  bool expect_counter(const Words& words);
  bool add_worker(const Words& words);
  bool add_rule(const Words& words);
  bool add_node(const Words& words);
  bool submit(const Words& words);
  bool check_end();

  [[nodiscard]] FunctionInfo function_of(const std::string& word) const;
  bool fail(std::string why);
  std::optional<std::size_t> node(const std::string& name);
  const Delivery* delivery(std::size_t node, const std::string& task);
  VirtualCluster& cluster();

  // The network treats the next message that matches in a way of its own.
  struct Rule {
    Fate fate;
    std::size_t from;
    std::size_t to;
    wire::FrameKind kind;
  };

  VirtualCluster::Options options_;
  std::optional<VirtualCluster> cluster_;
  std::map<std::string, std::pair<std::string, Schema>> versions_;  // of functions: signature and schema
  std::map<std::string, std::size_t> nodes_;
  std::map<std::string, std::uint32_t> sessions_;
  std::vector<Rule> rules_;
  struct Task {
    std::string name;
    std::size_t node;
    bool may_stay_open = false;
  };
  std::vector<Task> tasks_;
  std::string error_;
  int expectations_ = 0;
};

}  // namespace kaido::daemon::testing
