#include "daemon/core/node/apps.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "daemon/core/node/outbox.h"
#include "daemon/core/node/task_flow.h"
#include "daemon/core/view/memory_owner.h"
#include "proto/wire/body.h"

namespace kaido::daemon {
namespace {

constexpr const char* kRoom = "apps";

// How a call ends whose arguments or result could not be passed on. Arguments that have no room now may have it soon,
// and nothing was started; for a result there is no time to retry after, since its function ran. An error keeps its
// outcome.
TaskResult failure_of(const FrameOut& frame, Unsent why, base::Duration retry_after) {
  const bool is_result = frame.header.kind == wire::FrameKind::kResult;
  const std::optional<wire::Outcome> outcome = outcome_of_error(frame);
  const std::string what = outcome ? "the error" : is_result ? "the result" : "the arguments";
  const std::string size =
      what + " of " + std::to_string(frame.payload.empty() ? frame.metadata_size : frame.payload.size()) + " bytes";
  const std::string ran = is_result && !outcome ? ": the function ran" : "";
  const auto failure = [&](const std::string& message, base::Duration after) {
    return TaskResult{
        outcome.value_or(wire::Outcome::kRejected),
        make_error({.message = size + message + ran, .retry_after = is_result ? base::Duration(0) : after}),
        {}};
  };
  switch (why) {
    case Unsent::kFull:
      return failure(" found the app's connection full (limits.queued_bytes_per_connection)", retry_after);
    case Unsent::kTooLarge:
      return failure(" are larger than the app takes", base::Duration(0));
    case Unsent::kNoMemory:
      return failure(
          " were dropped: as much waits for the app as may (limits.memory); read faster, or have fewer calls in flight",
          retry_after);
    case Unsent::kUnsendable:
    case Unsent::kEnded:
      break;
  }
  return {wire::Outcome::kAppLost,
          make_error({.message = size + " were still on their way when their sender was lost"}),
          {}};
}

wire::BodyFailure failure_of(const Payload& payload) {
  return payload.body() != nullptr ? payload.body()->failure() : wire::BodyFailure::kNone;
}

}  // namespace

/// One app: its session, and what the session does to the node.
class Apps::Link final : public AppSessionActions {
 public:
  Link(Apps& apps, ConnectionId connection, const AppIdentity& identity)
      : apps_(apps),
        connection_(connection),
        identity_(identity),
        session_(apps.options_, connection.value, *this, apps.now_) {}

  void handle_frame(const wire::FrameView& frame) {
    if (welcomed_) [[likely]]
      return session_.handle_frame(apps_.now_, frame);
    greet(frame);
  }

  void congested() {
    if (std::exchange(is_stalled_, true)) return;
    apps_.outbox_.command(Command::Kind::kPauseReading).connection = connection_;
    apps_.tasks_.worker_stalled(connection_.value, true);
  }
  void drained() {
    if (!std::exchange(is_stalled_, false)) return;
    session_.heard(apps_.now_);  // it read, and what it said meanwhile was not read
    apps_.outbox_.command(Command::Kind::kResumeReading).connection = connection_;
    apps_.tasks_.worker_stalled(connection_.value, false);
  }

  void ended(const base::Status& reason) {
    AppCounters& counters = apps_.counters_;
    if (absl::IsInvalidArgument(reason)) ++counters.bad_frames;
    if (!welcomed_) {
      ++counters.refused_handshake;
    } else if (absl::IsResourceExhausted(reason)) {
      ++counters.closed_stalled;
    } else if (absl::IsDeadlineExceeded(reason)) {
      ++counters.closed_silent;
    } else if (absl::IsInvalidArgument(reason)) {
      ++counters.closed_violation;
    }
    if (welcomed_ || !reason.ok()) {
      const std::string why = reason.ok() ? "goodbye" : std::string(reason.message());
      apps_.outbox_.info(
          kRoom, "app disconnected",
          {{"app", session_.app_name()}, {"session", std::to_string(connection_.value)}, {"reason", why}});
    }
    leave();
  }

  [[nodiscard]] AppSession& session() { return session_; }
  [[nodiscard]] const AppSession& session() const { return session_; }
  [[nodiscard]] ConnectionId connection() const { return connection_; }
  [[nodiscard]] const AppIdentity& identity() const { return identity_; }
  [[nodiscard]] bool is_stalled() const { return is_stalled_; }

