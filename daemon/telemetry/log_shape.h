/// How one line of the log is written: escaping and layout, without clocks or sinks.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "daemon/telemetry/log.h"

namespace kaido::daemon {

struct LogLine {
  LogLevel level = LogLevel::kInfo;
  std::string_view component;
  std::string_view message;
  std::initializer_list<const LogField*> fields;
};

[[nodiscard]] std::string_view to_string(LogLevel level);

/// `component: message key=value …`. Values that could be mistaken for something else are quoted; control characters
/// appear as \n, \xNN or \u{NNNN}.
[[nodiscard]] std::string shape_text(const LogLine& line);

/// `"level":…,"component":…,"message":…,"key":value}`: a JSON object without its opening brace, so that the sink can
/// put the time first.
[[nodiscard]] std::string shape_json_tail(const LogLine& line);

/// shape_text behind the priority that systemd's journal reads: "<3>" error to "<7>" debug.
[[nodiscard]] std::string shape_journal(const LogLine& line);

}  // namespace kaido::daemon
