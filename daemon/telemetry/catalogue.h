/// Every metric the daemon publishes: the one table that rooms report against and docs/operating/metrics.md is checked
/// by.
///
/// To add one: declare it here, list it in kMetricCatalogue, describe it in docs/operating/metrics.md and report it
/// from its room's collector. Names are kaido_<room>_<noun>_<unit>; counters end in _total. Label values must be
/// bounded: outcomes, directions, reasons, peers' names; never task ids, addresses of apps or texts.
#pragma once

#include <array>

#include "daemon/telemetry/metrics.h"

namespace kaido::daemon {
namespace metric {

inline constexpr auto kCounter = MetricType::kCounter;
inline constexpr auto kGauge = MetricType::kGauge;
inline constexpr auto kHistogram = MetricType::kHistogram;

// The build and the node.
inline constexpr MetricDescriptor kBuildInfo{
    "kaido_build_info", "Always 1; the labels say what runs.", kGauge, {"version", "compiler"}};
inline constexpr MetricDescriptor kNodeInfo{
    "kaido_node_info", "Always 1; the labels say which node this is.", kGauge, {"node", "id"}};
inline constexpr MetricDescriptor kNodeEpoch{"kaido_node_epoch", "How often this node has started.", kGauge};
inline constexpr MetricDescriptor kNodeDraining{"kaido_node_draining", "1 while the node takes no new calls.", kGauge};
inline constexpr MetricDescriptor kNodeSlots{"kaido_node_slots", "Attempts that may run at once on this node.", kGauge};

// Apps and their sessions.
inline constexpr MetricDescriptor kApiApps{"kaido_api_apps", "Apps that are connected.", kGauge};
inline constexpr MetricDescriptor kApiAppsAccepted{"kaido_api_apps_accepted_total", "Apps that were welcomed.",
                                                   kCounter};
inline constexpr MetricDescriptor kApiAppsRefused{"kaido_api_apps_refused_total",
                                                  "App connections that were refused or closed for what they sent.",
                                                  kCounter,
                                                  {"reason"}};
inline constexpr MetricDescriptor kApiCallsInFlight{"kaido_api_calls_in_flight", "Calls of apps without a result yet.",
                                                    kGauge};

// Tasks, at their origin.
inline constexpr MetricDescriptor kTaskSpawned{"kaido_task_spawned_total", "Tasks that this node became the origin of.",
                                               kCounter};
inline constexpr MetricDescriptor kTaskFinished{
    "kaido_task_finished_total", "Tasks of this origin by their end.", kCounter, {"outcome"}};
inline constexpr MetricDescriptor kTaskInFlight{"kaido_task_in_flight", "Tasks of this origin without an end yet.",
                                                kGauge};
inline constexpr MetricDescriptor kTaskWaiting{"kaido_task_waiting", "Tasks that wait for a suitable node.", kGauge};
inline constexpr MetricDescriptor kTaskAttempts{"kaido_task_attempts_total", "Attempts that were sent to a node.",
                                                kCounter};
inline constexpr MetricDescriptor kTaskRetries{"kaido_task_retries_total", "Attempts after the first of their task.",
                                               kCounter};
inline constexpr MetricDescriptor kTaskRedirects{"kaido_task_redirects_total",
                                                 "Attempts that an executor gave back before they started.", kCounter};
inline constexpr MetricDescriptor kTaskLateResults{
    "kaido_task_late_results_total", "Results that were dropped because their fence did not match.", kCounter};
inline constexpr MetricDescriptor kTaskDuration{"kaido_task_duration_seconds",
                                                "From spawn to the end, of tasks of this origin.", kHistogram};

// Attempts, at their executor.
inline constexpr MetricDescriptor kExecutionAdmitted{"kaido_execution_admitted_total", "Attempts that were admitted.",
                                                     kCounter};
inline constexpr MetricDescriptor kExecutionRefused{
    "kaido_execution_refused_total", "Attempts that were not admitted.", kCounter, {"reason"}};
inline constexpr MetricDescriptor kExecutionFinished{
    "kaido_execution_finished_total", "Attempts by their end.", kCounter, {"outcome"}};
inline constexpr MetricDescriptor kExecutionQueued{"kaido_execution_queued", "Attempts that wait for a free slot.",
                                                   kGauge};
inline constexpr MetricDescriptor kExecutionRunning{"kaido_execution_running", "Attempts that run in worker apps.",
                                                    kGauge};
inline constexpr MetricDescriptor kExecutionQueueDuration{"kaido_execution_queue_duration_seconds",
                                                          "From admission to start, of attempts.", kHistogram};
inline constexpr MetricDescriptor kExecutionRunDuration{"kaido_execution_run_duration_seconds",
                                                        "From start to result, of attempts.", kHistogram};

// Functions on offer.
inline constexpr MetricDescriptor kRegistryFunctions{
    "kaido_registry_functions", "Functions that can be called.", kGauge, {"offered_by"}};
inline constexpr MetricDescriptor kRegistryRefused{
    "kaido_registry_refused_total", "Registrations of apps that were refused.", kCounter, {"reason"}};

// Peers.
inline constexpr MetricDescriptor kGossipPeers{
    "kaido_gossip_peers", "Configured or connected peers by state.", kGauge, {"state"}};
inline constexpr MetricDescriptor kGossipConnects{
    "kaido_gossip_connects_total", "Attempts to reach a peer by result.", kCounter, {"result"}};
inline constexpr MetricDescriptor kGossipLost{
    "kaido_gossip_peers_lost_total", "Links to peers that ended, by reason.", kCounter, {"reason"}};
inline constexpr MetricDescriptor kGossipNodesLost{
    "kaido_gossip_nodes_lost_total", "Nodes that counted as lost.", kCounter, {}};
inline constexpr MetricDescriptor kGossipEvents{
    "kaido_gossip_events_total", "What happened between nodes, by event.", kCounter, {"event"}};
inline constexpr MetricDescriptor kGossipRoundTrip{
    "kaido_gossip_round_trip_seconds", "Last round trip of a ping.", kGauge, {"peer"}};

// Connections, of apps and peers alike ("link" is app or peer).
inline constexpr MetricDescriptor kNetConnections{"kaido_net_connections", "Open connections.", kGauge, {"link"}};
inline constexpr MetricDescriptor kNetBytes{
    "kaido_net_bytes_total", "Bytes read and written.", kCounter, {"link", "direction"}};
inline constexpr MetricDescriptor kNetFrames{
    "kaido_net_frames_total", "Frames read and written.", kCounter, {"link", "direction"}};
inline constexpr MetricDescriptor kNetQueuedBytes{
    "kaido_net_queued_bytes", "Bytes that wait to be written.", kGauge, {"link"}};
inline constexpr MetricDescriptor kNetBadFrames{
    "kaido_net_bad_frames_total", "Connections closed for a bad frame.", kCounter, {"link"}};
inline constexpr MetricDescriptor kNetLimitHits{
    "kaido_net_limit_hits_total", "How often a limit held something back.", kCounter, {"limit"}};
inline constexpr MetricDescriptor kNetStreams{
    "kaido_net_streams_total", "Large payloads that came in chunks, by result.", kCounter, {"link", "result"}};

// What is kept for apps and peers.
inline constexpr MetricDescriptor kMemoryBytes{
    "kaido_memory_bytes", "Bytes kept for apps and peers.", kGauge, {"kind"}};
inline constexpr MetricDescriptor kMemoryBudget{
    "kaido_memory_budget_bytes", "Bytes that may be kept in all: limits.memory.", kGauge, {}};
inline constexpr MetricDescriptor kMemoryRefused{
    "kaido_memory_refused_total", "How often something was refused for want of memory.", kCounter, {"kind"}};

// Operators and probes.
inline constexpr MetricDescriptor kAdminConnections{
    "kaido_admin_connections_total",
    "Connections to the admin socket and to HTTP, by what became of them.",
    kCounter,
    {"server", "result"}};
inline constexpr MetricDescriptor kAdminHttpRequests{
    "kaido_admin_http_requests_total", "HTTP requests by how they went.", kCounter, {"result"}};
inline constexpr MetricDescriptor kAdminCalls{
    "kaido_admin_calls_total", "Calls of operators by their end.", kCounter, {"outcome"}};

// The loop.
inline constexpr MetricDescriptor kRuntimeTurns{"kaido_runtime_turns_total", "Turns of the event loop.", kCounter};

// Telemetry about itself.
inline constexpr MetricDescriptor kTelemetryScrapes{"kaido_telemetry_scrapes_total", "Times the metrics were read.",
                                                    kCounter};
inline constexpr MetricDescriptor kTelemetrySeriesDropped{
    "kaido_telemetry_series_dropped_total", "Series left out because their metric had too many.", kCounter};
inline constexpr MetricDescriptor kTelemetryLogLines{
    "kaido_telemetry_log_lines_total",
    "Lines of the log by what became of them; dropped: whoever reads it was too slow.",
    kCounter,
    {"result"}};

// The process, with the names that every Prometheus client uses.
inline constexpr MetricDescriptor kProcessCpu{"process_cpu_seconds_total", "User and system CPU time spent.", kCounter};
inline constexpr MetricDescriptor kProcessResident{"process_resident_memory_bytes", "Resident memory.", kGauge};
inline constexpr MetricDescriptor kProcessVirtual{"process_virtual_memory_bytes", "Virtual memory.", kGauge};
inline constexpr MetricDescriptor kProcessOpenFds{"process_open_fds", "Open file descriptors.", kGauge};
inline constexpr MetricDescriptor kProcessMaxFds{"process_max_fds", "Most file descriptors that may be open.", kGauge};
inline constexpr MetricDescriptor kProcessStart{"process_start_time_seconds", "Start, in seconds since 1970.", kGauge};

}  // namespace metric

inline constexpr std::array kMetricCatalogue = {
    &metric::kBuildInfo,
    &metric::kNodeInfo,
    &metric::kNodeEpoch,
    &metric::kNodeDraining,
    &metric::kNodeSlots,
    &metric::kApiApps,
    &metric::kApiAppsAccepted,
    &metric::kApiAppsRefused,
    &metric::kApiCallsInFlight,
    &metric::kTaskSpawned,
    &metric::kTaskFinished,
    &metric::kTaskInFlight,
    &metric::kTaskWaiting,
    &metric::kTaskAttempts,
    &metric::kTaskRetries,
    &metric::kTaskRedirects,
    &metric::kTaskLateResults,
    &metric::kTaskDuration,
    &metric::kExecutionAdmitted,
    &metric::kExecutionRefused,
    &metric::kExecutionFinished,
    &metric::kExecutionQueued,
    &metric::kExecutionRunning,
    &metric::kExecutionQueueDuration,
    &metric::kExecutionRunDuration,
    &metric::kRegistryFunctions,
    &metric::kRegistryRefused,
    &metric::kGossipPeers,
    &metric::kGossipConnects,
    &metric::kGossipLost,
    &metric::kGossipNodesLost,
    &metric::kGossipEvents,
    &metric::kGossipRoundTrip,
    &metric::kNetConnections,
    &metric::kNetBytes,
    &metric::kNetFrames,
    &metric::kNetQueuedBytes,
    &metric::kNetBadFrames,
    &metric::kNetLimitHits,
    &metric::kNetStreams,
    &metric::kMemoryBytes,
    &metric::kMemoryBudget,
    &metric::kMemoryRefused,
    &metric::kAdminConnections,
    &metric::kAdminHttpRequests,
    &metric::kAdminCalls,
    &metric::kRuntimeTurns,
    &metric::kTelemetryScrapes,
    &metric::kTelemetrySeriesDropped,
    &metric::kTelemetryLogLines,
    &metric::kProcessCpu,
    &metric::kProcessResident,
    &metric::kProcessVirtual,
    &metric::kProcessOpenFds,
    &metric::kProcessMaxFds,
    &metric::kProcessStart,
};

}  // namespace kaido::daemon
