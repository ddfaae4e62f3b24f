#include "daemon/core/session/app_session.h"

#include <utility>

#include "daemon/core/view/memory_owner.h"
#include "proto/base/check.h"
#include "proto/base/ids.h"

namespace kaido::daemon {
namespace {

/// What a template was refused for is remembered in few words: an app may have many such.
constexpr std::size_t kRefusalBytes = 512;

}  // namespace

AppSession::AppSession(const AppSessionOptions& options, std::uint64_t session, AppSessionActions& actions,
                       base::Instant now)
    : options_(options),
      session_(session),
      actions_(actions),
      handshake_deadline_(now + options.handshake_timeout),
      last_heard_(now),
      next_ping_(now + options.ping_interval),
      templates_({options.templates_max, options.template_bytes_max},
                 wire::Charge(options.memory, memory_owner_of_connection(static_cast<std::uint32_t>(session)),
                              wire::MemoryKind::kTemplates)),
      crowded_(refuse(wire::Outcome::kRejected, "there is no room for the template of this call (limits.memory)")) {}

void AppSession::handle_frame(base::Instant now, const wire::FrameView& frame) {
  const wire::FrameKind kind = frame.header.kind;
  // The two that nearly all are of; the table says the same of them.
  if (state_ == AppState::kReady && (kind == wire::FrameKind::kCall || kind == wire::FrameKind::kResult)) [[likely]] {
    last_heard_ = now;
    return kind == wire::FrameKind::kCall ? handle_call(frame) : handle_result(frame);
  }
  handle_rare_frame(now, frame);
}

// Apart, so that the others do not save the registers that only this needs.
void AppSession::handle_rare_frame(base::Instant now, const wire::FrameView& frame) {
  const wire::FrameKind kind = frame.header.kind;
  const FrameRule rule = rule_for(state_, kind);
  if (rule != FrameRule::kHandle) [[unlikely]] {
    if (rule == FrameRule::kDrop || (!wire::is_known(kind) && (frame.header.flags & wire::kIgnorable) != 0)) return;
    return violation("a " + std::string(wire::name(kind)) + " frame (kind " +
                     std::to_string(static_cast<unsigned>(kind)) + ") has no place in a session that is " +
                     std::string(name(state_)));
  }
  last_heard_ = now;
  switch (kind) {
    case wire::FrameKind::kCancel:
      return actions_.cancel(frame.header.call_id);
    case wire::FrameKind::kYield:
    case wire::FrameKind::kResume:
      return actions_.yielded(frame.header.call_id, kind == wire::FrameKind::kYield);
    case wire::FrameKind::kPrepare:
      return handle_prepare(frame);
    case wire::FrameKind::kHello:
      return handle_hello(frame);
    case wire::FrameKind::kRegister:
      return handle_register(frame);
    case wire::FrameKind::kPing: {
      wire::FrameHeader pong = frame.header;
      pong.kind = wire::FrameKind::kPong;
      return actions_.send(pong, {}, {});
    }
    case wire::FrameKind::kGoodbye:
      state_ = AppState::kClosed;
      templates_.clear();
      return actions_.close(absl::OkStatus());
    default:
      return;  // pong: it was heard, which is all that it is for; yield and resume: a call keeps its slot until it ends
  }
}

void AppSession::handle_hello(const wire::FrameView& frame) {
  auto hello = parse_metadata<v1::Hello>(frame);
  if (!hello.ok()) return violation(std::string(hello.status().message()));
  const wire::VersionRange theirs{hello->versions().min(), hello->versions().max()};
  const auto version = wire::common_version(options_.versions, theirs);
  if (!version) {
    return close(absl::FailedPreconditionError(wire::no_common_version(options_.versions, theirs)), /*retry=*/false);
  }
  if (hello->app_name().size() > wire::kMaxNameBytes) return violation("the app's name is too long");
  if (!hello->app_name().empty()) app_name_ = hello->app_name();
  state_ = AppState::kReady;
  v1::Welcome welcome;
  welcome.set_version(*version);
  features_ = options_.features & hello->versions().features();
  welcome.set_features(features_);
  welcome.set_node_id(base::to_bytes(options_.node_id));
  welcome.set_node_name(options_.node_name);
  welcome.set_node_epoch(options_.epoch.value);
  welcome.set_session(session_);
  welcome.set_credits(options_.credits);
  welcome.set_max_frame_bytes(options_.max_frame_bytes);
  welcome.set_max_metadata_bytes(options_.max_metadata_bytes);
  welcome.set_max_templates(options_.templates_max);
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kWelcome;
  send_message(header, welcome.SerializeAsString());
}

void AppSession::handle_register(const wire::FrameView& frame) {
  if (has_registered_) return violation("functions are registered once, with all of them in one message");
  auto message = parse_metadata<v1::Register>(frame);
  if (!message.ok()) return refuse_offer(std::string(message.status().message()));
  std::vector<FunctionInfo> functions;
  functions.reserve(static_cast<std::size_t>(message->functions_size()));
  for (const v1::Function& function : message->functions()) {
    auto checked = to_function(function);
    if (!checked.ok()) return refuse_offer(std::string(checked.status().message()));
    // Or an app could offer what it likes under the id of another's function, and be in its way.
    if (checked->id != base::function_id_of(checked->name)) {
      return refuse_offer("function " + checked->name +
                          " was registered under an id that is not its name's (docs/protocol/arguments.md, schema and "
                          "identity)");
    }
    functions.push_back(*std::move(checked));
  }
  has_registered_ = true;
  WorkerSlots slots{message->compute_slots(), message->task_slots()};
  if (slots == WorkerSlots{0}) {
    // An app that knows one number only, whatever its functions do.
    slots = message->slots();
    for (FunctionInfo& function : functions) function.is_task = false;
  }
  if (auto offered = actions_.offer(std::move(functions), slots); !offered.ok()) {
    // What another app is in the way of may succeed when that is gone; nobody is sent away for good by somebody else.
    const bool may_succeed_later = absl::IsFailedPrecondition(offered) || absl::IsUnavailable(offered);
    return close(std::move(offered), may_succeed_later);
  }
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kRegistered;
  send_message(header, {});
  actions_.registered();
}

void AppSession::handle_prepare(const wire::FrameView& frame) {
  const std::uint32_t id = frame.header.template_or_status;
  if (!templates_.is_id(id)) {
    return send_refusal(id,
                        refuse(wire::Outcome::kInvalidArgument,
                               "template ids go from 1 to " + std::to_string(options_.templates_max) +
                                   " (limits.templates_per_connection); rebind those that were used least recently"));
  }
  if (!templates_.make_place(id)) {
    lacked_places_ = true;
    return send_refusal(id, refuse(wire::Outcome::kRejected,
                                   "the node has no memory for so many templates of this app "
                                   "(limits.memory); use the lowest ids that are free"));
  }
  std::size_t bytes = 0;
  Template prepared = prepare(frame, bytes);
  if (prepared.placement == nullptr) {
    send_refusal(id, prepared);
    bytes = kRefusalBytes;
    if (!templates_.has_room(bytes)) {
      // Words that cost nothing more: all such templates share them.
      prepared = crowded_;
      bytes = 0;
    }
  }
  templates_.put(id, std::move(prepared), bytes);
}

void AppSession::send_refusal(std::uint32_t id, const Template& refused) {
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kPrepared;
  header.call_id = id;
  header.template_or_status = static_cast<std::uint32_t>(refused.refusal);
  send_message(header, to_message(*refused.error).SerializeAsString());
}

AppSession::Template AppSession::prepare(const wire::FrameView& frame, std::size_t& bytes) {
  auto message = parse_metadata<v1::Prepare>(frame);
  if (!message.ok()) return refuse(wire::Outcome::kInvalidArgument, std::string(message.status().message()));
  auto spec = to_placement(*message);
  if (!spec.ok()) {
    return refuse(wire::Outcome::kInvalidArgument,
                  "the placement was refused: " + std::string(spec.status().message()));
  }
  bytes = footprint(*spec);
  if (!templates_.has_room(bytes)) {
    return refuse(wire::Outcome::kRejected,
                  "the templates of this app take " + std::to_string(templates_.bytes()) +
                      " bytes, near what one app may take (limits.template_bytes_per_connection) or has left of the "
                      "node's memory (limits.memory); rebind those that were used least recently, or use fewer rules");
  }
  Template prepared;
  prepared.placement = actions_.prepare(*std::move(spec));
  if (prepared.placement != nullptr) return prepared;
  return refuse(
      wire::Outcome::kRejected,
      "this node, or this app alone, keeps as many placements as it may; drop some, or reuse placement builders");
}

AppSession::Template AppSession::refuse(wire::Outcome outcome, std::string why) const {
  Template refused;
  refused.refusal = outcome;
  refused.error =
      make_error({.message = std::move(why),
                  .retry_after = outcome == wire::Outcome::kRejected ? options_.retry_after : base::Duration(0)});
  return refused;
}

void AppSession::handle_call(const wire::FrameView& frame) {
  const std::uint32_t id = frame.header.template_or_status;
  const Template* const known = templates_.find(id);
  if (known == nullptr || (known->placement == nullptr && known->error == nullptr)) [[unlikely]] {
    // Beyond the table nothing is remembered, refusals included.
    if (known == nullptr && lacked_places_ && templates_.is_id(id))
      return send_result(frame.header.call_id, crowded_.refusal, *crowded_.error);
    return send_result(frame.header.call_id, wire::Outcome::kInvalidArgument,
                       {.message = "the call names template " + std::to_string(id) + ", which was not prepared"});
  }
  const Template& prepared = *known;
  if (prepared.placement == nullptr) [[unlikely]] {
    return send_result(frame.header.call_id, prepared.refusal, *prepared.error);
  }
  if (calls_in_flight_ >= options_.credits) [[unlikely]] {
    ++calls_over_credit_;
    TaskError error;
    error.message =
        "the app has " + std::to_string(options_.credits) + " calls in flight already (limits.calls_per_app)";
    error.retry_after = options_.retry_after;
    return send_result(frame.header.call_id, wire::Outcome::kRejected, error);
  }
  if (has_failed(frame.payload)) [[unlikely]] {
    return deliver_failure(frame.header.call_id, failure_of(frame.payload, "the arguments", wire::Outcome::kCancelled));
  }
  ++calls_in_flight_;
  if (!actions_.submit({static_cast<std::uint32_t>(session_), frame.header.call_id, prepared.placement,
                        to_duration(frame.header.budget_ns), frame.header.trace, frame.payload})) [[unlikely]] {
    --calls_in_flight_;
    violation("call id " + std::to_string(frame.header.call_id) + " is in flight already");
  }
}

void AppSession::handle_result(const wire::FrameView& frame) {
  const auto outcome = wire::outcome_from(frame.header.template_or_status);
  if (outcome == wire::Outcome::kSucceeded) [[likely]] {
    const bool failed = has_failed(frame.payload);
    actions_.worker_result(frame.header.call_id, failed
                                                     ? failure_of(frame.payload, "the result", wire::Outcome::kAppLost)
                                                     : TaskResult{*outcome, nullptr, frame.payload});
    return;
  }
  actions_.worker_result(frame.header.call_id, to_failure(frame, outcome));
}

void AppSession::handle_timeout(base::Instant now) {
  if (state_ == AppState::kAwaitHello && now >= handshake_deadline_) {
    return close(absl::DeadlineExceededError("no hello came in time"), /*retry=*/true);
  }
  if (state_ != AppState::kReady) return;
  if (now >= last_heard_ + options_.silence_timeout) {
    return close(absl::DeadlineExceededError("nothing was heard of the app for " +
                                             std::to_string(options_.silence_timeout / std::chrono::milliseconds(1)) +
                                             " ms (timeouts.app)"),
                 /*retry=*/true);
  }
  if (now < next_ping_) return;
  next_ping_ = now + options_.ping_interval;
  // Who was heard lately is alive: an app under load is never asked.
  if (now < last_heard_ + options_.ping_interval) return;
  wire::FrameHeader ping;
  ping.kind = wire::FrameKind::kPing;
  ping.call_id = static_cast<std::uint64_t>(now.time_since_epoch().count());
  actions_.send(ping, {}, {});
}

void AppSession::was_away(base::Instant now, base::Duration time) {
  last_heard_ = std::min(now, last_heard_ + time);
  handshake_deadline_ += time;
}

std::optional<base::Instant> AppSession::next_timeout() const {
  switch (state_) {
    case AppState::kAwaitHello:
      return handshake_deadline_;
    case AppState::kReady:
      return std::min(next_ping_, last_heard_ + options_.silence_timeout);
    case AppState::kClosed:
      return std::nullopt;
  }
  return std::nullopt;
}

void AppSession::deliver(std::uint64_t call_id, TaskResult&& result) {
  if (state_ != AppState::kReady) return;
  if (!wire::travels_in_chunks(result.payload)) [[likely]]
    passed_on();
  if (result.outcome != wire::Outcome::kSucceeded) return send_result(call_id, result.outcome, *result.error);
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kResult;
  header.call_id = call_id;
  actions_.send(header, {}, std::move(result.payload));
}

void AppSession::passed_on() {
  KAIDO_CHECK(calls_in_flight_ > 0);
  --calls_in_flight_;
}

void AppSession::deliver_failure(std::uint64_t call_id, const TaskResult& failure) {
  if (state_ == AppState::kReady) send_result(call_id, failure.outcome, *failure.error);
}

void AppSession::dispatch(Dispatch&& dispatch) {
  if (state_ != AppState::kReady) return;
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kCall;
  header.template_or_status = dispatch.function_index;
  header.call_id = dispatch.call;
  header.set_attempt(dispatch.attempt);
  header.budget_ns = static_cast<std::uint64_t>(dispatch.budget.count());
  header.trace = dispatch.trace;
  actions_.send(header, dispatch.info, std::move(dispatch.payload));
}

void AppSession::cancel_at_worker(std::uint64_t call) {
  if (state_ != AppState::kReady) return;
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kCancel;
  header.call_id = call;
  actions_.send(header, {}, {});
}

void AppSession::close(base::Status reason, bool retry) {
  if (state_ == AppState::kClosed) return;
  state_ = AppState::kClosed;
  templates_.clear();
  v1::Goodbye goodbye;
  goodbye.set_reason(std::string(reason.message()));
  goodbye.set_retry(retry);
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kGoodbye;
  send_message(header, goodbye.SerializeAsString());
  actions_.close(std::move(reason));
}

// What was said out of place once need not come again; what an app says first of all does.
void AppSession::violation(std::string what) {
  const bool may_come_back = state_ == AppState::kReady;
  close(absl::InvalidArgumentError("protocol violation: " + std::move(what)), may_come_back);
}

// It would offer the same.
void AppSession::refuse_offer(std::string what) {
  close(absl::InvalidArgumentError("protocol violation: " + std::move(what)), /*retry=*/false);
}

void AppSession::send_message(wire::FrameHeader header, std::string_view metadata) {
  actions_.send(header, wire::as_span(metadata), {});
}

void AppSession::send_result(std::uint64_t call_id, wire::Outcome outcome, const TaskError& error) {
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kResult;
  header.call_id = call_id;
  header.template_or_status = static_cast<std::uint32_t>(outcome);
  send_message(header, to_message(error).SerializeAsString());
}

}  // namespace kaido::daemon
