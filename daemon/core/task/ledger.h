/// The origin's ledger: the only owner of a task's record, from submit to the one delivery.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "daemon/core/task/attempt.h"
#include "daemon/core/task/effect_queue.h"
#include "daemon/core/task/indexed_heap.h"
#include "daemon/core/task/payload_pool.h"
#include "daemon/core/task/slot_index.h"
#include "daemon/core/task/slot_table.h"
#include "daemon/core/view/node_view.h"
#include "daemon/core/view/placement.h"
#include "daemon/core/view/placer.h"
#include "proto/base/ids.h"
#include "proto/base/time.h"
#include "proto/wire/frame.h"
#include "proto/wire/outcome.h"

namespace kaido::daemon {

/// Bounds. A setting exists for each that an operator may want otherwise.
struct LedgerOptions {
  /// Tasks undelivered at once; further ones are `rejected`. A record costs about 200 bytes.
  std::uint32_t tasks_max = 1U << 18;
  /// Tasks waiting for a suitable node (with_wait); each is tried again at every change of the view.
  std::uint32_t waiting_max = 16384;
  /// Bytes of arguments kept for retries and waiting; a task that would exceed it is `rejected`.
  std::size_t kept_bytes_max = 256U << 20;
  /// Nodes that may hand one task back before it is `rejected` with their reasons.
  std::uint32_t redirects_max = 3;
  /// Attempts of an idempotent task that does not say how many.
  std::uint32_t idempotent_attempts = 4;
  /// retry-after when a bound of this ledger is hit.
  base::Duration retry_after = std::chrono::milliseconds(100);
};

/// What an app asks for.
struct SubmitRequest {
  std::uint32_t session = 0;
  std::uint64_t call_id = 0;  ///< the app's; unique among the session's undelivered calls
  PlacementRef placement;
  base::Duration budget{0};  ///< until the deadline; 0: the placement's timeout, or none
  wire::TraceContext trace;
  Payload payload;
};

/// What came of submit(): anything but kAccepted has no Deliver and no record.
enum class SubmitStatus : std::uint8_t {
  kAccepted,       ///< exactly one Deliver follows, or has been queued already
  kDuplicateCall,  ///< the session has an undelivered call of this id: it breaks the protocol
};

/// Who says what of which attempt: the fence. All of it must match the record, or the message is late.
struct AttemptReport {
  NodeIndex from;
  base::Epoch epoch;  ///< the executor's, from its Hello
  std::uint64_t sequence = 0;
  std::uint32_t attempt = 0;
};

struct LedgerEffect {
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
  const PreparedPlacement* placement = nullptr;
  base::Duration budget{0};  ///< left at the time of the call that caused the effect; 0: no deadline
  wire::TraceContext trace;
  Payload payload;
  const TaskError* error = nullptr;  ///< never null in a Deliver that did not succeed
  base::Instant since{};             ///< of a Deliver: when the task was submitted; zero where it was refused at once
};
static_assert(sizeof(LedgerEffect) <= 128);

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
  std::uint64_t late_starts_dropped = 0;
  std::uint64_t abandoned = 0;  ///< records dropped because their session closed
  std::uint64_t tasks_full = 0;
  std::uint64_t waiting_full = 0;
  std::uint64_t kept_bytes_full = 0;
};

enum class TaskState : std::uint8_t { kWaiting, kAssigned, kStarted };

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
};

/// Places each task, sends attempts, and accepts the first result whose fence matches; deadline, cancellation and loss
/// are decided here, once. Whatever reaches the ledger first wins, and all that comes later is counted and dropped.
///
///     ledger.submit(now, request);
///     LedgerEffect effect;
///     while (ledger.poll_effect(effect)) act(effect);      // after every call that takes `now`
///
/// Promise: every accepted task gets exactly one kDeliver, unless its session closed first. A task that may be started
/// once is never sent again after an attempt that was not handed back unstarted.
///
/// Threading: confined to the node's loop.
/// Lifetime: the placer outlives it. What an effect points to (payload, error, placement) stays valid until the next
/// call that takes `now` on this object; it may point into the payload that was passed in. Calls made while effects are
/// pending are safe: nothing that a pending effect points to is touched, except the caller's own buffers.
/// Errors: as outcomes in kDeliver; docs/life-of-a-task.md lists them.
/// Cost: no allocation and about 1000 instructions from submit to kDeliver, choosing included, in steady state where no
/// arguments are kept.
class Ledger {
 public:
  Ledger(const LedgerOptions& options, Placer& placer);
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  SubmitStatus submit(base::Instant now, const SubmitRequest& request);

  /// The app gives up. False if there is no such undelivered call (its Deliver is on its way): not an error.
  bool cancel(base::Instant now, std::uint32_t session, std::uint64_t call_id);

  /// The app is gone: its attempts are cancelled and its records dropped without delivery.
  void session_closed(base::Instant now, std::uint32_t session);

  /// Only for the inspection: an attempt runs.
  void handle_started(base::Instant now, const AttemptReport& report);

  /// `error` may be null if the outcome is kSucceeded. An attempt that ended as kAppLost or kNodeLost is started again
  /// elsewhere if the placement allows.
  void handle_result(base::Instant now, const AttemptReport& report, wire::Outcome outcome, const TaskError* error,
                     Payload payload);

  /// The attempt was not started and comes back with its arguments.
  void handle_redirect(base::Instant now, const AttemptReport& report, RedirectReason reason,
                       base::Duration retry_after, Payload payload);

