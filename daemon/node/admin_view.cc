#include "daemon/node/admin_view.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "proto/base/ids.h"
#include "proto/base/version.h"

namespace kaido::daemon {
namespace {

double seconds(base::Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::uint32_t resident_kib() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  statm >> size >> resident;
  return static_cast<std::uint32_t>(resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) / 1024);
}

v1::NodeState state_of(const NodeView& node) {
  if (!node.alive) return v1::NODE_STATE_LOST;
  return node.info->draining ? v1::NODE_STATE_DRAINING : v1::NODE_STATE_ALIVE;
}

}  // namespace

v1::StatusResponse AdminView::status() {
  const TaskFlow& tasks = rooms_.machine.tasks();
  v1::StatusResponse response;
  response.set_node_id(to_string(rooms_.identity.id));
  response.set_node_name(rooms_.settings.node.name);
  response.set_epoch(rooms_.identity.epoch.value);
  response.set_version(base::kVersion);
  response.set_uptime_seconds(seconds(rooms_.loop.now() - rooms_.started));
  response.set_state(tasks.is_draining() ? v1::NODE_STATE_DRAINING : v1::NODE_STATE_ALIVE);
  response.mutable_load()->set_queued(tasks.executor().queued_count());
  response.mutable_load()->set_running(tasks.executor().running_count());
  response.mutable_load()->set_slots(tasks.executor().load().slots);
  response.set_resident_kib(resident_kib());
  response.set_apps(static_cast<std::uint32_t>(rooms_.machine.apps().count()));
  std::uint32_t alive = 0;
  std::uint32_t known = 0;
  std::set<base::FunctionId> functions;
  for (const NodeView& node : tasks.view().nodes()) {
    known += node.is_known ? 1 : 0;
    if (!node.alive) continue;
    ++alive;
    for (const FunctionInfo& function : node.info->functions) functions.insert(function.id);
  }
  response.set_nodes_alive(alive);
  response.set_nodes_known(known);
  response.set_functions(static_cast<std::uint32_t>(functions.size()));
  response.set_tasks_pending(tasks.ledger().task_count());
  const LedgerCounters& counted = tasks.ledger().counters();
  auto& counters = *response.mutable_counters();
  counters["kaido_task_spawned_total"] = static_cast<double>(counted.submitted);
  counters["kaido_task_retries_total"] = static_cast<double>(counted.retries);
  counters["kaido_task_redirects_total"] = static_cast<double>(counted.redirects);
  counters["kaido_task_late_results_total"] = static_cast<double>(counted.late_results_dropped);
  counters["kaido_execution_admitted_total"] = static_cast<double>(tasks.executor().counters().admitted);
  response.set_pid(static_cast<std::uint32_t>(getpid()));
  response.set_reason(reason_);
  for (std::string& warning : warnings()) response.add_warnings(std::move(warning));
  return response;
}

std::vector<std::string> AdminView::warnings() const {
  std::vector<std::string> warnings;
  for (const Conflict& conflict : rooms_.machine.peers().conflicts()) warnings.push_back(describe(conflict));
  if (const auto exposed = plaintext_warning(rooms_.settings)) warnings.push_back(*exposed);
  return warnings;
}

v1::ListNodesResponse AdminView::list_nodes() {
  std::map<std::uint32_t, PeerSummary> peers;
  for (PeerSummary& peer : rooms_.machine.peers().list()) peers.emplace(peer.node.value, std::move(peer));
  const LoadTable& loads = rooms_.machine.tasks().chooser().loads();
  v1::ListNodesResponse response;
  for (const Conflict& conflict : rooms_.machine.peers().conflicts()) response.add_warnings(describe(conflict));
  for (const NodeView& node : rooms_.machine.tasks().view().nodes()) {
    if (!node.is_known) continue;
    v1::NodeSummary& summary = *response.add_nodes();
    summary.set_name(node.info->name);
    summary.set_id(to_string(node.info->id));
    summary.set_epoch(node.info->life.epoch.value);
    summary.set_state(state_of(node));
    summary.set_address(node.info->address);
    for (const Tag& tag : node.info->tags) (*summary.mutable_tags())[tag.key] = tag.value;
    for (const Taint& taint : node.info->taints) {
      v1::TaintSummary& added = *summary.add_taints();
      added.set_key(taint.key);
      added.set_value(taint.value);
      added.set_effect(taint.effect);
    }
    summary.set_slots(node.info->slots);
    summary.set_in_flight(rooms_.machine.tasks().in_flight(node.index));
    summary.set_functions(static_cast<std::uint32_t>(node.info->functions.size()));
    summary.set_is_self(node.index == kSelf);
    summary.set_load(node.index == kSelf ? rooms_.machine.tasks().load().busy : loads.busy(node.index));
    if (node.index == kSelf) summary.set_last_seen_seconds(0);
    if (const auto peer = peers.find(node.index.value); peer != peers.end()) {
      if (summary.address().empty()) summary.set_address(peer->second.address);
      summary.set_last_seen_seconds(seconds(peer->second.since_heard));
      if (peer->second.round_trip) summary.set_rtt_seconds(seconds(*peer->second.round_trip));
    }
  }
  // Index 0 is this node; the others go by name.
  auto& nodes = *response.mutable_nodes();
  std::sort(nodes.begin() + 1, nodes.end(), [](const auto& a, const auto& b) { return a.name() < b.name(); });
  return response;
}

