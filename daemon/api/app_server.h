/// The shell for apps: accepts them on the Unix socket and drives one AppSession per connection.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "daemon/api/app_handler.h"
#include "daemon/core/session/app_session.h"
#include "daemon/net/address.h"
#include "daemon/net/transport.h"
#include "daemon/runtime/loop.h"
#include "daemon/runtime/timer.h"
#include "daemon/telemetry/log.h"
#include "proto/base/status.h"

namespace kaido::daemon {

struct AppServerOptions {
  Address address = Address::unix_socket("kaidod.sock");
  ListenOptions listen;
  AppSessionOptions session;
};

/// Plain numbers for metrics; they only grow.
struct AppServerCounters {
  std::uint64_t accepted = 0;           ///< said a proper hello
  std::uint64_t refused_handshake = 0;  ///< gone or refused before that
  std::uint64_t closed_violation = 0;   ///< broke the protocol after it
  std::uint64_t bad_frames = 0;         ///< broke the protocol, before or after it
  std::uint64_t closed_stalled = 0;     ///< did not read what it was sent
  std::uint64_t calls_over_credit = 0;  ///< answered `rejected`
};

/// One line of an operator's list.
struct AppSummary {
  std::uint32_t session = 0;
  std::string name;
  std::int64_t pid = 0;
  std::int64_t uid = 0;
  std::uint32_t calls_in_flight = 0;
};

/// Threading: confined to the node strand.
/// Lifetime: transport and handler outlive it. close_all() first for a polite end; destruction just drops connections.
class AppServer {
 public:
  AppServer(Loop& loop, Transport& transport, AppServerOptions options, AppHandler& handler, Logger log);
  ~AppServer();
  AppServer(const AppServer&) = delete;
  AppServer& operator=(const AppServer&) = delete;

  /// Errors: the transport's, for the socket.
  [[nodiscard]] base::Status start();

  /// New apps are refused from here on.
  void stop_listening() { listener_.reset(); }
  /// Says goodbye to every app; their sessions end.
  void close_all(const std::string& reason);

  // --- to apps; a session that is gone is ignored ---
  void deliver(std::uint32_t session, std::uint64_t call_id, wire::Outcome outcome, const TaskError* error,
               Payload payload);
  void dispatch(std::uint32_t session, std::uint32_t function_index, std::uint64_t call, std::uint32_t attempt,
                base::Duration budget, const wire::TraceContext& trace, std::span<const std::byte> info,
                Payload payload);
  void cancel_at_worker(std::uint32_t session, std::uint64_t call);

  [[nodiscard]] std::uint32_t app_count() const { return live_; }
  [[nodiscard]] std::vector<AppSummary> apps() const;
  /// The app's name for lists; empty if it is gone.
  [[nodiscard]] std::string app_name(std::uint32_t session) const;
  [[nodiscard]] AppServerCounters counters() const;
  /// Of connections open and closed.
  [[nodiscard]] ConnectionStats traffic() const;
  [[nodiscard]] std::size_t queued_bytes() const;
  /// Connections that were closed because there were too many.
  [[nodiscard]] std::uint64_t refused_by_limit() const {
    return listener_ != nullptr ? listener_->stats().refused_limit : 0;
  }

 private:
  class Link;

  /// A session id is a slot in the table and the slot's generation, so that a stale one finds nobody.
  struct Slot {
    std::unique_ptr<Link> link;
    std::uint16_t generation = 1;
  };
  static constexpr std::uint32_t kSlotBits = 18;
  static constexpr std::uint16_t kGenerations = 1U << (32 - kSlotBits);

  void accept(std::unique_ptr<Connection> connection);
  [[nodiscard]] Link* find(std::uint32_t session) const;
  void release(std::uint32_t session);
  void expire_handshakes();

  Loop& loop_;
  Transport& transport_;
  const AppServerOptions options_;
  AppHandler& handler_;
  Logger log_;
  std::unique_ptr<Listener> listener_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::uint32_t live_ = 0;
  AppServerCounters counters_;
  ConnectionStats closed_traffic_;
  /// Sessions in the order of their handshake deadlines; those that are through are skipped.
  std::deque<std::uint32_t> handshakes_;
  Timer handshake_timer_;
};

}  // namespace kaido::daemon
