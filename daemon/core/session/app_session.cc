#include "daemon/core/session/app_session.h"

#include <utility>

#include "proto/base/check.h"

namespace kaido::daemon {
AppSession::AppSession(const AppSessionOptions& options, std::uint64_t session, AppSessionActions& actions,
                       base::Instant now)
    : options_(options), session_(session), actions_(actions), handshake_deadline_(now + options.handshake_timeout) {}

void AppSession::handle_frame(base::Instant /*now*/, const wire::FrameView& frame) {
  if (state_ == State::kClosed) return;
  const wire::FrameKind kind = frame.header.kind;
  if (state_ == State::kAwaitHello && kind != wire::FrameKind::kHello && kind != wire::FrameKind::kGoodbye) {
    return violation("the first frame must be hello, not " + std::string(wire::name(kind)));
  }
  switch (kind) {
    case wire::FrameKind::kCall:
      return handle_call(frame);
    case wire::FrameKind::kResult:
      return handle_result(frame);
    case wire::FrameKind::kCancel:
      return actions_.cancel(frame.header.call_id);
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
    case wire::FrameKind::kPong:
      return;
    case wire::FrameKind::kGoodbye:
      state_ = State::kClosed;
      return actions_.close(absl::OkStatus());
    default:
      if ((frame.header.flags & wire::kIgnorable) != 0) return;
      return violation("a node does not take " + std::string(wire::name(kind)) + " frames (kind " +
                       std::to_string(static_cast<unsigned>(kind)) + ") from an app");
  }
}

void AppSession::handle_hello(const wire::FrameView& frame) {
  if (state_ != State::kAwaitHello) return violation("hello was said before");
  auto hello = parse_metadata<v1::Hello>(frame);
  if (!hello.ok()) return violation(std::string(hello.status().message()));
  const wire::VersionRange theirs{hello->versions().min(), hello->versions().max()};
  const auto version = wire::common_version(options_.versions, theirs);
  if (!version) {
    return close(absl::FailedPreconditionError(wire::no_common_version(options_.versions, theirs)), /*retry=*/false);
  }
  if (hello->app_name().size() > wire::kMaxNameBytes) return violation("the app's name is too long");
  if (!hello->app_name().empty()) app_name_ = hello->app_name();
  state_ = State::kReady;
  v1::Welcome welcome;
  welcome.set_version(*version);
  welcome.set_features(options_.features & hello->versions().features());
  welcome.set_node_id(base::to_bytes(options_.node_id));
  welcome.set_node_name(options_.node_name);
  welcome.set_node_epoch(options_.epoch.value);
  welcome.set_session(session_);
  welcome.set_credits(options_.credits);
  welcome.set_max_frame_bytes(options_.max_frame_bytes);
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kWelcome;
  send_message(header, welcome.SerializeAsString());
}

void AppSession::handle_register(const wire::FrameView& frame) {
  if (has_registered_) return violation("functions are registered once, with all of them in one message");
  auto message = parse_metadata<v1::Register>(frame);
  if (!message.ok()) return violation(std::string(message.status().message()));
  std::vector<FunctionInfo> functions;
  functions.reserve(static_cast<std::size_t>(message->functions_size()));
  for (const v1::Function& function : message->functions()) {
    auto checked = to_function(function);
    if (!checked.ok()) return violation(std::string(checked.status().message()));
    functions.push_back(*std::move(checked));
  }
  has_registered_ = true;
  if (auto offered = actions_.offer(std::move(functions), message->slots()); !offered.ok()) {
    return close(std::move(offered), /*retry=*/false);
  }
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kRegistered;
  send_message(header, {});
}

void AppSession::handle_prepare(const wire::FrameView& frame) {
  const std::uint32_t id = frame.header.template_or_status;
  if (id == 0 || id > templates_.size() + 1) {
    return violation("template ids are given from 1 on without gaps; " + std::to_string(id) + " comes after " +
                     std::to_string(templates_.size()));
  }
  if (id > options_.templates_max) {
    return violation("more than " + std::to_string(options_.templates_max) +
                     " templates: reuse some, or raise "
                     "limits.templates_per_connection");
  }
  auto message = parse_metadata<v1::Prepare>(frame);
  if (!message.ok()) return violation(std::string(message.status().message()));
  Template prepared;
  if (auto spec = to_placement(*message); !spec.ok()) {
    prepared.refusal = wire::Outcome::kInvalidArgument;
    prepared.error.message = "the placement was refused: " + std::string(spec.status().message());
  } else if (prepared.placement = actions_.prepare(*std::move(spec)); prepared.placement == nullptr) {
    prepared.refusal = wire::Outcome::kRejected;
    prepared.error.message = "this node remembers too many placements; drop some, or reuse placement builders";
    prepared.error.retry_after = options_.retry_after;
  }
  if (prepared.placement == nullptr) {
    wire::FrameHeader header;
    header.kind = wire::FrameKind::kPrepared;
    header.call_id = id;
    header.template_or_status = static_cast<std::uint32_t>(prepared.refusal);
    send_message(header, to_message(prepared.error).SerializeAsString());
  }
  if (id == templates_.size() + 1) {
    templates_.push_back(std::move(prepared));
  } else {
    templates_[id - 1] = std::move(prepared);
  }
}

void AppSession::handle_call(const wire::FrameView& frame) {
  const std::uint32_t id = frame.header.template_or_status;
  if (id == 0 || id > templates_.size()) [[unlikely]] {
    return violation("a call names template " + std::to_string(id) + ", which was not prepared");
  }
  const Template& prepared = templates_[id - 1];
  if (prepared.placement == nullptr) [[unlikely]] {
    return send_result(frame.header.call_id, prepared.refusal, prepared.error);
  }
  if (calls_in_flight_ >= options_.credits) [[unlikely]] {
    ++calls_over_credit_;
    TaskError error;
    error.message =
        "the app has " + std::to_string(options_.credits) + " calls in flight already (limits.calls_per_app)";
    error.retry_after = options_.retry_after;
    return send_result(frame.header.call_id, wire::Outcome::kRejected, error);
  }
  ++calls_in_flight_;
  const AppCall call{frame.header.call_id, prepared.placement, to_duration(frame.header.budget_ns), frame.header.trace,
                     frame.payload.bytes()};
  if (!actions_.submit(call)) [[unlikely]] {
    --calls_in_flight_;
    violation("call id " + std::to_string(frame.header.call_id) + " is in flight already");
  }
}

void AppSession::handle_result(const wire::FrameView& frame) {
  const auto outcome = wire::outcome_from(frame.header.template_or_status);
  if (!outcome) return violation("unknown status " + std::to_string(frame.header.template_or_status) + " in a result");
  if (*outcome == wire::Outcome::kSucceeded) {
    actions_.worker_result(frame.header.call_id, *outcome, nullptr, frame.payload.bytes());
    return;
  }
  auto message = parse_metadata<v1::ResultError>(frame);
  if (!message.ok()) return violation(std::string(message.status().message()));
  const TaskError error = to_task_error(*message);
  actions_.worker_result(frame.header.call_id, *outcome, &error, {});
}

void AppSession::handle_timeout(base::Instant now) {
  if (state_ != State::kAwaitHello || now < handshake_deadline_) return;
  close(absl::DeadlineExceededError("no hello came in time"), /*retry=*/true);
}

std::optional<base::Instant> AppSession::next_timeout() const {
  if (state_ != State::kAwaitHello) return std::nullopt;
  return handshake_deadline_;
}

void AppSession::deliver(std::uint64_t call_id, wire::Outcome outcome, const TaskError* error, Payload payload) {
  if (state_ != State::kReady) return;
  KAIDO_CHECK(calls_in_flight_ > 0);
  --calls_in_flight_;
  if (outcome != wire::Outcome::kSucceeded) return send_result(call_id, outcome, *error);
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kResult;
  header.call_id = call_id;
  actions_.send(header, {}, payload);
}

void AppSession::dispatch(std::uint32_t function_index, std::uint64_t call, std::uint32_t attempt,
                          base::Duration budget, const wire::TraceContext& trace, std::span<const std::byte> info,
                          Payload payload) {
  if (state_ != State::kReady) return;
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kCall;
  header.template_or_status = function_index;
  header.call_id = call;
  header.attempt = static_cast<std::uint16_t>(attempt);
  header.budget_ns = static_cast<std::uint64_t>(budget.count());
  header.trace = trace;
  actions_.send(header, info, payload);
}

void AppSession::cancel_at_worker(std::uint64_t call) {
  if (state_ != State::kReady) return;
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kCancel;
  header.call_id = call;
  actions_.send(header, {}, {});
}

void AppSession::close(base::Status reason, bool retry) {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  v1::Goodbye goodbye;
  goodbye.set_reason(std::string(reason.message()));
  goodbye.set_retry(retry);
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kGoodbye;
  send_message(header, goodbye.SerializeAsString());
  actions_.close(std::move(reason));
}

void AppSession::violation(std::string what) {
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