v1::ListFunctionsResponse AdminView::list_functions() {
  std::map<std::string, v1::FunctionSummary> functions;
  std::set<std::pair<std::string, std::uint64_t>> versions;
  for (const NodeView& node : rooms_.machine.tasks().view().nodes()) {
    if (!node.alive) continue;
    for (const FunctionInfo& function : node.info->functions) {
      v1::FunctionSummary& summary = functions[function.name];
      summary.set_name(function.name);
      summary.set_id(base::to_hex(function.id.value));
      summary.set_fingerprint(base::to_hex(function.fingerprint));
      if (summary.signature().empty()) summary.set_signature(function.signature);
      if (versions.emplace(function.name, function.fingerprint).second) summary.set_versions(summary.versions() + 1);
      v1::FunctionOffer& offer = *summary.add_offers();
      offer.set_node(node.info->name);
      offer.set_slots(node.info->slots);
      summary.set_slots(summary.slots() + node.info->slots);
    }
  }
  v1::ListFunctionsResponse response;
  for (auto& [name, summary] : functions) *response.add_functions() = std::move(summary);
  return response;
}

base::StatusOr<v1::DescribeFunctionResponse> AdminView::describe_function(const std::string& name) {
  struct Version {
    v1::FunctionVersion message;
    std::uint64_t slots = 0;
  };
  std::map<std::pair<std::uint64_t, Schema>, Version> versions;
  for (const NodeView& node : rooms_.machine.tasks().view().nodes()) {
    if (!node.alive) continue;
    for (const FunctionInfo& function : node.info->functions) {
      if (function.name != name) continue;
      auto& [message, slots] = versions[{function.fingerprint, function.schema}];
      message.set_id(base::to_hex(function.id.value));
      message.set_fingerprint(base::to_hex(function.fingerprint));
      message.set_signature(function.signature);
      message.set_schema(std::string(function.schema.bytes()));
      v1::FunctionOffer& offer = *message.add_offers();
      offer.set_node(node.info->name);
      offer.set_slots(node.info->slots);
      slots += node.info->slots;
    }
  }
  if (versions.empty()) {
    return absl::NotFoundError("no node that is alive offers '" + name + "'; see `kaidoctl functions`");
  }
  std::vector<Version> sorted;
  for (auto& [key, version] : versions) sorted.push_back(std::move(version));
  std::stable_sort(sorted.begin(), sorted.end(), [](const Version& a, const Version& b) { return a.slots > b.slots; });
  v1::DescribeFunctionResponse response;
  response.set_name(name);
  for (Version& version : sorted) *response.add_versions() = std::move(version.message);
  return response;
}

std::string AdminView::app_name(std::uint32_t session) const {
  return session == kOperatorSession ? kOperatorApp : rooms_.machine.apps().name_of(session);
}

v1::ListTasksResponse AdminView::list_tasks(std::uint32_t limit) {
  v1::ListTasksResponse response;
  add_origin_tasks(response, limit);
  add_executed_attempts(response, limit);
  auto& tasks = *response.mutable_tasks();
  std::sort(tasks.begin(), tasks.end(), [](const auto& a, const auto& b) { return a.age_seconds() > b.age_seconds(); });
  if (tasks.size() > static_cast<int>(limit)) {
    tasks.DeleteSubrange(static_cast<int>(limit), tasks.size() - static_cast<int>(limit));
  }
  response.set_truncated(response.total() > static_cast<std::uint32_t>(tasks.size()));
  return response;
}

