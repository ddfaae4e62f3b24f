/// Logs, metrics and the service manager, as an operator sees them.
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/telemetry/catalogue.h"
#include "proto/base/histogram.h"
#include "daemon/telemetry/log.h"
#include "daemon/telemetry/metrics.h"
#include "daemon/telemetry/process_metrics.h"
#include "daemon/telemetry/prometheus_metrics.h"
#include "daemon/telemetry/service_notify.h"
#include "proto/base/utf8.h"
#include "proto/base/ids.h"

namespace kaido::daemon {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// ---- logs

template <class Write>
std::string logged(LogFormat format, Write write) {
  std::string out;
  write(Logger(make_memory_log({LogLevel::kDebug, format}, out), "gossip"));
  return out;
}

struct Loud {
  int* printed;
  [[nodiscard]] std::string to_string() const {
    ++*printed;
    return "loud";
  }
};

TEST(Log, TextShowsNamesAndValues) {
  const base::TaskId task{};
  EXPECT_EQ(
      logged(LogFormat::kText,
             [&](const Logger& log) {
               log.info("member suspected", {"node", "n7"}, {"count", 3}, {"late", true}, {"wait", milliseconds(2500)},
                        {"load", 0.5}, {"task", task}, {"left", std::size_t{7}}, {"delta", -1});
             }),
      "gossip: member suspected node=n7 count=3 late=true wait=2.5s load=0.5 task=00000000-0-0 left=7 delta=-1\n");
}

TEST(Log, JsonKeepsTypes) {
  EXPECT_EQ(
      logged(LogFormat::kJson,
             [](const Logger& log) {
               log.warn("slow", {"node", "n7"}, {"count", 3U}, {"late", false}, {"wait", microseconds(250)},
                        {"nan", std::numeric_limits<double>::quiet_NaN()});
             }),
      "{\"level\":\"warn\",\"component\":\"gossip\",\"message\":\"slow\",\"node\":\"n7\",\"count\":3,\"late\":false,"
      "\"wait\":0.00025,\"nan\":\"nan\"}\n");
}

TEST(Log, JournalLinesCarryThePriority) {
  EXPECT_EQ(logged(LogFormat::kJournal,
                   [](const Logger& log) {
                     log.debug("d");
                     log.info("i");
                     log.warn("w");
                     log.error("e", {"why", "no reason"});
                   }),
            "<7>gossip: d\n<6>gossip: i\n<4>gossip: w\n<3>gossip: e why=\"no reason\"\n");
}

TEST(Log, ValuesCannotForgeLinesOrFields) {
  const std::string evil = "a\nlevel=error \"x\"\\\x1b[31m\xe2\x80\xae\xff\x7f";
  EXPECT_EQ(logged(LogFormat::kText, [&](const Logger& log) { log.info("m", {"v", evil}, {"empty", ""}); }),
            "gossip: m v=\"a\\nlevel=error \\\"x\\\"\\\\\\u{1b}[31m\\u{202e}\\xff\\u{7f}\" empty=\"\"\n");
  EXPECT_EQ(logged(LogFormat::kJson, [&](const Logger& log) { log.info("m", {"v", evil}); }),
            "{\"level\":\"info\",\"component\":\"gossip\",\"message\":\"m\","
            "\"v\":\"a\\u000alevel=error \\\"x\\\"\\\\\\u001b[31m\\u202e\\ufffd\\u007f\"}\n");
}

TEST(Log, LongValuesAreCutBetweenCharacters) {
  std::string text = std::string(kMaxLogValueBytes - 1, 'x') + "\xc3\xa4";
  const std::string line = logged(LogFormat::kText, [&](const Logger& log) { log.info("m", {"v", text}); });
  EXPECT_EQ(line, "gossip: m v=\"" + std::string(kMaxLogValueBytes - 1, 'x') + "…\"\n");
}

TEST(Log, NothingIsFormattedWhileALevelIsOff) {
  std::string out;
  int printed = 0;
  const auto sink = make_memory_log({LogLevel::kWarn, LogFormat::kText}, out);
  const Logger log(sink, "x");
  log.info("quiet", {"loud", Loud{&printed}});
  EXPECT_EQ(printed, 0);
  EXPECT_EQ(out, "");
  sink->set_level(LogLevel::kInfo);
  log.named("y").info("heard", {"loud", Loud{&printed}});
  EXPECT_EQ(printed, 1);
  EXPECT_EQ(out, "y: heard loud=loud\n");
  sink->set_level(LogLevel::kOff);
  log.error("quiet again");
  EXPECT_EQ(out, "y: heard loud=loud\n");
  Logger().error("a logger without a sink is silent");
}

TEST(Log, StandardErrorGetsOneJsonObjectPerLine) {
  testing::internal::CaptureStderr();
  make_stderr_log({LogLevel::kInfo, LogFormat::kJson})
      ->write(LogLevel::kInfo, "kaidod", "started", {&LogField::none()});
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(line.starts_with("{\"time\":\"20")) << line;
  EXPECT_NE(line.find("Z\",\"level\":\"info\",\"component\":\"kaidod\",\"message\":\"started\"}\n"), std::string::npos)
      << line;
}

TEST(Log, AutoMeansJsonWhereNobodyLooks) {
  // Bazel's tests have neither a terminal nor a journal on standard error, and the captured stream is a file.
  testing::internal::CaptureStderr();
  unsetenv("JOURNAL_STREAM");
  EXPECT_EQ(detect_log_format(), LogFormat::kJson);
  struct stat status = {};
  ASSERT_EQ(fstat(STDERR_FILENO, &status), 0);
  setenv("JOURNAL_STREAM", (std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino)).c_str(), 1);
  EXPECT_EQ(detect_log_format(), LogFormat::kJournal);
  unsetenv("JOURNAL_STREAM");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Utf8, RefusesWhatIsNotUtf8) {
  for (const std::string_view good : {"a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) {
    EXPECT_TRUE(base::first_utf8_piece(good).valid);
    EXPECT_EQ(base::first_utf8_piece(good).size, good.size());
  }
  // A lone continuation, overlong forms, a surrogate, beyond Unicode, and a sequence that is cut short.
  for (const std::string_view bad :
       {"\x80", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\xc3"}) {
    EXPECT_FALSE(base::first_utf8_piece(bad).valid);
    EXPECT_EQ(base::first_utf8_piece(bad).size, 1);
  }
}

// ---- metrics

TEST(Histogram, CountsIntoBucketsThatDouble) {
  base::Histogram histogram = base::Histogram::of_seconds();
  histogram.record(base::Duration(-5));
  histogram.record(microseconds(1));
  histogram.record(base::Duration(1001));
  histogram.record(microseconds(2));
  histogram.record(microseconds(3));
  histogram.record(std::chrono::hours(1));
  EXPECT_EQ(histogram.buckets()[0], 2U);
  EXPECT_EQ(histogram.buckets()[1], 2U);
  EXPECT_EQ(histogram.buckets()[2], 1U);
  EXPECT_EQ(histogram.count(), 6U);
  EXPECT_DOUBLE_EQ(histogram.upper_bound(1), 2e-6);
  EXPECT_NEAR(histogram.sum(), 3600.000007001, 1e-9);
  std::uint64_t in_buckets = 0;
  for (const std::uint64_t count : histogram.buckets()) in_buckets += count;
  EXPECT_EQ(in_buckets, 5U);
}

bool has_line(const std::string& page, const std::string& line) {
  return ("\n" + page).find("\n" + line + "\n") != std::string::npos;
}

TEST(Metrics, PublishesCountersGaugesAndHistograms) {
  const auto metrics = make_prometheus_metrics();
  std::uint64_t spawned = 0;
  base::Histogram durations = base::Histogram::of_seconds();
  const auto registration = metrics->add_collector([&](MetricSink& sink) {
    sink.add(metric::kTaskSpawned, static_cast<double>(spawned));
    sink.add(metric::kTaskFinished, 2, {"timed_out"});
    sink.add(metric::kTaskFinished, 3, {"succeeded"});
    sink.add(metric::kTaskDuration, durations);
  });
  spawned = 41;
  durations.record(microseconds(3));
  const std::string page = metrics->serialize();
  EXPECT_TRUE(has_line(page, "# TYPE kaido_task_spawned_total counter")) << page;
  EXPECT_TRUE(has_line(page, "kaido_task_spawned_total 41")) << page;
  EXPECT_TRUE(has_line(page, "kaido_task_finished_total{outcome=\"timed_out\"} 2")) << page;
  EXPECT_TRUE(has_line(page, "kaido_task_finished_total{outcome=\"succeeded\"} 3")) << page;
  EXPECT_TRUE(has_line(page, "kaido_task_duration_seconds_bucket{le=\"4e-06\"} 1")) << page;
  EXPECT_TRUE(has_line(page, "kaido_task_duration_seconds_bucket{le=\"2e-06\"} 0")) << page;
  EXPECT_TRUE(has_line(page, "kaido_task_duration_seconds_bucket{le=\"+Inf\"} 1")) << page;
  EXPECT_TRUE(has_line(page, "kaido_task_duration_seconds_count 1")) << page;
  EXPECT_TRUE(has_line(page, "kaido_telemetry_scrapes_total 1")) << page;
}

TEST(Metrics, ReadsTheNumbersOfNowAndStopsWithTheRegistration) {
  const auto metrics = make_prometheus_metrics();
  double value = 1;
  {
    auto first = metrics->add_collector([&](MetricSink& sink) { sink.add(metric::kApiApps, value); });
    const auto moved = std::move(first);
    EXPECT_TRUE(has_line(metrics->serialize(), "kaido_api_apps 1"));
    value = 2;
    EXPECT_TRUE(has_line(metrics->serialize(), "kaido_api_apps 2"));
  }
  EXPECT_EQ(metrics->serialize().find("kaido_api_apps"), std::string::npos);
}

TEST(Metrics, NamesFromElsewhereCannotBreakThePage) {
  const auto metrics = make_prometheus_metrics();
  const auto registration =
      metrics->add_collector([](MetricSink& sink) { sink.add(metric::kGossipRoundTrip, 0.5, {"a\"}\n\\ \xff"}); });
  EXPECT_TRUE(
      has_line(metrics->serialize(), "kaido_gossip_round_trip_seconds{peer=\"a\\\"}\\n\\\\ \xef\xbf\xbd\"} 0.5"))
      << metrics->serialize();
}

TEST(Metrics, TooManyOrRepeatedSeriesAreDroppedAndCounted) {
  const auto metrics = make_prometheus_metrics();
  const auto registration = metrics->add_collector([](MetricSink& sink) {
    for (std::size_t i = 0; i < kMaxSeriesPerMetric + 3; ++i)
      sink.add(metric::kGossipRoundTrip, 1, {std::to_string(i)});
    sink.add(metric::kApiApps, 1);
    sink.add(metric::kApiApps, 2);
  });
  const std::string page = metrics->serialize();
  EXPECT_TRUE(has_line(page, "kaido_telemetry_series_dropped_total 4"));
  EXPECT_TRUE(has_line(page, "kaido_gossip_round_trip_seconds{peer=\"499\"} 1"));
  EXPECT_EQ(page.find("peer=\"500\""), std::string::npos);
  EXPECT_TRUE(has_line(page, "kaido_api_apps 1"));
  EXPECT_TRUE(has_line(metrics->serialize(), "kaido_telemetry_series_dropped_total 8"));
}

TEST(Metrics, NoneNeverAsks) {
  const auto metrics = make_no_metrics();
  const auto registration = metrics->add_collector([](MetricSink&) { FAIL() << "asked"; });
  EXPECT_EQ(metrics->serialize(), "");
}

double value_of(const std::string& page, const std::string& name) {
  const std::size_t at = ("\n" + page).find("\n" + name + " ");
  EXPECT_NE(at, std::string::npos) << name;
  return at == std::string::npos ? 0 : std::stod(page.substr(at + name.size()));
}

TEST(Metrics, DescribesTheProcess) {
  // A name that looks like the end of the field: /proc/self/stat must still be read right.
  ASSERT_EQ(prctl(PR_SET_NAME, "a) R 1 (b"), 0);
  const auto metrics = make_prometheus_metrics();
  const auto registration = metrics->add_collector(process_metrics("1.2.3", Logger()));
  const std::string page = metrics->serialize();
  EXPECT_NE(page.find("kaido_build_info{version=\"1.2.3\",compiler="), std::string::npos) << page;
  EXPECT_GT(value_of(page, "process_resident_memory_bytes"), 1 << 20);
  EXPECT_GE(value_of(page, "process_virtual_memory_bytes"), value_of(page, "process_resident_memory_bytes"));
  EXPECT_GE(value_of(page, "process_open_fds"), 3);
  EXPECT_LE(value_of(page, "process_open_fds"), value_of(page, "process_max_fds"));
  EXPECT_GE(value_of(page, "process_cpu_seconds_total"), 0);
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  EXPECT_NEAR(value_of(page, "process_start_time_seconds"), now, 3600);
}

std::string catalogue_as_markdown() {
  std::string table = "| metric | type | labels | meaning |\n|---|---|---|---|\n";
  for (const MetricDescriptor* descriptor : kMetricCatalogue) {
    std::string labels;
    for (std::size_t i = 0; i < descriptor->label_count(); ++i) {
      labels += (i == 0 ? "`" : ", `") + std::string(descriptor->labels[i]) + "`";
    }
    table += "| `" + std::string(descriptor->name) + "` | " + std::string(to_string(descriptor->type)) + " | " +
             labels + " | " + std::string(descriptor->help) + " |\n";
  }
  return table;
}

TEST(Catalogue, DocumentHoldsTheTable) {
  std::ifstream file("docs/operating/metrics.md");
  const std::string document{std::istreambuf_iterator<char>(file), {}};
  const std::string begin = "<!-- metrics: begin -->\n";
  const std::size_t from = document.find(begin);
  const std::size_t to = document.find("<!-- metrics: end -->");
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  EXPECT_EQ(document.substr(from + begin.size(), to - from - begin.size()), catalogue_as_markdown())
      << "docs/operating/metrics.md: replace what is between the two comments by the second text above";
}

TEST(Catalogue, NamesFollowTheConvention) {
  std::set<std::string_view> names;
  for (const MetricDescriptor* descriptor : kMetricCatalogue) {
    const std::string_view name = descriptor->name;
    EXPECT_TRUE(names.insert(name).second) << name << " is listed twice";
    EXPECT_TRUE(name.starts_with("kaido_") || name.starts_with("process_")) << name;
    EXPECT_EQ(name.ends_with("_total"), descriptor->type == MetricType::kCounter) << name;
    EXPECT_TRUE(descriptor->type != MetricType::kHistogram || name.ends_with("_seconds") || name.ends_with("_bytes"))
        << name;
    EXPECT_TRUE(descriptor->help.ends_with('.')) << name;
  }
}

// ---- the service manager

/// Stands in for systemd: the datagram socket that NOTIFY_SOCKET names.
class Manager {
 public:
  Manager() : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    setenv("NOTIFY_SOCKET", path_.c_str(), 1);
  }
  ~Manager() {
    unsetenv("NOTIFY_SOCKET");
    unlink(path_.c_str());
    close(fd_);
  }

  /// What was sent last; empty if nothing waits. A datagram on a Unix socket is there when the sender returns.
  [[nodiscard]] std::string received() const {
    std::array<char, 2048> buffer;
    const ssize_t size = recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    return size <= 0 ? std::string() : std::string(buffer.data(), static_cast<std::size_t>(size));
  }

 private:
  // Short enough for a socket's path, wherever the test's own folder is.
  std::string path_ = "/tmp/kaido-notify-" + std::to_string(getpid());
  int fd_;
};

TEST(ServiceNotify, SaysReadyStatusAndStopping) {
  const Manager manager;
  const ServiceNotify notify;
  notify.ready("listening");
  EXPECT_EQ(manager.received(), "READY=1\nSTATUS=listening");
  notify.status("2 peers\nREADY=1");
  EXPECT_EQ(manager.received(), "STATUS=2 peers READY=1");  // a name in the status cannot add an assignment
  notify.stopping("draining", seconds(30));
  EXPECT_EQ(manager.received(), "STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=30000000");
  notify.extend_timeout(milliseconds(5));
  EXPECT_EQ(manager.received(), "EXTEND_TIMEOUT_USEC=5000");
  notify.watchdog();
  EXPECT_EQ(manager.received(), "WATCHDOG=1");
  EXPECT_EQ(manager.received(), "");
}

TEST(ServiceNotify, AsksForHalfOfTheWatchdogsTime) {
  const ServiceNotify notify;
  EXPECT_EQ(notify.watchdog_interval(), std::nullopt);
  setenv("WATCHDOG_USEC", "4000000", 1);
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  EXPECT_EQ(notify.watchdog_interval(), seconds(2));
  setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(notify.watchdog_interval(), std::nullopt);
  unsetenv("WATCHDOG_USEC");
  unsetenv("WATCHDOG_PID");
}

TEST(ServiceNotify, DoesNothingWithoutAManager) {
  unsetenv("NOTIFY_SOCKET");
  const ServiceNotify notify;
  notify.ready("alone");
  setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
  notify.ready("the manager is gone");
  unsetenv("NOTIFY_SOCKET");
  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);
}

}  // namespace
}  // namespace kaido::daemon
