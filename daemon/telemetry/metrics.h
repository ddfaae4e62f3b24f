/// What the daemon counts, and who reads it.
///
/// Rooms keep plain numbers in their own structs: a `std::uint64_t` that is incremented, a base::Histogram that is an
/// array. Nothing on the call path locks, allocates or touches an atomic. When somebody scrapes, the provider calls
/// each registered collector, which reports its numbers:
///
///   auto registration = metrics.add_collector([&ledger](MetricSink& sink) {
///     sink.add(metric::kTaskSpawned, ledger.counters().spawned);
///     sink.add(metric::kTaskFinished, ledger.counters().timed_out, {"timed_out"});
///   });
///   std::string page = metrics.serialize();
///
/// Descriptors live in one table, catalogue.h, which a test compares with docs/operating/metrics.md.
///
/// Threading: confined to the node strand: collectors read what the strand writes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "proto/base/histogram.h"

namespace kaido::daemon {

enum class MetricType : std::uint8_t { kCounter, kGauge, kHistogram };

[[nodiscard]] std::string_view to_string(MetricType type);

/// One metric family. Text must live for ever: descriptors are constants.
struct MetricDescriptor {
  std::string_view name;  // kaido_<room>_<noun>_<unit>
  std::string_view help;
  MetricType type = MetricType::kCounter;
  std::array<std::string_view, 3> labels{};  // names; unused places are empty

  [[nodiscard]] constexpr std::size_t label_count() const {
    std::size_t count = 0;
    while (count < labels.size() && !labels[count].empty()) ++count;
    return count;
  }
};

/// Takes one scrape's samples. The number of label values must be the descriptor's (CHECKed), and so must the type.
class MetricSink {
 public:
  using LabelValues = std::initializer_list<std::string_view>;

  virtual ~MetricSink() = default;
  virtual void add(const MetricDescriptor& descriptor, double value, LabelValues labels = {}) = 0;
  virtual void add(const MetricDescriptor& descriptor, const base::Histogram& histogram, LabelValues labels = {}) = 0;
};

/// The seam between what is counted and how it is published.
/// Implementations: make_prometheus_metrics() (prometheus_metrics.h) and make_no_metrics().
///
/// Lifetime: outlives every registration.
class MetricsProvider {
 public:
  using Collector = std::function<void(MetricSink&)>;

  /// Ends the registration when destroyed; what the collector refers to must live as long.
  class Registration {
   public:
    Registration() = default;
    explicit Registration(std::function<void()> end) : end_(std::move(end)) {}
    Registration(Registration&& other) noexcept : end_(std::exchange(other.end_, nullptr)) {}
    Registration& operator=(Registration&& other) noexcept;
    ~Registration();

   private:
    std::function<void()> end_;
  };

  virtual ~MetricsProvider() = default;

  [[nodiscard]] virtual Registration add_collector(Collector collector) = 0;

  /// All families in Prometheus' text format (version 0.0.4), sorted by name.
  [[nodiscard]] virtual std::string serialize() = 0;

  /// The media type of serialize().
  [[nodiscard]] virtual std::string_view content_type() const = 0;
};

/// Publishes nothing and never calls a collector.
[[nodiscard]] std::unique_ptr<MetricsProvider> make_no_metrics();

}  // namespace kaido::daemon
