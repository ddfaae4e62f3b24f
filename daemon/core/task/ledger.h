/// The origin's ledger: the only owner of a task's record, from submit to the one delivery.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "daemon/core/task/attempt.h"
#include "daemon/core/task/call_table.h"
#include "daemon/core/task/effect_queue.h"
#include "daemon/core/task/indexed_heap.h"
#include "daemon/core/task/byte_budget.h"
#include "daemon/core/task/slot_table.h"
#include "daemon/core/view/node_view.h"
#include "daemon/core/view/placement.h"
#include "daemon/core/view/placer.h"
#include "daemon/core/view/shares.h"
#include "proto/base/ids.h"
#include "proto/base/time.h"
#include "proto/wire/frame.h"
#include "proto/wire/memory_budget.h"
#include "proto/wire/outcome.h"

namespace kaido::daemon {

/// Bounds. A setting exists for each that an operator may want otherwise.
struct LedgerOptions {
  /// Tasks undelivered at once; further ones are `rejected`. A record costs about 200 bytes.
  std::uint32_t tasks_max = 1U << 18;
  /// Tasks waiting for a suitable node (with_wait), of which an app may have its share (Shares); each is tried again at
  /// every change of the view.
  std::uint32_t waiting_max = 16384;
  /// Bytes of arguments kept for retries and waiting; a task that would exceed it is `rejected`.
  std::size_t kept_bytes_max = 256U << 20;
  /// The node's, of which that is a part; null: none.
  wire::MemoryBudget* memory = nullptr;
  /// Nodes that may hand one task back before it is `rejected` with their reasons.
  std::uint32_t redirects_max = 3;
  /// Attempts of an idempotent task that does not say how many.
  std::uint32_t idempotent_attempts = 4;
  /// retry-after when a bound of this ledger is hit.
  base::Duration retry_after = std::chrono::milliseconds(100);
};

/// What came of submit(): anything but kAccepted has no Deliver and no record.
enum class SubmitStatus : std::uint8_t {
  kAccepted,       ///< exactly one Deliver follows, or has been queued already
  kDuplicateCall,  ///< the session has an undelivered call of this id: it breaks the protocol
};

/// What an effect says in plain values; which of them mean something is said by its kind.
struct LedgerEffectValues {
  enum class Kind : std::uint8_t {
    kSendAttempt,  ///< node, sequence, attempt, placement, budget, trace, payload
    kSendCancel,   ///< node, sequence, attempt
    kDeliver,      ///< session, call_id, outcome, error (if not succeeded), payload (if succeeded), node, attempt
  };
  Kind kind = Kind::kSendAttempt;
  wire::Outcome outcome = wire::Outcome::kSucceeded;
  NodeIndex node = kNoNode;
  std::uint32_t attempt = 0;
  std::uint32_t session = 0;
  std::uint64_t call_id = 0;
  std::uint64_t sequence = 0;
  base::Duration budget{0};  ///< left at the time of the call that caused the effect; 0: no deadline
  wire::TraceContext trace;
  base::Instant since{};  ///< of a Deliver: when the task was submitted; zero where it was refused at once
};

struct LedgerEffect : LedgerEffectValues {
  PlacementRef placement;
  Payload payload;
  TaskErrorRef error;  ///< never null in a Deliver that did not succeed

