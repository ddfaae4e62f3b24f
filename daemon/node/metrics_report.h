/// What the rooms counted, as metrics: called at each scrape.
#pragma once

#include "daemon/admin/admin_server.h"
#include "daemon/admin/http_server.h"
#include "daemon/node/rooms.h"
#include "daemon/telemetry/metrics.h"

namespace kaido::daemon {

/// Of the servers that operators and probes use.
void report_admin(const AdminServerCounters& admin, const HttpServerCounters& http, MetricSink& sink);

/// Reports every metric of the catalogue but those and the process's own. Threading: on the node strand.
void report_metrics(const Rooms& rooms, MetricSink& sink);

}  // namespace kaido::daemon
