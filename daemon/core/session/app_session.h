/// One app's connection as a state machine: handshake, functions, prepared templates, calls in flight.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/session/messages.h"
#include "daemon/core/session/frame_rules.h"
#include "daemon/core/session/template_table.h"
#include "daemon/core/task/attempt.h"
#include "daemon/core/view/placement.h"
#include "proto/base/ids.h"
#include "proto/base/status.h"
#include "proto/base/time.h"
#include "proto/wire/frame.h"
#include "proto/wire/handshake.h"
#include "proto/wire/limits.h"
#include "proto/wire/memory_budget.h"
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
  std::uint32_t max_metadata_bytes = wire::kMaxMetadataBytes;
  /// What the templates of one app may take, as they lie in memory; further ones are refused, and so are their calls.
  std::size_t template_bytes_max = wire::kMaxTemplateBytes;
  /// The node's memory, from which they are taken; null: none.
  wire::MemoryBudget* memory = nullptr;
  base::Duration handshake_timeout = std::chrono::seconds(5);
  base::Duration ping_interval = std::chrono::seconds(1);
  /// How long the node bears an app's silence before it takes it for dead; any frame ends the silence.
  base::Duration silence_timeout = std::chrono::seconds(5);
  /// What an app that exceeded its credits is told to wait.
  base::Duration retry_after = std::chrono::milliseconds(10);
};

/// An attempt for a worker app.
struct Dispatch {
  std::uint32_t function_index = 0;
  std::uint64_t call = 0;  ///< the node's name for it, which the worker's answer repeats
  std::uint32_t attempt = 0;
  base::Duration budget{0};
  wire::TraceContext trace;
  std::span<const std::byte> info;  ///< its CallInfo; valid during the call only
  Payload payload;
};

/// What a session does to the world; implemented by core/node. Spans are valid during the call only.
class AppSessionActions {
 public:
  virtual void send(const wire::FrameHeader& header, std::span<const std::byte> metadata, Payload&& payload) = 0;

  /// After the app's Goodbye or a violation: a Goodbye has been sent, the connection ends. Nothing more is called.
  virtual void close(base::Status reason) = 0;

  /// The app offers functions; a refusal closes the session with its text.
  [[nodiscard]] virtual base::Status offer(std::vector<FunctionInfo> functions, WorkerSlots slots) = 0;
  /// The app has been told that they are taken: work may come.
  virtual void registered() = 0;

  /// The placement that all equal specs share, or null when there are too many.
  [[nodiscard]] virtual PlacementRef prepare(PlacementSpec spec) = 0;

  /// False: the app already has a call of this id in flight.
  [[nodiscard]] virtual bool submit(SubmitRequest&& request) = 0;
  virtual void cancel(std::uint64_t call_id) = 0;

  /// A running call waits for a call of the app's own, or goes on.
  virtual void yielded(std::uint64_t call, bool is_waiting) = 0;

  /// A worker's answer. False: it is late, or was never asked; it was dropped.
  virtual bool worker_result(std::uint64_t call, TaskResult&& result) = 0;

 protected:
  ~AppSessionActions() = default;
};

/// The protocol of docs/protocol/local.md, the node's side.
///
/// One fault harms one call: a template or call that cannot be served is answered with an error of its own. Only a
/// broken handshake, or a frame that has no place in the session's state (frame_rules.h), ends the session, with a
/// Goodbye that says why; nobody else notices, and the app may come back, unless its hello or its functions were
/// refused, which would be the same again. A call beyond the credits is answered
/// `rejected`, since an app may learn late of a smaller window.
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
  /// Some bytes of a frame that is not complete yet: a proof of life, too.
  void heard(base::Instant now) { last_heard_ = now; }
  void handle_timeout(base::Instant now);
  /// The node did not look at what came for so long: of this time nobody can be blamed for his silence.
  void was_away(base::Instant now, base::Duration time);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;

  // --- from the node ---
  /// The one answer to a submitted call. A result that travels in chunks leaves the call in flight: passed_on()
  /// follows, or another answer.
  void deliver(std::uint64_t call_id, TaskResult&& result);
  /// The app has such a result, or wants no other one.
  void passed_on();
  /// Whether an answer may follow a result that was given up halfway.
  [[nodiscard]] bool takes_results_again() const { return (features_ & wire::kFeatureResultsFollow) != 0; }
  /// The same for one that was delivered already, but could not be sent.
  void deliver_failure(std::uint64_t call_id, const TaskResult& failure);
  void dispatch(Dispatch&& dispatch);
  void cancel_at_worker(std::uint64_t call);
  /// Says goodbye and ends: the node stops (`retry`: the app can come back), or the app broke a rule.
  void close(base::Status reason, bool retry);

  [[nodiscard]] bool is_ready() const { return state_ == AppState::kReady; }
  [[nodiscard]] base::Instant last_heard() const { return last_heard_; }
  [[nodiscard]] const std::string& app_name() const { return app_name_; }
  [[nodiscard]] std::uint32_t calls_in_flight() const { return calls_in_flight_; }
  [[nodiscard]] std::uint64_t calls_over_credit() const { return calls_over_credit_; }
  /// What its templates take in memory, the refused ones included.
  [[nodiscard]] std::size_t template_bytes() const { return templates_.bytes(); }

 private:
  /// What a template id stands for: a placement, or why it was refused.
  struct Template {
    PlacementRef placement;
    wire::Outcome refusal = wire::Outcome::kSucceeded;
    TaskErrorRef error;
  };

  [[gnu::noinline]] void handle_rare_frame(base::Instant now, const wire::FrameView& frame);
  void handle_hello(const wire::FrameView& frame);
  void handle_register(const wire::FrameView& frame);
  void handle_prepare(const wire::FrameView& frame);
  [[nodiscard]] Template prepare(const wire::FrameView& frame, std::size_t& bytes);
  [[nodiscard]] Template refuse(wire::Outcome outcome, std::string why) const;
  void send_refusal(std::uint32_t id, const Template& refused);
  void handle_call(const wire::FrameView& frame);
  void handle_result(const wire::FrameView& frame);
  void violation(std::string what);
  void refuse_offer(std::string what);
  void send_message(wire::FrameHeader header, std::string_view metadata);
  void send_result(std::uint64_t call_id, wire::Outcome outcome, const TaskError& error);

  const AppSessionOptions& options_;
  const std::uint64_t session_;
  AppSessionActions& actions_;
  base::Instant handshake_deadline_;
  AppState state_ = AppState::kAwaitHello;
  base::Instant last_heard_;
  base::Instant next_ping_;
  std::uint64_t features_ = 0;  ///< that both sides have
  bool has_registered_ = false;
  std::string app_name_ = "unnamed";
  TemplateTable<Template> templates_;
  bool lacked_places_ = false;  ///< a template found no place in the table, for want of memory
  const Template crowded_;      ///< of those whose refusal finds no room either
  std::uint32_t calls_in_flight_ = 0;
  std::uint64_t calls_over_credit_ = 0;
};

}  // namespace kaido::daemon
