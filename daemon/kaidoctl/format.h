/// The daemon's answers as text for people or JSON for scripts: pure functions from message to string.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/kaidoctl/table.h"
#include "proto/base/status.h"
#include "proto/kaido/v1/admin.pb.h"

namespace kaido::daemon {

[[nodiscard]] std::string format_status(const v1::StatusResponse& response, Style style);
[[nodiscard]] std::string format_nodes(const v1::ListNodesResponse& response, Style style);
[[nodiscard]] std::string format_functions(const v1::ListFunctionsResponse& response, Style style);
[[nodiscard]] std::string format_tasks(const v1::ListTasksResponse& response, Style style);

/// One node's answer to `kaidoctl ping`, or why there was none.
struct PingOutcome {
  std::string node;
  std::string address;
  double rtt_seconds = 0;
  /// Empty: it answered.
  std::string error;
};

[[nodiscard]] std::string format_pings(const std::vector<PingOutcome>& pings, Style style);
/// {"pings": [{"node": ..., "address": ..., "rtt_seconds": ...} or {"node": ..., "error": ...}]}
[[nodiscard]] base::StatusOr<std::string> pings_to_json(const std::vector<PingOutcome>& pings);

/// A call that did not succeed: what became of it, and each node's reason where there are some. Says nothing twice.
[[nodiscard]] std::string format_failure(std::string_view function, const v1::CallResponse& response);

/// Protobuf's JSON with the field names of admin.proto, every field present, states as lower-case words, indented,
/// ending with a newline. Errors: kInternal for what JSON cannot say, such as text that is not UTF-8.
[[nodiscard]] base::StatusOr<std::string> to_json(const google::protobuf::Message& message);

/// Why no daemon could be asked at `path`, and what to do; `error` is connect()'s errno.
[[nodiscard]] std::string explain_unreachable(std::string_view path, int error);
/// The same for a daemon that accepted the connection and closed it; `reason` is gRPC's.
[[nodiscard]] std::string explain_refused(std::string_view path, std::string_view reason);

}  // namespace kaido::daemon
