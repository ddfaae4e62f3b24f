/// Structured logs: a constant message and named values.
///
///   Logger log = root.named("gossip");
///   log.info("member suspected", {"node", id}, {"incarnation", 3});
///
/// as text      2026-11-23T08:31:59.120Z info  gossip: member suspected node=8f0c… incarnation=3
/// as JSON      {"time":"2026-11-23T08:31:59.120Z","level":"info","component":"gossip","message":"member suspected",…}
/// under systemd  <6>gossip: member suspected node=8f0c… incarnation=3
///
/// A duration is seconds: "2.5s" as text, the number 2.5 in JSON.
///
/// Nothing is formatted, and no field is evaluated beyond its reference, while a level is off. Names and values come
/// from anywhere (apps, peers, files): control characters and whatever the shape needs are escaped, and values longer
/// than kMaxLogValueBytes are cut, so that one field can neither forge a line nor fill a disk. Never log payloads or
/// secrets.
///
/// Threading: Logger and LogSink are thread-safe. Logging never waits for whoever reads the log (log_queue.h).
/// Lifetime: a Logger shares its sink; a LogField must not outlive the full expression that made it.
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "daemon/telemetry/log_options.h"
#include "daemon/telemetry/log_queue.h"
#include "proto/base/time.h"

namespace kaido::daemon {

inline constexpr std::size_t kMaxLogValueBytes = 1024;

/// A name and a reference to a value: numbers, booleans, text, durations, and whatever has to_string(v),
/// v.to_string() or v.ToString(), which is called only if the line is written.
class LogField {
 public:
  enum class Kind : std::uint8_t { kNone, kSigned, kUnsigned, kDouble, kBool, kText, kDuration, kObject };
  using Print = std::string (*)(const void*);

  constexpr LogField() = default;

  template <class T>
  LogField(std::string_view key, const T& value) : key_(key) {  // NOLINT(google-explicit-constructor)
    if constexpr (std::same_as<T, bool>) {
      set(Kind::kBool).bool_ = value;
    } else if constexpr (std::is_floating_point_v<T>) {
      set(Kind::kDouble).double_ = static_cast<double>(value);
    } else if constexpr (std::signed_integral<T>) {
      set(Kind::kSigned).signed_ = value;
    } else if constexpr (std::unsigned_integral<T>) {
      set(Kind::kUnsigned).unsigned_ = value;
    } else if constexpr (std::convertible_to<const T&, std::string_view>) {
      set(Kind::kText).text_ = std::string_view(value);
    } else if constexpr (std::convertible_to<const T&, base::Duration>) {
      set(Kind::kDuration).signed_ = base::Duration(value).count();
    } else {
      set(Kind::kObject).object_ = &value;
      print_ = [](const void* object) -> std::string { return print_object(*static_cast<const T*>(object)); };
    }
  }

  [[nodiscard]] std::string_view key() const { return key_; }
  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] std::int64_t as_signed() const { return value_.signed_; }
  [[nodiscard]] std::uint64_t as_unsigned() const { return value_.unsigned_; }
  [[nodiscard]] double as_double() const { return value_.double_; }
  [[nodiscard]] bool as_bool() const { return value_.bool_; }
  [[nodiscard]] std::string_view as_text() const { return value_.text_; }
  [[nodiscard]] base::Duration as_duration() const { return base::Duration(value_.signed_); }
  [[nodiscard]] std::string print() const { return print_(value_.object_); }

  /// The absent field: what a log call's unused places hold.
  [[nodiscard]] static const LogField& none();

 private:
  union Value {
    std::int64_t signed_;
    std::uint64_t unsigned_;
    double double_;
    bool bool_;
    const void* object_;
    std::string_view text_;
    constexpr Value() : signed_(0) {}
  };

  Value& set(Kind kind) {
    kind_ = kind;
    return value_;
  }

  template <class T>
  static std::string print_object(const T& value) {
    if constexpr (requires { value.ToString(); }) {
      return value.ToString();
    } else if constexpr (requires { value.to_string(); }) {
      return std::string(value.to_string());
    } else {
      return std::string(to_string(value));  // found beside T
    }
  }

  std::string_view key_;
  Kind kind_ = Kind::kNone;
  Value value_;
  Print print_ = nullptr;
};

inline const LogField& LogField::none() {
  static constexpr LogField kNone;
  return kNone;
}

/// Where lines go. Implementations shape the line; whether it is written at all is the level's decision.
class LogSink {
 public:
  explicit LogSink(LogLevel level) : level_(level) {}
  virtual ~LogSink() = default;
  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;

  [[nodiscard]] LogLevel level() const { return level_.load(std::memory_order_relaxed); }
  /// May be changed while the daemon runs; lines that race with it may still go by the old level.
  void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }

  /// `fields` may hold absent ones; they are skipped.
  virtual void write(LogLevel level, std::string_view component, std::string_view message,
                     std::initializer_list<const LogField*> fields) = 0;
  /// None where nothing is ever dropped.
  [[nodiscard]] virtual LogCounters counters() const { return {}; }

 private:
  std::atomic<LogLevel> level_;
};

/// A named source of lines; cheap to copy. A default-constructed one is silent.
class Logger {
 public:
  Logger() = default;
  explicit Logger(std::shared_ptr<LogSink> sink, std::string component = "kaidod")
      : sink_(std::move(sink)), component_(std::move(component)) {}

  /// The same sink under another name.
  [[nodiscard]] Logger named(std::string component) const { return Logger(sink_, std::move(component)); }

  [[nodiscard]] bool enabled(LogLevel level) const { return sink_ != nullptr && level >= sink_->level(); }

  [[nodiscard]] LogCounters counters() const { return sink_ == nullptr ? LogCounters() : sink_->counters(); }

#define KAIDO_LOG_VERB(verb, level)                                                                               \
  void verb(std::string_view message, const LogField& a = LogField::none(), const LogField& b = LogField::none(), \
            const LogField& c = LogField::none(), const LogField& d = LogField::none(),                           \
            const LogField& e = LogField::none(), const LogField& f = LogField::none(),                           \
            const LogField& g = LogField::none(), const LogField& h = LogField::none()) const {                   \
    if (enabled(level)) sink_->write(level, component_, message, {&a, &b, &c, &d, &e, &f, &g, &h});               \
  }

  KAIDO_LOG_VERB(debug, LogLevel::kDebug)
  KAIDO_LOG_VERB(info, LogLevel::kInfo)
  KAIDO_LOG_VERB(warn, LogLevel::kWarn)  // a human may have to act
  KAIDO_LOG_VERB(error, LogLevel::kError)
#undef KAIDO_LOG_VERB

 private:
  std::shared_ptr<LogSink> sink_;
  std::string component_;
};

/// Lines to standard error, by a thread of the sink's own; its end flushes them. kAuto is resolved here, once.
[[nodiscard]] std::shared_ptr<LogSink> make_stderr_log(const LogOptions& options);

/// What kAuto stands for in this process: journal if standard error is the journal's, text if a terminal, else JSON.
[[nodiscard]] LogFormat detect_log_format();

/// Lines appended to `out`, which must outlive the sink: for tests. Time is left out; kAuto means text.
[[nodiscard]] std::shared_ptr<LogSink> make_memory_log(const LogOptions& options, std::string& out);

}  // namespace kaido::daemon
