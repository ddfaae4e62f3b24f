/// The MetricsProvider that publishes: prometheus-cpp's data model and text serializer over our collectors.
#pragma once

#include <cstddef>
#include <memory>

#include "daemon/telemetry/metrics.h"

namespace kaido::daemon {

/// Series of one family beyond this are dropped at the scrape and counted in kaido_telemetry_series_dropped_total.
/// Raising it costs memory here and in every Prometheus that scrapes; lowering it hides peers or functions of large
/// clusters.
inline constexpr std::size_t kMaxSeriesPerMetric = 500;

/// kaido_telemetry_* (about the scrapes themselves) is included; process_metrics.h adds the process.
[[nodiscard]] std::unique_ptr<MetricsProvider> make_prometheus_metrics();

}  // namespace kaido::daemon
