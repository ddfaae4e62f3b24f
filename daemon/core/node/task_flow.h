/// Carries tasks between the cores: what the ledger and the executor want, apps and peers are told, and the other way.
#pragma once

#include <cstdint>
#include <vector>

#include "daemon/core/node/durations.h"
#include "daemon/core/registry/registry.h"
#include "daemon/core/scheduling/chooser.h"
#include "daemon/core/session/call_info.h"
#include "daemon/core/task/executor.h"
#include "daemon/core/task/ledger.h"
#include "daemon/core/task/local_calls.h"
#include "daemon/core/view/cluster_table.h"
#include "proto/base/status.h"
#include "proto/base/time.h"
#include "proto/wire/memory_budget.h"

namespace kaido::daemon {

class Apps;
class Outbox;
class Peers;
struct PeerAttempt;

/// Of the operator's calls. Sessions of apps are never 0: their upper bits hold a generation from 1 on.
inline constexpr std::uint32_t kOperatorSession = 0;

struct TaskFlowOptions {
  NodeInfo self;           ///< without functions; `slots` 0: as many as the workers offer
  std::uint64_t seed = 0;  ///< of the choices between equal nodes
  RegistryOptions registry;
  ChooserOptions chooser;
  LedgerOptions ledger;
  ExecutorOptions executor;
  wire::MemoryBudget* memory = nullptr;  ///< what other nodes say of themselves is taken from it; null: none
  /// A node that was lost for so long is forgotten, and its place given to another. Raising it keeps lost nodes in
  /// lists and explanations for longer.
  base::Duration forget_after = std::chrono::hours(1);
  /// For so long after the start a task that no node can run waits for one: peers and apps have yet to come.
  base::Duration settle = base::Duration(0);
};

/// Every event goes into one core; settle() then carries effects between the cores, the apps and the peers until none
/// is left. A part of the machine: NodeMachine owns it and calls it.
///
/// Threading: confined to the node strand.
/// Lifetime: `now`, apps, peers and outbox outlive it; bind() before anything else.
/// Cost: about 700 instructions for a call that starts here, in submit() and worker_result() without the sessions'
/// part. The row `tasks` of //tests/bench:instructions counts them and refuses what adds a twentieth; its baseline
/// moves with what is worth more, so that it bounds a step and not the sum of them.
class TaskFlow {
 public:
  TaskFlow(const base::Instant& now, TaskFlowOptions options, Outbox& outbox);
  TaskFlow(const TaskFlow&) = delete;
  TaskFlow& operator=(const TaskFlow&) = delete;

  void bind(Apps& apps, Peers& peers) {
    apps_ = &apps;
    peers_ = &peers;
  }

  void start() { ledger_.settle_until(base::after(now_, settle_)); }

  // --- from apps ---
  /// A session offers functions. A refusal names the function and the reason. Work comes after start_work(), when the
  /// session has been told.
  [[nodiscard]] base::Status offer(std::uint32_t session, const std::vector<FunctionInfo>& functions,
                                   WorkerSlots slots);
  void start_work() { settle(); }
  void worker_yielded(std::uint32_t session, std::uint64_t call, bool is_waiting);
  /// The shared placement of all equal specs; null at the bound, or the owner's.
  [[nodiscard]] PlacementRef prepare(PlacementSpec spec, wire::MemoryOwner owner) {
    return chooser_.prepare(std::move(spec), owner);
  }
  /// False: the session already has this call in flight.
  [[nodiscard]] bool submit(SubmitRequest&& request);
  void cancel_call(std::uint32_t session, std::uint64_t call_id);
  bool worker_result(std::uint32_t session, std::uint64_t call, TaskResult&& result);
  /// A result that travels in chunks is with its app, which wants no other one.
  void passed_on(std::uint32_t session, std::uint64_t call_id);
  /// Its sender was lost on the way: another attempt, or an error, follows.
  void delivery_lost(std::uint32_t session, std::uint64_t call_id, wire::BodyFailure failure);
  /// It cannot be passed on, whoever sends it: the error follows instead.
  void delivery_failed(std::uint32_t session, std::uint64_t call_id, TaskResult&& why);
  /// A worker that does not read is given nothing more until it does.
  void worker_stalled(std::uint32_t session, bool is_stalled);
  void session_closed(std::uint32_t session);

