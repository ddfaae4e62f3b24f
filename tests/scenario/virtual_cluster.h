/// Several nodes' deciding halves in one process, over a virtual network and a virtual clock.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/registry/registry.h"
#include "daemon/core/scheduling/chooser.h"
#include "daemon/core/task/executor.h"
#include "daemon/core/task/ledger.h"
#include "daemon/core/view/cluster_table.h"

namespace kaido::daemon::testing {

enum class MessageKind : std::uint8_t { kCall, kStarted, kResult, kRedirect, kCancel };

/// A frame between two nodes, as values.
struct Message {
  MessageKind kind = MessageKind::kCall;
  std::size_t from = 0;
  std::size_t to = 0;
  base::Epoch from_epoch;
  base::Epoch to_epoch;  // of the connection: a frame dies with it
  std::uint64_t sequence = 0;
  std::uint32_t attempt = 0;
  PlacementSpec spec;
  base::Duration budget{0};
  wire::Outcome outcome{};
  TaskError error;
  RedirectReason reason{};
  base::Duration retry_after{0};
  std::string payload;
  wire::Load load;
};

/// What the network does with a message.
enum class Fate : std::uint8_t { kDeliver, kDrop, kDuplicate, kHold };

struct Delivery {
  wire::Outcome outcome{};
  TaskError error;
  std::string value;
  std::uint32_t attempt = 0;
};

/// An attempt that a worker app runs. Its arguments are the name of its task.
struct Running {
  std::uint32_t session = 0;
  std::uint64_t call = 0;
  std::uint32_t attempt = 0;
  std::string task;
  bool cancel_seen = false;
};

/// Nodes know each other from the start and all offer what their workers register. Workers do nothing by themselves:
/// the test says when they finish, or installs on_dispatch. Every task is a call of session 1, its name its arguments.
///
/// Threading: one thread.
class VirtualCluster {
 public:
  struct Options {
    LedgerOptions ledger;
    ExecutorOptions executor;
    base::Duration latency = std::chrono::milliseconds(1);
  };

  VirtualCluster(Options options, std::uint64_t seed) : options_(options), seed_(seed) {}

  // --- building ---
  std::size_t add_node(NodeInfo info);  ///< its id and epoch are filled in
  void open_worker(std::size_t node, std::uint32_t session, std::uint32_t slots, std::vector<FunctionInfo> functions);
  void lose_worker(std::size_t node, std::uint32_t session);

  // --- apps ---
  void submit(std::size_t node, const std::string& task, PlacementSpec spec, base::Duration budget);
  bool cancel(std::size_t node, const std::string& task);
  void close_session(std::size_t node);
  /// Answers for the worker that runs the task on the node; false if none does.
  bool answer(std::size_t node, const std::string& task, wire::Outcome outcome, std::string value_or_message);

  // --- the world ---
  void advance(base::Duration duration);
  void crash(std::size_t node);             ///< nobody is told
  void restart(std::size_t node);           ///< with a new epoch; everyone learns it at once
  void cut(std::size_t a, std::size_t b);   ///< their connection breaks: each declares the other lost
  void join(std::size_t a, std::size_t b);  ///< and is there again
  void declare_lost(std::size_t observer, std::size_t node);
  void drain(std::size_t node, base::Duration duration);
  /// Changes what the node knows of itself; the others learn it by tell().
  void change(std::size_t node, const std::function<void(NodeInfo&)>& edit);
  void tell(std::size_t node);
  void release_held();

  // --- what to watch ---
  std::function<Fate(const Message&)> fate;
  std::function<void(std::size_t node, const Running&)> on_dispatch;
  std::function<void(std::size_t node, const Running&)> on_cancel;

  [[nodiscard]] base::Instant now() const { return now_; }
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }
  [[nodiscard]] bool is_up(std::size_t node) const { return nodes_[node].is_up; }
  [[nodiscard]] const std::vector<Delivery>& deliveries(std::size_t node, const std::string& task) const;
  /// How often any worker was given the task.
  [[nodiscard]] int executions(const std::string& task) const;
  [[nodiscard]] const Running* running(std::size_t node, const std::string& task) const;
  [[nodiscard]] const std::vector<Running>& all_running(std::size_t node) const { return nodes_[node].running; }
  [[nodiscard]] const Ledger& ledger(std::size_t node) const { return *nodes_[node].ledger; }
  [[nodiscard]] const Executor& executor(std::size_t node) const { return *nodes_[node].executor; }
  [[nodiscard]] const Chooser& chooser(std::size_t node) const { return *nodes_[node].chooser; }

 private:
  struct Worker {
    std::uint32_t slots = 0;
    std::vector<FunctionInfo> functions;
  };
  struct Node {
    bool is_up = true;
    NodeInfo info;
    std::map<std::uint32_t, Worker> workers;
    Registry registry;
    std::unique_ptr<ClusterTable> table;
    std::unique_ptr<Chooser> chooser;
    std::unique_ptr<Ledger> ledger;
    std::unique_ptr<Executor> executor;
    std::vector<Running> running;
    std::map<std::string, std::uint64_t> call_ids;
    std::vector<std::string> tasks;  // by call id
    std::map<std::string, std::vector<Delivery>> deliveries;
  };

  void boot(std::size_t node);
  bool show_view(std::size_t node);
  void refresh(std::size_t node);
  void publish_self(std::size_t node);
  void learn(std::size_t observer, std::size_t node);
  void pump(std::size_t node);
  void act(std::size_t node, const LedgerEffect& effect);
  void act(std::size_t node, const ExecutorEffect& effect);
  void admit(std::size_t node, const AttemptKey& key, const PreparedPlacement& placement, base::Duration budget,
             Payload payload);
  void answer_origin(std::size_t node, const ExecutorEffect& effect);
  void start(std::size_t node, const ExecutorEffect& effect);
  void deliver(std::size_t node, const LedgerEffect& effect);
  void send(Message message);
  void enqueue(Message message);
  void receive(const Message& message);
  [[nodiscard]] std::size_t node_at(std::size_t observer, NodeIndex index) const;
  [[nodiscard]] NodeIndex index_at(std::size_t observer, std::size_t node) const;
  [[nodiscard]] std::optional<base::Instant> next_event() const;

  Options options_;
  std::uint64_t seed_;
  base::Instant now_{};
  std::vector<Node> nodes_;
  std::map<std::pair<base::Instant, std::uint64_t>, Message> in_flight_;
  std::vector<Message> held_;
  std::uint64_t message_count_ = 0;
  std::map<std::string, int> executions_;
};

}  // namespace kaido::daemon::testing
