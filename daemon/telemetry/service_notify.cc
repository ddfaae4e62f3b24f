#include "daemon/telemetry/service_notify.h"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace kaido::daemon {
namespace {

constexpr std::size_t kMaxStatusBytes = 512;

/// A line break would start another assignment.
std::string status_line(std::string_view status) {
  std::string line = "STATUS=" + std::string(status.substr(0, kMaxStatusBytes));
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

std::string extend_line(base::Duration time) {
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
  return "EXTEND_TIMEOUT_USEC=" + std::to_string(microseconds);
}

}  // namespace

void ServiceNotify::send(const std::string& state) { static_cast<void>(sd_notify(0, state.c_str())); }

void ServiceNotify::ready(std::string_view status) const { send("READY=1\n" + status_line(status)); }

void ServiceNotify::status(std::string_view status) const { send(status_line(status)); }

void ServiceNotify::stopping(std::string_view status, base::Duration drain) const {
  send("STOPPING=1\n" + status_line(status) + "\n" + extend_line(drain));
}

void ServiceNotify::extend_timeout(base::Duration time) const { send(extend_line(time)); }

void ServiceNotify::watchdog() const { send("WATCHDOG=1"); }

std::optional<base::Duration> ServiceNotify::watchdog_interval() const {
  std::uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
  return std::chrono::microseconds(microseconds / 2);
}

}  // namespace kaido::daemon
