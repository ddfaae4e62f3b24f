#include "daemon/telemetry/prometheus_metrics.h"

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "daemon/telemetry/catalogue.h"
#include "proto/base/utf8.h"
#include "proto/base/check.h"

namespace kaido::daemon {
namespace {

prometheus::MetricType prometheus_type(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return prometheus::MetricType::Counter;
    case MetricType::kGauge:
      return prometheus::MetricType::Gauge;
    case MetricType::kHistogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

/// Prometheus refuses a whole page for one invalid byte, and names come from other hosts.
std::string as_utf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const base::Utf8Piece piece = base::first_utf8_piece(text);
    out += piece.valid ? text.substr(0, piece.size) : std::string_view("\xef\xbf\xbd");
    text.remove_prefix(piece.size);
  }
  return out;
}

/// One scrape in the making.
class Scrape final : public MetricSink {
 public:
  using MetricSink::add;

  void add(const MetricDescriptor& descriptor, double value, LabelValues labels) override {
    KAIDO_CHECK(descriptor.type != MetricType::kHistogram);
    prometheus::ClientMetric* series = add_series(descriptor, labels);
    if (series == nullptr) return;
    (descriptor.type == MetricType::kCounter ? series->counter.value : series->gauge.value) = value;
  }

  void add(const MetricDescriptor& descriptor, const base::Histogram& histogram, LabelValues labels) override {
    KAIDO_CHECK(descriptor.type == MetricType::kHistogram);
    prometheus::ClientMetric* series = add_series(descriptor, labels);
    if (series == nullptr) return;
    series->histogram.sample_count = histogram.count();
    series->histogram.sample_sum = histogram.sum();
    std::uint64_t cumulative = 0;
    for (std::size_t i = 0; i < base::Histogram::kBuckets; ++i) {
      cumulative += histogram.buckets()[i];
      series->histogram.bucket.push_back({cumulative, histogram.upper_bound(i)});
    }
  }

  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

  /// Sorted by name. The object is empty afterwards.
  [[nodiscard]] std::vector<prometheus::MetricFamily> take() {
    std::vector<prometheus::MetricFamily> families;
    for (auto& [name, family] : families_) families.push_back(std::move(family.published));
    families_.clear();
    return families;
  }

 private:
  struct Family {
    prometheus::MetricFamily published;
    std::set<std::vector<std::string>> seen;
  };

  /// The new series, or null if there are too many or it repeats one: both would cost the operator the whole page.
  prometheus::ClientMetric* add_series(const MetricDescriptor& descriptor, LabelValues labels) {
    KAIDO_CHECK(labels.size() == descriptor.label_count());
    Family& family = families_[std::string(descriptor.name)];
    std::vector<std::string> values;
    for (const std::string_view value : labels) values.push_back(as_utf8(value));
    if (family.seen.size() >= kMaxSeriesPerMetric || !family.seen.insert(values).second) {
      ++dropped_;
      return nullptr;
    }
    if (family.seen.size() == 1) {
      family.published.name = descriptor.name;
      family.published.help = descriptor.help;
      family.published.type = prometheus_type(descriptor.type);
    }
    prometheus::ClientMetric& series = family.published.metric.emplace_back();
    for (std::size_t i = 0; i < values.size(); ++i) {
      series.label.push_back({std::string(descriptor.labels[i]), std::move(values[i])});
    }
    return &series;
  }

  std::map<std::string, Family> families_;
  std::uint64_t dropped_ = 0;
};

class PrometheusMetrics final : public MetricsProvider, private prometheus::Collectable {
 public:
  ~PrometheusMetrics() override { KAIDO_CHECK(collectors_.empty()); }

  Registration add_collector(Collector collector) override {
    const std::uint64_t id = next_id_++;
    collectors_.emplace(id, std::move(collector));
    return Registration([this, id] { collectors_.erase(id); });
  }

  std::string serialize() override {
    ++scrapes_;
    std::ostringstream page;
    prometheus::TextSerializer().Serialize(page, Collect());
    return std::move(page).str();
  }

  [[nodiscard]] std::string_view content_type() const override { return "text/plain; version=0.0.4; charset=utf-8"; }

 private:
  [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override {
    Scrape scrape;
    for (const auto& [id, collect] : collectors_) collect(scrape);
    dropped_ += scrape.dropped();
    scrape.add(metric::kTelemetryScrapes, static_cast<double>(scrapes_), {});
    scrape.add(metric::kTelemetrySeriesDropped, static_cast<double>(dropped_), {});
    return scrape.take();
  }

  std::map<std::uint64_t, Collector> collectors_;
  std::uint64_t next_id_ = 1;
  std::uint64_t scrapes_ = 0;
  mutable std::uint64_t dropped_ = 0;  // Collectable's Collect() is const, and dropping is only known there
};

}  // namespace

std::unique_ptr<MetricsProvider> make_prometheus_metrics() { return std::make_unique<PrometheusMetrics>(); }

}  // namespace kaido::daemon
