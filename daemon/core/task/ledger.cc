#include "daemon/core/task/ledger.h"

#include <algorithm>
#include <utility>

#include "daemon/core/view/memory_owner.h"
#include "proto/base/check.h"
#include "proto/wire/body.h"
#include "proto/wire/limits.h"

namespace kaido::daemon {
namespace {

using wire::Outcome;

using base::kNever;

// How many nodes that lost a task's attempts are remembered, to be avoided.
constexpr std::size_t kFailedNodesMax = 8;

// Bytes of why an attempt was lost that are kept while the task is tried again: no budget refuses them, and what a
// node says may take 16 KiB. More tells more of the last loss where no other node is left.
constexpr std::size_t kLossTextMax = 256;

// Cut between characters, and without the room that the whole took.
std::string shortened(const std::string& text) {
  if (text.size() <= kLossTextMax) return text;
  std::size_t size = kLossTextMax;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  return text.substr(0, size) + "…";
}

}  // namespace

Ledger::Ledger(const LedgerOptions& options, Placer& placer)
    : options_(options),
      placer_(placer),
      waiting_shares_(options.waiting_max),
      kept_(options.kept_bytes_max, options.memory) {}

// ---------------------------------------------------------------- what every call passes through: inline, so first

inline void Ledger::fill(base::Instant now, Record& record, const SubmitRequest& request) {
  const base::Duration budget = request.time();
  record.session = request.session;
  record.state = TaskState::kWaiting;
  record.call_id = request.call_id;
  record.node = kNoNode;
  record.attempt = 0;
  record.starts = 0;
  record.submitted = now;
  record.deadline = budget > base::Duration::zero() ? base::after(now, budget) : kNever;
  record.wait_until = kNever;
  record.waiting_at = kNone;
  record.trace = request.trace;
}

inline std::uint32_t Ledger::find_attempt(const AttemptReport& report) const {
  const std::uint32_t slot = records_.find(report.sequence);
  if (slot == kNone) return kNone;
  const Record& record = records_[slot];
  const bool is_current = is_assigned(record) && record.attempt == report.attempt && record.node == report.from &&
                          record.node_life == report.life;
  return is_current ? slot : kNone;
}

// ---------------------------------------------------------------- submitting

SubmitStatus Ledger::submit(base::Instant now, const SubmitRequest& request) {
  KAIDO_CHECK(request.placement != nullptr);
  CallTable& calls = calls_of(request.session);
  if (calls.find(request.call_id) != 0) return SubmitStatus::kDuplicateCall;
  ++counters_.submitted;
  if (is_draining()) {
    refuse(request, Outcome::kUnavailable, {.message = "the node is stopping; submit to another one"});
    return SubmitStatus::kAccepted;
  }
  const std::uint32_t slot = live_ < options_.tasks_max ? records_.acquire(options_.tasks_max) : kNone;
  if (slot == kNone) {
    ++counters_.tasks_full;
    refuse(request, Outcome::kRejected,
           {.message = "the node has " + std::to_string(live_) + " undelivered tasks, its bound; try again later",
            .retry_after = options_.retry_after});
    return SubmitStatus::kAccepted;
  }
  ++live_;
  fill(now, records_[slot], request);
  records_[slot].placement = request.placement;
  records_[slot].calls = &calls;
  KAIDO_CHECK(calls.insert(request.call_id, records_.handle(slot)));
  if (records_[slot].deadline != kNever) arm(slot);
  if (attempts_allowed(request.placement->spec()) > 1 && !keep(slot, request.payload)) return SubmitStatus::kAccepted;
  place(now, slot, request.payload);
  return SubmitStatus::kAccepted;
}

std::optional<Ledger::Begun> Ledger::begin_at_once(base::Instant now, SubmitRequest& request, NodeIndex node,
                                                   const base::Life& life) {
  CallTable& calls = calls_of(request.session);
  const std::uint32_t slot = records_.acquire(options_.tasks_max);
  KAIDO_CHECK(slot != kNone);  // may_run_at_once() has looked
  const std::uint64_t sequence = records_.handle(slot);
  if (!calls.insert(request.call_id, sequence)) {
    records_.release(slot);
    return std::nullopt;
  }
  ++live_;
  ++counters_.submitted;
  ++counters_.attempts_sent;
  Record& record = records_[slot];
  fill(now, record, request);
  record.calls = &calls;
  record.placement = std::move(request.placement);
  record.state = TaskState::kAssigned;
  record.node = node;
  record.node_life = life;
  record.attempt = record.starts = 1;
  if (record.deadline != kNever) arm(slot);
  placer_.attempt_sent(node);
  return Begun{sequence, budget_left(now, record)};
}

inline Ledger::Delivery Ledger::end(std::uint32_t slot) {
  const Record& record = records_[slot];
  const Delivery delivery{record.session, record.call_id, record.submitted};
  ++counters_.delivered[static_cast<std::size_t>(Outcome::kSucceeded)];
  drop(slot);
  return delivery;
}

std::optional<Ledger::Delivery> Ledger::end_remote(const AttemptReport& report) {
  const std::uint32_t slot = find_attempt(report);
  if (slot == kNone) return std::nullopt;
  return end(slot);
}

std::optional<Ledger::Delivery> Ledger::end_delivery(std::uint32_t session, std::uint64_t call_id) {
  const std::uint32_t slot = find_call(session, call_id);
  if (slot == kNone || records_[slot].state != TaskState::kDelivering) return std::nullopt;
  return end(slot);
}

void Ledger::take_delivery(SubmitRequest request, base::Instant since, base::Instant deadline, TaskResult result) {
  const std::uint32_t slot = records_.acquire(options_.tasks_max);
  KAIDO_CHECK(slot != kNone);  // it has had its place among as many
  Record& record = records_[slot];
  fill(since, record, request);
  record.deadline = deadline;
  record.placement = std::move(request.placement);
  record.state = TaskState::kDelivering;
  record.is_cancelled = false;
  record.node = kSelf;
  record.attempt = record.starts = 1;
  record.result_bytes = result.payload.size();
  record.calls = &calls_of(record.session);
  KAIDO_CHECK(record.calls->insert(record.call_id, records_.handle(slot)));
  push_delivery(record, std::move(result));
}

std::uint32_t Ledger::attempts_allowed(const PlacementSpec& spec) const {
  if (spec.max_attempts > 1) return spec.max_attempts;
  return spec.idempotent ? options_.idempotent_attempts : 1;
}

// Keeps the arguments, or fails the task where that exceeds the bound.
bool Ledger::keep(std::uint32_t slot, const Payload& payload) {
  const auto owner = memory_owner_of_connection(records_[slot].session);
  if (records_[slot].kept.keep(kept_, payload, owner)) return true;
  ++counters_.kept_bytes_full;
  fail(slot, Outcome::kRejected,
       {.message = "no memory for " + std::to_string(payload.size()) + " bytes of arguments: the node keeps " +
                   std::to_string(kept_.used()) +
                   " for retries and waiting tasks, near what they, or this app's alone, may take (limits.memory); try "
                   "again later",
        .retry_after = options_.retry_after});
  return false;
}

// ---------------------------------------------------------------- answers

void Ledger::note_state(const AttemptReport& report, TaskState state) {
  const std::uint32_t slot = find_attempt(report);
  if (slot == kNone) {
    ++counters_.late_states_dropped;
    return;
  }
  records_[slot].state = state;
}

void Ledger::handle_result(base::Instant now, const AttemptReport& report, TaskResult result) {
  const std::uint32_t slot = find_attempt(report);
  if (slot == kNone) {
    ++counters_.late_results_dropped;
    return;
  }
  const Outcome outcome = result.outcome;
  if (outcome == Outcome::kSucceeded) {
    return wire::travels_in_chunks(result.payload) ? begin_delivery(slot, std::move(result))
                                                   : deliver(slot, std::move(result));
  }
  TaskError why;
  if (result.error != nullptr) why = *result.error;
  if (why.message.empty()) why.message = wire::name(outcome);
  if (why.node.empty()) why.node = placer_.node_name(report.from);
  if (why.attempt == 0) why.attempt = report.attempt;
  if (outcome == Outcome::kAppLost || outcome == Outcome::kNodeLost) {
    attempt_lost(now, slot, outcome, std::move(why));
  } else {
    fail(slot, outcome, std::move(why));
  }
}

void Ledger::handle_redirect(base::Instant now, const AttemptReport& report, TaskRedirect redirect) {
  const std::uint32_t slot = find_attempt(report);
  if (slot == kNone) {
    ++counters_.late_redirects_dropped;
    return;
  }
  ++counters_.redirects;
  Record& record = records_[slot];
  leave_node(record);
  --record.starts;
  History& known = history(record);
  if (redirect.reason != RedirectReason::kLifeEnded) known.refused.push_back({report.from, placer_.said(report.from)});
  if (known.reasons.size() > options_.redirects_max) known.reasons.erase(known.reasons.begin());
  known.reasons.push_back({placer_.node_name(report.from), std::string(name(redirect.reason))});
  known.retry_after = std::max(known.retry_after, redirect.retry_after);
  account(known);
  known.some_full |= redirect.reason == RedirectReason::kQueueFull || redirect.reason == RedirectReason::kLinkFull;
  Payload& payload = redirect.payload;
  if (!record.streamed.empty()) payload = std::exchange(record.streamed, {});
  if (const wire::Body* const body = payload.body(); body != nullptr && !body->is_replayable()) [[unlikely]] {
    return fail(slot, Outcome::kNodeLost,
                {.message = "handed back after its arguments had been taken", .node = placer_.node_name(report.from)});
  }
  if (known.refused.size() <= options_.redirects_max) return place(now, slot, std::move(payload));
  fail(slot, Outcome::kRejected,
       {.message = std::to_string(known.refused.size()) + " nodes handed the task back; try again later",
        .retry_after = std::max(known.retry_after, options_.retry_after),
        .reasons = std::move(known.reasons)});
}

void Ledger::node_lost(base::Instant now, NodeIndex node, const base::Life& life) {
  const std::string name = placer_.node_name(node);
  for (std::uint32_t slot = 0; slot < records_.high_water(); ++slot) {
    if (!records_.is_live(slot)) continue;
    const Record& record = records_[slot];
    if (!is_assigned(record) || record.node != node || !record.node_life.ends_with(life)) continue;
    attempt_lost(
        now, slot, Outcome::kNodeLost,
        {.message = "node " + name + " was lost while it had the task", .node = name, .attempt = record.attempt});
  }
}

// The one place that decides whether a task is started again.
void Ledger::attempt_lost(base::Instant now, std::uint32_t slot, Outcome outcome, TaskError why) {
  Record& record = records_[slot];
  if (record.starts >= attempts_allowed(record.placement->spec())) return fail(slot, outcome, std::move(why));
  History& known = history(record);
  if (known.failed.size() >= kFailedNodesMax) known.failed.erase(known.failed.begin());
  known.failed.push_back(record.node);
  known.loss = outcome;
  known.loss_error = {.message = shortened(why.message), .node = shortened(why.node), .attempt = why.attempt};
  account(known);
  if (is_assigned(record)) leave_node(record);
  record.state = TaskState::kWaiting;
  place(now, slot, {});
}

// ---------------------------------------------------------------- giving up

bool Ledger::cancel(base::Instant, std::uint32_t session, std::uint64_t call_id) {
  const std::uint32_t slot = find_call(session, call_id);
  if (slot == kNone) return false;
  if (records_[slot].state == TaskState::kDelivering) {
    records_[slot].is_cancelled = true;
    return false;
  }
  give_up_attempt(slot);
  fail(slot, Outcome::kCancelled, {.message = "cancelled by the caller", .attempt = records_[slot].attempt});
  return true;
}

void Ledger::session_closed(base::Instant, std::uint32_t session) {
  const auto it = sessions_.find(session);
  if (it == sessions_.end()) return;
  for (const std::uint64_t sequence : it->second.sequences()) {
    const std::uint32_t slot = records_.find(sequence);
    KAIDO_CHECK(slot != kNone);  // LocalCalls have given up theirs
    ++counters_.abandoned;
    give_up_attempt(slot);
    drop(slot);
  }
  sessions_.erase(it);
  last_calls_ = nullptr;
}

void Ledger::drain(base::Instant, base::Instant deadline) { drain_deadline_ = deadline; }

void Ledger::end_drain() {
  for (std::uint32_t slot = 0; slot < records_.high_water(); ++slot) {
    if (!records_.is_live(slot)) continue;
    if (records_[slot].state == TaskState::kDelivering) {
      drop(slot);  // what is on its way goes on
      continue;
    }
    ++counters_.cut;
    give_up_attempt(slot);
    fail(slot, Outcome::kUnavailable,
         {.message = "the node stopped before the task ended", .attempt = records_[slot].attempt});
  }
}

void Ledger::handle_timeout(base::Instant now) {
  while (!deadlines_.empty() && deadlines_.top_key() <= now) {
    const std::uint32_t slot = deadlines_.pop();
    const Record& record = records_[slot];
    if (record.deadline > now) {
      // Its wait is over: a last try, which ends it if no node fits now.
      stop_waiting(records_[slot]);
      arm(slot);
      place(now, slot, {});
      continue;
    }
    const bool was_assigned = is_assigned(record);
    give_up_attempt(slot);
    fail(slot, Outcome::kTimedOut,
         {.message = !was_assigned                        ? "the deadline passed while the task waited for a node"
                     : record.state == TaskState::kQueued ? "the deadline passed while the task waited for a slot"
                                                          : "the deadline passed while the task ran",
          .node = was_assigned ? placer_.node_name(record.node) : std::string(),
          .attempt = record.attempt});
  }
  if (is_drain_over(now)) end_drain();
}

std::optional<base::Instant> Ledger::next_timeout() const {
  std::optional<base::Instant> next;
  if (!deadlines_.empty()) next = deadlines_.top_key();
  if (drain_deadline_ && live_ > 0) next = next ? std::min(*next, *drain_deadline_) : *drain_deadline_;
  return next;
}

// ---------------------------------------------------------------- records

Ledger::History& Ledger::history(Record& record) {
  if (record.history == nullptr) {
    record.history = std::make_unique<History>();
    record.history->charge =
        wire::Charge(options_.memory, memory_owner_of_connection(record.session), wire::MemoryKind::kHistory);
  }
  return *record.history;
}

void Ledger::account(History& history) {
  std::size_t bytes = sizeof(History) + history.refused.capacity() * sizeof(Refusal) +
                      history.failed.capacity() * sizeof(NodeIndex) + history.reasons.capacity() * sizeof(NodeReason) +
                      history.loss_error.message.size() + history.loss_error.node.size();
  for (const NodeReason& reason : history.reasons) bytes += reason.node.size() + reason.reason.size();
  history.charge.set(bytes);
}

void Ledger::leave_node(Record& record) {
  placer_.attempt_settled(record.node);
  record.state = TaskState::kWaiting;
}

void Ledger::stop_waiting(Record& record) {
  const std::uint32_t last = waiting_.back();
  waiting_[record.waiting_at] = last;
  records_[last].waiting_at = record.waiting_at;
  waiting_.pop_back();
  waiting_shares_.give_back(memory_owner_of_connection(record.session));
  record.waiting_at = kNone;
}

// Sets the record's one alarm: its deadline, or the end of its wait if that comes first.
void Ledger::arm(std::uint32_t slot) {
  const Record& record = records_[slot];
  deadlines_.erase(slot);
  const base::Instant at = record.waiting_at == kNone ? record.deadline : std::min(record.deadline, record.wait_until);
  if (at != kNever) deadlines_.push(slot, at);
}

void Ledger::give_up_attempt(std::uint32_t slot) {
  const Record& record = records_[slot];
  if (!is_assigned(record)) return;
  LedgerEffect& effect = effects_.push();
  effect.kind = LedgerEffect::Kind::kSendCancel;
  effect.node = record.node;
  effect.sequence = records_.handle(slot);
  effect.attempt = record.attempt;
}

void Ledger::deliver(std::uint32_t slot, TaskResult result) {
  ++counters_.delivered[static_cast<std::size_t>(result.outcome)];
  const Record& record = records_[slot];
  push_delivery(record, std::move(result)).since = record.submitted;
  drop(slot);
}

LedgerEffect& Ledger::push_delivery(const Record& record, TaskResult result) {
  LedgerEffect& effect = effects_.push();
  effect.kind = LedgerEffect::Kind::kDeliver;
  effect.outcome = result.outcome;
  effect.node = record.node;
  effect.attempt = record.attempt;
  effect.session = record.session;
  effect.call_id = record.call_id;
  effect.trace = record.trace;
  effect.payload = std::move(result.payload);
  effect.error = std::move(result.error);
  return effect;
}

void Ledger::fail(std::uint32_t slot, Outcome outcome, TaskError error) {
  deliver(slot, {outcome, make_error(std::move(error)), {}});
}

void Ledger::refuse(const SubmitRequest& request, Outcome outcome, TaskError error) {
  ++counters_.delivered[static_cast<std::size_t>(outcome)];
  LedgerEffect& effect = effects_.push();
  effect.kind = LedgerEffect::Kind::kDeliver;
  effect.outcome = outcome;
  effect.session = request.session;
  effect.call_id = request.call_id;
  effect.trace = request.trace;
  effect.error = make_error(std::move(error));
}

void Ledger::drop(std::uint32_t slot) {
  Record& record = records_[slot];
  if (is_assigned(record)) leave_node(record);
  if (record.waiting_at != kNone) stop_waiting(record);
  if (!deadlines_.empty()) deadlines_.erase(slot);
  record.calls->erase(record.call_id);
  record.kept.release(kept_);
  if (!record.streamed.empty()) [[unlikely]]
    record.streamed = {};
  record.history.reset();
  record.placement.reset();
  records_.release(slot);
  --live_;
}

std::vector<AttemptReport> Ledger::attempts_at(NodeIndex node, const base::Life& life) const {
  std::vector<AttemptReport> attempts;
  for (std::uint32_t slot = 0; slot < records_.high_water(); ++slot) {
    if (!records_.is_live(slot)) continue;
    const Record& record = records_[slot];
    if (!is_assigned(record) || record.node != node || record.node_life != life) continue;
    attempts.push_back({node, life, records_.handle(slot), record.attempt});
  }
  return attempts;
}

std::vector<TaskSummary> Ledger::tasks(base::Instant now, std::size_t limit) const {
  std::vector<TaskSummary> summaries;
  for (const std::uint32_t slot : records_.oldest(limit, [](const Record& record) { return record.submitted; })) {
    const Record& record = records_[slot];
    summaries.push_back({.sequence = records_.handle(slot),
                         .state = record.state,
                         .session = record.session,
                         .call_id = record.call_id,
                         .node = is_assigned(record) ? record.node : kNoNode,
                         .attempt = record.attempt,
                         .function = record.placement->spec().function_name,
                         .age = now - record.submitted,
                         .left = time_left(now, record.deadline)});
  }
  return summaries;
}

}  // namespace kaido::daemon
