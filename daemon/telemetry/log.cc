#include "daemon/telemetry/log.h"

#include <spdlog/details/log_msg.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>

#include "daemon/telemetry/log_shape.h"

namespace kaido::daemon {
namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::off;
}

std::string shape(LogFormat format, const LogLine& line) {
  switch (format) {
    case LogFormat::kJson:
      return shape_json_tail(line);
    case LogFormat::kJournal:
      return shape_journal(line);
    case LogFormat::kText:
    case LogFormat::kAuto:
      return shape_text(line);
  }
  return shape_text(line);
}

/// What stands around a shaped line. The journal has its own clock.
std::string_view pattern(LogFormat format) {
  switch (format) {
    case LogFormat::kJson:
      return R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v)";
    case LogFormat::kJournal:
      return "%v";
    case LogFormat::kText:
    case LogFormat::kAuto:
      return "%Y-%m-%dT%H:%M:%S.%eZ %^%-7l%$ %v";
  }
  return "%v";
}

std::unique_ptr<spdlog::sinks::sink> make_spdlog_sink(LogFormat format) {
  std::unique_ptr<spdlog::sinks::sink> sink;
  if (format == LogFormat::kText) {
    sink = std::make_unique<spdlog::sinks::ansicolor_stderr_sink_mt>();  // colours on terminals only
  } else {
    sink = std::make_unique<spdlog::sinks::stderr_sink_mt>();
  }
  sink->set_formatter(
      std::make_unique<spdlog::pattern_formatter>(std::string(pattern(format)), spdlog::pattern_time_type::utc));
  return sink;
}

class SpdlogSink final : public LogSink {
 public:
  SpdlogSink(LogLevel level, LogFormat format) : LogSink(level), format_(format), sink_(make_spdlog_sink(format)) {}

  void write(LogLevel level, std::string_view component, std::string_view message,
             std::initializer_list<const LogField*> fields) override {
    const std::string text = shape(format_, LogLine{level, component, message, fields});
    sink_->log(spdlog::details::log_msg("kaidod", spdlog_level(level), text));
  }

 private:
  const LogFormat format_;
  const std::unique_ptr<spdlog::sinks::sink> sink_;  // a "_mt" sink: it has its own lock
};

class MemorySink final : public LogSink {
 public:
  MemorySink(const LogOptions& options, std::string& out)
      : LogSink(options.level), format_(options.format), out_(out) {}

  void write(LogLevel level, std::string_view component, std::string_view message,
             std::initializer_list<const LogField*> fields) override {
    const std::string text = shape(format_, LogLine{level, component, message, fields});
    const std::lock_guard lock(mutex_);
    if (format_ == LogFormat::kJson) out_ += '{';
    out_ += text;
    out_ += '\n';
  }

 private:
  const LogFormat format_;
  std::mutex mutex_;  // a leaf: protects out_
  std::string& out_;
};

/// Whether standard error is the stream that systemd connected to its journal ("<device>:<inode>").
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status = {};
  if (stream == nullptr || fstat(STDERR_FILENO, &status) != 0) return false;
  return stream == std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

}  // namespace

LogFormat detect_log_format() {
  if (stderr_is_journal()) return LogFormat::kJournal;
  return isatty(STDERR_FILENO) == 1 ? LogFormat::kText : LogFormat::kJson;
}

std::shared_ptr<LogSink> make_stderr_log(const LogOptions& options) {
  const LogFormat format = options.format == LogFormat::kAuto ? detect_log_format() : options.format;
  return std::make_shared<SpdlogSink>(options.level, format);
}

std::shared_ptr<LogSink> make_memory_log(const LogOptions& options, std::string& out) {
  return std::make_shared<MemorySink>(options, out);
}

}  // namespace kaido::daemon
