#include "daemon/core/task/local_calls.h"

#include <algorithm>
#include <utility>

#include "proto/base/check.h"

namespace kaido::daemon {
namespace {

using base::kNever;
using wire::Outcome;

}  // namespace

LocalCalls::LocalCalls(LocalCallsOptions options, Ledger& ledger, Executor& executor)
    : options_(std::move(options)), ledger_(ledger), executor_(executor) {}

// ---------------------------------------------------------------- what every call passes through: inline, so first

inline void LocalCalls::link(std::uint32_t slot) {
  Record& record = records_[slot];
  if (record.at.worker >= worker_calls_.size()) [[unlikely]]
    worker_calls_.resize(record.at.worker + std::size_t{1}, kNone);
  std::uint32_t& head = worker_calls_[record.at.worker];
  record.previous = kNone;
  record.next = head;
  if (head != kNone) records_[head].previous = slot;
  head = slot;
}

inline void LocalCalls::unlink(const Record& record) {
  if (record.next != kNone) records_[record.next].previous = record.previous;
  if (record.previous != kNone) {
    records_[record.previous].next = record.next;
  } else {
    worker_calls_[record.at.worker] = record.next;
  }
}

inline std::uint32_t LocalCalls::find(std::uint32_t worker_session, std::uint64_t call) const {
  const std::uint32_t slot = records_.find(call);
  return slot != kNone && executor_.workers().session(records_[slot].at.worker) == worker_session ? slot : kNone;
}

inline void LocalCalls::settle(std::uint32_t slot) {
  Record& record = records_[slot];
  record.calls->erase(record.call_id);
  record.calls = nullptr;
  --running_;
  if (record.deadline != kNever) deadlines_.erase(slot);
}

inline void LocalCalls::release(std::uint32_t slot) {
  Record& record = records_[slot];
  executor_.local_left(record.at, record.is_waiting);
  if (record.is_owed) [[unlikely]]
    executor_.local_owed(record.at, false);
  unlink(record);
  record.placement.reset();
  records_.release(slot);
}

// ---------------------------------------------------------------- the usual way

std::optional<LocalCalls::Begun> LocalCalls::begin(base::Instant now, SubmitRequest& request,
                                                   const WorkerTable::Pick& pick) {
  CallTable& calls = ledger_.calls_of(request.session);
  const std::uint32_t slot = records_.acquire(options_.calls_max);
  KAIDO_CHECK(slot != kNone);  // find_worker() has looked
  const std::uint64_t call = records_.handle(slot);
  if (!calls.insert(request.call_id, call)) {
    records_.release(slot);
    return std::nullopt;
  }
  ++running_;
  ledger_.local_begun();
  executor_.local_started(pick);
  Record& record = records_[slot];
  const base::Duration budget = request.time();
  record.session = request.session;
  record.at = pick;
  record.call_id = request.call_id;
  record.calls = &calls;
  record.since = now;
  record.deadline = kNever;
  record.is_waiting = record.is_owed = false;
  record.placement = std::move(request.placement);
  link(slot);
  if (budget <= base::Duration(0)) return Begun{call, base::Duration(0)};
  record.deadline = base::after(now, budget);
  deadlines_.push(slot, record.deadline);
  return Begun{call, record.deadline - now};
}

std::optional<LocalCalls::End> LocalCalls::finish(base::Instant now, std::uint32_t worker_session, std::uint64_t call) {
  const std::uint32_t slot = find(worker_session, call);
  if (slot == kNone || !is_running(records_[slot])) return std::nullopt;
  const Record& record = records_[slot];
  const End end{record.session, record.call_id, record.since};
  settle(slot);
  ledger_.local_ended(Outcome::kSucceeded);
  executor_.local_ended(Outcome::kSucceeded);
  executor_.local_answered(now - end.since);
  release(slot);
  return end;
}

// ---------------------------------------------------------------- all other ends

std::optional<base::Instant> LocalCalls::began(std::uint32_t worker_session, std::uint64_t call) const {
  const std::uint32_t slot = find(worker_session, call);
  if (slot == kNone || !is_running(records_[slot])) return std::nullopt;
  return records_[slot].since;
}

bool LocalCalls::handle_result(base::Instant now, std::uint32_t worker_session, std::uint64_t call, TaskResult result) {
  const std::uint32_t slot = find(worker_session, call);
  const bool counts = slot != kNone && is_running(records_[slot]);
  if (!counts) executor_.local_late();
  if (slot == kNone) return false;
  executor_.local_answered(now - records_[slot].since);
  if (counts && result.outcome == Outcome::kSucceeded) {
    Record& record = records_[slot];
    executor_.local_ended(Outcome::kSucceeded);
    settle(slot);
    ledger_.take_delivery({record.session, record.call_id, std::move(record.placement)}, record.since, record.deadline,
                          std::move(result));
  } else if (counts) {
    TaskError why;
    if (result.error != nullptr) why = *result.error;
    if (why.message.empty()) why.message = wire::name(result.outcome);
    if (why.node.empty()) why.node = options_.node_name;
    executor_.local_ended(result.outcome);
    deliver(slot, result.outcome, std::move(why), /*has_run=*/true);
  }
  release(slot);
  executor_.dispatch_freed(now);
  return counts;
}

void LocalCalls::deliver(std::uint32_t slot, Outcome outcome, TaskError error, bool has_run) {
  const Record& record = records_[slot];
  if (error.attempt == 0) error.attempt = 1;
  LocalEffect& effect = effects_.push();
  effect.kind = LocalEffect::Kind::kDeliver;
  effect.has_run = has_run;
  effect.session = record.session;
  effect.id = record.call_id;
  effect.since = record.since;
  effect.result.outcome = outcome;
  effect.result.error = make_error(std::move(error));
  settle(slot);
  ledger_.local_ended(outcome);
}

// The worker keeps the slot until it has answered.
void LocalCalls::cancel_at_worker(std::uint32_t slot) {
  LocalEffect& effect = effects_.push();
  effect.kind = LocalEffect::Kind::kCancelAtWorker;
  effect.session = executor_.workers().session(records_[slot].at.worker);
  effect.id = records_.handle(slot);
  if (records_[slot].is_waiting) executor_.local_owed(records_[slot].at, records_[slot].is_owed = true);
}

bool LocalCalls::cancel(std::uint32_t session, std::uint64_t call_id) {
  const CallTable* const calls = ledger_.find_calls(session);
  const std::uint32_t slot = calls == nullptr ? kNone : records_.find(calls->find(call_id));
  if (slot == kNone) return false;
  cancel_at_worker(slot);
  executor_.local_cancelled();
  deliver(slot, Outcome::kCancelled, {.message = "cancelled by the caller"}, /*has_run=*/false);
  return true;
}

void LocalCalls::worker_yielded(base::Instant now, std::uint32_t worker_session, std::uint64_t call, bool is_waiting) {
  const std::uint32_t slot = find(worker_session, call);
  if (slot == kNone || records_[slot].is_waiting == is_waiting) return;
  Record& record = records_[slot];
  record.is_waiting = is_waiting;
  if (!is_running(record)) executor_.local_owed(record.at, record.is_owed = is_waiting);
  executor_.local_yielded(record.at, is_waiting);
  executor_.dispatch_freed(now);
}

void LocalCalls::worker_lost(std::uint32_t session) {
  const std::uint32_t worker = executor_.workers().find(session);
  if (worker == WorkerTable::kNone || worker >= worker_calls_.size()) return;
  while (worker_calls_[worker] != kNone) {
    const std::uint32_t slot = worker_calls_[worker];
    const Record& record = records_[slot];
    if (is_running(record)) {
      executor_.local_ended(Outcome::kAppLost);
      if (record.session == session) {
        // It called itself: nobody is left to deliver to.
        settle(slot);
        ledger_.local_abandoned();
      } else {
        deliver(slot, Outcome::kAppLost,
                {.message = "the worker app ended while it ran the task", .node = options_.node_name},
                /*has_run=*/true);
      }
    }
    release(slot);
  }
}

void LocalCalls::session_closed(std::uint32_t session) {
  const CallTable* const calls = ledger_.find_calls(session);
  if (calls == nullptr) return;
  for (const std::uint64_t sequence : calls->sequences()) {
    const std::uint32_t slot = records_.find(sequence);
    if (slot == kNone) continue;  // the ledger's
    cancel_at_worker(slot);
    executor_.local_cancelled();
    settle(slot);
    ledger_.local_abandoned();
  }
}

// ---------------------------------------------------------------- time

void LocalCalls::handle_timeout(base::Instant now) {
  while (!deadlines_.empty() && deadlines_.top_key() <= now) {
    const std::uint32_t slot = deadlines_.top();
    cancel_at_worker(slot);
    executor_.local_ended(Outcome::kTimedOut);
    deliver(slot, Outcome::kTimedOut, {.message = "the deadline passed while the task ran", .node = options_.node_name},
            /*has_run=*/true);
  }
  if (ledger_.is_drain_over(now)) end_drain();
}

void LocalCalls::end_drain() {
  for (std::uint32_t slot = 0; slot < records_.high_water(); ++slot) {
    if (!records_.is_live(slot) || !is_running(records_[slot])) continue;
    cancel_at_worker(slot);
    executor_.local_ended(Outcome::kNodeLost);  // as it counts those of others
    ledger_.local_cut();
    deliver(slot, Outcome::kUnavailable, {.message = "the node stopped before the task ended"}, /*has_run=*/true);
  }
}

void LocalCalls::add_tasks(base::Instant now, std::size_t limit, std::vector<TaskSummary>& summaries) const {
  const auto since = [](const Record& record) {
    return is_running(record) ? std::optional(record.since) : std::nullopt;
  };
  for (const std::uint32_t slot : records_.oldest(limit, since)) {
    const Record& record = records_[slot];
    summaries.push_back({.sequence = records_.handle(slot),
                         .state = TaskState::kAssigned,
                         .session = record.session,
                         .call_id = record.call_id,
                         .node = kSelf,
                         .attempt = 1,
                         .function = record.placement->spec().function_name,
                         .age = now - record.since,
                         .left = time_left(now, record.deadline)});
  }
}

}  // namespace kaido::daemon