  /// In place: assigning a fresh one costs three times as much.
  void clear() {
    static_cast<LedgerEffectValues&>(*this) = {};
    placement.reset();
    payload = {};
    error.reset();
  }
};

/// Plain numbers for metrics; they only grow.
struct LedgerCounters {
  std::uint64_t submitted = 0;
  std::uint64_t delivered[wire::kOutcomeCount] = {};
  std::uint64_t attempts_sent = 0;
  std::uint64_t retries = 0;    ///< attempts after one that was lost
  std::uint64_t redirects = 0;  ///< attempts handed back unstarted
  std::uint64_t waited = 0;     ///< tasks that found no node at once and waited
  std::uint64_t late_results_dropped = 0;
  std::uint64_t late_redirects_dropped = 0;
  std::uint64_t late_states_dropped = 0;
  std::uint64_t abandoned = 0;  ///< records dropped because their session closed
  std::uint64_t cut = 0;        ///< tasks that a drain's deadline ended
  std::uint64_t tasks_full = 0;
  std::uint64_t waiting_full = 0;
  std::uint64_t kept_bytes_full = 0;
};

/// An assigned task was sent to a node, and runs there unless the node said that it waits for a slot. One that is being
/// delivered has a result that comes in chunks.
enum class TaskState : std::uint8_t { kWaiting, kAssigned, kQueued, kDelivering };

/// One line of the operator's `tasks` list.
struct TaskSummary {
  std::uint64_t sequence = 0;
  TaskState state{};
  std::uint32_t session = 0;
  std::uint64_t call_id = 0;
  NodeIndex node = kNoNode;
  std::uint32_t attempt = 0;
  std::string function;
  base::Duration age{0};
  std::optional<base::Duration> left;  ///< until its deadline, if it has one
};

/// Places each task, sends attempts, and accepts the first result whose fence matches; deadline, cancellation and loss
/// are decided here, once. Whatever reaches the ledger first wins, and all that comes later is counted and dropped.
///
/// A task whose result travels in chunks is kept until they are passed on: the sender may be lost before. Its deadline
/// and a cancellation do not touch a result that is on its way; they say what becomes of the task if that is lost.
///
///     ledger.submit(now, request);
///     LedgerEffect effect;
///     while (ledger.poll_effect(effect)) act(effect);      // after every call that takes `now`
///
/// Promise: every accepted task gets exactly one kDeliver, unless its session closed first; another one follows each
/// delivery that was lost, or failed, on its way. A task that may be started
/// once is never sent again after an attempt that was not handed back unstarted.
///
/// Threading: confined to the node's loop.
/// Lifetime: the placer outlives it. An effect owns what it refers to.
/// Errors: as outcomes in kDeliver; docs/life-of-a-task.md lists them.
/// Cost: no allocation in steady state where no arguments are kept; about 400 instructions from begin_at_once() to its
/// end, and 900 from submit() to kDeliver, choosing included.
class Ledger {
 public:
  Ledger(const LedgerOptions& options, Placer& placer);
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  SubmitStatus submit(base::Instant now, const SubmitRequest& request);

  // --- the shortest way: where the task goes is known before there is a record, and no effect lies in between ---
  /// Whether this task may take it: it is started once, and nothing has to be kept for it.
  [[nodiscard]] bool may_run_at_once(const PreparedPlacement& placement) const {
    return !is_draining() && attempts_allowed(placement.spec()) == 1 && live_ < options_.tasks_max;
  }
  struct Begun {
    std::uint64_t sequence = 0;
    base::Duration budget{0};  ///< what is left of its time; 0: it has no deadline
  };
  /// The record of a task whose first attempt is on its way to another node now; nothing if its call id is in use.
  /// Takes the placement out of the request.
  [[nodiscard]] std::optional<Begun> begin_at_once(base::Instant now, SubmitRequest& request, NodeIndex node,
                                                   const base::Life& life);
  struct Delivery {
    std::uint32_t session = 0;
    std::uint64_t call_id = 0;
    base::Instant since;
  };
  /// Takes the record away: the task succeeded, and the caller delivers. Nothing if the report is late:
  /// handle_result() counts it.
  [[nodiscard]] std::optional<Delivery> end_remote(const AttemptReport& report);

  // --- of LocalCalls, whose tasks take a place and a call id here, and have no record ---
  /// The session's undelivered calls; stays where it is until session_closed().
  [[nodiscard]] CallTable& calls_of(std::uint32_t session) {
    if (last_calls_ == nullptr || last_session_ != session) {
      last_calls_ = &sessions_[session];
      last_session_ = session;
    }
    return *last_calls_;
  }
  /// Null if it never called.
  [[nodiscard]] const CallTable* find_calls(std::uint32_t session) const {
    const auto it = sessions_.find(session);
    return it == sessions_.end() ? nullptr : &it->second;
  }
  void local_begun() {
    ++live_;
    ++counters_.submitted;
    ++counters_.attempts_sent;
  }
  void local_ended(wire::Outcome outcome) {
    ++counters_.delivered[static_cast<std::size_t>(outcome)];
    --live_;
  }
  /// It succeeded with a result that travels in chunks, and has its record here from now on.
  void take_delivery(SubmitRequest request, base::Instant since, base::Instant deadline, TaskResult result);
  void local_cut() { ++counters_.cut; }
  void local_abandoned() {
    ++counters_.abandoned;
    --live_;
  }
  /// What is undelivered now is given up.
  [[nodiscard]] bool is_drain_over(base::Instant now) const { return drain_deadline_ && *drain_deadline_ <= now; }

