#include "daemon/telemetry/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

#include "daemon/telemetry/catalogue.h"

namespace kaido::daemon {
namespace {

/// The fields of /proc/self/stat that are published; see proc(5).
struct ProcessStat {
  double user_ticks = 0;
  double system_ticks = 0;
  double start_ticks = 0;
  double virtual_bytes = 0;
  double resident_pages = 0;
};

std::string read_file(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

ProcessStat read_process_stat() {
  const std::string text = read_file("/proc/self/stat");
  ProcessStat stat;
  // The second field is the program's name in parentheses, which may itself hold spaces and parentheses.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return stat;
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  for (int number = 3; number <= 24 && fields >> field; ++number) {
    if (number == 14) stat.user_ticks = std::stod(field);
    if (number == 15) stat.system_ticks = std::stod(field);
    if (number == 22) stat.start_ticks = std::stod(field);
    if (number == 23) stat.virtual_bytes = std::stod(field);
    if (number == 24) stat.resident_pages = std::stod(field);
  }
  return stat;
}

double read_boot_time() {
  std::ifstream file("/proc/stat");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("btime ")) return std::stod(line.substr(6));
  }
  return 0;
}

double count_open_fds() {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; it != end && !error; it.increment(error))
    ++count;
  return count > 0 ? count - 1 : 0;  // one is the folder that was just read
}

double max_fds() {
  rlimit limit = {};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<double>(limit.rlim_cur) : 0;
}

}  // namespace

MetricsProvider::Collector process_metrics(std::string_view version, const Logger& log) {
  return [version = std::string(version), log, boot = read_boot_time()](MetricSink& sink) {
    const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
    const ProcessStat stat = read_process_stat();
    sink.add(metric::kBuildInfo, 1, {version, __VERSION__});
    const LogCounters lines = log.counters();
    sink.add(metric::kTelemetryLogLines, static_cast<double>(lines.written), {"written"});
    sink.add(metric::kTelemetryLogLines, static_cast<double>(lines.dropped), {"dropped"});
    sink.add(metric::kProcessCpu, (stat.user_ticks + stat.system_ticks) / ticks_per_second);
    sink.add(metric::kProcessResident, stat.resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE)));
    sink.add(metric::kProcessVirtual, stat.virtual_bytes);
    sink.add(metric::kProcessOpenFds, count_open_fds());
    sink.add(metric::kProcessMaxFds, max_fds());
    sink.add(metric::kProcessStart, boot + stat.start_ticks / ticks_per_second);
  };
}

}  // namespace kaido::daemon
