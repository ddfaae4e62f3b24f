#include "daemon/node/metrics_report.h"

#include <string>

#include "daemon/telemetry/catalogue.h"
#include "proto/wire/outcome.h"

namespace kaido::daemon {
namespace {

void add(MetricSink& sink, const MetricDescriptor& descriptor, std::uint64_t value,
         MetricSink::LabelValues labels = {}) {
  sink.add(descriptor, static_cast<double>(value), labels);
}

void add_outcomes(MetricSink& sink, const MetricDescriptor& descriptor,
                  const std::uint64_t (&counts)[wire::kOutcomeCount]) {
  for (std::uint32_t i = 0; i < wire::kOutcomeCount; ++i) {
    add(sink, descriptor, counts[i], {wire::label(static_cast<wire::Outcome>(i))});
  }
}

void report_node(const Rooms& rooms, MetricSink& sink) {
  sink.add(metric::kNodeInfo, 1.0, {rooms.settings.node.name, to_string(rooms.identity.id)});
  add(sink, metric::kNodeEpoch, rooms.identity.epoch.value);
  add(sink, metric::kNodeDraining, rooms.machine.is_draining() ? 1 : 0);
  add(sink, metric::kNodeSlots, rooms.machine.tasks().executor().load().slots);
  add(sink, metric::kRuntimeTurns, rooms.loop.stats().turns);
}

void report_apps(const Rooms& rooms, MetricSink& sink) {
  const AppCounters counters = rooms.machine.apps().counters();
  std::uint64_t in_flight = 0;
  for (const AppSummary& app : rooms.machine.apps().list()) in_flight += app.calls_in_flight;
  add(sink, metric::kApiApps, rooms.machine.apps().count());
  add(sink, metric::kApiAppsAccepted, counters.accepted);
  add(sink, metric::kApiAppsRefused, counters.refused_handshake, {"handshake"});
  add(sink, metric::kApiAppsRefused, counters.closed_violation, {"violation"});
  add(sink, metric::kApiAppsRefused, counters.closed_stalled, {"stalled"});
  add(sink, metric::kApiAppsRefused, counters.closed_silent, {"silent"});
  add(sink, metric::kApiCallsInFlight, in_flight);
}

void report_tasks(const Rooms& rooms, MetricSink& sink) {
  const Ledger& ledger = rooms.machine.tasks().ledger();
  const LedgerCounters& counters = ledger.counters();
  add(sink, metric::kTaskSpawned, counters.submitted);
  add_outcomes(sink, metric::kTaskFinished, counters.delivered);
  add(sink, metric::kTaskInFlight, ledger.task_count());
  add(sink, metric::kTaskWaiting, ledger.waiting_count());
  add(sink, metric::kTaskAttempts, counters.attempts_sent);
  add(sink, metric::kTaskRetries, counters.retries);
  add(sink, metric::kTaskRedirects, counters.redirects);
  add(sink, metric::kTaskLateResults, counters.late_results_dropped);
  sink.add(metric::kTaskDuration, rooms.machine.tasks().durations().task);
}

void report_execution(const Rooms& rooms, MetricSink& sink) {
  const Executor& executor = rooms.machine.tasks().executor();
  const ExecutorCounters& counters = executor.counters();
  add(sink, metric::kExecutionAdmitted, counters.admitted);
  for (std::size_t i = 0; i < std::size(counters.redirected); ++i) {
    add(sink, metric::kExecutionRefused, counters.redirected[i], {name(static_cast<RedirectReason>(i))});
  }
  add_outcomes(sink, metric::kExecutionFinished, counters.finished);
  add(sink, metric::kExecutionQueued, executor.queued_count());
  add(sink, metric::kExecutionRunning, executor.running_count());
  sink.add(metric::kExecutionQueueDuration, rooms.machine.tasks().durations().queue);
  sink.add(metric::kExecutionRunDuration, rooms.machine.tasks().durations().run);
  std::uint64_t elsewhere = 0;
  for (const NodeView& node : rooms.machine.tasks().view().nodes()) {
    if (node.alive && node.index != kSelf) elsewhere += node.info->functions.size();
  }
  add(sink, metric::kRegistryFunctions, rooms.machine.tasks().self().functions.size(), {"self"});
  add(sink, metric::kRegistryFunctions, elsewhere, {"peers"});
  const RegistryCounters& refused = rooms.machine.tasks().registry().counters();
  add(sink, metric::kRegistryRefused, refused.refused_invalid, {"invalid"});
  add(sink, metric::kRegistryRefused, refused.refused_schema, {"schema"});
  add(sink, metric::kRegistryRefused, refused.refused_signature, {"signature"});
  add(sink, metric::kRegistryRefused, refused.refused_limit, {"limit"});
}

void report_peers(const Rooms& rooms, MetricSink& sink) {
  const PeerCounters& counters = rooms.machine.peers().counters();
  add(sink, metric::kGossipPeers, rooms.machine.peers().configured_count(), {"configured"});
  add(sink, metric::kGossipPeers, rooms.machine.peers().connected_count(), {"connected"});
  add(sink, metric::kGossipConnects, counters.connected, {"connected"});
  add(sink, metric::kGossipConnects, counters.connects_failed, {"unanswered"});
  add(sink, metric::kGossipConnects, counters.handshakes_failed, {"refused"});
  add(sink, metric::kGossipLost, counters.lost_silent, {"silent"});
  add(sink, metric::kGossipLost, counters.lost_closed, {"closed"});
  add(sink, metric::kGossipLost, counters.lost_violation, {"violation"});
  add(sink, metric::kGossipNodesLost, counters.nodes_lost);
  add(sink, metric::kGossipEvents, counters.links_replaced, {"link_replaced"});
  add(sink, metric::kGossipEvents, counters.link_full, {"link_full"});
  add(sink, metric::kGossipEvents, counters.announcements_refused, {"announcement_refused"});
  add(sink, metric::kGossipEvents, counters.replies_dropped, {"reply_dropped"});
  for (const PeerSummary& peer : rooms.machine.peers().list()) {
    if (!peer.round_trip) continue;
    sink.add(metric::kGossipRoundTrip, std::chrono::duration<double>(*peer.round_trip).count(),
             {rooms.machine.tasks().view().find(peer.node)->info->name});
  }
}

void report_link(MetricSink& sink, std::string_view link, std::uint64_t connections, const LinkTraffic& traffic,
                 std::uint64_t bad) {
  add(sink, metric::kNetConnections, connections, {link});
  add(sink, metric::kNetBytes, traffic.bytes.bytes_in, {link, "in"});
  add(sink, metric::kNetBytes, traffic.bytes.bytes_out, {link, "out"});
  add(sink, metric::kNetFrames, traffic.bytes.frames_in, {link, "in"});
  add(sink, metric::kNetFrames, traffic.bytes.frames_out, {link, "out"});
  add(sink, metric::kNetQueuedBytes, traffic.queued_bytes, {link});
  add(sink, metric::kNetBadFrames, bad, {link});
  const wire::StreamStats& streams = traffic.streams;
  add(sink, metric::kNetStreams, streams.begun, {link, "begun"});
  add(sink, metric::kNetStreams, streams.refused, {link, "refused"});
  add(sink, metric::kNetStreams, streams.stalled, {link, "stalled"});
  add(sink, metric::kNetStreams, streams.violations, {link, "violation"});
  add(sink, metric::kNetStreams, streams.stray_chunks, {link, "stray_chunk"});
}

void report_memory(const Rooms& rooms, MetricSink& sink) {
  const wire::MemoryBudget& memory = rooms.machine.memory();
  std::uint64_t refused = 0;
  for (std::size_t i = 0; i < wire::kMemoryKinds; ++i) {
    const auto kind = static_cast<wire::MemoryKind>(i);
    add(sink, metric::kMemoryBytes, memory.used(kind), {wire::name(kind)});
    add(sink, metric::kMemoryRefused, memory.refused(kind), {wire::name(kind)});
    refused += memory.refused(kind);
  }
  add(sink, metric::kMemoryBudget, memory.max());
  add(sink, metric::kNetLimitHits, refused, {"memory"});
}

void report_net(const Rooms& rooms, MetricSink& sink) {
  const AppCounters apps = rooms.machine.apps().counters();
  const LinkTraffic app_traffic = rooms.links.app_traffic();
  const LinkTraffic peer_traffic = rooms.links.peer_traffic();
  report_link(sink, "app", rooms.machine.apps().count(), app_traffic, apps.bad_frames);
  report_link(sink, "peer", rooms.machine.peers().connected_count(), peer_traffic,
              rooms.machine.peers().counters().bad_frames);
  const LedgerCounters& tasks = rooms.machine.tasks().ledger().counters();
  const ExecutorCounters& attempts = rooms.machine.tasks().executor().counters();
  add(sink, metric::kNetLimitHits, apps.calls_over_credit, {"calls_per_app"});
  add(sink, metric::kNetLimitHits, tasks.tasks_full, {"calls_per_node"});
  add(sink, metric::kNetLimitHits, tasks.waiting_full, {"waiting"});
  add(sink, metric::kNetLimitHits, tasks.kept_bytes_full, {"kept_bytes"});
  add(sink, metric::kNetLimitHits, rooms.machine.tasks().chooser().refused_count(), {"placements"});
  add(sink, metric::kNetLimitHits, rooms.machine.tasks().executor().times_overdue(), {"owed_results"});
  add(sink, metric::kNetLimitHits, attempts.redirected[static_cast<std::size_t>(RedirectReason::kQueueFull)],
      {"queue_length"});
  add(sink, metric::kNetLimitHits, apps.closed_stalled, {"queued_bytes_per_connection"});
  add(sink, metric::kNetLimitHits, app_traffic.refused_by_limit, {"max_apps"});
  add(sink, metric::kNetLimitHits, peer_traffic.refused_by_limit, {"max_peers"});
  add(sink, metric::kNetLimitHits, rooms.operator_calls.counters().refused_limit, {"operator_calls"});
}

}  // namespace

void report_admin(const AdminServerCounters& admin, const HttpServerCounters& http, MetricSink& sink) {
  add(sink, metric::kAdminConnections, admin.accepted, {"admin", "accepted"});
  add(sink, metric::kAdminConnections, admin.refused_credentials, {"admin", "refused_credentials"});
  add(sink, metric::kAdminConnections, admin.refused_limit, {"admin", "refused_limit"});
  add(sink, metric::kAdminConnections, admin.refused_silent, {"admin", "refused_silent"});
  add(sink, metric::kAdminConnections, admin.refused_foreign, {"admin", "refused_foreign"});
  add(sink, metric::kAdminConnections, admin.accept_errors, {"admin", "accept_error"});
  add(sink, metric::kAdminConnections, http.accepted, {"http", "accepted"});
  add(sink, metric::kAdminConnections, http.refused_limit, {"http", "refused_limit"});
  add(sink, metric::kAdminConnections, http.closed_silent, {"http", "closed_silent"});
  add(sink, metric::kAdminConnections, http.closed_idle, {"http", "closed_idle"});
  add(sink, metric::kAdminConnections, http.accept_errors, {"http", "accept_error"});
  add(sink, metric::kAdminHttpRequests, http.requests, {"answered"});
  add(sink, metric::kAdminHttpRequests, http.bad_requests, {"bad"});
  add(sink, metric::kAdminHttpRequests, http.timeouts, {"timeout"});
  add(sink, metric::kAdminHttpRequests, http.aborted, {"aborted"});
}

void report_metrics(const Rooms& rooms, MetricSink& sink) {
  report_node(rooms, sink);
  report_apps(rooms, sink);
  report_tasks(rooms, sink);
  report_execution(rooms, sink);
  report_peers(rooms, sink);
  report_net(rooms, sink);
  report_memory(rooms, sink);
  add_outcomes(sink, metric::kAdminCalls, rooms.operator_calls.counters().ended);
}

}  // namespace kaido::daemon