  // --- from peers ---
  /// A peer told about itself. cluster_changed() follows once attempts can be sent to the node; before it, where
  /// another life ended by this, node_lost().
  [[nodiscard]] ClusterTable::Seen node_seen(NodeInfo info);
  /// Lets the cores see what node_seen() learned.
  void cluster_changed();
  /// The same at the end of the batch, for what changed in a life that goes on: however often it did, there is one new
  /// view. What is placed before by the old one is judged again where it arrives.
  void cluster_changes() { is_view_due_ = true; }
  void show_changes() {
    if (std::exchange(is_view_due_, false)) cluster_changed();
  }
  [[nodiscard]] NodeIndex index_of(const base::NodeId& id) const { return table_.index_of(id); }
  /// What a node last said of itself, whether the cores see it yet or not.
  [[nodiscard]] const NodeInfo& last_said(NodeIndex node) const { return *table_.node(node).info; }
  /// Nothing more is to be placed on the node: node_lost() follows.
  void node_forsaken(NodeIndex node);
  /// This life of the node is over.
  void node_lost(NodeIndex node, const base::Life& life);
  void load_reported(NodeIndex node, wire::Load load) {
    chooser_.set_now(now_);  // it is dated by it
    chooser_.load_reported(node, load);
  }
  void admit(AdmitRequest&& request);
  void cancel_attempt(const AttemptKey& key);
  void attempt_queued(const AttemptReport& report) { ledger_.handle_queued(report); }
  void attempt_started(const AttemptReport& report) { ledger_.handle_started(report); }
  void attempt_result(const AttemptReport& report, TaskResult&& result);
  void attempt_redirected(const AttemptReport& report, TaskRedirect redirect);
  /// Attempts of this node that are assigned to the other one, for the questions after a broken link.
  [[nodiscard]] std::vector<AttemptReport> attempts_at(NodeIndex node, const base::Life& life) const {
    return ledger_.attempts_at(node, life);
  }
  /// The same at the executor: an answer to the attempt is still to come, or it is not known and answered so.
  void inquire(const AttemptKey& key);

  /// No new tasks and attempts; what runs may finish until `deadline`; a deadline that is not in the future ends it
  /// now.
  void drain(base::Instant deadline);
  /// Nothing is queued, running or undelivered.
  [[nodiscard]] bool is_idle() const { return executor_.is_idle() && ledger_.task_count() == 0; }
  [[nodiscard]] bool is_draining() const { return executor_.is_draining(); }

  /// Where others reach this node; empty: nowhere.
  void set_address(std::string address);

  void handle_timeout();
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;

  /// This node's own account of itself changed since the last call.
  [[nodiscard]] bool take_announcement() { return std::exchange(announce_due_, false); }

  /// The oldest undelivered tasks of this node's apps, at most `limit` of those that started here at once and as many
  /// of the others, in no particular order; O(tasks).
  [[nodiscard]] std::vector<TaskSummary> tasks(base::Instant now, std::size_t limit) const;
  /// Tasks of this node's apps that are at the node now.
  [[nodiscard]] std::uint32_t in_flight(NodeIndex node) const {
    return chooser_.loads().in_flight(node) + (node == kSelf ? local_.running_count() : 0);
  }
  [[nodiscard]] const NodeInfo& self() const { return self_; }
  [[nodiscard]] wire::Load load() const { return executor_.load(); }
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }
  [[nodiscard]] const Executor& executor() const { return executor_; }
  [[nodiscard]] const Chooser& chooser() const { return chooser_; }
  [[nodiscard]] const ClusterView& view() const { return chooser_.view(); }
  [[nodiscard]] const Registry& registry() const { return registry_; }
  [[nodiscard]] const Durations& durations() const { return durations_; }

 private:
  [[nodiscard]] bool start_here(SubmitRequest& request, const WorkerTable::Pick& pick);
  bool local_result(std::uint32_t session, std::uint64_t call, TaskResult&& result);
  [[nodiscard]] bool send_at_once(SubmitRequest& request, const Placer::Choice& choice);
  void settle();
  void act(LedgerEffect& effect);
  void act(ExecutorEffect& effect);
  void slot_freed();
  void act(LocalEffect& effect);
  void send_attempt(LedgerEffect& effect);
  void send_to_peer(NodeIndex node, const PeerAttempt& attempt);
  void deliver(LedgerEffect& effect);
  void hand_over(std::uint32_t session, std::uint64_t call_id, TaskResult&& result);
  void dispatch(ExecutorEffect& effect);
  void self_changed();
  void apply_view_change();
  [[nodiscard]] std::span<const std::byte> call_info(const AttemptKey& key);
  [[nodiscard]] AttemptKey own_key(const LedgerEffect& effect) const;

  struct OriginInfo {
    base::Life life;  ///< the default, which no node has: not made yet
    CallInfo bytes{base::NodeId{}, base::Epoch{}};
  };

  const base::Instant& now_;
  Outbox& outbox_;
  Apps* apps_ = nullptr;
  Peers* peers_ = nullptr;
  const std::uint32_t configured_slots_;
  const base::Duration forget_after_;
  const base::Duration settle_;
  NodeInfo self_;
  bool announce_due_ = false;
  bool is_view_due_ = false;
  Registry registry_;
  ClusterTable table_;
  Chooser chooser_;
  Ledger ledger_;
  Executor executor_;
  LocalCalls local_;
  CallInfo local_info_;  ///< the metadata of its calls to workers
  bool settling_ = false;
  std::vector<OriginInfo> infos_;  ///< the metadata of all others, by the origin's NodeIndex
  Durations durations_;
};

}  // namespace kaido::daemon