  /// The app gives up. False if there is no such undelivered call (its Deliver is on its way): not an error.
  bool cancel(base::Instant now, std::uint32_t session, std::uint64_t call_id);

  /// The app is gone: its attempts are cancelled and its records dropped without delivery.
  void session_closed(base::Instant now, std::uint32_t session);

  /// Only for the inspection: an attempt waits for a slot, or does so no longer.
  void handle_queued(const AttemptReport& report) { note_state(report, TaskState::kQueued); }
  void handle_started(const AttemptReport& report) { note_state(report, TaskState::kAssigned); }

  /// An attempt that ended as kAppLost or kNodeLost is started again elsewhere if the placement allows.
  void handle_result(base::Instant now, const AttemptReport& report, TaskResult result);

  // --- of a result that travels in chunks, after its kDeliver; without effect if the task is not known any more ---
  /// It was passed on, or is not wanted: the task is over.
  std::optional<Delivery> end_delivery(std::uint32_t session, std::uint64_t call_id);
  /// Its sender gave it up or is gone: so its attempt is lost.
  void delivery_lost(base::Instant now, std::uint32_t session, std::uint64_t call_id, wire::BodyFailure failure);
  /// The task ends as `why` says instead.
  void delivery_failed(std::uint32_t session, std::uint64_t call_id, TaskResult why);

  /// The attempt was not started and comes back with its arguments.
  void handle_redirect(base::Instant now, const AttemptReport& report, TaskRedirect redirect);

  /// This life of the node is over: every attempt on it in `life` or an earlier one is settled. Tell the placer's view
  /// first, or retries choose the lost node again.
  void node_lost(base::Instant now, NodeIndex node, const base::Life& life);

  /// The placer sees another cluster: waiting tasks are tried again.
  void view_changed(base::Instant now);

  /// Until `at` no task is `unschedulable`: it waits, as by with_wait, for what a node that has just started does not
  /// know yet. Default: never.
  void settle_until(base::Instant at) { settles_at_ = at; }

  /// Refuses new tasks (`unavailable`) from now on; what is undelivered at `deadline` is delivered as `unavailable`.
  void drain(base::Instant now, base::Instant deadline);
  [[nodiscard]] bool is_draining() const { return drain_deadline_.has_value(); }

