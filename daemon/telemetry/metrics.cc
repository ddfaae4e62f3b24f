#include "daemon/telemetry/metrics.h"

namespace kaido::daemon {
namespace {

class NoMetrics final : public MetricsProvider {
 public:
  Registration add_collector(Collector /*collector*/) override { return {}; }
  std::string serialize() override { return {}; }
  [[nodiscard]] std::string_view content_type() const override { return "text/plain; charset=utf-8"; }
};

}  // namespace

std::string_view to_string(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kHistogram:
      return "histogram";
  }
  return "unknown";
}

MetricsProvider::Registration& MetricsProvider::Registration::operator=(Registration&& other) noexcept {
  if (this != &other) {
    if (end_) end_();
    end_ = std::exchange(other.end_, nullptr);
  }
  return *this;
}

MetricsProvider::Registration::~Registration() {
  if (end_) end_();
}

std::unique_ptr<MetricsProvider> make_no_metrics() { return std::make_unique<NoMetrics>(); }

}  // namespace kaido::daemon
