/// The executor: admits attempts, queues them, gives them to worker apps, and answers each exactly once.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/task/attempt.h"
#include "daemon/core/task/attempt_memory.h"
#include "daemon/core/task/effect_queue.h"
#include "daemon/core/task/indexed_heap.h"
#include "daemon/core/task/byte_budget.h"
#include "daemon/core/task/run_queue.h"
#include "daemon/core/task/slot_index.h"
#include "daemon/core/task/slot_table.h"
#include "daemon/core/task/worker_table.h"
#include "daemon/core/view/cluster_view.h"
#include "daemon/core/view/node_view.h"
#include "daemon/core/view/placement.h"
#include "daemon/core/view/shares.h"
#include "proto/base/ids.h"
#include "proto/base/time.h"
#include "proto/wire/frame.h"
#include "proto/wire/outcome.h"

namespace kaido::daemon {

struct ExecutorOptions {
  /// Attempts that wait for a worker's slot, of which an app or another node may have its share (Shares). Raising it
  /// smooths bursts and lengthens the worst wait; beyond it, attempts are handed back.
  std::uint32_t queue_max = 65536;
  /// Bytes of arguments that wait.
  std::size_t queued_bytes_max = 256U << 20;
  /// The node's memory, of which that is a part; null: none.
  wire::MemoryBudget* memory = nullptr;
  /// Attempts that run at once on this node; 0: as many as the workers' slots.
  std::uint32_t slots_max = 0;
  /// Attempts known at once, queued, running or given up by us but not yet by their worker. Of half as many workers may
  /// have their shares (Shares) as given up while they used no slot: who has more gets nothing until it answers some.
  std::uint32_t attempts_max = 1U << 18;
  /// The same of one other node, so that it cannot take all of them; of this node's own apps, what was not given up is
  /// bounded by their credits.
  std::uint32_t attempts_per_origin_max = 65536;
  /// retry-after before any service time has been measured.
  base::Duration retry_after = std::chrono::milliseconds(10);
  std::uint64_t hash_seed = 0;  ///< of its HashKey
};

/// An attempt as it arrives.
struct AdmitRequest {
  AttemptKey key;
  PlacementRef placement;    ///< as this node prepared it from the origin's Prepare
  base::Duration budget{0};  ///< until the deadline; 0: none
  wire::TraceContext trace;
  Payload payload;
  std::uint32_t session = 0;  ///< of one of this node's own apps: whose arguments they are
};

/// What an effect says in plain values; which of them mean something is said by its kind.
struct ExecutorEffectValues {
  enum class Kind : std::uint8_t {
    kDispatch,        ///< session, function_index, call, key, budget, trace, payload
    kCancelAtWorker,  ///< session, call
    kReplyQueued,     ///< key: it waits for a slot; without this, it was dispatched when it was admitted
    kReplyStarted,    ///< key: it waits no longer
    kReplyResult,     ///< key, outcome, error (if not succeeded), payload (if succeeded)
    kReplyRedirect,   ///< key, reason, retry_after, payload (the arguments, whole)
  };
  Kind kind = Kind::kDispatch;
  RedirectReason reason = RedirectReason::kMismatch;
  wire::Outcome outcome = wire::Outcome::kSucceeded;
  AttemptKey key;
  std::uint64_t call = 0;  ///< this node's name for the attempt towards the worker
  std::uint32_t session = 0;
  std::uint32_t function_index = 0;
  base::Duration budget{0};
  base::Duration retry_after{0};
  wire::TraceContext trace;
  base::Instant since{};  ///< of a Dispatch: when it was admitted; of a ReplyResult: when it was dispatched, if it was
};

struct ExecutorEffect : ExecutorEffectValues {
  Payload payload;
  TaskErrorRef error;

