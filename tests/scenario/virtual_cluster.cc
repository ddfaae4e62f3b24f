#include "tests/scenario/virtual_cluster.h"

#include <algorithm>

#include "proto/base/check.h"

namespace kaido::daemon::testing {
namespace {

constexpr std::uint32_t kSession = 1;

std::string text(Payload payload) { return std::string(wire::as_text(payload)); }

}  // namespace

// ---------------------------------------------------------------- building

std::size_t VirtualCluster::add_node(NodeInfo info) {
  const std::size_t node = nodes_.size();
  info.id.bytes[15] = static_cast<std::uint8_t>(node + 1);
  info.epoch = {1000};
  nodes_.emplace_back();
  nodes_[node].info = std::move(info);
  boot(node);
  for (std::size_t other = 0; other < node; ++other) {
    learn(node, other);
    learn(other, node);
  }
  return node;
}

// A fresh process: nothing of its former life is known to it.
void VirtualCluster::boot(std::size_t index) {
  Node& node = nodes_[index];
  node.is_up = true;
  node.registry = Registry();
  node.running.clear();
  node.table = std::make_unique<ClusterTable>(node.info);
  node.chooser = std::make_unique<Chooser>(seed_ * 1000 + index, node.table->view());
  node.ledger = std::make_unique<Ledger>(options_.ledger, *node.chooser);
  node.executor = std::make_unique<Executor>(options_.executor, node.table->view());
  const auto workers = std::exchange(node.workers, {});
  for (const auto& [session, worker] : workers) open_worker(index, session, worker.slots, worker.functions);
}

void VirtualCluster::open_worker(std::size_t index, std::uint32_t session, std::uint32_t slots,
                                 std::vector<FunctionInfo> functions) {
  Node& node = nodes_[index];
  KAIDO_CHECK(node.registry.register_session(session, functions, slots).ok());
  std::vector<base::FunctionId> ids;
  for (const FunctionInfo& function : functions) ids.push_back(function.id);
  node.workers[session] = {slots, std::move(functions)};
  node.executor->worker_opened(now_, session, slots, ids);
  publish_self(index);
}

void VirtualCluster::lose_worker(std::size_t index, std::uint32_t session) {
  Node& node = nodes_[index];
  node.registry.unregister_session(session);
  node.workers.erase(session);
  std::erase_if(node.running, [&](const Running& running) { return running.session == session; });
  node.executor->worker_lost(now_, session);
  publish_self(index);
}

void VirtualCluster::publish_self(std::size_t index) {
  Node& node = nodes_[index];
  node.info.functions = node.registry.offered();
  node.info.slots = node.registry.slots();
  node.table->self_changed(node.info);
  refresh(index);
  tell(index);
}

void VirtualCluster::change(std::size_t index, const std::function<void(NodeInfo&)>& edit) {
  Node& node = nodes_[index];
  edit(node.info);
  node.table->self_changed(node.info);
  refresh(index);
}

void VirtualCluster::tell(std::size_t index) {
  for (std::size_t other = 0; other < nodes_.size(); ++other) learn(other, index);
}

void VirtualCluster::learn(std::size_t observer, std::size_t node) {
  if (observer == node || !nodes_[observer].is_up || !nodes_[node].is_up) return;
  Node& watcher = nodes_[observer];
  const auto seen = watcher.table->node_seen(nodes_[node].info);
  KAIDO_CHECK(seen.accepted());
  const bool changed = show_view(observer);
  if (seen.is_new_epoch) {
    watcher.ledger->node_lost(now_, seen.index, seen.lost_epoch);
    watcher.executor->origin_lost(now_, seen.index, seen.lost_epoch);
  }
  if (changed) watcher.ledger->view_changed(now_);
  pump(observer);
}

// Before a loss is reported, or a retry would choose by the old view.
bool VirtualCluster::show_view(std::size_t index) {
  Node& node = nodes_[index];
  const auto view = node.table->take_change();
  if (!view) return false;
  node.chooser->set_view(*view);
  node.executor->set_view(*view);
  return true;
}

void VirtualCluster::refresh(std::size_t index) {
  if (show_view(index)) nodes_[index].ledger->view_changed(now_);
  pump(index);
}

// ---------------------------------------------------------------- apps

void VirtualCluster::submit(std::size_t index, const std::string& task, PlacementSpec spec, base::Duration budget) {
  Node& node = nodes_[index];
  const std::uint64_t call_id = node.tasks.size();
  node.tasks.push_back(task);
  node.call_ids[task] = call_id;
  const auto placement = node.chooser->prepare(std::move(spec));
  const auto status = node.ledger->submit(now_, {.session = kSession,
                                                 .call_id = call_id,
                                                 .placement = placement,
                                                 .budget = budget,
                                                 .payload = wire::as_span(task)});
  KAIDO_CHECK(status == SubmitStatus::kAccepted);
  pump(index);
}

bool VirtualCluster::cancel(std::size_t index, const std::string& task) {
  const bool found = nodes_[index].ledger->cancel(now_, kSession, nodes_[index].call_ids.at(task));
  pump(index);
  return found;
}

void VirtualCluster::close_session(std::size_t index) {
  nodes_[index].ledger->session_closed(now_, kSession);
  pump(index);
}

bool VirtualCluster::answer(std::size_t index, const std::string& task, wire::Outcome outcome, std::string text) {
  Node& node = nodes_[index];
  const auto it = std::find_if(node.running.begin(), node.running.end(),
                               [&](const Running& running) { return running.task == task; });
  if (it == node.running.end()) return false;
  const Running running = *it;
  node.running.erase(it);
  const TaskError error{.message = text};
  const bool succeeded = outcome == wire::Outcome::kSucceeded;
  node.executor->handle_worker_result(now_, running.session, running.call, outcome, succeeded ? nullptr : &error,
                                      succeeded ? wire::as_span(text) : Payload());
  pump(index);
  return true;
}

// ---------------------------------------------------------------- the world

std::optional<base::Instant> VirtualCluster::next_event() const {
  std::optional<base::Instant> next;
  const auto consider = [&](std::optional<base::Instant> at) {
    if (at && (!next || *at < *next)) next = *at;
  };
  if (!in_flight_.empty()) consider(in_flight_.begin()->first.first);
  for (const Node& node : nodes_) {
    if (!node.is_up) continue;
    consider(node.ledger->next_timeout());
    consider(node.executor->next_timeout());
  }
  return next;
}

void VirtualCluster::advance(base::Duration duration) {
  const base::Instant end = now_ + duration;
  for (auto next = next_event(); next && *next <= end; next = next_event()) {
    now_ = std::max(now_, *next);
    while (!in_flight_.empty() && in_flight_.begin()->first.first <= now_) {
      const Message message = std::move(in_flight_.begin()->second);
      in_flight_.erase(in_flight_.begin());
      receive(message);
    }
    for (std::size_t index = 0; index < nodes_.size(); ++index) {
      if (!nodes_[index].is_up) continue;
      nodes_[index].ledger->handle_timeout(now_);
      nodes_[index].executor->handle_timeout(now_);
      pump(index);
    }
  }
  now_ = end;
}

void VirtualCluster::crash(std::size_t index) { nodes_[index].is_up = false; }

void VirtualCluster::restart(std::size_t index) {
  nodes_[index].info.epoch.value += 1;
  nodes_[index].info.draining = false;
  boot(index);
  for (std::size_t other = 0; other < nodes_.size(); ++other) learn(index, other);
  tell(index);
}

void VirtualCluster::declare_lost(std::size_t observer, std::size_t index) {
  Node& node = nodes_[observer];
  const NodeIndex lost = index_at(observer, index);
  if (!node.is_up || lost == kNoNode || !node.table->node_lost(lost)) return;
  const base::Epoch epoch = node.table->node(lost).info->epoch;
  show_view(observer);
  node.ledger->node_lost(now_, lost, epoch);
  node.executor->origin_lost(now_, lost, epoch);
  pump(observer);
}

void VirtualCluster::cut(std::size_t a, std::size_t b) {
  const auto between = [&](const Message& message) {
    return (message.from == a && message.to == b) || (message.from == b && message.to == a);
  };
  std::erase_if(in_flight_, [&](const auto& entry) { return between(entry.second); });
  declare_lost(a, b);
  declare_lost(b, a);
}

void VirtualCluster::join(std::size_t a, std::size_t b) {
  learn(a, b);
  learn(b, a);
}

void VirtualCluster::drain(std::size_t index, base::Duration duration) {
  nodes_[index].executor->drain(now_, now_ + duration);
  nodes_[index].ledger->drain(now_, now_ + duration);
  pump(index);
}

// ---------------------------------------------------------------- effects

// One core's effects are the other's calls, so both are drained until neither has any.
void VirtualCluster::pump(std::size_t index) {
  Node& node = nodes_[index];
  LedgerEffect from_ledger;
  ExecutorEffect from_executor;
  for (bool progress = true; progress;) {
    progress = false;
    while (node.ledger->poll_effect(from_ledger)) act(index, from_ledger), progress = true;
    while (node.executor->poll_effect(from_executor)) act(index, from_executor), progress = true;
  }
  node.chooser->load_reported(kSelf, node.executor->load());
}

void VirtualCluster::act(std::size_t index, const LedgerEffect& effect) {
  Node& node = nodes_[index];
  if (effect.kind == LedgerEffect::Kind::kDeliver) return deliver(index, effect);
  const bool is_call = effect.kind == LedgerEffect::Kind::kSendAttempt;
  if (effect.node != kSelf) {
    Message message{.kind = is_call ? MessageKind::kCall : MessageKind::kCancel,
                    .from = index,
                    .to = node_at(index, effect.node),
                    .sequence = effect.sequence,
                    .attempt = effect.attempt};
    if (is_call) message.spec = effect.placement->spec();
    message.budget = effect.budget;
    message.payload = text(effect.payload);
    return send(std::move(message));
  }
  const AttemptKey key{
      .origin = kSelf, .attempt = effect.attempt, .origin_epoch = node.info.epoch, .sequence = effect.sequence};
  if (is_call) {
    admit(index, key, *effect.placement, effect.budget, effect.payload);
  } else {
    node.executor->cancel(now_, key);
  }
}

void VirtualCluster::admit(std::size_t index, const AttemptKey& key, const PreparedPlacement& placement,
                           base::Duration budget, Payload payload) {
  nodes_[index].executor->admit(
      now_,
      {.key = key, .placement = &placement, .budget = budget, .payload = payload, .report_start = key.origin != kSelf});
}

void VirtualCluster::deliver(std::size_t index, const LedgerEffect& effect) {
  Node& node = nodes_[index];
  Delivery delivery{.outcome = effect.outcome, .value = text(effect.payload), .attempt = effect.attempt};
  KAIDO_CHECK((effect.error == nullptr) == (effect.outcome == wire::Outcome::kSucceeded));
  if (effect.error != nullptr) delivery.error = *effect.error;
  node.deliveries[node.tasks.at(effect.call_id)].push_back(std::move(delivery));
}

void VirtualCluster::act(std::size_t index, const ExecutorEffect& effect) {
  using Kind = ExecutorEffect::Kind;
  if (effect.kind == Kind::kDispatch) return start(index, effect);
  if (effect.kind != Kind::kCancelAtWorker) return answer_origin(index, effect);
  for (Running& running : nodes_[index].running) {
    if (running.session != effect.session || running.call != effect.call) continue;
    running.cancel_seen = true;
    if (on_cancel) on_cancel(index, running);
    return;
  }
}

void VirtualCluster::start(std::size_t index, const ExecutorEffect& effect) {
  Running running{
      .session = effect.session, .call = effect.call, .attempt = effect.key.attempt, .task = text(effect.payload)};
  ++executions_[running.task];
  nodes_[index].running.push_back(running);
  if (on_dispatch) on_dispatch(index, running);
}

void VirtualCluster::answer_origin(std::size_t index, const ExecutorEffect& effect) {
  using Kind = ExecutorEffect::Kind;
  Node& node = nodes_[index];
  if (effect.key.origin != kSelf) {
    Message message{.kind = effect.kind == Kind::kReplyStarted  ? MessageKind::kStarted
                            : effect.kind == Kind::kReplyResult ? MessageKind::kResult
                                                                : MessageKind::kRedirect,
                    .from = index,
                    .to = node_at(index, effect.key.origin),
                    .sequence = effect.key.sequence,
                    .attempt = effect.key.attempt};
    message.outcome = effect.outcome;
    if (effect.error != nullptr) message.error = *effect.error;
    message.reason = effect.reason;
    message.retry_after = effect.retry_after;
    message.payload = text(effect.payload);
    message.load = node.executor->load();
    return send(std::move(message));
  }
  const AttemptReport report{kSelf, node.info.epoch, effect.key.sequence, effect.key.attempt};
  if (effect.kind == Kind::kReplyStarted) return node.ledger->handle_started(now_, report);
  if (effect.kind == Kind::kReplyResult) {
    return node.ledger->handle_result(now_, report, effect.outcome, effect.error, effect.payload);
  }
  node.ledger->handle_redirect(now_, report, effect.reason, effect.retry_after, effect.payload);
}

// ---------------------------------------------------------------- the network

void VirtualCluster::send(Message message) {
  message.from_epoch = nodes_[message.from].info.epoch;
  message.to_epoch = nodes_[message.to].info.epoch;
  switch (fate ? fate(message) : Fate::kDeliver) {
    case Fate::kDrop:
      return;
    case Fate::kHold:
      held_.push_back(std::move(message));
      return;
    case Fate::kDuplicate:
      enqueue(message);
      [[fallthrough]];
    case Fate::kDeliver:
      enqueue(std::move(message));
  }
}

// In the order they were sent: every message takes the same time.
void VirtualCluster::enqueue(Message message) {
  in_flight_.emplace(std::pair(now_ + options_.latency, message_count_++), std::move(message));
}

void VirtualCluster::release_held() {
  for (Message& message : std::exchange(held_, {})) enqueue(std::move(message));
}

void VirtualCluster::receive(const Message& message) {
  Node& node = nodes_[message.to];
  const NodeIndex from = index_at(message.to, message.from);
  if (!node.is_up || node.info.epoch != message.to_epoch || from == kNoNode) return;
  if (message.kind == MessageKind::kCall || message.kind == MessageKind::kCancel) {
    const AttemptKey key{
        .origin = from, .attempt = message.attempt, .origin_epoch = message.from_epoch, .sequence = message.sequence};
    if (message.kind == MessageKind::kCall) {
      const auto placement = node.chooser->prepare(message.spec);
      admit(message.to, key, *placement, message.budget, wire::as_span(message.payload));
    } else {
      node.executor->cancel(now_, key);
    }
    return pump(message.to);
  }
  const AttemptReport report{from, message.from_epoch, message.sequence, message.attempt};
  node.chooser->load_reported(from, message.load);
  if (message.kind == MessageKind::kStarted) {
    node.ledger->handle_started(now_, report);
  } else if (message.kind == MessageKind::kResult) {
    node.ledger->handle_result(now_, report, message.outcome, &message.error, wire::as_span(message.payload));
  } else {
    node.ledger->handle_redirect(now_, report, message.reason, message.retry_after, wire::as_span(message.payload));
  }
  pump(message.to);
}

// ---------------------------------------------------------------- looking

std::size_t VirtualCluster::node_at(std::size_t observer, NodeIndex index) const {
  const base::NodeId& id = nodes_[observer].table->node(index).info->id;
  return static_cast<std::size_t>(id.bytes[15]) - 1;
}

NodeIndex VirtualCluster::index_at(std::size_t observer, std::size_t node) const {
  return nodes_[observer].table->index_of(nodes_[node].info.id);
}

const std::vector<Delivery>& VirtualCluster::deliveries(std::size_t node, const std::string& task) const {
  static const std::vector<Delivery> kNone;
  const auto it = nodes_[node].deliveries.find(task);
  return it == nodes_[node].deliveries.end() ? kNone : it->second;
}

int VirtualCluster::executions(const std::string& task) const {
  const auto it = executions_.find(task);
  return it == executions_.end() ? 0 : it->second;
}

const Running* VirtualCluster::running(std::size_t node, const std::string& task) const {
  for (const Running& running : nodes_[node].running) {
    if (running.task == task) return &running;
  }
  return nullptr;
}

}  // namespace kaido::daemon::testing
