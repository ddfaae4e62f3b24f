#include "daemon/core/session/peer_session.h"

#include <algorithm>
#include <utility>

#include "proto/base/check.h"

namespace kaido::daemon {
namespace {

wire::FrameHeader header_of(wire::FrameKind kind, std::uint64_t sequence, std::uint32_t attempt) {
  wire::FrameHeader header;
  header.kind = kind;
  header.call_id = sequence;
  header.attempt = static_cast<std::uint16_t>(attempt);
  return header;
}

bool carries_load(wire::FrameKind kind) {
  return kind == wire::FrameKind::kResult || kind == wire::FrameKind::kStarted || kind == wire::FrameKind::kRedirect ||
         kind == wire::FrameKind::kLoad;
}

}  // namespace

PeerSession::PeerSession(const PeerSessionOptions& options, Role role, PeerSessionActions& actions, base::Instant now)
    : options_(options),
      role_(role),
      actions_(actions),
      handshake_deadline_(now + options.handshake_timeout),
      last_heard_(now),
      next_ping_(now + options.ping_interval) {}

void PeerSession::start() {
  v1::PeerHello hello;
  hello.mutable_versions()->set_min(options_.versions.min);
  hello.mutable_versions()->set_max(options_.versions.max);
  hello.mutable_versions()->set_features(options_.features);
  hello.set_node_id(base::to_bytes(options_.node_id));
  hello.set_node_name(options_.node_name);
  hello.set_epoch(options_.epoch.value);
  hello.set_max_frame_bytes(options_.max_frame_bytes);
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kHello;
  actions_.send(header, wire::as_span(hello.SerializeAsString()), {});
}

void PeerSession::handle_frame(base::Instant now, const wire::FrameView& frame) {
  if (state_ == State::kClosed) return;
  last_heard_ = now;
  if (frame.header.kind == wire::FrameKind::kGoodbye) {
    state_ = State::kClosed;
    auto goodbye = parse_metadata<v1::Goodbye>(frame);
    const std::string reason = goodbye.ok() ? goodbye->reason() : "no readable reason";
    return actions_.close(absl::UnavailableError("the peer said goodbye: " + reason));
  }
  if (state_ == State::kEstablished) [[likely]]
    return handle_established(now, frame);
  handle_handshake(frame);
}

void PeerSession::handle_handshake(const wire::FrameView& frame) {
  const wire::FrameKind kind = frame.header.kind;
  if (state_ == State::kAwaitHello && kind == wire::FrameKind::kHello) return handle_hello(frame);
  if (state_ != State::kAwaitHello && kind == wire::FrameKind::kWelcome) return handle_welcome();
  violation("a " + std::string(wire::name(kind)) + " frame came during the handshake");
}

void PeerSession::handle_hello(const wire::FrameView& frame) {
  auto hello = parse_metadata<v1::PeerHello>(frame);
  if (!hello.ok()) return violation(std::string(hello.status().message()));
  const wire::VersionRange theirs{hello->versions().min(), hello->versions().max()};
  const auto version = wire::common_version(options_.versions, theirs);
  if (!version) {
    return close(absl::FailedPreconditionError(wire::no_common_version(options_.versions, theirs)), /*retry=*/false);
  }
  const auto id = base::node_id_from_bytes(hello->node_id());
  if (!id || id->is_nil()) return violation("hello has no node id");
  if (hello->node_name().empty() || hello->node_name().size() > wire::kMaxNameBytes) {
    return violation("hello has no node name of 1 to " + std::to_string(wire::kMaxNameBytes) + " bytes");
  }
  version_ = *version;
  peer_ = PeerGreeting{*id, hello->node_name(), base::Epoch{hello->epoch()}, hello->max_frame_bytes()};
  if (auto agreed = actions_.greeted(*peer_); !agreed.ok()) return close(std::move(agreed), /*retry=*/false);
  if (role_ == Role::kAcceptor) {
    state_ = State::kAwaitCommit;
    return;
  }
  state_ = State::kCommitted;
  send_welcome();
}

void PeerSession::handle_welcome() {
  if (role_ == Role::kAcceptor) {
    if (auto agreed = actions_.committed(*peer_); !agreed.ok()) return close(std::move(agreed), /*retry=*/false);
    send_welcome();
  }
  state_ = State::kEstablished;
  actions_.established(*peer_);
}

void PeerSession::send_welcome() {
  v1::PeerWelcome welcome;
  welcome.set_version(version_);
  welcome.set_features(options_.features);
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kWelcome;
  actions_.send(header, wire::as_span(welcome.SerializeAsString()), {});
}

void PeerSession::handle_established(base::Instant now, const wire::FrameView& frame) {
  const wire::FrameHeader& header = frame.header;
  if (carries_load(header.kind) && header.aux != 0) actions_.load(wire::Load::unpack(header.aux));
  switch (header.kind) {
    case wire::FrameKind::kCall:
      return handle_call(frame);
    case wire::FrameKind::kResult:
      return handle_result(frame);
    case wire::FrameKind::kStarted:
      return actions_.started(header.call_id, header.attempt);
    case wire::FrameKind::kRedirect:
      return handle_redirect(frame);
    case wire::FrameKind::kCancel:
      return actions_.cancel(header.call_id, header.attempt);
    case wire::FrameKind::kPrepare:
      return handle_prepare(frame);
    case wire::FrameKind::kNodeInfo:
      return handle_node_info(frame);
    case wire::FrameKind::kLoad:
      return;
    case wire::FrameKind::kPing: {
      wire::FrameHeader pong = header;
      pong.kind = wire::FrameKind::kPong;
      return actions_.send(pong, {}, {});
    }
    case wire::FrameKind::kPong: {
      // A ping carries the sender's clock, so that the answer measures the way without anything being remembered.
      const base::Instant sent{base::Duration(static_cast<std::int64_t>(header.call_id))};
      if (sent <= now) actions_.round_trip(now - sent);
      return;
    }
    default:
      if ((header.flags & wire::kIgnorable) != 0) return;
      return violation("a node does not take " + std::string(wire::name(header.kind)) + " frames (kind " +
                       std::to_string(static_cast<unsigned>(header.kind)) + ") from a peer");
  }
}

void PeerSession::handle_prepare(const wire::FrameView& frame) {
  const std::uint32_t id = frame.header.template_or_status;
  if (id == 0 || id > options_.templates_max)
    return violation("template id " + std::to_string(id) + " is out of range");
  auto message = parse_metadata<v1::Prepare>(frame);
  if (!message.ok()) return violation(std::string(message.status().message()));
  auto spec = to_placement(*message);
  if (!spec.ok()) return violation(std::string(spec.status().message()));
  if (id > received_templates_.size()) received_templates_.resize(id);
  received_templates_[id - 1] = actions_.prepare(*std::move(spec));
}

void PeerSession::handle_call(const wire::FrameView& frame) {
  const wire::FrameHeader& header = frame.header;
  const std::uint32_t id = header.template_or_status;
  if (id == 0 || id > received_templates_.size()) [[unlikely]] {
    return violation("an attempt names template " + std::to_string(id) + ", which was not prepared");
  }
  const PlacementRef& placement = received_templates_[id - 1];
  if (placement == nullptr) [[unlikely]] {
    // Too many placements are remembered here: somebody else has to run it.
    return send_redirect(header.call_id, header.attempt, RedirectReason::kQueueFull, base::Duration(0),
                         frame.payload.bytes(), {});
  }
  actions_.call(
      {header.call_id, header.attempt, placement, to_duration(header.budget_ns), header.trace, frame.payload.bytes()});
}

void PeerSession::handle_result(const wire::FrameView& frame) {
  const wire::FrameHeader& header = frame.header;
  const auto outcome = wire::outcome_from(header.template_or_status);
  if (!outcome) return violation("unknown status " + std::to_string(header.template_or_status) + " in a result");
  if (*outcome == wire::Outcome::kSucceeded) {
    return actions_.result(header.call_id, header.attempt, *outcome, nullptr, frame.payload.bytes());
  }
  auto message = parse_metadata<v1::ResultError>(frame);
  if (!message.ok()) return violation(std::string(message.status().message()));
  const TaskError error = to_task_error(*message);
  actions_.result(header.call_id, header.attempt, *outcome, &error, {});
}

void PeerSession::handle_redirect(const wire::FrameView& frame) {
  auto message = parse_metadata<v1::RedirectReason>(frame);
  if (!message.ok()) return violation(std::string(message.status().message()));
  actions_.redirected(frame.header.call_id, frame.header.attempt, to_redirect_reason(*message),
                      to_duration(message->retry_after_ns()), frame.payload.bytes());
}

void PeerSession::handle_node_info(const wire::FrameView& frame) {
  auto message = parse_metadata<v1::NodeInfo>(frame);
  if (!message.ok()) return violation(std::string(message.status().message()));
  auto info = to_node_info(*message);
  if (!info.ok()) return violation(std::string(info.status().message()));
  if (info->id != peer_->id || info->epoch != peer_->epoch)
    return violation("node info speaks of another node than hello");
  actions_.node_info(*std::move(info));
}

void PeerSession::handle_timeout(base::Instant now) {
  if (state_ == State::kClosed) return;
  if (state_ != State::kEstablished) {
    if (now >= handshake_deadline_) close(absl::DeadlineExceededError("the handshake took too long"), /*retry=*/true);
    return;
  }
  if (now >= last_heard_ + options_.silence_timeout) {
    return close(
        absl::DeadlineExceededError("nothing was heard of the peer for " +
                                    std::to_string(options_.silence_timeout / std::chrono::milliseconds(1)) + " ms"),
        /*retry=*/true);
  }
  if (now >= next_ping_) ping(now);
}

std::optional<base::Instant> PeerSession::next_timeout() const {
  switch (state_) {
    case State::kClosed:
      return std::nullopt;
    case State::kEstablished:
      return std::min(next_ping_, last_heard_ + options_.silence_timeout);
    default:
      return handshake_deadline_;
  }
}

void PeerSession::ping(base::Instant now) {
  next_ping_ = now + options_.ping_interval;
  if (state_ != State::kEstablished) return;
  actions_.send(header_of(wire::FrameKind::kPing, static_cast<std::uint64_t>(now.time_since_epoch().count()), 0), {},
                {});
}

void PeerSession::send_node_info(const NodeInfo& info) {
  if (state_ != State::kEstablished) return;
  actions_.send(header_of(wire::FrameKind::kNodeInfo, 0, 0), wire::as_span(to_message(info).SerializeAsString()), {});
}

bool PeerSession::send_attempt(const PreparedPlacement& placement, std::uint64_t sequence, std::uint32_t attempt,
                               base::Duration budget, const wire::TraceContext& trace, Payload payload) {
  if (state_ != State::kEstablished) return false;
  if (wire::kHeaderBytes + payload.size() > peer_->max_frame_bytes) return false;
  const std::uint32_t index = placement.index();
  if (index >= sent_templates_.size()) sent_templates_.resize(index + 1);
  if (sent_templates_[index].serial != placement.serial()) [[unlikely]] {
    sent_templates_[index].serial = placement.serial();
    wire::FrameHeader prepare = header_of(wire::FrameKind::kPrepare, 0, 0);
    prepare.template_or_status = index + 1;
    actions_.send(prepare, wire::as_span(to_message(placement.spec()).SerializeAsString()), {});
  }
  wire::FrameHeader header = header_of(wire::FrameKind::kCall, sequence, attempt);
  header.template_or_status = index + 1;
  header.budget_ns = static_cast<std::uint64_t>(budget.count());
  header.trace = trace;
  actions_.send(header, {}, payload);
  return true;
}

void PeerSession::send_cancel(std::uint64_t sequence, std::uint32_t attempt) {
  if (state_ != State::kEstablished) return;
  actions_.send(header_of(wire::FrameKind::kCancel, sequence, attempt), {}, {});
}

void PeerSession::send_started(std::uint64_t sequence, std::uint32_t attempt, wire::Load load) {
  if (state_ != State::kEstablished) return;
  wire::FrameHeader header = header_of(wire::FrameKind::kStarted, sequence, attempt);
  header.aux = load.pack();
  actions_.send(header, {}, {});
}

void PeerSession::send_result(std::uint64_t sequence, std::uint32_t attempt, wire::Outcome outcome,
                              const TaskError* error, Payload payload, wire::Load load) {
  if (state_ != State::kEstablished) return;
  wire::FrameHeader header = header_of(wire::FrameKind::kResult, sequence, attempt);
  header.template_or_status = static_cast<std::uint32_t>(outcome);
  header.aux = load.pack();
  if (error == nullptr && wire::kHeaderBytes + payload.size() > peer_->max_frame_bytes) [[unlikely]] {
    TaskError too_large;
    too_large.message = "the result of " + std::to_string(payload.size()) + " bytes is larger than the origin takes (" +
                        std::to_string(peer_->max_frame_bytes) + "): return less, or raise limits.frame there";
    too_large.node = options_.node_name;
    too_large.attempt = attempt;
    header.template_or_status = static_cast<std::uint32_t>(wire::Outcome::kRejected);
    return actions_.send(header, wire::as_span(to_message(too_large).SerializeAsString()), {});
  }
  if (error == nullptr) return actions_.send(header, {}, payload);
  actions_.send(header, wire::as_span(to_message(*error).SerializeAsString()), {});
}

void PeerSession::send_redirect(std::uint64_t sequence, std::uint32_t attempt, RedirectReason reason,
                                base::Duration retry_after, Payload payload, wire::Load load) {
  if (state_ != State::kEstablished) return;
  wire::FrameHeader header = header_of(wire::FrameKind::kRedirect, sequence, attempt);
  header.aux = load.pack();
  actions_.send(header, wire::as_span(to_message(reason, retry_after).SerializeAsString()), payload);
}

void PeerSession::close(base::Status reason, bool retry) {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  v1::Goodbye goodbye;
  goodbye.set_reason(std::string(reason.message()));
  goodbye.set_retry(retry);
  actions_.send(header_of(wire::FrameKind::kGoodbye, 0, 0), wire::as_span(goodbye.SerializeAsString()), {});
  actions_.close(std::move(reason));
}

void PeerSession::violation(std::string what) {
  close(absl::InvalidArgumentError("protocol violation: " + std::move(what)), /*retry=*/false);
}

}  // namespace kaido::daemon