void AdminView::add_origin_tasks(v1::ListTasksResponse& response, std::uint32_t limit) const {
  const TaskFlow& tasks = rooms_.machine.tasks();
  response.set_total(response.total() + tasks.ledger().task_count());
  for (const TaskSummary& task : tasks.tasks(rooms_.loop.now(), limit)) {
    v1::TaskSummary& summary = *response.add_tasks();
    summary.set_task_id(to_string(base::TaskId{rooms_.identity.id, rooms_.identity.epoch, task.sequence}));
    summary.set_function(task.function);
    summary.set_node(tasks.chooser().node_name(task.node));
    summary.set_attempt(task.attempt);
    summary.set_state(task.state == TaskState::kWaiting  ? v1::TASK_STATE_WAITING
                      : task.state == TaskState::kQueued ? v1::TASK_STATE_QUEUED
                                                         : v1::TASK_STATE_RUNNING);
    summary.set_age_seconds(seconds(task.age));
    if (task.left) summary.set_deadline_seconds(seconds(*task.left));
    summary.set_app(app_name(task.session));
    summary.set_origin(rooms_.settings.node.name);
  }
}

void AdminView::add_executed_attempts(v1::ListTasksResponse& response, std::uint32_t limit) const {
  const TaskFlow& tasks = rooms_.machine.tasks();
  std::map<base::FunctionId, std::string> names;
  for (const FunctionInfo& function : tasks.self().functions) names.emplace(function.id, function.name);
  std::uint32_t foreign = 0;
  for (const AttemptSummary& attempt : tasks.executor().attempts(rooms_.loop.now(), limit)) {
    if (attempt.key.origin == kSelf) continue;  // listed as the origin's task
    ++foreign;
    const NodeView* const origin = tasks.view().find(attempt.key.origin);
    v1::TaskSummary& summary = *response.add_tasks();
    summary.set_task_id(to_string(base::TaskId{origin->info->id, attempt.key.origin_life.epoch, attempt.key.sequence}));
    summary.set_function(names[attempt.function]);
    summary.set_node(rooms_.settings.node.name);
    summary.set_attempt(attempt.key.attempt);
    summary.set_state(attempt.state == AttemptSummary::State::kQueued    ? v1::TASK_STATE_QUEUED
                      : attempt.state == AttemptSummary::State::kRunning ? v1::TASK_STATE_RUNNING
                                                                         : v1::TASK_STATE_CANCELLING);
    summary.set_age_seconds(seconds(attempt.age));
    if (attempt.left) summary.set_deadline_seconds(seconds(*attempt.left));
    if (attempt.state != AttemptSummary::State::kQueued)
      summary.set_app(rooms_.machine.apps().name_of(attempt.session));
    summary.set_origin(origin->info->name);
  }
  response.set_total(response.total() + foreign);
}

// A pong that does not come ends with the peer, after timeouts.peer; the admin service's own deadline answers before.
void AdminView::ping(const std::string& node, base::Duration /*timeout*/, PingDone done) {
  const auto answer = [](const NodeView& view, base::Duration time) {
    v1::PingNodeResponse response;
    response.set_node(view.info->name);
    response.set_address(view.info->address);
    response.set_rtt_seconds(seconds(time));
    return response;
  };
  const ClusterView& view = rooms_.machine.tasks().view();
  if (node.empty()) return done(answer(view.self(), base::Duration(0)));
  const auto nodes = view.nodes();
  const auto named = [&](const NodeView& candidate) {
    return candidate.is_known && (candidate.info->name == node || to_string(candidate.info->id) == node);
  };
  // A lost namesake must not hide a living node of the same name.
  const auto alive_and_named = [&](const NodeView& candidate) { return candidate.alive && named(candidate); };
  if (std::count_if(nodes.begin(), nodes.end(), alive_and_named) > 1) {
    return done(absl::FailedPreconditionError("more than one node is named \"" + node +
                                              "\"; say which by its id, see `kaidoctl nodes -o json`"));
  }
  auto found = std::find_if(nodes.begin(), nodes.end(), alive_and_named);
  if (found == nodes.end()) found = std::find_if(nodes.begin(), nodes.end(), named);
  if (found == nodes.end()) {
    return done(absl::NotFoundError("no node named \"" + node + "\" is known; see `kaidoctl nodes`"));
  }
  if (found->index == kSelf) return done(answer(view.self(), base::Duration(0)));
  rooms_.operator_calls.ping(found->index,
                             [done = std::move(done), answer, target = *found](base::StatusOr<base::Duration> time) {
                               if (!time.ok()) return done(time.status());
                               done(answer(target, *time));
                             });
}

}  // namespace kaido::daemon
