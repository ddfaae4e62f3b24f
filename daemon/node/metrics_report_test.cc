#include "daemon/node/metrics_report.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "daemon/telemetry/catalogue.h"

namespace kaido::daemon {
namespace {

/// Remembers which metrics were reported.
class Names final : public MetricSink {
 public:
  void add(const MetricDescriptor& descriptor, double, LabelValues labels) override { note(descriptor, labels.size()); }
  void add(const MetricDescriptor& descriptor, const base::Histogram&, LabelValues labels) override {
    note(descriptor, labels.size());
  }

  std::set<std::string> names;

 private:
  void note(const MetricDescriptor& descriptor, std::size_t labels) {
    EXPECT_EQ(labels, descriptor.label_count()) << descriptor.name;
    names.emplace(descriptor.name);
  }
};

TEST(MetricsReport, ReportsAllOfTheCatalogueThatIsTheNodes) {
  Loop loop;
  Settings settings;
  settings.node.name = "n1";
  Identity identity;
  identity.id.bytes[0] = 1;
  identity.epoch = base::Epoch{1};
  const Rooms rooms(loop, settings, identity, {.nonce = 1, .hash_seed = 2}, Logger());
  Names reported;
  report_metrics(rooms, reported);
  report_admin(AdminServerCounters(), HttpServerCounters(), reported);
  for (const MetricDescriptor* descriptor : kMetricCatalogue) {
    const std::string name(descriptor->name);
    // The process and the scrapes report themselves; a round trip needs a peer.
    if (name.starts_with("process_") || name.starts_with("kaido_telemetry_") || name == "kaido_build_info" ||
        name == "kaido_gossip_round_trip_seconds") {
      continue;
    }
    EXPECT_TRUE(reported.names.contains(name)) << name << " is documented, but nobody reports it";
  }
}

}  // namespace
}  // namespace kaido::daemon
