/// One connection to a daemon's admin socket: the only part of kaidoctl that knows gRPC.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "proto/base/status.h"
#include "proto/kaido/v1/admin.pb.h"

namespace kaido::daemon {

/// connect()s to a Unix socket within the time. Returns the descriptor, or -errno: -EAGAIN if the time was over,
/// -ENOTSOCK for a file that is none.
[[nodiscard]] int connect_unix(const std::string& path, std::chrono::milliseconds timeout);

/// Blocking calls, each bounded by the timeout.
///
/// Threading: confined to one thread.
/// Errors: kUnavailable when the daemon closed the connection, kDeadlineExceeded when it took too long; else what the
/// service says (proto/kaido/v1/admin.proto).
class AdminClient {
 public:
  /// Takes a connected socket.
  AdminClient(int descriptor, std::chrono::milliseconds timeout);
  ~AdminClient();
  AdminClient(const AdminClient&) = delete;
  AdminClient& operator=(const AdminClient&) = delete;

  [[nodiscard]] base::StatusOr<v1::StatusResponse> status();
  [[nodiscard]] base::StatusOr<v1::ListNodesResponse> list_nodes();
  [[nodiscard]] base::StatusOr<v1::ListFunctionsResponse> list_functions();
  /// A limit of 0 leaves the bound to the daemon.
  [[nodiscard]] base::StatusOr<v1::ListTasksResponse> list_tasks(std::uint32_t limit);
  [[nodiscard]] base::StatusOr<v1::PingNodeResponse> ping(const std::string& node);
  [[nodiscard]] base::StatusOr<v1::DescribeFunctionResponse> describe_function(const std::string& name);
  /// Bounded by the request's own timeout, and a moment for the daemon to say so.
  [[nodiscard]] base::StatusOr<v1::CallResponse> call(const v1::CallRequest& request);

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace kaido::daemon
