#include "daemon/core/node/task_flow.h"

#include <algorithm>
#include <utility>

#include "daemon/core/node/apps.h"
#include "daemon/core/node/outbox.h"
#include "daemon/core/node/peers.h"
#include "proto/wire/limits.h"

namespace kaido::daemon {

TaskFlow::TaskFlow(const base::Instant& now, TaskFlowOptions options, Outbox& outbox)
    : now_(now),
      outbox_(outbox),
      configured_slots_(options.self.slots),
      forget_after_(options.forget_after),
      settle_(options.settle),
      self_(std::move(options.self)),
      registry_(options.registry),
      table_(self_, options.memory),
      chooser_(options.seed, table_.view(), options.chooser),
      ledger_(options.ledger, chooser_),
      executor_(options.executor, table_.view()),
      local_({self_.name, options.executor.attempts_max}, ledger_, executor_),
      local_info_(self_.id, self_.life.epoch) {
  chooser_.set_room_here([this](const PreparedPlacement& placement) { return executor_.has_free_worker(placement); });
  // Those that mostly wait are no load for others, but here they count, as those do that were sent elsewhere.
  chooser_.set_load_here([this] {
    wire::Load load = executor_.load();
    load.busy = std::max(load.busy, in_flight(kSelf));
    return load;
  });
}

// ---------------------------------------------------------------- apps

base::Status TaskFlow::offer(std::uint32_t session, const std::vector<FunctionInfo>& functions, WorkerSlots slots) {
  KAIDO_RETURN_IF_ERROR(registry_.register_session(session, functions, slots));
  std::vector<base::FunctionId> ids;
  std::vector<bool> is_task;
  ids.reserve(functions.size());
  for (const FunctionInfo& function : functions) {
    ids.push_back(function.id);
    is_task.push_back(function.is_task);
  }
  executor_.worker_opened(now_, session, slots, ids, is_task);
  self_changed();
  return absl::OkStatus();
}

bool TaskFlow::submit(SubmitRequest&& request) {
  chooser_.set_now(now_);
  const PreparedPlacement& placement = *request.placement;
  if (ledger_.may_run_at_once(placement)) [[likely]] {
    if (placement.candidates(chooser_.view()).self_fits) {
      if (const auto pick = local_.find_worker(placement)) return start_here(request, *pick);
    } else if (request.payload.is_whole() && request.payload.size() <= wire::kChunkBytes) {
      const Placer::Choice choice = chooser_.choose(placement, {});
      if (choice.verdict == Placer::Verdict::kChosen) return send_at_once(request, choice);
    }
  }
  const bool accepted = ledger_.submit(now_, request) == SubmitStatus::kAccepted;
  settle();
  return accepted;
}

// Local first, and a worker with a free slot is here: nothing is to be decided between the call and its dispatch.
bool TaskFlow::start_here(SubmitRequest& request, const WorkerTable::Pick& pick) {
  const auto begun = local_.begin(now_, request, pick);
  if (!begun) return false;
  durations_.queue.record(std::uint64_t{0});
  apps_->dispatch(executor_.workers().session(pick.worker),
                  {pick.function_index, begun->call, 1, begun->budget, request.trace, local_info_.for_task(begun->call),
                   std::move(request.payload)});
  return true;
}

// Another node has to run it, and nothing is to be kept for it: the record and the frame are made in one step.
bool TaskFlow::send_at_once(SubmitRequest& request, const Placer::Choice& choice) {
  PeerAttempt attempt;
  attempt.placement = request.placement;
  const auto begun = ledger_.begin_at_once(now_, request, choice.node, choice.life);
  if (!begun) return false;
  attempt.sequence = begun->sequence;
  attempt.attempt = 1;
  attempt.budget = begun->budget;
  attempt.trace = request.trace;
  attempt.payload = std::move(request.payload);
  send_to_peer(choice.node, attempt);
  return true;
}

void TaskFlow::cancel_call(std::uint32_t session, std::uint64_t call_id) {
  if (!local_.cancel(session, call_id)) ledger_.cancel(now_, session, call_id);
  settle();
}

inline void TaskFlow::slot_freed() {
  if (executor_.queued_count() == 0) return;
  executor_.dispatch_freed(now_);
  settle();
}

bool TaskFlow::worker_result(std::uint32_t session, std::uint64_t call, TaskResult&& result) {
  if (LocalCalls::owns(call)) return local_result(session, call, std::move(result));
  if (result.outcome == wire::Outcome::kSucceeded && !wire::travels_in_chunks(result.payload)) [[likely]] {
    if (const auto end = executor_.finish(now_, session, call)) {
      durations_.run.record(now_ - end->started);
      peers_->reply_result(end->key, std::move(result));
      slot_freed();
      return true;
    }
  }
  const bool known = executor_.handle_worker_result(now_, session, call, std::move(result));
  settle();
  return known;
}

bool TaskFlow::local_result(std::uint32_t session, std::uint64_t call, TaskResult&& result) {
  if (result.outcome == wire::Outcome::kSucceeded && !wire::travels_in_chunks(result.payload)) [[likely]] {
    if (const auto end = local_.finish(now_, session, call)) {
      durations_.run.record(now_ - end->since);
      durations_.task.record(now_ - end->since);
      hand_over(end->session, end->call_id, std::move(result));
      slot_freed();
      return true;
    }
  }
  if (result.outcome == wire::Outcome::kSucceeded) {
    if (const auto since = local_.began(session, call)) durations_.run.record(now_ - *since);
  }
  const bool known = local_.handle_result(now_, session, call, std::move(result));
  settle();
  return known;
}

void TaskFlow::passed_on(std::uint32_t session, std::uint64_t call_id) {
  if (const auto delivery = ledger_.end_delivery(session, call_id)) durations_.task.record(now_ - delivery->since);
}

void TaskFlow::delivery_lost(std::uint32_t session, std::uint64_t call_id, wire::BodyFailure failure) {
  chooser_.set_now(now_);
  ledger_.delivery_lost(now_, session, call_id, failure);
  settle();
}

void TaskFlow::delivery_failed(std::uint32_t session, std::uint64_t call_id, TaskResult&& why) {
  ledger_.delivery_failed(session, call_id, std::move(why));
  settle();
}

void TaskFlow::worker_yielded(std::uint32_t session, std::uint64_t call, bool is_waiting) {
  if (LocalCalls::owns(call)) {
    local_.worker_yielded(now_, session, call, is_waiting);
  } else {
    executor_.worker_yielded(now_, session, call, is_waiting);
  }
  settle();
}

void TaskFlow::worker_stalled(std::uint32_t session, bool is_stalled) {
  executor_.worker_stalled(now_, session, is_stalled);
  settle();
}

void TaskFlow::session_closed(std::uint32_t session) {
  // The view first: what the worker's end makes the ledger start again must not come back here.
  const bool offered = registry_.unregister_session(session);
  if (offered) {
    self_changed();
    local_.worker_lost(session);
    executor_.worker_lost(now_, session);
  }
  local_.session_closed(session);
  ledger_.session_closed(now_, session);
  settle();
}

// ---------------------------------------------------------------- peers

ClusterTable::Seen TaskFlow::node_seen(NodeInfo info) {
  const ClusterTable::Seen seen = table_.node_seen(std::move(info));
  // The view first: a retry placed by the old one would carry the former life, and its result would count as late.
  if (seen.accepted() && seen.is_new_life) apply_view_change();
  return seen;
}

void TaskFlow::cluster_changed() {
  apply_view_change();
  settle();
}

void TaskFlow::node_forsaken(NodeIndex node) {
  table_.node_lost(now_, node);
  apply_view_change();
}

void TaskFlow::node_lost(NodeIndex node, const base::Life& life) {
  if (table_.node(node).info->life == life) table_.node_lost(now_, node);
  apply_view_change();
  ledger_.node_lost(now_, node, life);
  executor_.origin_lost(now_, node, life);
  settle();
}

void TaskFlow::admit(AdmitRequest&& request) {
  const auto start = executor_.admit_at_once(now_, request);
  if (!start) return settle();
  durations_.queue.record(std::uint64_t{0});
  apps_->dispatch(start->session, {start->function_index, start->call, request.key.attempt, start->budget,
                                   request.trace, call_info(request.key), std::move(request.payload)});
}

void TaskFlow::cancel_attempt(const AttemptKey& key) {
  executor_.cancel(now_, key);
  settle();
}

void TaskFlow::inquire(const AttemptKey& key) {
  executor_.inquire(key);
  settle();
}

void TaskFlow::attempt_result(const AttemptReport& report, TaskResult&& result) {
  if (result.outcome == wire::Outcome::kSucceeded && !wire::travels_in_chunks(result.payload)) [[likely]] {
    if (const auto delivery = ledger_.end_remote(report)) {
      durations_.task.record(now_ - delivery->since);
      return hand_over(delivery->session, delivery->call_id, std::move(result));
    }
  }
  ledger_.handle_result(now_, report, std::move(result));
  settle();
}

void TaskFlow::attempt_redirected(const AttemptReport& report, TaskRedirect redirect) {
  ledger_.handle_redirect(now_, report, std::move(redirect));
  settle();
}

// ---------------------------------------------------------------- this node

void TaskFlow::drain(base::Instant deadline) {
  self_.draining = true;
  self_changed();
  executor_.drain(now_, deadline);
  ledger_.drain(now_, deadline);
  settle();
  if (deadline <= now_) handle_timeout();
}

void TaskFlow::set_address(std::string address) {
  self_.address = std::move(address);
  self_changed();
  settle();
}

void TaskFlow::handle_timeout() {
  chooser_.set_now(now_);
  local_.handle_timeout(now_);
  ledger_.handle_timeout(now_);
  executor_.handle_timeout(now_);
  // Including those whose time is over this very moment: the timer rings for them.
  if (table_.forget_lost_before(now_ - forget_after_ + base::Duration(1))) apply_view_change();
  settle();
}

std::optional<base::Instant> TaskFlow::next_timeout() const {
  std::optional<base::Instant> next;
  const auto consider = [&](std::optional<base::Instant> at) {
    if (at && (!next || *at < *next)) next = at;
  };
  consider(ledger_.next_timeout());
  consider(executor_.next_timeout());
  consider(local_.next_timeout());
  if (const auto lost = table_.oldest_loss()) consider(base::after(*lost, forget_after_));
  return next;
}

void TaskFlow::self_changed() {
  self_.functions = registry_.offered();
  self_.slots = configured_slots_ != 0 ? configured_slots_ : registry_.slots();
  table_.self_changed(self_);
  announce_due_ = true;
  apply_view_change();
}

void TaskFlow::apply_view_change() {
  const auto view = table_.take_change();
  if (!view) return;
  chooser_.set_view(*view);
  executor_.set_view(*view);
  ledger_.view_changed(now_);
}

std::vector<TaskSummary> TaskFlow::tasks(base::Instant now, std::size_t limit) const {
  std::vector<TaskSummary> summaries = ledger_.tasks(now, limit);
  local_.add_tasks(now, limit, summaries);
  return summaries;
}

// ---------------------------------------------------------------- effects

void TaskFlow::settle() {
  // An action may come back here (a link that takes nothing): the loop below takes up what that caused.
  if (settling_) return;
  settling_ = true;
  for (bool progress = true; progress;) {
    progress = false;
    for (; LedgerEffect* const effect = ledger_.first_effect(); progress = true) {
      act(*effect);
      ledger_.drop_effect();
    }
    for (; ExecutorEffect* const effect = executor_.first_effect(); progress = true) {
      act(*effect);
      executor_.drop_effect();
    }
    for (; LocalEffect* const effect = local_.first_effect(); progress = true) {
      act(*effect);
      local_.drop_effect();
    }
  }
  settling_ = false;
}

AttemptKey TaskFlow::own_key(const LedgerEffect& effect) const {
  return {kSelf, effect.attempt, self_.life, effect.sequence};
}

void TaskFlow::act(LedgerEffect& effect) {
  switch (effect.kind) {
    case LedgerEffect::Kind::kSendAttempt:
      return send_attempt(effect);
    case LedgerEffect::Kind::kSendCancel:
      if (effect.node != kSelf) return peers_->send_cancel(effect.node, effect.sequence, effect.attempt);
      return executor_.cancel(now_, own_key(effect));
    case LedgerEffect::Kind::kDeliver:
      return deliver(effect);
  }
}

void TaskFlow::send_attempt(LedgerEffect& effect) {
  if (effect.node == kSelf) {
    AdmitRequest request;
    request.key = own_key(effect);
    request.placement = std::move(effect.placement);
    request.budget = effect.budget;
    request.trace = effect.trace;
    request.payload = std::move(effect.payload);
    request.session = effect.session;
    return executor_.admit(now_, request);
  }
  send_to_peer(effect.node, {effect.sequence, effect.attempt, std::move(effect.placement), effect.budget, effect.trace,
                             std::move(effect.payload)});
}

void TaskFlow::send_to_peer(NodeIndex node, const PeerAttempt& attempt) {
  const auto refusal = peers_->send_attempt(node, attempt);
  if (!refusal) return;
  const AttemptReport report{node, view().find(node)->info->life, attempt.sequence, attempt.attempt};
  ledger_.handle_redirect(now_, report, {refusal->reason, refusal->retry_after, attempt.payload});
  settle();
}

void TaskFlow::deliver(LedgerEffect& effect) {
  if (effect.since != base::Instant{}) durations_.task.record(now_ - effect.since);
  hand_over(effect.session, effect.call_id, {effect.outcome, std::move(effect.error), std::move(effect.payload)});
}

void TaskFlow::hand_over(std::uint32_t session, std::uint64_t call_id, TaskResult&& result) {
  if (session != kOperatorSession) [[likely]]
    return apps_->deliver(session, call_id, std::move(result));
  // Nobody says how its way ends.
  if (wire::travels_in_chunks(result.payload)) passed_on(session, call_id);
  Command& answer = outbox_.command(Command::Kind::kAnswer);
  answer.call = call_id;
  answer.result = std::move(result);
}

void TaskFlow::act(ExecutorEffect& effect) {
  const bool is_local = effect.key.origin == kSelf;
  const AttemptReport report{kSelf, self_.life, effect.key.sequence, effect.key.attempt};
  switch (effect.kind) {
    case ExecutorEffect::Kind::kDispatch:
      return dispatch(effect);
    case ExecutorEffect::Kind::kCancelAtWorker:
      return apps_->cancel_at_worker(effect.session, effect.call);
    case ExecutorEffect::Kind::kReplyQueued:
      if (is_local) return ledger_.handle_queued(report);
      return peers_->reply_queued(effect.key);
    case ExecutorEffect::Kind::kReplyStarted:
      if (is_local) return ledger_.handle_started(report);
      return peers_->reply_started(effect.key);
    case ExecutorEffect::Kind::kReplyResult: {
      if (effect.since != base::Instant{}) durations_.run.record(now_ - effect.since);
      TaskResult result{effect.outcome, std::move(effect.error), std::move(effect.payload)};
      if (is_local) return ledger_.handle_result(now_, report, std::move(result));
      return peers_->reply_result(effect.key, std::move(result));
    }
    case ExecutorEffect::Kind::kReplyRedirect: {
      TaskRedirect redirect{effect.reason, effect.retry_after, std::move(effect.payload)};
      if (is_local) return ledger_.handle_redirect(now_, report, std::move(redirect));
      return peers_->reply_redirect(effect.key, std::move(redirect));
    }
  }
}

void TaskFlow::act(LocalEffect& effect) {
  switch (effect.kind) {
    case LocalEffect::Kind::kCancelAtWorker:
      return apps_->cancel_at_worker(effect.session, effect.id);
    case LocalEffect::Kind::kDeliver:
      if (effect.has_run) durations_.run.record(now_ - effect.since);
      durations_.task.record(now_ - effect.since);
      return hand_over(effect.session, effect.id, std::move(effect.result));
  }
}

void TaskFlow::dispatch(ExecutorEffect& effect) {
  durations_.queue.record(now_ - effect.since);
  apps_->dispatch(effect.session, {effect.function_index, effect.call, effect.key.attempt, effect.budget, effect.trace,
                                   call_info(effect.key), std::move(effect.payload)});
}

// The encoded CallInfo of the task's origin, made at its first task and again in a new life.
std::span<const std::byte> TaskFlow::call_info(const AttemptKey& key) {
  if (key.origin.value >= infos_.size()) infos_.resize(key.origin.value + std::size_t{1});
  OriginInfo& info = infos_[key.origin.value];
  if (info.life != key.origin_life) [[unlikely]] {
    info = {key.origin_life, CallInfo(view().find(key.origin)->info->id, key.origin_life.epoch)};
  }
  return info.bytes.for_task(key.sequence);
}

}  // namespace kaido::daemon
