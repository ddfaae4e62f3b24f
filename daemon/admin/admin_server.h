/// The admin API: gRPC on a Unix socket whose connections our own acceptor has let in.
///
/// gRPC never listens. This acceptor checks who connects (SO_PEERCRED), waits a bounded time for the first bytes of
/// HTTP/2, and only then hands the descriptor over; the gRPC server itself is created with the first such connection,
/// so that a node that nobody asks pays neither its memory nor its threads.
///
///   AdminServer admin(io_context, post, queries, {.socket_path = "/run/kaido/admin.sock"});
///   KAIDO_RETURN_IF_ERROR(admin.start());
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/admin/queries.h"
#include "proto/base/status.h"

namespace boost::asio {
class io_context;
}  // namespace boost::asio

namespace kaido::daemon {

/// Where the admin socket is, who may use it, and its bounds.
struct AdminServerOptions {
  std::string socket_path;
  /// The socket file's permissions. Who may ask is decided by peer credentials, so this is the first of two doors.
  mode_t socket_mode = 0600;
  /// Whose members may ask besides root and the daemon's own user. (The primary group, as the kernel reports it.)
  std::vector<gid_t> allowed_groups;
  /// More admin connections than this at a time are closed at once. Each costs about 100 KiB in gRPC.
  std::size_t connections_max = 16;
  /// How long a new connection may take to begin to speak HTTP/2.
  std::chrono::milliseconds handshake_timeout{5000};
  /// After how long without a call a connection is closed.
  std::chrono::milliseconds idle_timeout{60000};
  /// How long one question may wait for the node's loop, or for the answer to a ping, whatever the client allows.
  std::chrono::milliseconds call_timeout{10000};
  /// The most tasks that one answer lists.
  std::uint32_t tasks_max = 1000;
};

/// What happened at the admin socket since the start, for the metrics and for tests.
struct AdminServerCounters {
  std::uint64_t accepted = 0;
  /// By peer credentials.
  std::uint64_t refused_credentials = 0;
  /// More than `connections_max`.
  std::uint64_t refused_limit = 0;
  /// No complete HTTP/2 preface within `handshake_timeout`.
  std::uint64_t refused_silent = 0;
  /// Junk: something else than HTTP/2.
  std::uint64_t refused_foreign = 0;
  /// accept() itself failed (no descriptors left); it is tried again.
  std::uint64_t accept_errors = 0;
  std::size_t open = 0;
};

/// Threading: confined to the thread that runs `io_context`. gRPC's own threads are inside; they reach the node only
/// through `post`.
/// Lifetime: stop() before destruction, and before `queries` and `io_context` end.
class AdminServer {
 public:
  /// Runs a function on the loop thread, soon. Must be callable from any thread, also after the loop has ended (it then
  /// runs nothing).
  using Post = std::function<void(std::function<void()>)>;

  AdminServer(boost::asio::io_context& io_context, Post post, AdminQueries& queries, AdminServerOptions options);
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  /// Binds and listens. A socket file that nobody listens at is replaced.
  /// Errors: kAlreadyExists if another process listens there; kInvalidArgument for a path that is too long for a
  /// socket or names something else than a socket; kPermissionDenied, kNotFound, kUnavailable as the system says.
  [[nodiscard]] base::Status start();

  /// Closes everything, answers open questions with UNAVAILABLE, joins gRPC's threads and removes the socket file.
  /// Takes milliseconds and does not need the loop to run. May be called twice.
  void stop();

  [[nodiscard]] AdminServerCounters counters() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace kaido::daemon