  void handle_timeout(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;
  /// The effect to act on next, in its place until drop_effect(); null when there is none left.
  [[nodiscard]] LedgerEffect* first_effect() { return effects_.front(); }
  void drop_effect() { effects_.drop_front(); }
  /// Both in one, by value. False when there is none left.
  [[nodiscard]] bool poll_effect(LedgerEffect& effect) { return effects_.pop(effect); }

  /// Undelivered, those of LocalCalls included.
  [[nodiscard]] std::uint32_t task_count() const { return live_; }
  [[nodiscard]] std::uint32_t waiting_count() const { return static_cast<std::uint32_t>(waiting_.size()); }
  [[nodiscard]] std::size_t kept_bytes() const { return kept_.used(); }
  [[nodiscard]] const LedgerCounters& counters() const { return counters_; }

  /// What is assigned to this life of the node; O(tasks).
  [[nodiscard]] std::vector<AttemptReport> attempts_at(NodeIndex node, const base::Life& life) const;

  /// At most `limit` undelivered tasks, the oldest, those of LocalCalls apart; O(tasks).
  [[nodiscard]] std::vector<TaskSummary> tasks(base::Instant now, std::size_t limit) const;

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;

  struct Refusal {
    NodeIndex node;
    Placer::Said said;  // when it came
  };

  // What only tasks have that were lost, handed back or had to be tried again: rare, so apart from the record.
  struct History {
    std::vector<Refusal> refused;   // handed it back: not asked again, see forget_refusals()
    std::vector<NodeIndex> failed;  // lost it: asked again only if there is no other
    std::vector<NodeReason> reasons;
    base::Duration retry_after{0};
    bool some_full = false;
    wire::Outcome loss = wire::Outcome::kSucceeded;  // of the last lost attempt
    TaskError loss_error;
    wire::Charge charge;  // of the task's app; bounded by the entries, so never refused
  };

  struct Record {
    std::uint32_t session = 0;
    TaskState state = TaskState::kWaiting;
    bool is_cancelled = false;  // while it is being delivered
    std::uint64_t call_id = 0;
    CallTable* calls = nullptr;  // the session's
    NodeIndex node = kNoNode;
    base::Life node_life;
    std::uint32_t attempt = 0;     // assignments so far
    std::uint32_t starts = 0;      // attempts that may have been started
    std::size_t result_bytes = 0;  // while it is being delivered
    base::Instant submitted;
    base::Instant deadline;    // Instant::max(): none
    base::Instant wait_until;  // Instant::max(): has not waited yet
    std::uint32_t waiting_at = kNone;
    wire::TraceContext trace;
    PlacementRef placement;
    Kept kept;  // its arguments, if it may need them again
    Payload
        streamed;  // its arguments, if they travel in chunks: a node that hands the attempt back does not return them
    std::unique_ptr<History> history;
  };

  static void fill(base::Instant now, Record& record, const SubmitRequest& request);
  // 0 would mean none: a deadline that passes at this very moment is one nanosecond away.
  [[nodiscard]] static base::Duration budget_left(base::Instant now, const Record& record) {
    return record.deadline == base::kNever ? base::Duration(0) : std::max(record.deadline - now, base::Duration(1));
  }
  [[nodiscard]] bool keep(std::uint32_t slot, const Payload& payload);
  [[nodiscard]] Placer::Choice choose(const Record& record);
  void place(base::Instant now, std::uint32_t slot, Payload payload);
  void send(base::Instant now, std::uint32_t slot, const Placer::Choice& choice, Payload payload);
  void forget_refusals(Record& record) const;
  [[nodiscard]] static std::vector<NodeIndex> nodes_of(const std::vector<Refusal>& refusals);
  void wait_or_fail(base::Instant now, std::uint32_t slot, Placer::Verdict verdict, Payload payload);
  void fail_unplaced(std::uint32_t slot, Placer::Verdict verdict);
  void attempt_lost(base::Instant now, std::uint32_t slot, wire::Outcome outcome, TaskError why);
  void end_drain();

  void note_state(const AttemptReport& report, TaskState state);
  [[nodiscard]] std::uint32_t find_attempt(const AttemptReport& report) const;
  [[nodiscard]] std::uint32_t find_call(std::uint32_t session, std::uint64_t call_id) const;
  [[nodiscard]] static bool is_assigned(const Record& record) {
    return record.state == TaskState::kAssigned || record.state == TaskState::kQueued;
  }
  [[nodiscard]] std::uint32_t attempts_allowed(const PlacementSpec& spec) const;
  History& history(Record& record);
  static void account(History& history);
  void leave_node(Record& record);
  void stop_waiting(Record& record);
  void arm(std::uint32_t slot);

  [[nodiscard]] Delivery end(std::uint32_t slot);
  void give_up_attempt(std::uint32_t slot);  // assigned: tells the executor
  void deliver(std::uint32_t slot, TaskResult result);
  void begin_delivery(std::uint32_t slot, TaskResult result);
  LedgerEffect& push_delivery(const Record& record, TaskResult result);
  void fail(std::uint32_t slot, wire::Outcome outcome, TaskError error);
  void refuse(const SubmitRequest& request, wire::Outcome outcome, TaskError error);
  void drop(std::uint32_t slot);

  LedgerOptions options_;
  Placer& placer_;
  SlotTable<Record> records_;
  std::uint32_t live_ = 0;
  std::unordered_map<std::uint32_t, CallTable> sessions_;  // their undelivered calls
  std::uint32_t last_session_ = 0;
  CallTable* last_calls_ = nullptr;  // into sessions_: calls come in runs of one session
  HeapPositions deadline_positions_;
  IndexedHeap<base::Instant> deadlines_{deadline_positions_};
  std::vector<std::uint32_t> waiting_;
  Shares waiting_shares_;
  ByteBudget kept_;
  EffectQueue<LedgerEffect> effects_;
  std::optional<base::Instant> drain_deadline_;
  base::Instant settles_at_{};
  LedgerCounters counters_;
};

}  // namespace kaido::daemon