  // --- AppSessionActions ---
  void send(const wire::FrameHeader& header, std::span<const std::byte> metadata, Payload&& payload) override {
    apps_.outbox_.send(connection_, header, metadata, std::move(payload));
  }
  void close(base::Status reason) override {
    leave();
    apps_.outbox_.close(connection_, std::move(reason));
  }
  base::Status offer(std::vector<FunctionInfo> functions, WorkerSlots slots) override {
    apps_.outbox_.info(kRoom, "functions offered",
                       {{"app", session_.app_name()},
                        {"session", std::to_string(connection_.value)},
                        {"functions", std::to_string(functions.size())},
                        {"slots", std::to_string(slots.compute)},
                        {"task_slots", std::to_string(slots.task)}});
    return apps_.tasks_.offer(connection_.value, functions, slots);
  }
  void registered() override { apps_.tasks_.start_work(); }
  PlacementRef prepare(PlacementSpec spec) override {
    return apps_.tasks_.prepare(std::move(spec), memory_owner_of_connection(connection_.value));
  }
  bool submit(SubmitRequest&& request) override { return apps_.tasks_.submit(std::move(request)); }
  void cancel(std::uint64_t call_id) override { apps_.tasks_.cancel_call(connection_.value, call_id); }
  void yielded(std::uint64_t call, bool is_waiting) override {
    apps_.tasks_.worker_yielded(connection_.value, call, is_waiting);
  }
  bool worker_result(std::uint64_t call, TaskResult&& result) override {
    return apps_.tasks_.worker_result(connection_.value, call, std::move(result));
  }

 private:
  [[gnu::noinline]] void greet(const wire::FrameView& frame) {
    session_.handle_frame(apps_.now_, frame);
    if (session_.is_ready()) welcomed();
  }
  void welcomed() {
    welcomed_ = true;
    ++apps_.counters_.accepted;
    apps_.deadlines_.set(connection_, session_.next_timeout());
    apps_.outbox_.info(kRoom, "app connected",
                       {{"app", session_.app_name()},
                        {"session", std::to_string(connection_.value)},
                        {"pid", std::to_string(identity_.pid)},
                        {"uid", std::to_string(identity_.uid)}});
  }

  /// The node forgets the app at once, though its connection may linger to take the goodbye.
  void leave() {
    if (std::exchange(left_, true)) return;
    apps_.deadlines_.set(connection_, std::nullopt);
    apps_.tasks_.session_closed(connection_.value);
  }

