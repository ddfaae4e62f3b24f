/// The small HTTP side of a node: /healthz, /readyz and /metrics, for probes and for Prometheus.
///
///   HttpServer http(io_context, {.port = 9464}, {.readiness = ..., .metrics = ...});
///   KAIDO_RETURN_IF_ERROR(http.start());
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "daemon/admin/http_answer.h"
#include "proto/base/status.h"

namespace boost::asio {
class io_context;
}  // namespace boost::asio

namespace kaido::daemon {

/// Where it listens, and its bounds.
struct HttpServerOptions {
  /// A numeric address. The settings decide whether it may be another than loopback.
  std::string address = "127.0.0.1";
  /// 0: any free one, see HttpServer::port().
  std::uint16_t port = 0;
  /// More connections than this at a time are closed at once. Each holds at most `header_bytes_max` and its answer.
  std::size_t connections_max = 64;
  /// Request line and header fields. Larger: 431.
  std::size_t header_bytes_max = 8192;
  /// From the first wait for a request to its last header byte: the bound against slow senders, and on idle
  /// connections that are kept alive.
  std::chrono::milliseconds request_timeout{10000};
  /// How long the client may take to read its answer.
  std::chrono::milliseconds response_timeout{10000};
};

/// What happened since the start, for the metrics and for tests.
struct HttpServerCounters {
  std::uint64_t accepted = 0;
  std::uint64_t refused_limit = 0;
  /// Understood, and answered whatever the answer was.
  std::uint64_t requests = 0;
  /// Junk: not HTTP, too large, or with a body.
  std::uint64_t bad_requests = 0;
  /// A request that was begun and did not end, or an answer that was not read, in time.
  std::uint64_t timeouts = 0;
  /// Clients that went away in the middle of a request or an answer.
  std::uint64_t aborted = 0;
  /// Connections closed because nothing came: no request at all, or none any more. The latter is what keep-alive means.
  std::uint64_t closed_silent = 0;
  std::uint64_t closed_idle = 0;
  std::uint64_t accept_errors = 0;
  std::size_t open = 0;
};

/// Threading: confined to the thread that runs `io_context`; never blocks it.
/// Lifetime: stop() before destruction, and before `io_context` and what the sources refer to end.
class HttpServer {
 public:
  HttpServer(boost::asio::io_context& io_context, HttpServerOptions options, HttpSources sources);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Binds and listens. Errors: kInvalidArgument for an address that is none; kAlreadyExists if the port is taken;
  /// kPermissionDenied, kUnavailable as the system says.
  [[nodiscard]] base::Status start();

  /// Stops listening and closes every connection. The sources are not called afterwards. May be called twice.
  void stop();

  /// The port it listens on, after start().
  [[nodiscard]] std::uint16_t port() const;

  [[nodiscard]] HttpServerCounters counters() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace kaido::daemon
