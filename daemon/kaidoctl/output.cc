#include "daemon/kaidoctl/output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "daemon/kaidoctl/format.h"

namespace kaido::daemon {

ExitCode complain(ExitCode code, std::string_view message) {
  std::fprintf(stderr, "kaidoctl: %.*s\n", static_cast<int>(message.size()), message.data());
  return code;
}

ExitCode print(const base::StatusOr<std::string>& text, ExitCode code) {
  if (!text.ok()) {
    return complain(ExitCode::kFailed, std::string(text.status().message()));
  }
  if (std::fwrite(text->data(), 1, text->size(), stdout) != text->size() || std::fflush(stdout) != 0) {
    return complain(ExitCode::kFailed, std::string("cannot write to standard output: ") + std::strerror(errno));
  }
  return code;
}

ExitCode explain(const base::Status& status, const Options& options) {
  if (absl::IsUnavailable(status)) {
    return complain(ExitCode::kUnreachable, explain_refused(options.socket, std::string(status.message())));
  }
  if (absl::IsDeadlineExceeded(status)) {
    return complain(ExitCode::kUnreachable, "the daemon at " + options.socket +
                                                " did not answer in time\n  it may be overloaded or stopped; "
                                                "a longer --timeout may help");
  }
  return complain(ExitCode::kFailed, std::string(status.message()));
}

}  // namespace kaido::daemon