  Apps& apps_;
  const ConnectionId connection_;
  const AppIdentity identity_;
  AppSession session_;
  bool welcomed_ = false;
  bool is_stalled_ = false;
  bool left_ = false;
};

Apps::Apps(const base::Instant& now, AppSessionOptions options, TaskFlow& tasks, Outbox& outbox)
    : now_(now), options_(std::move(options)), tasks_(tasks), outbox_(outbox), links_(Half::kApps) {}

Apps::~Apps() = default;

// ---------------------------------------------------------------- from the shell

ConnectionId Apps::opened(const AppIdentity& identity) {
  const ConnectionId connection = links_.reserve();
  Link& link = links_.set(connection, std::make_unique<Link>(*this, connection, identity));
  deadlines_.set(connection, link.session().next_timeout());
  return connection;
}

void Apps::frame(ConnectionId connection, const wire::FrameView& frame) {
  if (Link* const link = links_.find(connection)) link->handle_frame(frame);
}

void Apps::malformed(ConnectionId connection, const base::Status& reason) {
  if (Link* const link = links_.find(connection)) link->session().close(reason, /*retry=*/true);
}

void Apps::unsent(const FrameOut& frame, Unsent why) {
  Link* const link = links_.find(frame.connection);
  if (link == nullptr) return;
  if (why == Unsent::kEnded) return;  // what the app had and wanted ends with it, in a moment
  const bool is_for_worker = frame.header.kind == wire::FrameKind::kCall;
  if (is_for_worker) {
    tasks_.worker_result(frame.connection.value, frame.header.call_id, failure_of(frame, why, options_.retry_after));
  } else if (frame.header.kind == wire::FrameKind::kResult && why == Unsent::kUnsendable) {
    lost_deliveries_.push_back({frame.connection, frame.header.call_id, failure_of(frame.payload)});
  } else if (frame.header.kind == wire::FrameKind::kResult && (why != Unsent::kFull || is_replaceable(frame))) {
    TaskResult failure = failure_of(frame, why, options_.retry_after);
    if (!wire::travels_in_chunks(frame.payload)) return link->session().deliver_failure(frame.header.call_id, failure);
    tasks_.delivery_failed(frame.connection.value, frame.header.call_id, std::move(failure));
  } else {
    // What it waits for cannot even be told to it that it failed.
    link->session().close(absl::ResourceExhaustedError("the app does not read what it is sent"), /*retry=*/true);
  }
}

void Apps::stream_ended(ConnectionId connection, std::uint64_t call_id, wire::StreamEnd end,
                        wire::BodyFailure failure) {
  Link* const link = links_.find(connection);
  if (link == nullptr) return;
  const bool is_over = end == wire::StreamEnd::kPassedOn || end == wire::StreamEnd::kUnwanted;
  if (is_over || !link->session().takes_results_again()) {
    link->session().passed_on();
    return tasks_.passed_on(connection.value, call_id);
  }
  if (end == wire::StreamEnd::kFailed) return lost_deliveries_.push_back({connection, call_id, failure});
  tasks_.delivery_failed(
      connection.value, call_id,
      {wire::Outcome::kRejected,
       make_error({.message = "the app took nothing of the result for too long (timeouts.stalled): the function ran"}),
       {}});
}

void Apps::tell_lost_deliveries() {
  for (const LostDelivery& lost : std::exchange(lost_deliveries_, {}))
    tasks_.delivery_lost(lost.connection.value, lost.call_id, lost.failure);
}

void Apps::congested(ConnectionId connection) {
  if (Link* const link = links_.find(connection)) link->congested();
}

void Apps::drained(ConnectionId connection) {
  if (Link* const link = links_.find(connection)) link->drained();
}

void Apps::closed(ConnectionId connection, const base::Status& reason) {
  Link* const link = links_.find(connection);
  if (link == nullptr) return;
  link->ended(reason);
  counters_.calls_over_credit += link->session().calls_over_credit();
  links_.release(connection);
}

void Apps::heard(ConnectionId connection) {
  if (Link* const link = links_.find(connection)) link->session().heard(now_);
}

void Apps::handle_timeout() {
  while (const auto due = deadlines_.take_due(now_)) {
    Link* const link = links_.find(*due);
    if (link == nullptr) continue;
    // Who is not read cannot be heard; how long it may go without reading is the connection's business.
    if (link->is_stalled()) link->session().heard(now_);
    link->session().handle_timeout(now_);
    deadlines_.set(*due, link->session().next_timeout());
  }
}

void Apps::was_away(base::Duration time) {
  if (time < options_.ping_interval / kAwayDivisor) return;
  links_.for_each([&](Link& link) { link.session().was_away(now_, time); });
}

// ---------------------------------------------------------------- from the tasks

void Apps::deliver(std::uint32_t session, std::uint64_t call_id, TaskResult&& result) {
  if (Link* const link = links_.find({session})) link->session().deliver(call_id, std::move(result));
}

void Apps::dispatch(std::uint32_t session, Dispatch&& dispatch) {
  if (Link* const link = links_.find({session})) link->session().dispatch(std::move(dispatch));
}

void Apps::cancel_at_worker(std::uint32_t session, std::uint64_t call) {
  if (Link* const link = links_.find({session})) link->session().cancel_at_worker(call);
}

void Apps::close_all(const std::string& reason) {
  links_.for_each([&](Link& link) { link.session().close(absl::UnavailableError(reason), /*retry=*/true); });
}

// ---------------------------------------------------------------- looking

std::vector<AppSummary> Apps::list() const {
  std::vector<AppSummary> apps;
  links_.for_each([&](const Link& link) {
    if (!link.session().is_ready()) return;
    apps.push_back({link.connection().value, link.session().app_name(), link.identity(),
                    link.session().calls_in_flight(), now_ - link.session().last_heard(), link.is_stalled()});
  });
  return apps;
}

std::string Apps::name_of(std::uint32_t session) const {
  const Link* const link = links_.find({session});
  return link != nullptr ? link->session().app_name() : std::string();
}

AppCounters Apps::counters() const {
  AppCounters counters = counters_;
  links_.for_each([&](const Link& link) { counters.calls_over_credit += link.session().calls_over_credit(); });
  return counters;
}

}  // namespace kaido::daemon