  /// The node was declared dead, its connection is gone, or a new epoch of it appeared: every attempt on it in `epoch`
  /// or earlier is settled. Tell the placer's view first, or retries choose the lost node again.
  void node_lost(base::Instant now, NodeIndex node, base::Epoch epoch);

  /// The placer sees another cluster: waiting tasks are tried again.
  void view_changed(base::Instant now);

  /// Refuses new tasks (`unavailable`) from now on; what is undelivered at `deadline` is delivered as `unavailable`.
  void drain(base::Instant now, base::Instant deadline);
  [[nodiscard]] bool is_draining() const { return drain_deadline_.has_value(); }

  void handle_timeout(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;
  /// False when there is none left.
  [[nodiscard]] bool poll_effect(LedgerEffect& effect) { return effects_.pop(effect); }

  [[nodiscard]] std::uint32_t task_count() const { return live_; }
  [[nodiscard]] std::uint32_t waiting_count() const { return static_cast<std::uint32_t>(waiting_.size()); }
  [[nodiscard]] std::size_t kept_bytes() const { return pool_.used_bytes(); }
  [[nodiscard]] const LedgerCounters& counters() const { return counters_; }

  /// At most `limit` undelivered tasks, in no particular order; O(tasks).
  [[nodiscard]] std::vector<TaskSummary> tasks(base::Instant now, std::size_t limit) const;

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;

  // What only tasks have that were lost, handed back or had to be tried again: rare, so apart from the record.
  struct History {
    std::vector<NodeIndex> refused;  // handed it back: not asked again
    std::vector<NodeIndex> failed;   // lost it: asked again only if there is no other
    std::vector<NodeReason> reasons;
    base::Duration retry_after{0};
    bool some_full = false;
    wire::Outcome loss = wire::Outcome::kSucceeded;  // of the last lost attempt
    TaskError loss_error;
  };

  struct Record {
    std::uint32_t session = 0;
    TaskState state = TaskState::kWaiting;
    std::uint64_t call_id = 0;
    std::uint32_t call_hash = 0;
    NodeIndex node = kNoNode;
    base::Epoch node_epoch;
    std::uint32_t attempt = 0;  // assignments so far
    std::uint32_t starts = 0;   // attempts that may have been started
    base::Instant submitted;
    base::Instant deadline;    // Instant::max(): none
    base::Instant wait_until;  // Instant::max(): has not waited yet
    std::uint32_t waiting_at = kNone;
    std::uint32_t buffer = PayloadPool::kNone;
    std::uint32_t previous = kNone;  // of the session's list
    std::uint32_t next = kNone;
    wire::TraceContext trace;
    PlacementRef placement;
    std::unique_ptr<History> history;
  };

  void begin_call();
  void fill(base::Instant now, std::uint32_t slot, const SubmitRequest& request);
  [[nodiscard]] bool keep(std::uint32_t slot, Payload payload);
  [[nodiscard]] Placer::Choice choose(const Record& record);
  void place(base::Instant now, std::uint32_t slot, Payload payload);
  void send(base::Instant now, std::uint32_t slot, const Placer::Choice& choice, Payload payload);
  void wait_or_fail(base::Instant now, std::uint32_t slot, Placer::Verdict verdict, Payload payload);
  void fail_unplaced(std::uint32_t slot, Placer::Verdict verdict);
  void attempt_lost(base::Instant now, std::uint32_t slot, wire::Outcome outcome, TaskError why);
  void end_drain();

  [[nodiscard]] std::uint32_t find_attempt(const AttemptReport& report) const;
  [[nodiscard]] static bool is_assigned(const Record& record) { return record.state != TaskState::kWaiting; }
  [[nodiscard]] std::uint32_t attempts_allowed(const PlacementSpec& spec) const;
  History& history(Record& record);
  void leave_node(Record& record);
  void stop_waiting(Record& record);
  void arm(std::uint32_t slot);

  void give_up_attempt(std::uint32_t slot);  // assigned: tells the executor
  void deliver(std::uint32_t slot, wire::Outcome outcome, const TaskError* error, Payload payload);
  void fail(std::uint32_t slot, wire::Outcome outcome, TaskError error);
  void refuse(const SubmitRequest& request, wire::Outcome outcome, TaskError error);
  void drop(std::uint32_t slot);
  const TaskError* keep_error(TaskError error);

  [[nodiscard]] std::uint32_t& session_head(std::uint32_t session);
  void link_session(std::uint32_t slot);
  void unlink_session(const Record& record);

  LedgerOptions options_;
  Placer& placer_;
  SlotTable<Record> records_;
  std::uint32_t live_ = 0;
  SlotIndex calls_;                                            // (session, call id) → slot, for cancel
  std::unordered_map<std::uint32_t, std::uint32_t> sessions_;  // → first slot of the session's list
  std::uint32_t last_session_ = 0;
  std::uint32_t* last_session_head_ = nullptr;  // into sessions_: calls come in runs of one session
  HeapPositions deadline_positions_;
  IndexedHeap<base::Instant> deadlines_{deadline_positions_};
  std::vector<std::uint32_t> waiting_;
  PayloadPool pool_;
  EffectQueue<LedgerEffect> effects_;
  // What pending effects point to; emptied when none is pending.
  std::deque<TaskError> errors_;
  std::vector<PlacementRef> retired_placements_;
  std::optional<base::Instant> drain_deadline_;
  LedgerCounters counters_;
};

}  // namespace kaido::daemon