  /// In place: assigning a fresh one costs three times as much.
  void clear() {
    static_cast<ExecutorEffectValues&>(*this) = {};
    payload = {};
    error.reset();
  }
};

/// Plain numbers for metrics; they only grow.
struct ExecutorCounters {
  std::uint64_t admitted = 0;
  std::uint64_t dispatched = 0;
  std::uint64_t queued = 0;  ///< admitted without a free slot
  std::uint64_t finished[wire::kOutcomeCount] = {};
  std::uint64_t redirected[kRedirectReasonCount] = {};  ///< by RedirectReason
  std::uint64_t duplicates = 0;                         ///< attempts that came again, and were answered again
  std::uint64_t stale_dropped = 0;                      ///< from a former epoch of their origin
  std::uint64_t cancelled = 0;                          ///< by their origin
  std::uint64_t late_results_dropped = 0;               ///< of workers, for attempts that had been answered
  std::uint64_t cut = 0;                                ///< running for other nodes when a drain's deadline ended them
};

/// One line of the operator's `tasks` list.
struct AttemptSummary {
  enum class State : std::uint8_t { kQueued, kRunning, kStopping } state{};
  AttemptKey key;
  base::FunctionId function;
  std::uint32_t session = 0;  ///< meaningful unless queued
  base::Duration age{0};
  std::optional<base::Duration> left;  ///< until its deadline, if it has one
};

/// Decides by what this node itself knows (its tags, taints, functions, slots), since an origin's view may be stale,
/// and hands back what does not fit or would wait too long. The run queue goes by priority, then deadline, then
/// arrival.
///
///     executor.admit(now, request);
///     ExecutorEffect effect;
///     while (executor.poll_effect(effect)) act(effect);    // after every call that takes `now`
///
/// Promise: every admitted attempt is answered by exactly one kReplyResult or kReplyRedirect, unless its origin
/// cancelled it, sent a later one of the same task, or was lost; then by none. An attempt is dispatched at most once. A
/// worker's slot is taken until the worker answered or is gone, even where the attempt was settled before.
///
/// Threading: confined to the node's loop.
/// Lifetime: an effect owns what it refers to.
/// Cost: no allocation in steady state where nothing queues; about 650 instructions from admit_at_once() to finish(),
/// and 800 from admit() to kReplyResult.
class Executor {
 public:
  Executor(const ExecutorOptions& options, ClusterViewRef view);
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// The cluster changed; only this node's own entry matters here.
  void set_view(ClusterViewRef view) { view_ = std::move(view); }

  // --- from origins, this node's own ledger included (key.origin == kSelf) ---
  void admit(base::Instant now, const AdmitRequest& request);
  /// Where a dispatch goes.
  struct Start {
    std::uint64_t call = 0;  ///< this node's name for the attempt towards the worker
    base::Duration budget{0};
    std::uint32_t session = 0;
    std::uint32_t function_index = 0;
  };
  /// The same on the shortest way: an attempt that is started at once, while no effect waits, is the caller's to
  /// dispatch, with no effect in between. Nothing: the effects say what became of it.
  [[nodiscard]] std::optional<Start> admit_at_once(base::Instant now, const AdmitRequest& request);
  /// The origin gives the attempt up and expects no answer. Unknown keys are ignored: the answer is on its way.
  void cancel(base::Instant now, const AttemptKey& key);
  /// The origin asks after an attempt whose way may have been cut: it is told how it stands, or that it is lost.
  void inquire(const AttemptKey& key);
  /// This life of the origin is over: nobody waits for its attempts of `life` or an earlier one.
  void origin_lost(base::Instant now, NodeIndex origin, const base::Life& life);

  // --- of LocalCalls, whose attempts take a slot here, and have no record ---
  /// A worker that could start a task of this placement right now.
  [[nodiscard]] std::optional<WorkerTable::Pick> find_free_worker(const PreparedPlacement& placement);
  [[nodiscard]] bool has_free_worker(const PreparedPlacement& placement);
  [[nodiscard]] const WorkerTable& workers() const { return workers_; }
  void local_started(const WorkerTable::Pick& pick) {
    workers_.occupy(pick.worker, pick.is_task);
    ++running_;
    ++counters_.admitted;
    ++counters_.dispatched;
  }
  void local_yielded(const WorkerTable::Pick& at, bool is_waiting) {
    if (is_waiting) return workers_.vacate(at.worker, at.is_task);
    workers_.occupy(at.worker, at.is_task);
  }
  /// Nobody waits for it any more: answered, or given up, while its worker keeps the slot until it has answered.
  void local_ended(wire::Outcome outcome) {
    --running_;
    ++counters_.finished[static_cast<std::size_t>(outcome)];
  }
  void local_cancelled() {
    --running_;
    ++counters_.cancelled;
  }
  /// One that was given up uses no slot: neither a credit of its caller's nor a slot bounds how many these are.
  void local_owed(const WorkerTable::Pick& at, bool is_owed) {
    if (is_owed) return workers_.owe(at.worker);
    workers_.settle_owed(at.worker);
  }
  void local_late() { ++counters_.late_results_dropped; }
  void local_answered(base::Duration took) { measure(took); }
  /// Its worker is done with it. dispatch_freed() is due.
  void local_left(const WorkerTable::Pick& at, bool is_waiting) {
    if (!is_waiting) workers_.vacate(at.worker, at.is_task);
  }

