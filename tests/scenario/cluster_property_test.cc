// What must hold whatever happens: nodes are lost, come back, are cut off, apps die, frames vanish, links
// break and are replaced, tasks are cancelled.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "proto/base/ids.h"
#include "proto/base/random.h"
#include "tests/scenario/virtual_cluster.h"

namespace kaido::daemon::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kNodes = 4;
constexpr int kSteps = 250;
constexpr int kSeeds = 24;

FunctionInfo function() { return {.id = base::function_id_of("f"), .name = "f", .fingerprint = 1, .signature = ""}; }

// One run of one seed.
class Chaos {
 public:
  explicit Chaos(std::uint64_t seed) : random_(seed), loses_frames_(seed % 3 == 0), cluster_(options(seed), seed) {
    for (std::size_t i = 0; i < kNodes; ++i) {
      NodeInfo info;
      info.name = std::string(1, static_cast<char>('a' + i));
      info.tags = {{"parity", i % 2 == 0 ? "even" : "odd"}};
      cluster_.add_node(std::move(info));
    }
    for (std::size_t i = 0; i < kNodes; ++i) open_worker(i);
    cluster_.fate = [this](const Message&) {
      if (loses_frames_ && chance(5)) return Fate::kDrop;
      return chance(5) ? Fate::kDuplicate : Fate::kDeliver;
    };
  }

  void run() {
    for (int step = 0; step < kSteps; ++step) {
      disturb();
      answer_some();
      cluster_.advance(std::chrono::microseconds(random_.below(4000)));
    }
    settle();
  }

  void check() {
    for (const Task& task : tasks_) {
      const auto count = cluster_.deliveries(task.node, task.name).size();
      if (task.is_orphan) {
        EXPECT_LE(count, 1U) << task.name;
      } else {
        EXPECT_EQ(count, 1U) << task.name;
      }
      EXPECT_LE(cluster_.executions(task.name), task.starts_max) << task.name;
      if (count == 1 && cluster_.deliveries(task.node, task.name)[0].outcome == wire::Outcome::kSucceeded) {
        EXPECT_EQ(cluster_.deliveries(task.node, task.name)[0].value, task.name + "!");
        EXPECT_GE(cluster_.executions(task.name), 1) << task.name;
      }
    }
    for (std::size_t node = 0; node < kNodes; ++node) {
      EXPECT_EQ(cluster_.ledger(node).task_count(), 0U) << "node " << node;
      EXPECT_EQ(cluster_.ledger(node).waiting_count(), 0U) << "node " << node;
      EXPECT_EQ(cluster_.ledger(node).kept_bytes(), 0U) << "node " << node;
      EXPECT_EQ(cluster_.executor(node).load().busy, 0U) << "node " << node;
      EXPECT_EQ(cluster_.executor(node).queued_bytes(), 0U) << "node " << node;
      for (std::uint32_t other = 0; other < kNodes; ++other) {
        EXPECT_EQ(cluster_.chooser(node).loads().in_flight(NodeIndex{other}), 0U) << "node " << node;
      }
    }
  }

  // What the run met, over all seeds: a test that never meets the interesting states proves nothing.
  void count_into(std::map<std::string, std::uint64_t>& met) const {
    for (std::size_t node = 0; node < kNodes; ++node) {
      const LedgerCounters& counters = cluster_.ledger(node).counters();
      met["retries"] += counters.retries;
      met["redirects"] += counters.redirects;
      met["waited"] += counters.waited;
      const PeerCounters& peers = cluster_.machine(node).peers().counters();
      met["links replaced"] += peers.links_replaced;
      met["nodes lost"] += peers.nodes_lost;
      met["links full"] += peers.link_full;
      met["late results"] += counters.late_results_dropped;
      met["duplicates"] += cluster_.executor(node).counters().duplicates;
      for (std::uint32_t i = 0; i < wire::kOutcomeCount; ++i) {
        met[std::string(wire::label(static_cast<wire::Outcome>(i)))] += counters.delivered[i];
      }
    }
  }

 private:
  struct Task {
    std::string name;
    std::size_t node;
    int starts_max;
    bool is_orphan = false;  // its node crashed, or its session was closed
  };

  static VirtualCluster::Options options(std::uint64_t seed) {
    VirtualCluster::Options options;
    options.instant_announcements = seed % 2 == 0;
    options.executor.queue_max = 6;
    return options;
  }

  bool chance(std::uint32_t percent) { return random_.below(100) < percent; }
  std::size_t any_node() { return random_.below(kNodes); }

  void open_worker(std::size_t node) { cluster_.open_worker(node, next_session_[node] = ++sessions_, 2, {function()}); }

  void submit() {
    const std::size_t node = any_node();
    if (!cluster_.is_up(node)) return;
    PlacementSpec spec;
    spec.function = function().id;
    spec.function_name = "f";
    Task task{"t" + std::to_string(tasks_.size()), node, 1};
    if (chance(30)) {
      spec.idempotent = true;
      spec.max_attempts = task.starts_max = 2 + static_cast<int>(random_.below(2));
    }
    if (chance(30)) spec.tags = {{"parity", chance(50) ? "even" : "odd"}};
    if (chance(30)) spec.wait = 20ms;
    if (chance(30)) spec.priority = static_cast<std::int32_t>(random_.below(3));
    // Where frames may vanish without a connection being lost, only a deadline ends what nobody answers.
    const bool has_deadline = loses_frames_ || chance(30);
    tasks_.push_back(task);
    cluster_.submit(node, task.name, spec, has_deadline ? std::chrono::milliseconds(5 + random_.below(40)) : 0ns);
  }

