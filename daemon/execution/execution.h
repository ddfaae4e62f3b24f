/// The shell around the task cores: joins the origin's ledger and the executor to apps and peers, and keeps what the
/// node knows of the cluster.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/core/registry/registry.h"
#include "daemon/core/scheduling/chooser.h"
#include "daemon/core/task/executor.h"
#include "daemon/core/task/ledger.h"
#include "daemon/core/view/cluster_table.h"
#include "daemon/execution/ports.h"
#include "daemon/runtime/loop.h"
#include "daemon/runtime/timer.h"
#include "daemon/telemetry/histogram.h"
#include "proto/base/status.h"

namespace kaido::daemon {

struct ExecutionOptions {
  NodeInfo self;           ///< without functions; `slots` 0: as many as the workers offer
  std::uint64_t seed = 0;  ///< of the choices between equal nodes
  RegistryOptions registry;
  ChooserOptions chooser;
  LedgerOptions ledger;
  ExecutorOptions executor;
};

/// Every event goes into one core; pump() then carries effects between the cores and the ports until none is left, so
/// that a payload crosses the node without being copied anywhere but into the output buffer of its destination.
///
/// Threading: confined to the node strand.
/// Lifetime: the ports outlive it.
class Execution final : public TurnHook {
 public:
  Execution(Loop& loop, ExecutionOptions options, AppPort& apps, PeerPort& peers);
  ~Execution();
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  // --- from apps ---
  /// A session offers functions. A refusal names the function and the reason.
  [[nodiscard]] base::Status offer(std::uint32_t session, const std::vector<FunctionInfo>& functions,
                                   std::uint32_t slots);
  /// The shared placement of all equal specs; null at the bound.
  [[nodiscard]] PlacementRef prepare(PlacementSpec spec) { return chooser_.prepare(std::move(spec)); }
  /// False: the session already has this call in flight.
  [[nodiscard]] bool submit(const SubmitRequest& request);
  void cancel_call(std::uint32_t session, std::uint64_t call_id);
  bool worker_result(std::uint32_t session, std::uint64_t call, wire::Outcome outcome, const TaskError* error,
                     Payload payload);
  void session_closed(std::uint32_t session);

  // --- from peers ---
  /// A peer told about itself. kNoNode: refused, since a later life of it is known or there are too many nodes. Call
  /// cluster_changed() once attempts can be sent to the node.
  NodeIndex node_seen(NodeInfo info);
  /// Lets the cores see what node_seen() learned.
  void cluster_changed();
  /// The connection to this life of the node is gone.
  void node_lost(NodeIndex node, base::Epoch epoch);
  void load_reported(NodeIndex node, wire::Load load) { chooser_.load_reported(node, load); }
  void admit(const AdmitRequest& request);
  void cancel_attempt(const AttemptKey& key);
  void attempt_started(const AttemptReport& report);
  void attempt_result(const AttemptReport& report, wire::Outcome outcome, const TaskError* error, Payload payload);
  void attempt_redirected(const AttemptReport& report, RedirectReason reason, base::Duration retry_after,
                          Payload payload);

  /// No new tasks and attempts; what runs may finish until `deadline`; a deadline that is not in the future ends it
  /// now.
  void drain(base::Instant deadline);
  /// Nothing is queued, running or undelivered.
  [[nodiscard]] bool is_idle() const { return executor_.is_idle() && ledger_.task_count() == 0; }
  [[nodiscard]] bool is_draining() const { return executor_.is_draining(); }

  [[nodiscard]] const NodeInfo& self() const { return self_; }
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }
  [[nodiscard]] const Executor& executor() const { return executor_; }
  [[nodiscard]] const Chooser& chooser() const { return chooser_; }
  [[nodiscard]] const ClusterView& view() const { return chooser_.view(); }
  [[nodiscard]] const Registry& registry() const { return registry_; }

  /// How long things took, by the loop's clock, which stands still within a turn.
  struct Durations {
    Histogram task = Histogram::of_seconds();   ///< submit to delivery
    Histogram queue = Histogram::of_seconds();  ///< admission to dispatch
    Histogram run = Histogram::of_seconds();    ///< dispatch to result
  };
  [[nodiscard]] const Durations& durations() const { return durations_; }

  void on_turn_end(base::Instant now) override;

 private:
  void handle_timeout();
  void pump();
  void act(const LedgerEffect& effect);
  void act(const ExecutorEffect& effect);
  void self_changed();
  void apply_view_change();

  Loop& loop_;
  AppPort& apps_;
  PeerPort& peers_;
  const std::uint32_t configured_slots_;
  NodeInfo self_;
  bool announce_due_ = false;
  Registry registry_;
  ClusterTable table_;
  Chooser chooser_;
  Ledger ledger_;
  Executor executor_;
  bool pumping_ = false;
  // What pump() is acting on; members, since clearing an effect for each loop cost a tenth of a call.
  LedgerEffect ledger_effect_;
  ExecutorEffect executor_effect_;
  Durations durations_;
  Timer timer_;
};

}  // namespace kaido::daemon