  /// The attempt of another node that a worker's success ends, if it was not given up since: the caller answers it,
  /// with no effect in between. Nothing otherwise: handle_worker_result() says what becomes of it. dispatch_freed() is
  /// due.
  struct End {
    AttemptKey key;
    base::Instant started;
  };
  [[nodiscard]] std::optional<End> finish(base::Instant now, std::uint32_t session, std::uint64_t call);
  void dispatch_freed(base::Instant now) {
    if (!queue_.empty()) dispatch_queued(now);
  }

  // --- from worker apps, after the registry accepted them ---
  /// Function index = position in `functions`.
  void worker_opened(base::Instant now, std::uint32_t session, WorkerSlots slots,
                     std::span<const base::FunctionId> functions, const std::vector<bool>& is_task = {});
  /// A running attempt waits for a call of its worker's own and uses no slot meanwhile, or goes on: then the worker may
  /// have more busy than slots until others end. Unknown calls are ignored: their answer is on its way.
  void worker_yielded(base::Instant now, std::uint32_t session, std::uint64_t call, bool is_waiting);
  /// A worker that does not read what it was sent gets nothing more until it does.
  void worker_stalled(base::Instant now, std::uint32_t session, bool is_stalled);
  /// Its running attempts end as `app lost`; those queued for functions that nobody offers any more are handed back.
  void worker_lost(base::Instant now, std::uint32_t session);
  /// False for a call that this session does not have, or no longer: counted and dropped.
  bool handle_worker_result(base::Instant now, std::uint32_t session, std::uint64_t call, TaskResult result);

  /// Admits no more, hands back what is queued, lets the running finish until `deadline`, then cancels it and answers
  /// `node lost`, so that origins place again what may be started again.
  void drain(base::Instant now, base::Instant deadline);
  [[nodiscard]] bool is_draining() const { return drain_deadline_.has_value(); }
  /// Nothing queued and nothing unanswered.
  [[nodiscard]] bool is_idle() const { return queue_.empty() && running_ == 0; }

