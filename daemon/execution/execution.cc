#include "daemon/execution/execution.h"

#include <algorithm>
#include <utility>

namespace kaido::daemon {

Execution::Execution(Loop& loop, ExecutionOptions options, AppPort& apps, PeerPort& peers)
    : loop_(loop),
      apps_(apps),
      peers_(peers),
      configured_slots_(options.self.slots),
      self_(std::move(options.self)),
      registry_(options.registry),
      table_(self_),
      chooser_(options.seed, table_.view(), options.chooser),
      ledger_(options.ledger, chooser_),
      executor_(options.executor, table_.view()),
      timer_(loop, [this] { handle_timeout(); }) {
  loop_.add_hook(*this);
}

Execution::~Execution() { loop_.remove_hook(*this); }

base::Status Execution::offer(std::uint32_t session, const std::vector<FunctionInfo>& functions, std::uint32_t slots) {
  KAIDO_RETURN_IF_ERROR(registry_.register_session(session, functions, slots));
  std::vector<base::FunctionId> ids;
  ids.reserve(functions.size());
  for (const FunctionInfo& function : functions) ids.push_back(function.id);
  executor_.worker_opened(loop_.now(), session, slots, ids);
  self_changed();
  pump();
  return absl::OkStatus();
}

bool Execution::submit(const SubmitRequest& request) {
  const bool accepted = ledger_.submit(loop_.now(), request) == SubmitStatus::kAccepted;
  pump();
  return accepted;
}

void Execution::cancel_call(std::uint32_t session, std::uint64_t call_id) {
  ledger_.cancel(loop_.now(), session, call_id);
  pump();
}

bool Execution::worker_result(std::uint32_t session, std::uint64_t call, wire::Outcome outcome, const TaskError* error,
                              Payload payload) {
  const bool known = executor_.handle_worker_result(loop_.now(), session, call, outcome, error, payload);
  pump();
  return known;
}

void Execution::session_closed(std::uint32_t session) {
  // The view first: what the worker's end makes the ledger start again must not come back here.
  const bool offered = registry_.unregister_session(session);
  if (offered) {
    self_changed();
    executor_.worker_lost(loop_.now(), session);
  }
  ledger_.session_closed(loop_.now(), session);
  pump();
}

NodeIndex Execution::node_seen(NodeInfo info) {
  const ClusterTable::Seen seen = table_.node_seen(std::move(info));
  if (!seen.accepted()) return kNoNode;
  if (seen.is_new_epoch) {
    // The view first: a retry placed by the old one would carry the former epoch, and its result would count as late.
    apply_view_change();
    ledger_.node_lost(loop_.now(), seen.index, seen.lost_epoch);
    executor_.origin_lost(loop_.now(), seen.index, seen.lost_epoch);
  }
  return seen.index;
}

void Execution::cluster_changed() {
  apply_view_change();
  pump();
}

void Execution::node_lost(NodeIndex node, base::Epoch epoch) {
  if (table_.node(node).info->epoch == epoch) table_.node_lost(node);
  apply_view_change();
  ledger_.node_lost(loop_.now(), node, epoch);
  executor_.origin_lost(loop_.now(), node, epoch);
  pump();
}

void Execution::admit(const AdmitRequest& request) {
  executor_.admit(loop_.now(), request);
  pump();
}

void Execution::cancel_attempt(const AttemptKey& key) {
  executor_.cancel(loop_.now(), key);
  pump();
}

void Execution::attempt_started(const AttemptReport& report) { ledger_.handle_started(loop_.now(), report); }

void Execution::attempt_result(const AttemptReport& report, wire::Outcome outcome, const TaskError* error,
                               Payload payload) {
  ledger_.handle_result(loop_.now(), report, outcome, error, payload);
  pump();
}

void Execution::attempt_redirected(const AttemptReport& report, RedirectReason reason, base::Duration retry_after,
                                   Payload payload) {
  ledger_.handle_redirect(loop_.now(), report, reason, retry_after, payload);
  pump();
}

void Execution::drain(base::Instant deadline) {
  self_.draining = true;
  self_changed();
  executor_.drain(loop_.now(), deadline);
  ledger_.drain(loop_.now(), deadline);
  pump();
  if (deadline <= loop_.now()) handle_timeout();
}

void Execution::handle_timeout() {
  const base::Instant now = loop_.now();
  ledger_.handle_timeout(now);
  executor_.handle_timeout(now);
  pump();
}

void Execution::self_changed() {
  self_.functions = registry_.offered();
  self_.slots = configured_slots_ != 0 ? configured_slots_ : registry_.slots();
  table_.self_changed(self_);
  announce_due_ = true;
  apply_view_change();
}

void Execution::apply_view_change() {
  const auto view = table_.take_change();
  if (!view) return;
  chooser_.set_view(*view);
  executor_.set_view(*view);
  ledger_.view_changed(loop_.now());
}

void Execution::pump() {
  // An action may come back here (a send that fails at once): the loop below takes up what that caused.
  if (pumping_) return;
  pumping_ = true;
  bool progress = true;
  while (progress) {
    progress = false;
    for (; ledger_.poll_effect(ledger_effect_); progress = true) act(ledger_effect_);
    for (; executor_.poll_effect(executor_effect_); progress = true) act(executor_effect_);
  }
  pumping_ = false;
  chooser_.load_reported(kSelf, executor_.load());
}

void Execution::act(const LedgerEffect& effect) {
  switch (effect.kind) {
    case LedgerEffect::Kind::kSendAttempt: {
      if (effect.node == kSelf) {
        AdmitRequest request;
        request.key = {kSelf, effect.attempt, self_.epoch, effect.sequence};
        request.placement = effect.placement;
        request.budget = effect.budget;
        request.trace = effect.trace;
        request.payload = effect.payload;
        executor_.admit(loop_.now(), request);
        return;
      }
      if (peers_.send_attempt(effect.node, *effect.placement, effect.sequence, effect.attempt, effect.budget,
                              effect.trace, effect.payload)) {
        return;
      }
      const AttemptReport report{effect.node, view().find(effect.node)->info->epoch, effect.sequence, effect.attempt};
      ledger_.handle_redirect(loop_.now(), report, RedirectReason::kUnreachable, base::Duration(0), effect.payload);
      return;
    }
    case LedgerEffect::Kind::kSendCancel:
      if (effect.node != kSelf) return peers_.send_cancel(effect.node, effect.sequence, effect.attempt);
      executor_.cancel(loop_.now(), {kSelf, effect.attempt, self_.epoch, effect.sequence});
      return;
    case LedgerEffect::Kind::kDeliver:
      if (effect.since != base::Instant{}) durations_.task.record(loop_.now() - effect.since);
      return apps_.deliver(effect.session, effect.call_id, effect.outcome, effect.error, effect.payload);
  }
}

void Execution::act(const ExecutorEffect& effect) {
  const bool is_local = effect.key.origin == kSelf;
  const AttemptReport report{kSelf, self_.epoch, effect.key.sequence, effect.key.attempt};
  switch (effect.kind) {
    case ExecutorEffect::Kind::kDispatch:
      durations_.queue.record(loop_.now() - effect.since);
      return apps_.dispatch(effect.session, effect.function_index, effect.call, effect.key,
                            view().find(effect.key.origin)->info->id, effect.budget, effect.trace, effect.payload);
    case ExecutorEffect::Kind::kCancelAtWorker:
      return apps_.cancel_at_worker(effect.session, effect.call);
    case ExecutorEffect::Kind::kReplyStarted:
      if (is_local) return ledger_.handle_started(loop_.now(), report);
      return peers_.reply_started(effect.key, executor_.load());
    case ExecutorEffect::Kind::kReplyResult:
      durations_.run.record(loop_.now() - effect.since);
      if (is_local) return ledger_.handle_result(loop_.now(), report, effect.outcome, effect.error, effect.payload);
      return peers_.reply_result(effect.key, effect.outcome, effect.error, effect.payload, executor_.load());
    case ExecutorEffect::Kind::kReplyRedirect:
      if (is_local)
        return ledger_.handle_redirect(loop_.now(), report, effect.reason, effect.retry_after, effect.payload);
      return peers_.reply_redirect(effect.key, effect.reason, effect.retry_after, effect.payload, executor_.load());
  }
}

void Execution::on_turn_end(base::Instant /*now*/) {
  if (announce_due_) {
    announce_due_ = false;
    peers_.announce(self_);
  }
  const auto ledger_timeout = ledger_.next_timeout();
  const auto executor_timeout = executor_.next_timeout();
  if (ledger_timeout && executor_timeout) {
    timer_.set(std::min(*ledger_timeout, *executor_timeout));
  } else {
    timer_.set(ledger_timeout ? ledger_timeout : executor_timeout);
  }
}

}  // namespace kaido::daemon
