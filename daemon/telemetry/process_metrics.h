/// The standard process_* metrics, read from /proc at the scrape, kaido_build_info, and what became of log lines.
#pragma once

#include <string_view>

#include "daemon/telemetry/log.h"
#include "daemon/telemetry/metrics.h"

namespace kaido::daemon {

/// A collector to hand to MetricsProvider::add_collector.
[[nodiscard]] MetricsProvider::Collector process_metrics(std::string_view version, const Logger& log);

}  // namespace kaido::daemon