  void orphan(std::size_t node) {
    for (Task& task : tasks_) {
      if (task.node == node && cluster_.deliveries(node, task.name).empty()) task.is_orphan = true;
    }
  }

  void disturb() {
    for (int i = 0; i < 3; ++i) submit();
    if (chance(20) && !tasks_.empty()) {
      const Task& task = tasks_[random_.below(static_cast<std::uint32_t>(tasks_.size()))];
      if (cluster_.is_up(task.node) && !task.is_orphan) cluster_.cancel(task.node, task.name);
    }
    const std::size_t a = any_node();
    const std::size_t b = (a + 1 + random_.below(kNodes - 1)) % kNodes;
    if (chance(2) && cluster_.is_up(a)) {
      orphan(a);
      cluster_.close_session(a);
    }
    if (chance(2)) crash_or_restart(a);
    if (chance(3) && cluster_.is_up(a) && cluster_.is_up(b)) cluster_.cut(a, b);
    if (chance(5) && cluster_.is_up(a) && cluster_.is_up(b)) cluster_.join(a, b);
    if (chance(3) && cluster_.is_up(a)) {
      cluster_.lose_worker(a, next_session_[a]);
      open_worker(a);
    }
    if (chance(4) && cluster_.is_up(a) && cluster_.is_up(b)) cluster_.break_links(a, b);
    if (chance(3) && cluster_.is_up(a) && cluster_.is_up(b)) static_cast<void>(cluster_.replace_link(a, b));
    if (chance(3) && cluster_.is_up(a)) cluster_.set_congested(a, b, chance(40));
    if (chance(3) && cluster_.is_up(a)) cluster_.set_stalled(a, next_session_[a], chance(40));
    if (chance(3) && cluster_.is_up(a)) cluster_.pretend(a, {{"parity", chance(50) ? "even" : "odd"}});
    if (chance(10) && cluster_.is_up(a)) cluster_.tell(a);
  }

  void crash_or_restart(std::size_t node) {
    if (!cluster_.is_up(node)) return cluster_.restart(node);
    orphan(node);
    cluster_.crash(node);
    // The others find out, each by itself; here at once.
    for (std::size_t other = 0; other < kNodes; ++other) {
      if (other != node && cluster_.is_up(other)) cluster_.declare_lost(other, node);
    }
  }

  // Workers end some of what they run; what was cancelled sooner.
  void answer_some() {
    for (std::size_t node = 0; node < kNodes; ++node) {
      if (!cluster_.is_up(node)) continue;
      for (const Running& running : std::vector<Running>(cluster_.all_running(node))) {
        if (running.cancel_seen && chance(50)) {
          cluster_.answer(node, running.task, wire::Outcome::kCancelled, "stopped");
        } else if (chance(40)) {
          cluster_.answer(node, running.task, wire::Outcome::kSucceeded, running.task + "!");
        }
      }
    }
  }

  // Faults stop, everyone meets again, and every function ends.
  void settle() {
    cluster_.fate = nullptr;
    for (std::size_t node = 0; node < kNodes; ++node) {
      if (!cluster_.is_up(node)) cluster_.restart(node);
    }
    for (std::size_t node = 0; node < kNodes; ++node) {
      cluster_.set_stalled(node, next_session_[node], false);
      cluster_.tell(node);
      for (std::size_t other = 0; other < node; ++other) cluster_.join(node, other);
    }
    for (int round = 0; round < 2000 && !is_settled(); ++round) {
      answer_some();
      cluster_.advance(1ms);
    }
  }

  bool is_settled() const {
    for (std::size_t node = 0; node < kNodes; ++node) {
      if (cluster_.ledger(node).task_count() > 0 || cluster_.executor(node).load().busy > 0) return false;
    }
    return true;
  }

  base::Random random_;
  bool loses_frames_;
  VirtualCluster cluster_;
  std::vector<Task> tasks_;
  std::map<std::size_t, std::uint32_t> next_session_;
  std::uint32_t sessions_ = 100;
};

TEST(ClusterProperty, EveryTaskIsDeliveredOnceAndStartedNoOftenerThanItMay) {
  std::map<std::string, std::uint64_t> met;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Chaos chaos(seed);
    chaos.run();
    chaos.check();
    chaos.count_into(met);
    if (HasFailure()) break;
  }
  for (const char* state :
       {"retries", "redirects", "waited", "late results", "duplicates", "links replaced", "nodes lost", "links full",
        "succeeded", "cancelled", "timed_out", "unschedulable", "node_lost", "rejected", "app_lost"}) {
    EXPECT_GT(met[state], 0U) << state << " was never met: the test is weaker than it says";
  }
}

}  // namespace
}  // namespace kaido::daemon::testing
