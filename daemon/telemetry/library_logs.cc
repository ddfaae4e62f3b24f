#include "daemon/telemetry/library_logs.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <memory>
#include <string>
#include <utility>

#include "daemon/telemetry/on_behalf_of.h"
#include "proto/base/check.h"

namespace kaido::daemon {
namespace {

struct Target {
  Logger protobuf;
  Logger grpc;
  google::protobuf::LogHandler* former = nullptr;
};

// The hooks carry no context, so there is no way but a global. Written only while no other thread uses the libraries.
std::unique_ptr<Target> target;

void say(const Logger& log, LogLevel level, const std::string& message, const char* file, int line) {
  const LogField what("what", message);
  const LogField where("at", std::string_view(file));
  const LogField number("line", line);
  const std::string* const sender = OnBehalfOf::current();
  const LogField from = sender != nullptr ? LogField("from", *sender) : LogField::none();
  switch (level) {
    case LogLevel::kError:
      return log.error("the library says", what, where, number, from);
    case LogLevel::kWarn:
      return log.warn("the library says", what, where, number, from);
    default:
      return log.debug("the library says", what, where, number, from);
  }
}

void on_protobuf(google::protobuf::LogLevel level, const char* file, int line, const std::string& message) {
  const LogLevel ours = level >= google::protobuf::LOGLEVEL_ERROR     ? LogLevel::kError
                        : level == google::protobuf::LOGLEVEL_WARNING ? LogLevel::kWarn
                                                                      : LogLevel::kDebug;
  say(target->protobuf, ours, message, file, line);
}

void on_grpc(gpr_log_func_args* line) {
  const LogLevel ours = line->severity == GPR_LOG_SEVERITY_ERROR ? LogLevel::kError : LogLevel::kDebug;
  say(target->grpc, ours, line->message, line->file, line->line);
}

}  // namespace

LibraryLogs::LibraryLogs(const Logger& log) {
  KAIDO_CHECK(target == nullptr);
  target = std::make_unique<Target>(Target{log.named("protobuf"), log.named("grpc")});
  target->former = google::protobuf::SetLogHandler(on_protobuf);
  gpr_set_log_function(on_grpc);
}

LibraryLogs::~LibraryLogs() {
  gpr_set_log_function(nullptr);
  google::protobuf::SetLogHandler(target->former);
  target.reset();
}

}  // namespace kaido::daemon
