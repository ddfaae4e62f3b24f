#include "daemon/core/task/executor.h"

#include <algorithm>
#include <utility>

#include "daemon/core/view/memory_owner.h"
#include "proto/base/check.h"

namespace kaido::daemon {
namespace {

using wire::Outcome;

using base::kNever;
// The longest retry-after that is ever advised.
constexpr base::Duration kRetryAfterMax = std::chrono::seconds(60);
// The part of attempts_max that workers may owe answers to. Higher leaves more for what is wanted, and stops sooner a
// worker that is slow to answer what was given up.
constexpr std::uint32_t kOwedDivisor = 2;

}  // namespace

Executor::Executor(const ExecutorOptions& options, ClusterViewRef view)
    : options_(options),
      view_(std::move(view)),
      workers_(options.attempts_max / kOwedDivisor),
      hash_key_(options.hash_seed),
      queue_shares_(options.queue_max),
      queued_bytes_(options.queued_bytes_max, options.memory) {
  KAIDO_CHECK(view_ != nullptr);
  origins_.resize(1);
}

// ---------------------------------------------------------------- what every call passes through: inline, so first

inline void Executor::join_worker(std::uint32_t slot, const WorkerTable::Pick& pick) {
  Record& record = records_[slot];
  record.worker = pick.worker;
  record.is_task = pick.is_task;
  record.is_waiting = false;
  workers_.occupy(pick.worker, pick.is_task);
  std::uint32_t& head = worker_records_[pick.worker];
  record.previous = kNone;
  record.next = head;
  if (head != kNone) records_[head].previous = slot;
  head = slot;
}

// The attempt's answer is given, or not wanted any more.
inline void Executor::settle(std::uint32_t slot) {
  Record& record = records_[slot];
  memory_.remember(record.key, record.hash);
  attempts_.erase(record.hash, slot);
  if (record.deadline != kNever) deadlines_.erase(slot);
  if (record.state == State::kRunning) {
    --running_;
    record.state = State::kStopping;
  }
}

// What lets an attempt wait: its place in the queue is its owner's, and so are the bytes.
inline void Executor::unkeep(Record& record) {
  if (!record.kept.is_set()) return;
  queue_shares_.give_back(record.kept.owner());
  record.kept.release(queued_bytes_);
}

inline void Executor::release(std::uint32_t slot) {
  Record& record = records_[slot];
  unkeep(record);
  --origins_[record.key.origin.value].attempts;
  records_.release(slot);
}

inline void Executor::leave_worker(std::uint32_t slot) {
  Record& record = records_[slot];
  if (!record.is_waiting) [[likely]] {
    workers_.vacate(record.worker, record.is_task);
  } else if (record.is_owed) {
    set_owed(record, false);
  }
  if (record.next != kNone) records_[record.next].previous = record.previous;
  if (record.previous != kNone) {
    records_[record.previous].next = record.next;
  } else {
    worker_records_[record.worker] = record.next;
  }
}

inline std::uint32_t Executor::lane_of(const PreparedPlacement& placement) const {
  PreparedPlacement::Lane& lane = placement.lane();
  if (lane.version != workers_.version()) [[unlikely]] {
    lane = {workers_.version(), workers_.lane_of(placement.spec().function)};
  }
  return lane.number;
}

// ---------------------------------------------------------------- admission

void Executor::admit(base::Instant now, const AdmitRequest& request) {
  const std::optional<Start> start = admit_at_once(now, request);
  if (start) push_dispatch(records_.find(start->call), *start, now, request.payload);
}

std::optional<Executor::Start> Executor::admit_at_once(base::Instant now, const AdmitRequest& request) {
  KAIDO_CHECK(request.placement != nullptr);
  const std::uint32_t hash = hash_of(request.key);
  if (is_stale_or_known(request.key, hash)) return std::nullopt;
  const auto redirect = [&](RedirectReason reason) {
    redirect_arrival(request, reason);
    return std::nullopt;
  };
  const PlacementSpec& spec = request.placement->spec();
  const std::uint32_t lane = lane_of(*request.placement);
  if (const auto refusal = find_refusal(*request.placement, lane)) return redirect(*refusal);
  std::uint32_t& of_origin = origins_[request.key.origin.value].attempts;
  if (request.key.origin != kSelf && of_origin >= options_.attempts_per_origin_max) {
    return redirect(RedirectReason::kQueueFull);
  }

  const WorkerTable::Pick pick = has_node_slot() ? workers_.pick(lane) : WorkerTable::Pick{};
  const bool must_queue = pick.worker == WorkerTable::kNone;
  MemoryOwner owner;
  if (must_queue) {
    owner =
        request.key.origin == kSelf ? memory_owner_of_connection(request.session) : memory_owner_of(request.key.origin);
    if (!queue_shares_.has_room(owner)) return redirect(RedirectReason::kQueueFull);
  }
  const std::uint32_t slot = records_.acquire(options_.attempts_max);
  if (slot == kNone) return redirect(RedirectReason::kQueueFull);
  Record& record = records_[slot];
  if (must_queue && !record.kept.keep_until_sent(queued_bytes_, request.payload, owner)) {
    records_.release(slot);
    return redirect(RedirectReason::kQueueFull);
  }
  record.key = request.key;
  record.lane = lane;
  record.hash = hash;
  record.function = spec.function;
  record.deadline = request.budget > base::Duration::zero() ? base::after(now, request.budget) : kNever;
  record.trace = request.trace;
  attempts_.insert(hash, slot);
  ++of_origin;
  if (record.deadline != kNever) deadlines_.push(slot, record.deadline);
  record.since = now;
  ++counters_.admitted;
  if (!must_queue) {
    const Start begun = start(now, slot, pick);
    if (effects_.front() == nullptr) [[likely]]
      return begun;
    push_dispatch(slot, begun, now, request.payload);
    return std::nullopt;
  }
  ++counters_.queued;
  queue_shares_.take(owner);
  record.state = State::kQueued;
  queue_.push(lane, slot, spec.priority, record.deadline);
  reply_state(ExecutorEffect::Kind::kReplyQueued, record.key);
  return std::nullopt;
}

bool Executor::is_stale_or_known(const AttemptKey& key, std::uint32_t hash) {
  if (key.origin.value >= origins_.size()) origins_.resize(key.origin.value + std::size_t{1});
  base::Epoch& latest = origins_[key.origin.value].latest;
  if (key.origin_life.epoch < latest) {
    ++counters_.stale_dropped;
    return true;
  }
  latest = key.origin_life.epoch;
  std::uint32_t known = attempts_.find(hash, [&](std::uint32_t slot) {
    const AttemptKey& other = records_[slot].key;
    return other.sequence == key.sequence && other.origin == key.origin && other.origin_life == key.origin_life;
  });
  if (known != SlotIndex::kNone && records_[known].key.attempt < key.attempt) [[unlikely]] {
    // The origin made this one after it had given the other up, and would drop its answer. Kept, they would be many of
    // one hash.
    ++counters_.cancelled;
    give_up(known);
    known = SlotIndex::kNone;
  }
  if (known == SlotIndex::kNone && !memory_.is_answered(key, hash)) return false;
  ++counters_.duplicates;
  answer_again(key, known);
  return true;
}

std::uint32_t Executor::find(const AttemptKey& key) const {
  const std::uint32_t slot =
      attempts_.find(hash_of(key), [&](std::uint32_t candidate) { return records_[candidate].key == key; });
  return slot == SlotIndex::kNone ? kNone : slot;
}

// Whoever asks twice is told twice, so that nobody waits for an answer that it missed.
void Executor::answer_again(const AttemptKey& key, std::uint32_t known) {
  if (known != SlotIndex::kNone) {
    const bool is_queued = records_[known].state == State::kQueued;
    return reply_state(is_queued ? ExecutorEffect::Kind::kReplyQueued : ExecutorEffect::Kind::kReplyStarted, key);
  }
  reply_lost(key, "this attempt was answered before, and its answer is not kept");
}

void Executor::reply_lost(const AttemptKey& key, std::string message) {
  ExecutorEffect& effect = effects_.push();
  effect.kind = ExecutorEffect::Kind::kReplyResult;
  effect.outcome = Outcome::kNodeLost;
  effect.key = key;
  effect.error = make_error({.message = std::move(message), .node = view_->self().info->name, .attempt = key.attempt});
}

void Executor::reply_state(ExecutorEffect::Kind kind, const AttemptKey& key) {
  ExecutorEffect& effect = effects_.push();
  effect.kind = kind;
  effect.key = key;
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

Executor::Start Executor::start(base::Instant now, std::uint32_t slot, const WorkerTable::Pick& pick) {
  Record& record = records_[slot];
  record.since = now;
  record.state = State::kRunning;
  join_worker(slot, pick);
  ++running_;
  ++counters_.dispatched;
  // 0 would mean none: a deadline that passes at this very moment is one nanosecond away.
  const base::Duration budget =
      record.deadline == kNever ? base::Duration(0) : std::max(record.deadline - now, base::Duration(1));
  return {records_.handle(slot), budget, workers_.session(pick.worker), pick.function_index};
}

void Executor::push_dispatch(std::uint32_t slot, const Start& start, base::Instant admitted, Payload payload) {
  const Record& record = records_[slot];
  ExecutorEffect& effect = effects_.push();
  effect.kind = ExecutorEffect::Kind::kDispatch;
  effect.key = record.key;
  effect.call = start.call;
  effect.session = start.session;
  effect.function_index = start.function_index;
  effect.budget = start.budget;
  effect.trace = record.trace;
  effect.payload = std::move(payload);
  effect.since = admitted;
}

// ---------------------------------------------------------------- the shortest way

std::optional<WorkerTable::Pick> Executor::find_free_worker(const PreparedPlacement& placement) {
  if (is_draining() || !has_node_slot()) return std::nullopt;
  const std::uint32_t lane = lane_of(placement);
  if (lane == WorkerTable::kNone) return std::nullopt;
  const WorkerTable::Pick pick = workers_.pick(lane);
  if (pick.worker == WorkerTable::kNone) return std::nullopt;
  return pick;
}

bool Executor::has_free_worker(const PreparedPlacement& placement) {
  const std::uint32_t lane = lane_of(placement);
  return lane != WorkerTable::kNone && has_node_slot() && workers_.can_run(lane);
}

std::optional<Executor::End> Executor::finish(base::Instant now, std::uint32_t session, std::uint64_t call) {
  const std::uint32_t slot = records_.find(call);
  if (slot == kNone) return std::nullopt;
  const Record& record = records_[slot];
  if (record.state != State::kRunning || workers_.session(record.worker) != session) return std::nullopt;
  if (record.key.origin == kSelf) return std::nullopt;
  const End end{record.key, record.since};
  measure(now - record.since);
  ++counters_.finished[static_cast<std::size_t>(Outcome::kSucceeded)];
  settle(slot);
  leave_worker(slot);
  release(slot);
  return end;
}

void Executor::dispatch_queued(base::Instant now) {
  while (!queue_.empty() && has_node_slot()) {
    const std::uint32_t slot = queue_.pop_first([&](std::uint32_t lane) { return workers_.can_run(lane); });
    if (slot == RunQueue::kNone) return;
    Record& record = records_[slot];
    Payload payload = record.kept.payload();
    unkeep(record);
    const base::Instant admitted = record.since;
    push_dispatch(slot, start(now, slot, workers_.pick(record.lane)), admitted, std::move(payload));
    reply_state(ExecutorEffect::Kind::kReplyStarted, record.key);
  }
}

// ---------------------------------------------------------------- handing back

void Executor::redirect_arrival(const AdmitRequest& request, RedirectReason reason) {
  ++counters_.redirected[static_cast<std::size_t>(reason)];
  memory_.remember(request.key, hash_of(request.key));
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
  redirect_arrival({.key = record.key, .trace = record.trace, .payload = record.kept.payload()}, reason);
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
  const std::uint32_t slot = find(key);
  if (slot == kNone) return memory_.remember(key, hash_of(key));  // it may have overtaken its attempt, on another link
  ++counters_.cancelled;
  give_up(slot);
  dispatch_queued(now);
}

void Executor::inquire(const AttemptKey& key) {
  const std::uint32_t slot = find(key);
  if (slot != kNone) return answer_again(key, slot);
  // Should the attempt come after all, over a link that lingers, it is not run any more.
  memory_.remember(key, hash_of(key));
  reply_lost(key, "the link to the node broke while the attempt or its answer was on its way");
}

void Executor::origin_lost(base::Instant now, NodeIndex origin, const base::Life& life) {
  for (std::uint32_t slot = 0; slot < records_.high_water(); ++slot) {
    if (!records_.is_live(slot)) continue;
    const Record& record = records_[slot];
    if (record.state == State::kStopping || record.key.origin != origin || !record.key.origin_life.ends_with(life)) {
      continue;
    }
    ++counters_.cancelled;
    give_up(slot);
  }
  if (origin.value < origins_.size() && origins_[origin.value].latest <= life.epoch) origins_[origin.value].latest = {};
  dispatch_queued(now);
}

// ---------------------------------------------------------------- workers

void Executor::worker_opened(base::Instant now, std::uint32_t session, WorkerSlots slots,
                             std::span<const base::FunctionId> functions, const std::vector<bool>& is_task) {
  const std::uint32_t worker = workers_.open(session, slots, functions, is_task);
  if (worker >= worker_records_.size()) worker_records_.resize(worker + std::size_t{1}, kNone);
  worker_records_[worker] = kNone;
  dispatch_queued(now);
}

void Executor::worker_yielded(base::Instant now, std::uint32_t session, std::uint64_t call, bool is_waiting) {
  const std::uint32_t slot = records_.find(call);
  if (slot == kNone || records_[slot].state == State::kQueued) return;
  Record& record = records_[slot];
  if (workers_.session(record.worker) != session || record.is_waiting == is_waiting) return;
  record.is_waiting = is_waiting;
  const bool was_given_up = record.state == State::kStopping;
  if (was_given_up) set_owed(record, is_waiting);
  if (is_waiting) {
    workers_.vacate(record.worker, record.is_task);
  } else {
    workers_.occupy(record.worker, record.is_task);
  }
  if (is_waiting || was_given_up) dispatch_queued(now);
}

void Executor::worker_stalled(base::Instant now, std::uint32_t session, bool is_stalled) {
  const std::uint32_t worker = workers_.find(session);
  if (worker == WorkerTable::kNone) return;
  workers_.set_stalled(worker, is_stalled);
  dispatch_queued(now);
}

void Executor::worker_lost(base::Instant now, std::uint32_t session) {
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

bool Executor::handle_worker_result(base::Instant now, std::uint32_t session, std::uint64_t call, TaskResult result) {
  const std::uint32_t slot = records_.find(call);
  const bool is_its_own =
      slot != kNone && records_[slot].state != State::kQueued && workers_.session(records_[slot].worker) == session;
  if (!is_its_own) {
    ++counters_.late_results_dropped;
    return false;
  }
  const Record& record = records_[slot];
  measure(now - record.since);
  const bool is_late = record.state == State::kStopping;
  if (is_late) {
    ++counters_.late_results_dropped;
  } else if (result.outcome == Outcome::kSucceeded || result.error != nullptr) {
    reply(slot, std::move(result));
    settle(slot);
  } else {
    fail(slot, result.outcome, std::string(wire::name(result.outcome)));
    settle(slot);
  }
  leave_worker(slot);
  release(slot);
  dispatch_queued(now);
  return !is_late;
}

// ---------------------------------------------------------------- time

void Executor::drain(base::Instant, base::Instant deadline) {
  drain_deadline_ = deadline;
  for (std::uint32_t slot; (slot = queue_.pop_first([](std::uint32_t) { return true; })) != RunQueue::kNone;) {
    redirect_unqueued(slot, RedirectReason::kDraining);
  }
}

void Executor::end_drain() {
  for (std::uint32_t slot = 0; slot < records_.high_water(); ++slot) {
    if (!records_.is_live(slot) || records_[slot].state != State::kRunning) continue;
    if (records_[slot].key.origin != kSelf) ++counters_.cut;
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

void Executor::reply(std::uint32_t slot, TaskResult result) {
  const Record& record = records_[slot];
  ++counters_.finished[static_cast<std::size_t>(result.outcome)];
  ExecutorEffect& effect = effects_.push();
  effect.kind = ExecutorEffect::Kind::kReplyResult;
  effect.outcome = result.outcome;
  effect.key = record.key;
  effect.trace = record.trace;
  effect.payload = std::move(result.payload);
  effect.error = std::move(result.error);
  effect.since = record.since;
}

void Executor::fail(std::uint32_t slot, Outcome outcome, std::string message) {
  auto error = make_error(
      {.message = std::move(message), .node = view_->self().info->name, .attempt = records_[slot].key.attempt});
  reply(slot, {outcome, std::move(error), {}});
}

void Executor::unqueue(std::uint32_t slot) { queue_.erase(records_[slot].lane, slot); }

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
  if (record.is_waiting) set_owed(records_[slot], true);
  settle(slot);
}

void Executor::set_owed(Record& record, bool is_owed) {
  record.is_owed = is_owed;
  if (is_owed) return workers_.owe(record.worker);
  workers_.settle_owed(record.worker);
}

std::uint32_t Executor::slots() const {
  return options_.slots_max == 0 ? workers_.slots() : std::min(options_.slots_max, workers_.slots());
}

std::vector<AttemptSummary> Executor::attempts(base::Instant now, std::size_t limit) const {
  std::vector<AttemptSummary> summaries;
  for (const std::uint32_t slot : records_.oldest(limit, [](const Record& record) { return record.since; })) {
    const Record& record = records_[slot];
    summaries.push_back({.state = record.state,
                         .key = record.key,
                         .function = record.function,
                         .session = record.state == State::kQueued ? 0 : workers_.session(record.worker),
                         .age = now - record.since,
                         .left = time_left(now, record.deadline)});
  }
  return summaries;
}

}  // namespace kaido::daemon
