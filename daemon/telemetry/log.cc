#include "daemon/telemetry/log.h"

#include <spdlog/details/log_msg.h>
#include <spdlog/pattern_formatter.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <utility>

#include "daemon/telemetry/log_shape.h"
#include "daemon/telemetry/log_writer.h"

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

/// The escape sequence that a terminal shows a level in; spdlog's choice of colours.
std::string_view colour(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "\x1b[36m";
    case LogLevel::kInfo:
      return "\x1b[32m";
    case LogLevel::kWarn:
      return "\x1b[33m\x1b[1m";
    case LogLevel::kError:
      return "\x1b[31m\x1b[1m";
    case LogLevel::kOff:
      return "";
  }
  return "";
}

/// Whole lines, with time and line break.
///
/// Threading: thread-safe.
class LineFormatter final {
 public:
  LineFormatter(LogFormat format, bool coloured)
      : format_(format),
        coloured_(coloured),
        around_(std::string(pattern(format)), spdlog::pattern_time_type::utc, "\n") {}

  std::string format(const LogLine& line) {
    const std::string text = shape(format_, line);
    const spdlog::details::log_msg message("kaidod", spdlog_level(line.level), text);
    spdlog::memory_buf_t whole;
    {
      const std::lock_guard lock(mutex_);
      around_.format(message, whole);
    }
    std::string result(whole.data(), whole.size());
    if (coloured_ && message.color_range_end > message.color_range_start) {
      result.insert(message.color_range_end, "\x1b[m");
      result.insert(message.color_range_start, colour(line.level));
    }
    return result;
  }

 private:
  const LogFormat format_;
  const bool coloured_;
  std::mutex mutex_;  // a leaf: around_ caches the last second
  spdlog::pattern_formatter around_;
};

/// Formats on the caller's thread, which is where the values live; writes on its own.
class QueuedSink final : public LogSink {
 public:
  QueuedSink(LogLevel level, LogFormat format, int descriptor)
      : LogSink(level),
        formatter_(std::make_shared<LineFormatter>(format, format == LogFormat::kText && isatty(descriptor) == 1)),
        writer_(descriptor, LogQueue([formatter = formatter_](std::uint64_t dropped) {
                  const LogField count("dropped", dropped);
                  return formatter->format(
                      {LogLevel::kWarn, "log", "lines are missing here: they were not read in time", {&count}});
                })) {}

  void write(LogLevel level, std::string_view component, std::string_view message,
             std::initializer_list<const LogField*> fields) override {
    writer_.push(formatter_->format(LogLine{level, component, message, fields}));
  }
  [[nodiscard]] LogCounters counters() const override { return writer_.counters(); }

 private:
  const std::shared_ptr<LineFormatter> formatter_;
  LogWriter writer_;
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
  return std::make_shared<QueuedSink>(options.level, format, STDERR_FILENO);
}

std::shared_ptr<LogSink> make_memory_log(const LogOptions& options, std::string& out) {
  return std::make_shared<MemorySink>(options, out);
}

}  // namespace kaido::daemon
