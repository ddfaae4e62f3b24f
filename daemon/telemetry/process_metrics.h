/// The standard process_* metrics, read from /proc at the scrape, and kaido_build_info.
#pragma once

#include <string_view>

#include "daemon/telemetry/metrics.h"

namespace kaido::daemon {

/// A collector to hand to MetricsProvider::add_collector.
[[nodiscard]] MetricsProvider::Collector process_metrics(std::string_view version);

}  // namespace kaido::daemon
