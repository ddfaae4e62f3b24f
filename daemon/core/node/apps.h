/// The apps of this node: a session for each of their connections, and the words between them and the tasks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/node/connection_table.h"
#include "daemon/core/node/deadlines.h"
#include "daemon/core/session/app_session.h"
#include "daemon/core/task/attempt.h"
#include "proto/base/status.h"
#include "proto/base/time.h"
#include "proto/wire/frame.h"
#include "proto/wire/stream_end.h"

namespace kaido::daemon {

class Outbox;
class TaskFlow;
struct FrameOut;
enum class Unsent : std::uint8_t;

/// Plain numbers for metrics; they only grow.
struct AppCounters {
  std::uint64_t accepted = 0;           ///< said a proper hello
  std::uint64_t refused_handshake = 0;  ///< gone or refused before that
  std::uint64_t closed_violation = 0;   ///< broke the protocol after it
  std::uint64_t bad_frames = 0;         ///< broke the protocol, before or after it
  std::uint64_t closed_stalled = 0;     ///< did not read what it was sent
  std::uint64_t closed_silent = 0;      ///< was not heard of for timeouts.app
  std::uint64_t calls_over_credit = 0;  ///< answered `rejected`
};

/// Who is at the other end of an app's connection, as the kernel says.
struct AppIdentity {
  std::int64_t pid = 0;
  std::int64_t uid = -1;  ///< -1: not known
};

/// One line of an operator's list.
struct AppSummary {
  std::uint32_t session = 0;
  std::string name;
  AppIdentity identity;
  std::uint32_t calls_in_flight = 0;
  base::Duration since_heard{0};
  bool is_stalled = false;
};

/// A session is named by its connection's id. A part of the machine: NodeMachine owns it and calls it.
///
/// Threading: confined to the node strand.
/// Lifetime: `now`, tasks and outbox outlive it.
class Apps {
 public:
  Apps(const base::Instant& now, AppSessionOptions options, TaskFlow& tasks, Outbox& outbox);
  ~Apps();
  Apps(const Apps&) = delete;
  Apps& operator=(const Apps&) = delete;

  // --- from the shell ---
  ConnectionId opened(const AppIdentity& identity);
  void frame(ConnectionId connection, const wire::FrameView& frame);
  void malformed(ConnectionId connection, const base::Status& reason);
  /// A frame that could not be queued: its call ends with an error instead.
  void unsent(const FrameOut& frame, Unsent why);
  /// How the sending of a large result ended.
  void stream_ended(ConnectionId connection, std::uint64_t call_id, wire::StreamEnd end, wire::BodyFailure failure);
  /// Once a turn, after all that ended in it was told.
  void settle_lost_deliveries() {
    if (!lost_deliveries_.empty()) [[unlikely]]
      tell_lost_deliveries();
  }
  /// Its output waits: the app does not read. It is not read either, and gets no work, until drained().
  void congested(ConnectionId connection);
  void drained(ConnectionId connection);
  void closed(ConnectionId connection, const base::Status& reason);
  /// Bytes came that complete no frame yet: the app lives.
  void heard(ConnectionId connection);
  void handle_timeout();
  /// The node did not look at its connections for so long (NodeMachine::handle_timeout).
  void was_away(base::Duration time);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const { return deadlines_.next(); }

  // --- from the tasks; a session that is gone is ignored ---
  void deliver(std::uint32_t session, std::uint64_t call_id, TaskResult&& result);
  void dispatch(std::uint32_t session, Dispatch&& dispatch);
  void cancel_at_worker(std::uint32_t session, std::uint64_t call);

  /// Says goodbye to every app; their sessions end.
  void close_all(const std::string& reason);

  [[nodiscard]] bool has(ConnectionId connection) const { return links_.find(connection) != nullptr; }
  [[nodiscard]] std::uint32_t count() const { return links_.size(); }
  [[nodiscard]] std::vector<AppSummary> list() const;
  /// The app's name for lists; empty if it is gone.
  [[nodiscard]] std::string name_of(std::uint32_t session) const;
  [[nodiscard]] AppCounters counters() const;

 private:
  class Link;
  struct LostDelivery {
    ConnectionId connection;
    std::uint64_t call_id = 0;
    wire::BodyFailure failure{};
  };

  void tell_lost_deliveries();

  const base::Instant& now_;
  const AppSessionOptions options_;
  TaskFlow& tasks_;
  Outbox& outbox_;
  ConnectionTable<Link> links_;
  Deadlines deadlines_;
  std::vector<LostDelivery> lost_deliveries_;  ///< of this turn; no more than large results were under way
  AppCounters counters_;
};

}  // namespace kaido::daemon
