/// Calls that started on their own node at once: one record for both halves of a task's life.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/task/attempt.h"
#include "daemon/core/task/effect_queue.h"
#include "daemon/core/task/executor.h"
#include "daemon/core/task/indexed_heap.h"
#include "daemon/core/task/ledger.h"
#include "daemon/core/task/slot_table.h"
#include "daemon/core/task/worker_table.h"
#include "daemon/core/view/placement.h"
#include "proto/base/time.h"
#include "proto/wire/outcome.h"

namespace kaido::daemon {

struct LocalCallsOptions {
  std::string node_name;  ///< of errors
  /// Calls at once, running or given up by us but not yet by their worker; further ones take the long way.
  std::uint32_t calls_max = 1U << 18;
};

/// Nothing but a failure is an effect: a success is what finish() returns.
struct LocalEffect {
  enum class Kind : std::uint8_t {
    kDeliver,         ///< session, id: of its call; result (a failure), since, was_answered
    kCancelAtWorker,  ///< session: the worker's; id: the call as the worker knows it
  };
  Kind kind = Kind::kDeliver;
  bool has_run = false;  ///< until now: nobody gave it up
  std::uint32_t session = 0;
  std::uint64_t id = 0;
  TaskResult result;
  base::Instant since{};  ///< when it was submitted, and dispatched

  void clear() { *this = {}; }
};

/// A task that may be started once, whose function is offered on its own node by a worker with a free slot: it is
/// placed, admitted and dispatched in one step, and since it cannot be queued, handed back or tried again, running is
/// all that it can do until it ends. Ledger and executor have no record of it and are told two things: that it takes a
/// place and a slot, and that it gives them back. So their bounds, counters and loads hold for all calls.
///
///     if (const auto pick = calls.find_worker(placement)) {
///       const auto begun = calls.begin(now, request, *pick);       // dispatch it
///     }
///     if (LocalCalls::owns(call)) calls.finish(now, session, call);  // the worker's success: deliver it
///
/// The handle is the task's sequence and the worker's name for the call, and never one of the ledger's or executor's.
///
/// Promise: every call that was begun ends once, by finish() or a kDeliver, unless its session closed first. Its
/// worker's slot is taken until the worker answered or is gone.
///
/// Threading: confined to the node's loop.
/// Lifetime: ledger and executor outlive it.
/// Cost: no allocation in steady state; about 360 instructions from begin() to finish().
class LocalCalls {
 public:
  LocalCalls(LocalCallsOptions options, Ledger& ledger, Executor& executor);
  LocalCalls(const LocalCalls&) = delete;
  LocalCalls& operator=(const LocalCalls&) = delete;

  [[nodiscard]] static bool owns(std::uint64_t handle) { return Records::is_marked(handle); }

  /// A worker that can start the task right now; none where it has to take the long way. Whether this node fits is the
  /// caller's to know.
  [[nodiscard]] std::optional<WorkerTable::Pick> find_worker(const PreparedPlacement& placement) {
    if (!records_.has_room(options_.calls_max)) return std::nullopt;
    return executor_.find_free_worker(placement);
  }
  struct Begun {
    std::uint64_t call = 0;
    base::Duration budget{0};  ///< what is left of its time; 0: it has no deadline
  };
  /// Nothing if the session has an undelivered call of this id. Takes the placement out of the request.
  [[nodiscard]] std::optional<Begun> begin(base::Instant now, SubmitRequest& request, const WorkerTable::Pick& pick);
  struct End {
    std::uint32_t session = 0;
    std::uint64_t call_id = 0;
    base::Instant since;
  };
  /// The worker succeeded, with a result that is whole: the caller delivers. Nothing if it is too late, or was not this
  /// worker's call: handle_result() counts it.
  [[nodiscard]] std::optional<End> finish(base::Instant now, std::uint32_t worker_session, std::uint64_t call);
  /// When the call began, if that worker has it and it is wanted.
  [[nodiscard]] std::optional<base::Instant> began(std::uint32_t worker_session, std::uint64_t call) const;
  /// The worker failed, or what it says does not count: false, and dropped. Or its result travels in chunks: from here
  /// on the task is the ledger's, until they are passed on.
  bool handle_result(base::Instant now, std::uint32_t worker_session, std::uint64_t call, TaskResult result);

  /// False if there is no such undelivered call here.
  bool cancel(std::uint32_t session, std::uint64_t call_id);
  /// As Executor::worker_yielded().
  void worker_yielded(base::Instant now, std::uint32_t worker_session, std::uint64_t call, bool is_waiting);
  /// Before the executor is told: what ran there ends as `app lost`.
  void worker_lost(std::uint32_t session);
  /// Before the ledger is told: what the app called is given up.
  void session_closed(std::uint32_t session);

  /// Deadlines, and the ledger's drain, where its time is over: before the ledger is told.
  void handle_timeout(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const {
    return deadlines_.empty() ? std::nullopt : std::optional(deadlines_.top_key());
  }

  /// The effect to act on next, in its place until drop_effect(); null when there is none left.
  [[nodiscard]] LocalEffect* first_effect() { return effects_.front(); }
  void drop_effect() { effects_.drop_front(); }

  /// Undelivered.
  [[nodiscard]] std::uint32_t running_count() const { return running_; }
  /// Adds at most `limit` undelivered tasks, the oldest; O(calls).
  void add_tasks(base::Instant now, std::size_t limit, std::vector<TaskSummary>& summaries) const;

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;

  struct Record {
    std::uint32_t session = 0;
    WorkerTable::Pick at;
    std::uint64_t call_id = 0;
    CallTable* calls = nullptr;  // the session's; null: its answer was given, or nobody waits for it any more
    base::Instant since;
    base::Instant deadline;          // Instant::max(): none
    bool is_waiting = false;         // it uses no slot now
    bool is_owed = false;            // and was given up
    std::uint32_t previous = kNone;  // of the worker's list
    std::uint32_t next = kNone;
    PlacementRef placement;
  };
  using Records = SlotTable<Record, /*kMarked=*/true>;

  /// kNone unless it is a call of that worker, answered or not.
  [[nodiscard]] std::uint32_t find(std::uint32_t worker_session, std::uint64_t call) const;
  [[nodiscard]] static bool is_running(const Record& record) { return record.calls != nullptr; }
  void link(std::uint32_t slot);
  void unlink(const Record& record);
  // A call's end has two halves: settle() when nobody waits for it any more, release() when its worker is done with it.
  void settle(std::uint32_t slot);
  void release(std::uint32_t slot);
  void deliver(std::uint32_t slot, wire::Outcome outcome, TaskError error, bool has_run);
  void cancel_at_worker(std::uint32_t slot);
  void end_drain();

  const LocalCallsOptions options_;
  Ledger& ledger_;
  Executor& executor_;
  Records records_;
  std::uint32_t running_ = 0;                // not settled
  std::vector<std::uint32_t> worker_calls_;  // by worker: the first of its calls
  HeapPositions deadline_positions_;
  IndexedHeap<base::Instant> deadlines_{deadline_positions_};
  EffectQueue<LocalEffect> effects_;
};

}  // namespace kaido::daemon
