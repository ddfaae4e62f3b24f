/// How much is logged, and in which shape: plain data that the settings carry and the log obeys.
#pragma once

#include <cstdint>

namespace kaido::daemon {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError, kOff };

enum class LogFormat : std::uint8_t {
  kAuto,     // journal under systemd, text on a terminal, JSON lines otherwise
  kText,     // a line for people: time, level, component, message, key=value
  kJson,     // one JSON object per line
  kJournal,  // text without time, behind the "<priority>" prefix that systemd reads
};

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kAuto;
};

}  // namespace kaido::daemon