  void handle_timeout(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;
  /// The effect to act on next, in its place until drop_effect(); null when there is none left.
  [[nodiscard]] ExecutorEffect* first_effect() { return effects_.front(); }
  void drop_effect() { effects_.drop_front(); }
  /// Both in one, by value. False when there is none left.
  [[nodiscard]] bool poll_effect(ExecutorEffect& effect) { return effects_.pop(effect); }

  /// For `aux` of every frame to a peer, and for this node's own Chooser.
  [[nodiscard]] wire::Load load() const { return {queue_.size() + workers_.busy(), slots()}; }
  [[nodiscard]] std::uint32_t queued_count() const { return queue_.size(); }
  [[nodiscard]] std::size_t queued_bytes() const { return queued_bytes_.used(); }
  [[nodiscard]] std::uint32_t running_count() const { return running_; }
  [[nodiscard]] const ExecutorCounters& counters() const { return counters_; }
  /// How often a worker owed so many answers to calls that were given up that it got nothing more; only grows.
  [[nodiscard]] std::uint64_t times_overdue() const { return workers_.times_overdue(); }
  /// At most `limit` attempts, the oldest, in no particular order; O(attempts).
  [[nodiscard]] std::vector<AttemptSummary> attempts(base::Instant now, std::size_t limit) const;

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;

  using State = AttemptSummary::State;
  struct Record {
    AttemptKey key;
    State state = State::kQueued;
    bool is_task = false;     // of the worker's two kinds of slots
    bool is_waiting = false;  // by worker_yielded(): it has no slot now
    bool is_owed = false;     // by WorkerTable::owe()
    std::uint32_t lane = 0;
    std::uint32_t worker = 0;
    std::uint32_t hash = 0;
    std::uint32_t previous = kNone;  // of the list of those that hold a slot of the worker
    std::uint32_t next = kNone;
    Kept kept;  // its arguments while it is queued
    base::FunctionId function;
    base::Instant deadline;  // Instant::max(): none
    base::Instant since;     // queued or dispatched
    wire::TraceContext trace;
  };

  [[nodiscard]] bool is_stale_or_known(const AttemptKey& key, std::uint32_t hash);
  [[nodiscard]] std::uint32_t find(const AttemptKey& key) const;
  [[nodiscard]] std::uint32_t hash_of(const AttemptKey& key) const {
    return mix(hash_key_, key.sequence, key.origin.value);
  }
  void reply_lost(const AttemptKey& key, std::string message);
  void answer_again(const AttemptKey& key, std::uint32_t known);
  void reply_state(ExecutorEffect::Kind kind, const AttemptKey& key);
  [[nodiscard]] std::uint32_t lane_of(const PreparedPlacement& placement) const;
  [[nodiscard]] std::optional<RedirectReason> find_refusal(const PreparedPlacement& placement,
                                                           std::uint32_t lane) const;
  [[nodiscard]] bool has_node_slot() const {
    return options_.slots_max == 0 || workers_.busy_in_all() < options_.slots_max;
  }
  [[nodiscard]] std::uint32_t slots() const;
  [[nodiscard]] base::Duration retry_after() const;

  Start start(base::Instant now, std::uint32_t slot, const WorkerTable::Pick& pick);
  void push_dispatch(std::uint32_t slot, const Start& start, base::Instant admitted, Payload payload);
  void join_worker(std::uint32_t slot, const WorkerTable::Pick& pick);
  void measure(base::Duration took) {
    service_time_ = service_time_ == base::Duration::zero() ? took : service_time_ + (took - service_time_) / 8;
  }
  void dispatch_queued(base::Instant now);
  void redirect_arrival(const AdmitRequest& request, RedirectReason reason);
  void redirect_lane(std::uint32_t lane, RedirectReason reason);
  void redirect_unqueued(std::uint32_t slot, RedirectReason reason);

  void reply(std::uint32_t slot, TaskResult result);
  void fail(std::uint32_t slot, wire::Outcome outcome, std::string message);
  void expire(std::uint32_t slot);
  void end_drain();

  // A record's end has two halves: settle() when nobody waits for its answer any more, and release() when it holds
  // neither a place in the queue nor a worker's slot. give_up() does what is possible now.
  void settle(std::uint32_t slot);
  void release(std::uint32_t slot);
  void give_up(std::uint32_t slot);
  void unqueue(std::uint32_t slot);
  void unkeep(Record& record);
  void leave_worker(std::uint32_t slot);
  void set_owed(Record& record, bool is_owed);

  ExecutorOptions options_;
  ClusterViewRef view_;
  WorkerTable workers_;
  std::vector<std::uint32_t> worker_records_;  // by worker: the first record that holds one of its slots
  SlotTable<Record> records_;
  const HashKey hash_key_;
  SlotIndex attempts_;  // (origin, sequence) → slot of an attempt that is not settled
  AttemptMemory memory_;
  struct Origin {
    base::Epoch latest;  // of the lives whose attempts were admitted, as long as one is not lost
    std::uint32_t attempts = 0;
  };
  std::vector<Origin> origins_;  // by NodeIndex
  RunQueue queue_;
  Shares queue_shares_;
  HeapPositions deadline_positions_;
  IndexedHeap<base::Instant> deadlines_{deadline_positions_};
  ByteBudget queued_bytes_;
  EffectQueue<ExecutorEffect> effects_;
  std::uint32_t running_ = 0;       // not settled
  base::Duration service_time_{0};  // moving mean; 0: none measured
  std::optional<base::Instant> drain_deadline_;
  ExecutorCounters counters_;
};

}  // namespace kaido::daemon
