#include "daemon/core/task/executor.h"

#include <algorithm>
#include <utility>

#include "proto/base/check.h"

namespace kaido::daemon {
namespace {

using wire::Outcome;

constexpr base::Instant kNever = base::Instant::max();
// The longest retry-after that is ever advised.
constexpr base::Duration kRetryAfterMax = std::chrono::seconds(60);

base::Instant after(base::Instant now, base::Duration budget) { return budget < kNever - now ? now + budget : kNever; }

std::uint32_t hash_of(const AttemptKey& key) { return mix(key.sequence, key.origin.value); }

}  // namespace

Executor::Executor(const ExecutorOptions& options, ClusterViewRef view)
    : options_(options), view_(std::move(view)), pool_(options.queued_bytes_max) {
  KAIDO_CHECK(view_ != nullptr);
}

void Executor::begin_call() {
  if (!effects_.empty()) return;
  if (!errors_.empty()) errors_.clear();
  pool_.recycle();
}

// ---------------------------------------------------------------- admission

void Executor::admit(base::Instant now, const AdmitRequest& request) {
  begin_call();
  KAIDO_CHECK(request.placement != nullptr);
  const std::uint32_t hash = hash_of(request.key);
  if (is_stale_or_known(request.key, hash)) return;
  const PlacementSpec& spec = request.placement->spec();
  const std::uint32_t lane = workers_.lane_of(spec.function);
  if (const auto refusal = find_refusal(*request.placement, lane)) return redirect_arrival(request, *refusal);
  std::uint32_t& of_origin = origins_[request.key.origin.value].attempts;
  if (request.key.origin != kSelf && of_origin >= options_.attempts_per_origin_max) {
    return redirect_arrival(request, RedirectReason::kQueueFull);
  }

  const WorkerTable::Pick pick = has_node_slot() ? workers_.pick(lane) : WorkerTable::Pick{};
  const bool must_queue = pick.worker == WorkerTable::kNone;
  if (must_queue && queue_.size() >= options_.queue_max) return redirect_arrival(request, RedirectReason::kQueueFull);
  const std::uint32_t slot = records_.acquire(options_.attempts_max);
  if (slot == kNone) return redirect_arrival(request, RedirectReason::kQueueFull);
  Record& record = records_[slot];
  record.buffer = PayloadPool::kNone;
  if (must_queue) {
    record.buffer = pool_.keep(request.payload);
    if (record.buffer == PayloadPool::kNone) {
      records_.release(slot);
      return redirect_arrival(request, RedirectReason::kQueueFull);
    }
  }
  record.key = request.key;
  record.report_start = request.report_start;
  record.lane = lane;
  record.hash = hash;
  record.function = spec.function;
  record.deadline = request.budget > base::Duration::zero() ? after(now, request.budget) : kNever;
  record.trace = request.trace;
  attempts_.insert(hash, slot);
  ++of_origin;
  if (record.deadline != kNever) deadlines_.push(slot, record.deadline);
  record.since = now;
  ++counters_.admitted;
  if (!must_queue) return dispatch(now, slot, pick, request.payload);
  ++counters_.queued;
  record.state = State::kQueued;
  queue_.push(lane, slot, spec.priority, record.deadline);
}

bool Executor::is_stale_or_known(const AttemptKey& key, std::uint32_t hash) {
  if (key.origin.value >= origins_.size()) origins_.resize(key.origin.value + std::size_t{1});
  base::Epoch& latest = origins_[key.origin.value].latest;
  if (key.origin_epoch < latest) {
    ++counters_.stale_dropped;
    return true;
  }
  latest = key.origin_epoch;
  const std::uint32_t known = attempts_.find(hash, [&](std::uint32_t slot) {
    const AttemptKey& other = records_[slot].key;
    return other.sequence == key.sequence && other.origin == key.origin && other.origin_epoch == key.origin_epoch &&
           other.attempt >= key.attempt;
  });
  if (known == SlotIndex::kNone && !memory_.is_answered(key)) return false;
  ++counters_.duplicates_dropped;
  return true;
}

// The workers are asked for the function, not the view: they are what this node knows first.
std::optional<RedirectReason> Executor::find_refusal(const PreparedPlacement& placement, std::uint32_t lane) const {
  if (is_draining()) return RedirectReason::kDraining;
  if (lane == WorkerTable::kNone) return RedirectReason::kNotOffered;
  if (placement.candidates(*view_).self_fits) return std::nullopt;
  switch (placement.find_mismatch(view_->self())) {
    case Mismatch::kNone:
    case Mismatch::kNotOffered:
      return std::nullopt;
    case Mismatch::kDraining:
      return RedirectReason::kDraining;
    default:
      return RedirectReason::kMismatch;
  }
}

void Executor::dispatch(base::Instant now, std::uint32_t slot, WorkerTable::Pick pick, Payload payload) {
  Record& record = records_[slot];
  const base::Instant admitted = std::exchange(record.since, now);
  record.state = State::kRunning;
  record.worker = pick.worker;
  workers_.occupy(pick.worker);
  std::uint32_t& head = worker_records_[pick.worker];
  record.previous = kNone;
  record.next = head;
  if (head != kNone) records_[head].previous = slot;
  head = slot;
  ++running_;
  ++counters_.dispatched;
  ExecutorEffect& effect = effects_.push();
  effect.kind = ExecutorEffect::Kind::kDispatch;
  effect.key = record.key;
  effect.call = records_.handle(slot);
  effect.session = workers_.session(pick.worker);
  effect.function_index = pick.function_index;
  if (record.deadline != kNever) effect.budget = std::max(record.deadline - now, base::Duration(1));
  effect.trace = record.trace;
  effect.payload = payload;
  effect.since = admitted;
  if (!record.report_start) return;
  ExecutorEffect& started = effects_.push();
  started.kind = ExecutorEffect::Kind::kReplyStarted;
  started.key = record.key;
}

void Executor::dispatch_queued(base::Instant now) {
  while (!queue_.empty() && has_node_slot()) {
    const std::uint32_t slot = queue_.pop_first([&](std::uint32_t lane) { return workers_.can_run(lane); });
    if (slot == RunQueue::kNone) return;
    Record& record = records_[slot];
    const Payload payload = pool_.view(record.buffer);
    pool_.release(record.buffer);
    record.buffer = PayloadPool::kNone;
    dispatch(now, slot, workers_.pick(record.lane), payload);
  }
}

// ---------------------------------------------------------------- handing back

void Executor::redirect_arrival(const AdmitRequest& request, RedirectReason reason) {
  ++counters_.redirected[static_cast<std::size_t>(reason)];
  memory_.remember(request.key);
  ExecutorEffect& effect = effects_.push();
  effect.kind = ExecutorEffect::Kind::kReplyRedirect;
  effect.reason = reason;
  effect.key = request.key;
  if (reason == RedirectReason::kQueueFull) effect.retry_after = retry_after();
  effect.trace = request.trace;
  effect.payload = request.payload;
}

// For a record that has left the queue already.
void Executor::redirect_unqueued(std::uint32_t slot, RedirectReason reason) {
  const Record& record = records_[slot];
  redirect_arrival({.key = record.key, .trace = record.trace, .payload = pool_.view(record.buffer)}, reason);
  settle(slot);
  release(slot);
}

void Executor::redirect_lane(std::uint32_t lane, RedirectReason reason) {
  for (std::uint32_t slot; (slot = queue_.pop(lane)) != RunQueue::kNone;) redirect_unqueued(slot, reason);
}

// How long until the queue of this moment is worked off, and one service time more.
base::Duration Executor::retry_after() const {
  if (service_time_ == base::Duration::zero()) return options_.retry_after;
  const std::int64_t rounds = queue_.size() / std::max<std::uint32_t>(1, slots()) + 1;
  if (service_time_ > kRetryAfterMax / rounds) return kRetryAfterMax;
  return service_time_ * rounds;
}

// ---------------------------------------------------------------- origins

void Executor::cancel(base::Instant now, const AttemptKey& key) {
  begin_call();
  const std::uint32_t slot =
      attempts_.find(hash_of(key), [&](std::uint32_t candidate) { return records_[candidate].key == key; });
  if (slot == SlotIndex::kNone) return;
  ++counters_.cancelled;
  give_up(slot);
  dispatch_queued(now);
}

void Executor::origin_lost(base::Instant now, NodeIndex origin, base::Epoch epoch) {
  begin_call();
  for (std::uint32_t slot = 0; slot < records_.high_water(); ++slot) {
    if (!records_.is_live(slot)) continue;
    const Record& record = records_[slot];
    if (record.state == State::kStopping || record.key.origin != origin || record.key.origin_epoch > epoch) continue;
    ++counters_.cancelled;
    give_up(slot);
  }
  dispatch_queued(now);
}

// ---------------------------------------------------------------- workers

void Executor::worker_opened(base::Instant now, std::uint32_t session, std::uint32_t slots,
                             std::span<const base::FunctionId> functions) {
  begin_call();
  const std::uint32_t worker = workers_.open(session, slots, functions);
  if (worker >= worker_records_.size()) worker_records_.resize(worker + std::size_t{1}, kNone);
  worker_records_[worker] = kNone;
  dispatch_queued(now);
}

void Executor::worker_slots_changed(base::Instant now, std::uint32_t session, std::uint32_t slots) {
  begin_call();
  const std::uint32_t worker = workers_.find(session);
  if (worker == WorkerTable::kNone) return;
  workers_.set_slots(worker, slots);
  dispatch_queued(now);
}

void Executor::worker_lost(base::Instant now, std::uint32_t session) {
  begin_call();
  const std::uint32_t worker = workers_.find(session);
  if (worker == WorkerTable::kNone) return;
  while (worker_records_[worker] != kNone) {
    const std::uint32_t slot = worker_records_[worker];
    if (records_[slot].state == State::kRunning) {
      fail(slot, Outcome::kAppLost, "the worker app ended while it ran the task");
      settle(slot);
    }
    leave_worker(slot);
    release(slot);
  }
  for (const std::uint32_t lane : workers_.close(worker)) {
    redirect_lane(lane, RedirectReason::kNotOffered);
    workers_.release_lane(lane);
  }
  dispatch_queued(now);
}

bool Executor::handle_worker_result(base::Instant now, std::uint32_t session, std::uint64_t call, Outcome outcome,
                                    const TaskError* error, Payload payload) {
  begin_call();
  const std::uint32_t slot = records_.find(call);
  const bool is_its_own =
      slot != kNone && records_[slot].state != State::kQueued && workers_.session(records_[slot].worker) == session;
  if (!is_its_own) {
    ++counters_.late_results_dropped;
    return false;
  }
  const Record& record = records_[slot];
  const base::Duration took = now - record.since;
  service_time_ = service_time_ == base::Duration::zero() ? took : service_time_ + (took - service_time_) / 8;
  const bool is_late = record.state == State::kStopping;
  if (is_late) {
    ++counters_.late_results_dropped;
  } else if (outcome == Outcome::kSucceeded || error != nullptr) {
    reply(slot, outcome, error, payload);
    settle(slot);
  } else {
    fail(slot, outcome, std::string(wire::name(outcome)));
    settle(slot);
  }
  leave_worker(slot);
  release(slot);
  dispatch_queued(now);
  return !is_late;
}

// ---------------------------------------------------------------- time

void Executor::drain(base::Instant, base::Instant deadline) {
  begin_call();
  drain_deadline_ = deadline;
  for (std::uint32_t slot; (slot = queue_.pop_first([](std::uint32_t) { return true; })) != RunQueue::kNone;) {
    redirect_unqueued(slot, RedirectReason::kDraining);
  }
}

void Executor::end_drain() {
  for (std::uint32_t slot = 0; slot < records_.high_water(); ++slot) {
    if (!records_.is_live(slot) || records_[slot].state != State::kRunning) continue;
    fail(slot, Outcome::kNodeLost, "the node stopped before the task ended");
    give_up(slot);
  }
}

void Executor::expire(std::uint32_t slot) {
  const bool was_queued = records_[slot].state == State::kQueued;
  fail(slot, Outcome::kTimedOut,
       was_queued ? "the deadline passed while the task was queued" : "the deadline passed while the task ran");
  give_up(slot);
}

void Executor::handle_timeout(base::Instant now) {
  begin_call();
  while (!deadlines_.empty() && deadlines_.top_key() <= now) expire(deadlines_.top());
  if (drain_deadline_ && *drain_deadline_ <= now) end_drain();
  dispatch_queued(now);
}

std::optional<base::Instant> Executor::next_timeout() const {
  std::optional<base::Instant> next;
  if (!deadlines_.empty()) next = deadlines_.top_key();
  if (drain_deadline_ && running_ > 0) next = next ? std::min(*next, *drain_deadline_) : *drain_deadline_;
  return next;
}

// ---------------------------------------------------------------- records

void Executor::reply(std::uint32_t slot, Outcome outcome, const TaskError* error, Payload payload) {
  const Record& record = records_[slot];
  ++counters_.finished[static_cast<std::size_t>(outcome)];
  ExecutorEffect& effect = effects_.push();
  effect.kind = ExecutorEffect::Kind::kReplyResult;
  effect.outcome = outcome;
  effect.key = record.key;
  effect.trace = record.trace;
  effect.payload = payload;
  effect.error = error;
  effect.since = record.since;
}

void Executor::fail(std::uint32_t slot, Outcome outcome, std::string message) {
  errors_.push_back(
      {.message = std::move(message), .node = view_->self().info->name, .attempt = records_[slot].key.attempt});
  reply(slot, outcome, &errors_.back(), {});
}

// The attempt's answer is given, or not wanted any more.
void Executor::settle(std::uint32_t slot) {
  Record& record = records_[slot];
  memory_.remember(record.key);
  attempts_.erase(record.hash, slot);
  deadlines_.erase(slot);
  if (record.state == State::kRunning) {
    --running_;
    record.state = State::kStopping;
  }
}

void Executor::unqueue(std::uint32_t slot) { queue_.erase(records_[slot].lane, slot); }

void Executor::release(std::uint32_t slot) {
  Record& record = records_[slot];
  if (record.buffer != PayloadPool::kNone) pool_.release(record.buffer);
  record.buffer = PayloadPool::kNone;
  --origins_[record.key.origin.value].attempts;
  records_.release(slot);
}

void Executor::give_up(std::uint32_t slot) {
  const Record& record = records_[slot];
  if (record.state == State::kQueued) {
    unqueue(slot);
    settle(slot);
    release(slot);
    return;
  }
  ExecutorEffect& effect = effects_.push();
  effect.kind = ExecutorEffect::Kind::kCancelAtWorker;
  effect.key = record.key;
  effect.session = workers_.session(record.worker);
  effect.call = records_.handle(slot);
  settle(slot);
}

void Executor::leave_worker(std::uint32_t slot) {
  const Record& record = records_[slot];
  workers_.vacate(record.worker);
  if (record.next != kNone) records_[record.next].previous = record.previous;
  if (record.previous != kNone) {
    records_[record.previous].next = record.next;
  } else {
    worker_records_[record.worker] = record.next;
  }
}

std::uint32_t Executor::slots() const {
  return options_.slots_max == 0 ? workers_.slots() : std::min(options_.slots_max, workers_.slots());
}

std::vector<AttemptSummary> Executor::attempts(base::Instant now, std::size_t limit) const {
  std::vector<AttemptSummary> summaries;
  for (std::uint32_t slot = 0; slot < records_.high_water() && summaries.size() < limit; ++slot) {
    if (!records_.is_live(slot)) continue;
    const Record& record = records_[slot];
    summaries.push_back({.state = record.state,
                         .key = record.key,
                         .function = record.function,
                         .session = record.state == State::kQueued ? 0 : workers_.session(record.worker),
                         .age = now - record.since});
  }
  return summaries;
}

}  // namespace kaido::daemon
