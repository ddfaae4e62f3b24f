// Bytes have owners: whatever happens to nodes, links and workers, a function is given the arguments of its own call,
// and the caller that function's result. All of both is compared, with payloads smaller and larger than a read.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "proto/base/ids.h"
#include "proto/base/random.h"
#include "proto/wire/limits.h"
#include "tests/scenario/virtual_cluster.h"

namespace kaido::daemon::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kNodes = 4;
constexpr std::size_t kFunctions = 3;
constexpr int kSteps = 60;
constexpr std::uint64_t kSeeds = 25;

// KAIDO_SEEDS: more of them, by hand.
std::uint64_t seeds() {
  const char* const wanted = std::getenv("KAIDO_SEEDS");
  return wanted == nullptr ? kSeeds : std::strtoull(wanted, nullptr, 10);
}

FunctionInfo function(std::size_t index) {
  const std::string name(1, static_cast<char>('f' + index));
  return {.id = base::function_id_of(name), .name = name, .fingerprint = 1};
}

// Bytes that belong to one task and function alone, and differ from word to word.
std::string bytes_of(std::uint64_t task, const std::string& function, std::uint64_t salt, std::size_t size) {
  base::Random key(task * 1024 + static_cast<unsigned char>(function[0]) * 2 + salt);
  const std::uint64_t step = key.next() | 1;
  std::uint64_t word = key.next();
  std::string bytes(size, '\0');
  std::size_t at = 0;
  for (; at + sizeof word <= size; at += sizeof word, word += step) std::memcpy(&bytes[at], &word, sizeof word);
  std::memcpy(bytes.data() + at, &word, size - at);
  return bytes;
}

class Bytes {
 public:
  explicit Bytes(std::uint64_t seed) : random_(seed), cluster_(options(), seed) {
    for (std::size_t i = 0; i < kNodes; ++i) {
      NodeInfo info;
      info.name = std::string(1, static_cast<char>('a' + i));
      cluster_.add_node(std::move(info));
    }
    cluster_.on_dispatch = [this](std::size_t, const Running& running) { check_arguments(running); };
    cluster_.advance(10ms);
    for (std::size_t i = 0; i < kNodes; ++i) open_worker(i);
    cluster_.loses_result = [this] { return chance(10); };
    cluster_.fate = [this](const Message& message) {
      if (chance(3)) return Fate::kDuplicate;
      // What answers an attempt cannot come after the goodbye of its link.
      const bool may_be_late = message.kind == wire::FrameKind::kQueued || message.kind == wire::FrameKind::kStarted ||
                               message.kind == wire::FrameKind::kCancel;
      if (may_be_late && chance(5)) return Fate::kHold;
      return Fate::kDeliver;
    };
  }

  void run() {
    for (int step = 0; step < kSteps; ++step) {
      cluster_.in_one_turn([&] {
        for (std::uint32_t i = random_.below(4); i > 0; --i) submit();
      });
      disturb();
      answer_some(40);
      if (chance(20)) cluster_.release_held();
      cluster_.advance(std::chrono::microseconds(random_.below(3000)));
    }
    settle();
  }

