/// One app's connection as a state machine: handshake, functions, prepared templates, calls in flight.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/session/messages.h"
#include "daemon/core/task/attempt.h"
#include "daemon/core/view/placement.h"
#include "proto/base/ids.h"
#include "proto/base/status.h"
#include "proto/base/time.h"
#include "proto/wire/frame.h"
#include "proto/wire/handshake.h"
#include "proto/wire/limits.h"
#include "proto/wire/outcome.h"

namespace kaido::daemon {

/// What a node tells its apps, and the bounds that it holds them to.
struct AppSessionOptions {
  base::NodeId node_id;
  std::string node_name;
  base::Epoch epoch;
  wire::VersionRange versions = wire::kVersions;
  std::uint64_t features = wire::kFeatures;
  std::uint32_t credits = wire::kCallsPerApp;         ///< limits.calls_per_app
  std::uint32_t templates_max = wire::kMaxTemplates;  ///< limits.templates_per_connection
  std::uint32_t max_frame_bytes = wire::kMaxFrameBytes;
  base::Duration handshake_timeout = std::chrono::seconds(5);
  /// What an app that exceeded its credits is told to wait.
  base::Duration retry_after = std::chrono::milliseconds(10);
};

/// A call as the app made it.
struct AppCall {
  std::uint64_t call_id = 0;
  PlacementRef placement;
  base::Duration budget{0};
  wire::TraceContext trace;
  Payload payload;
};

/// What a session does to the world; implemented by the api shell. Spans are valid during the call only.
class AppSessionActions {
 public:
  virtual void send(const wire::FrameHeader& header, std::span<const std::byte> metadata, Payload payload) = 0;

  /// After the app's Goodbye or a violation: a Goodbye has been sent, the connection ends. Nothing more is called.
  virtual void close(base::Status reason) = 0;

  /// The app offers functions; a refusal closes the session with its text.
  [[nodiscard]] virtual base::Status offer(std::vector<FunctionInfo> functions, std::uint32_t slots) = 0;

  /// The placement that all equal specs share, or null when there are too many.
  [[nodiscard]] virtual PlacementRef prepare(PlacementSpec spec) = 0;

  /// False: the app already has a call of this id in flight.
  [[nodiscard]] virtual bool submit(const AppCall& call) = 0;
  virtual void cancel(std::uint64_t call_id) = 0;

  /// A worker's answer. False: it is late, or was never asked; it was dropped.
  virtual bool worker_result(std::uint64_t call, wire::Outcome outcome, const TaskError* error, Payload payload) = 0;

 protected:
  ~AppSessionActions() = default;
};

/// The protocol of docs/protocol/local.md, the node's side.
///
/// The app's mistakes end its own session with a Goodbye that says what was wrong, and nobody else notices. A call
/// beyond the credits is answered `rejected`, since an app may learn late of a smaller window.
///
/// Threading: confined to the node strand.
/// Cost: about 20 ns a frame, no allocation.
class AppSession {
 public:
  AppSession(const AppSessionOptions& options, std::uint64_t session, AppSessionActions& actions, base::Instant now);
  AppSession(const AppSession&) = delete;
  AppSession& operator=(const AppSession&) = delete;

  // --- from the app ---
  void handle_frame(base::Instant now, const wire::FrameView& frame);
  void handle_timeout(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;

  // --- from the node ---
  /// The one answer to a submitted call. `error` is null if it succeeded.
  void deliver(std::uint64_t call_id, wire::Outcome outcome, const TaskError* error, Payload payload);
  /// An attempt for this worker. `info` is its CallInfo.
  void dispatch(std::uint32_t function_index, std::uint64_t call, std::uint32_t attempt, base::Duration budget,
                const wire::TraceContext& trace, std::span<const std::byte> info, Payload payload);
  void cancel_at_worker(std::uint64_t call);
  /// Says goodbye and ends: the node stops (`retry`: the app can come back), or the app broke a rule.
  void close(base::Status reason, bool retry);

  [[nodiscard]] bool is_ready() const { return state_ == State::kReady; }
  [[nodiscard]] const std::string& app_name() const { return app_name_; }
  [[nodiscard]] std::uint32_t calls_in_flight() const { return calls_in_flight_; }
  [[nodiscard]] std::uint64_t calls_over_credit() const { return calls_over_credit_; }

 private:
  enum class State : std::uint8_t { kAwaitHello, kReady, kClosed };

  /// What a template id stands for: a placement, or why it was refused.
  struct Template {
    PlacementRef placement;
    wire::Outcome refusal = wire::Outcome::kSucceeded;
    TaskError error;
  };

  void handle_hello(const wire::FrameView& frame);
  void handle_register(const wire::FrameView& frame);
  void handle_prepare(const wire::FrameView& frame);
  void handle_call(const wire::FrameView& frame);
  void handle_result(const wire::FrameView& frame);
  void violation(std::string what);
  void send_message(wire::FrameHeader header, std::string_view metadata);
  void send_result(std::uint64_t call_id, wire::Outcome outcome, const TaskError& error);

  const AppSessionOptions& options_;
  const std::uint64_t session_;
  AppSessionActions& actions_;
  const base::Instant handshake_deadline_;
  State state_ = State::kAwaitHello;
  bool has_registered_ = false;
  std::string app_name_ = "unnamed";
  std::vector<Template> templates_;  ///< by template id minus one
  std::uint32_t calls_in_flight_ = 0;
  std::uint64_t calls_over_credit_ = 0;
};

}  // namespace kaido::daemon
