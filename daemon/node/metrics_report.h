/// What the rooms counted, as metrics: called at each scrape.
#pragma once

#include "daemon/node/rooms.h"
#include "daemon/telemetry/metrics.h"

namespace kaido::daemon {

/// Reports every metric of the catalogue but the process's own. Threading: on the node strand.
void report_metrics(const Rooms& rooms, MetricSink& sink);

}  // namespace kaido::daemon