  void check() {
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
      const Task& task = tasks_[i];
      const auto& deliveries = cluster_.deliveries(task.node, task.name);
      EXPECT_LE(deliveries.size(), 1U) << task.name;
      EXPECT_TRUE(task.is_orphan || deliveries.size() == 1) << task.name << " is still open";
      if (deliveries.empty() || deliveries[0].outcome != wire::Outcome::kSucceeded) continue;
      EXPECT_TRUE(deliveries[0].value == bytes_of(i, task.function, 1, task.result_bytes))
          << task.name << " got another result, of " << deliveries[0].value.size() << " bytes";
    }
    for (std::size_t node = 0; node < kNodes; ++node) {
      EXPECT_EQ(cluster_.ledger(node).task_count(), 0U) << "node " << node;
      EXPECT_EQ(cluster_.ledger(node).kept_bytes(), 0U) << "node " << node;
      EXPECT_EQ(cluster_.executor(node).load().busy, 0U) << "node " << node;
      EXPECT_EQ(cluster_.executor(node).queued_bytes(), 0U) << "node " << node;
    }
    EXPECT_TRUE(cluster_.closed_apps().empty()) << cluster_.closed_apps().front();
  }

  void count_into(std::map<std::string, std::uint64_t>& met) const {
    for (std::size_t node = 0; node < kNodes; ++node) {
      const LedgerCounters& counters = cluster_.ledger(node).counters();
      met["retries"] += counters.retries;
      met["redirects"] += counters.redirects;
      met["queued"] += cluster_.executor(node).counters().queued;
      met["links replaced"] += cluster_.machine(node).peers().counters().links_replaced;
      met["nodes lost"] += cluster_.machine(node).peers().counters().nodes_lost;
      for (std::uint32_t i = 0; i < wire::kOutcomeCount; ++i) {
        met[std::string(wire::label(static_cast<wire::Outcome>(i)))] += counters.delivered[i];
      }
    }
    met["small arguments"] += small_;
    met["arguments larger than a read"] += large_;
  }

 private:
  struct Task {
    std::string name;
    std::size_t node;
    std::string function;
    std::size_t argument_bytes;
    std::size_t result_bytes;
    bool is_orphan = false;
  };

  VirtualCluster::Options options() {
    VirtualCluster::Options options;
    options.executor.queue_max = 4;
    options.executor.queued_bytes_max = 1U << 20;
    options.ledger.kept_bytes_max = 2U << 20;
    options.instant_announcements = chance(50);
    options.read_bytes = chance(30) ? 4000 : chance(50) ? wire::kReadBytes : 1U << 20;
    return options;
  }

  bool chance(std::uint32_t percent) { return random_.below(100) < percent; }
  std::size_t any_node() { return random_.below(kNodes); }

  std::size_t any_size() {
    switch (random_.below(8)) {
      case 0:
        return random_.below(9);
      case 1:
      case 2:
      case 3:
        return random_.below(2000);
      case 4:
      case 5:
        return random_.below(40'000);
      case 6:
        return wire::kReadBytes - 200 + random_.below(400);
      default:
        return random_.below(600'000);
    }
  }

  // Functions in an order of its own, so that an index says nothing by itself.
  void open_worker(std::size_t node) {
    std::vector<FunctionInfo> functions;
    const std::size_t first = random_.below(kFunctions);
    for (std::size_t i = 0; i < kFunctions; ++i) {
      if (i == 0 || chance(70)) functions.push_back(function((first + i) % kFunctions));
    }
    cluster_.open_worker(node, session_[node] = ++sessions_, 2, std::move(functions));
  }

  void submit() {
    const std::size_t node = any_node();
    if (!cluster_.is_up(node)) return;
    const FunctionInfo called = function(random_.below(kFunctions));
    PlacementSpec spec;
    spec.function = called.id;
    spec.function_name = called.name;
    spec.idempotent = chance(50);
    if (chance(30)) spec.wait = 20ms;
    if (chance(30)) spec.priority = static_cast<std::int32_t>(random_.below(3));
    const Task task{"t" + std::to_string(tasks_.size()), node, called.name, any_size(), any_size()};
    (task.argument_bytes > wire::kReadBytes ? large_ : small_) += 1;
    tasks_.push_back(task);
    cluster_.submit(node, task.name, spec, chance(30) ? std::chrono::milliseconds(3 + random_.below(30)) : 0ns,
                    bytes_of(tasks_.size() - 1, task.function, 0, task.argument_bytes));
  }

  [[nodiscard]] std::uint64_t index_of(const std::string& task) const { return std::stoull(task.substr(1)); }

  void check_arguments(const Running& running) {
    const std::uint64_t index = index_of(running.task);
    const Task& task = tasks_.at(index);
    EXPECT_EQ(running.function, task.function) << running.task << " runs as another function";
    EXPECT_TRUE(running.arguments == bytes_of(index, running.function, 0, task.argument_bytes))
        << running.task << " (" << task.function << ") was given other arguments, of " << running.arguments.size()
        << " bytes instead of " << task.argument_bytes;
  }

  void disturb() {
    const std::size_t a = any_node();
    const std::size_t b = (a + 1 + random_.below(kNodes - 1)) % kNodes;
    if (!cluster_.is_up(a)) {
      if (chance(30)) cluster_.restart(a);
      return;
    }
    if (chance(20) && !tasks_.empty()) {
      const Task& task = tasks_[random_.below(static_cast<std::uint32_t>(tasks_.size()))];
      if (cluster_.is_up(task.node)) static_cast<void>(cluster_.cancel(task.node, task.name));
    }
    if (chance(8)) {
      cluster_.lose_worker(a, session_[a]);
      open_worker(a);
    }
    if (chance(3)) {
      orphan(a);
      cluster_.crash(a);
      return;
    }
    if (chance(2)) {
      orphan(a);
      cluster_.close_session(a);
    }
    if (chance(6)) cluster_.break_links(a, b);
    if (chance(2)) cluster_.cut(a, b);
    if (chance(8)) cluster_.join(a, b);
    if (chance(6) && cluster_.is_up(b)) static_cast<void>(cluster_.replace_link(a, b));
    if (chance(6)) cluster_.set_congested(a, b, chance(40));
    if (chance(6)) cluster_.set_stalled(a, session_[a], chance(40));
  }

  void orphan(std::size_t node) {
    for (Task& task : tasks_) {
      if (task.node == node && cluster_.deliveries(node, task.name).empty()) task.is_orphan = true;
    }
  }

  void answer_some(std::uint32_t percent) {
    for (std::size_t node = 0; node < kNodes; ++node) {
      if (!cluster_.is_up(node)) continue;
      for (const Running& running : std::vector<Running>(cluster_.all_running(node))) {
        if (!chance(percent)) continue;
        const std::uint64_t index = index_of(running.task);
        if (running.cancel_seen && chance(50)) {
          cluster_.answer(node, running.task, wire::Outcome::kCancelled, "stopped");
        } else {
          cluster_.answer(node, running.task, wire::Outcome::kSucceeded,
                          bytes_of(index, running.function, 1, tasks_.at(index).result_bytes));
        }
      }
    }
  }

  // Faults stop, everyone meets again, and every function ends.
  void settle() {
    cluster_.fate = nullptr;
    cluster_.loses_result = nullptr;
    for (std::size_t node = 0; node < kNodes; ++node) {
      if (!cluster_.is_up(node)) cluster_.restart(node);
    }
    for (std::size_t node = 0; node < kNodes; ++node) {
      cluster_.set_stalled(node, session_[node], false);
      for (std::size_t other = 0; other < node; ++other) cluster_.join(node, other);
    }
    cluster_.release_held();
    for (int round = 0; round < 2000 && !is_settled(); ++round) {
      answer_some(100);
      cluster_.advance(5ms);
    }
  }

  [[nodiscard]] bool is_settled() const {
    for (std::size_t node = 0; node < kNodes; ++node) {
      if (cluster_.ledger(node).task_count() > 0 || cluster_.executor(node).load().busy > 0) return false;
    }
    return true;
  }

  base::Random random_;
  VirtualCluster cluster_;
  std::vector<Task> tasks_;
  std::map<std::size_t, std::uint32_t> session_;
  std::uint32_t sessions_ = 100;
  std::uint64_t small_ = 0;
  std::uint64_t large_ = 0;
};

TEST(PayloadProperty, EveryFunctionIsGivenItsArgumentsAndEveryCallerItsResult) {
  std::map<std::string, std::uint64_t> met;
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Bytes bytes(seed);
    bytes.run();
    bytes.check();
    bytes.count_into(met);
    if (HasFailure()) break;
  }
  for (const char* state :
       {"retries", "redirects", "queued", "links replaced", "nodes lost", "small arguments",
        "arguments larger than a read", "succeeded", "cancelled", "timed_out", "node_lost", "app_lost"}) {
    EXPECT_GT(met[state], 0U) << state << " was never met: the test is weaker than it says";
  }
}

}  // namespace
}  // namespace kaido::daemon::testing
