/// Tells the service manager how the daemon is doing (systemd's sd_notify protocol).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proto/base/time.h"

namespace kaido::daemon {

/// Without NOTIFY_SOCKET in the environment every call does nothing: the daemon runs the same under a shell.
/// READY means that the settings are good, the state is read and the sockets listen; peers may still be missing.
///
/// Threading: thread-safe; each call sends one datagram and does not wait.
/// Errors: none; a service manager that does not listen is not our failure.
class ServiceNotify {
 public:
  /// What a human sees in `systemctl status`.
  void ready(std::string_view status) const;
  void status(std::string_view status) const;
  /// From here on the daemon drains; the manager waits for it at least `drain` long.
  void stopping(std::string_view status, base::Duration drain) const;
  /// Asks for more time while starting or stopping; each call grants `time` from now.
  void extend_timeout(base::Duration time) const;
  /// "I am alive"; to be sent from a loop that has looked after all others, at watchdog_interval().
  void watchdog() const;
  /// How often to call watchdog(): half of what the manager waits; none if it does not watch this process.
  [[nodiscard]] std::optional<base::Duration> watchdog_interval() const;

 private:
  static void send(const std::string& state);
};

}  // namespace kaido::daemon
