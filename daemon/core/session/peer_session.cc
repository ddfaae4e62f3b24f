#include "daemon/core/session/peer_session.h"

#include <algorithm>
#include <utility>

#include "daemon/core/session/messages.h"
#include "proto/base/check.h"
#include "proto/kaido/v1/node.pb.h"
#include "proto/kaido/v1/peer.pb.h"

namespace kaido::daemon {
namespace {

wire::FrameHeader header_of(wire::FrameKind kind, std::uint64_t sequence, std::uint32_t attempt) {
  wire::FrameHeader header;
  header.kind = kind;
  header.call_id = sequence;
  header.set_attempt(attempt);
  return header;
}

bool carries_load(wire::FrameKind kind) {
  switch (kind) {
    case wire::FrameKind::kResult:
    case wire::FrameKind::kQueued:
    case wire::FrameKind::kStarted:
    case wire::FrameKind::kRedirect:
    case wire::FrameKind::kPing:
    case wire::FrameKind::kPong:
      return true;
    default:
      return false;
  }
}

// Short enough to be shown: they are somebody's word.
bool are_names(const v1::Twin& twin) {
  return twin.name().size() <= wire::kMaxNameBytes && twin.address().size() <= wire::kMaxNameBytes;
}

std::size_t frame_bytes(std::size_t metadata, const Payload& payload) {
  return wire::kHeaderBytes + metadata + payload.size();
}

}  // namespace

PeerSession::PeerSession(const PeerSessionOptions& options, Role role, PeerSessionActions& actions, base::Instant now)
    : options_(options),
      role_(role),
      actions_(actions),
      handshake_deadline_(now + options.handshake_timeout),
      last_heard_(now),
      next_ping_(now + options.ping_interval),
      received_templates_({options.templates_max, options.template_bytes_max}, {}) {}

void PeerSession::set_memory_owner(wire::MemoryOwner owner) {
  received_templates_.set_charge(wire::Charge(options_.memory, owner, wire::MemoryKind::kTemplates));
}

// ---------------------------------------------------------------- the handshake

void PeerSession::start() {
  v1::PeerHello hello;
  hello.mutable_versions()->set_min(options_.versions.min);
  hello.mutable_versions()->set_max(options_.versions.max);
  hello.mutable_versions()->set_features(options_.features);
  hello.set_node_id(base::to_bytes(options_.node_id));
  hello.set_node_name(options_.node_name);
  hello.set_epoch(options_.life.epoch.value);
  hello.set_nonce(options_.life.nonce);
  hello.set_max_frame_bytes(options_.max_frame_bytes);
  hello.set_max_metadata_bytes(options_.max_metadata_bytes);
  hello.set_max_templates(options_.templates_max);
  actions_.send(header_of(wire::FrameKind::kHello, 0, 0), wire::as_span(hello.SerializeAsString()), {});
}

void PeerSession::handle_frame(base::Instant now, const wire::FrameView& frame) {
  const wire::FrameKind kind = frame.header.kind;
  const FrameRule rule = rule_for(state_, kind);
  if (rule != FrameRule::kHandle) [[unlikely]] {
    if (rule == FrameRule::kDrop || (!wire::is_known(kind) && (frame.header.flags & wire::kIgnorable) != 0)) return;
    return violation("a " + std::string(wire::name(kind)) + " frame (kind " +
                     std::to_string(static_cast<unsigned>(kind)) + ") has no place in a connection that is " +
                     std::string(name(state_)));
  }
  last_heard_ = now;
  if (kind == wire::FrameKind::kGoodbye) return handle_goodbye(frame);
  if (kind == wire::FrameKind::kHello) return handle_hello(frame);
  if (kind == wire::FrameKind::kWelcome) return handle_welcome(frame);
  handle_established(now, frame);
}

void PeerSession::handle_goodbye(const wire::FrameView& frame) {
  const auto goodbye = parse_metadata<v1::Goodbye>(frame);
  if (goodbye.ok() && goodbye->replaced() && state_ == PeerState::kEstablished) {
    peer_retired_ = true;
    if (actions_.may_retire()) retire(last_heard_);
    return;
  }
  const bool was_replaced = state_ == PeerState::kRetiring;
  if (was_replaced && goodbye.ok() && goodbye->replaced()) return drain(last_heard_);
  is_retired_ = false;
  state_ = PeerState::kClosed;
  received_templates_.clear();
  if (was_replaced) return actions_.close(absl::OkStatus(), /*said_goodbye=*/false);
  if (goodbye.ok() && goodbye->has_twin() && are_names(goodbye->twin())) {
    actions_.twin_reported({goodbye->twin().name(), goodbye->twin().address()});
  }
  const std::string what = "the peer said goodbye: " + (goodbye.ok() ? goodbye->reason() : "no readable reason");
  const bool may_return = !goodbye.ok() || goodbye->retry();
  actions_.close(may_return ? absl::UnavailableError(what) : absl::FailedPreconditionError(what),
                 /*said_goodbye=*/true);
}

void PeerSession::retire(base::Instant now) {
  if (state_ != PeerState::kEstablished) return;
  send_goodbye("another link takes over", /*may_return=*/true, /*replaced=*/true);
  state_ = PeerState::kRetiring;
  retire_deadline_ = now + options_.handshake_timeout;
  if (peer_retired_) drain(now);
}

void PeerSession::drain(base::Instant now) {
  is_retired_ = true;
  state_ = PeerState::kDraining;
  next_ping_ = now + options_.ping_interval;
  received_templates_.clear();  // No call comes here any more; the new link has its own.
  actions_.finish();
}

void PeerSession::handle_hello(const wire::FrameView& frame) {
  auto hello = parse_metadata<v1::PeerHello>(frame);
  if (!hello.ok()) return violation(std::string(hello.status().message()));
  const wire::VersionRange theirs{hello->versions().min(), hello->versions().max()};
  const auto version = wire::common_version(options_.versions, theirs);
  if (!version) {
    return close(absl::FailedPreconditionError(wire::no_common_version(options_.versions, theirs)));
  }
  const auto id = base::node_id_from_bytes(hello->node_id());
  if (!id || id->is_nil()) return violation("hello has no node id");
  const base::Life life{base::Epoch{hello->epoch()}, hello->nonce()};
  if (life == base::Life()) return violation("hello has neither epoch nor nonce");
  if (hello->node_name().empty() || hello->node_name().size() > wire::kMaxNameBytes) {
    return violation("hello has no node name of 1 to " + std::to_string(wire::kMaxNameBytes) + " bytes");
  }
  version_ = *version;
  peer_ = PeerGreeting{*id,
                       hello->node_name(),
                       life,
                       hello->max_frame_bytes(),
                       hello->max_metadata_bytes(),
                       hello->max_templates(),
                       hello->versions().features() & options_.features};
  sent_templates_ = SentTemplates(std::min(peer_->max_templates, wire::kMaxTemplates));
  if (auto agreed = actions_.greeted(*peer_); !agreed.ok()) return close(std::move(agreed));
  if (role_ == Role::kAcceptor) {
    state_ = PeerState::kAwaitCommit;
    return;
  }
  state_ = PeerState::kCommitted;
  send_welcome();
}

// Both sides find the version in the hellos: one that names another would speak something else from here on.
void PeerSession::handle_welcome(const wire::FrameView& frame) {
  const auto welcome = parse_metadata<v1::PeerWelcome>(frame);
  if (!welcome.ok()) return violation(std::string(welcome.status().message()));
  if (welcome->version() != version_) {
    return close(absl::FailedPreconditionError(
        "the peer welcomes with protocol version " + std::to_string(welcome->version()) + ", and the hellos agree on " +
        std::to_string(version_) + "; upgrade the one of the two nodes that is older"));
  }
  if (role_ == Role::kAcceptor) return actions_.committed(*peer_);
  state_ = PeerState::kAwaitInfo;
  actions_.established(*peer_);
}

void PeerSession::agree() {
  if (state_ != PeerState::kAwaitCommit) return;
  send_welcome();
  state_ = PeerState::kAwaitInfo;
  actions_.established(*peer_);
}

void PeerSession::send_welcome() {
  v1::PeerWelcome welcome;
  welcome.set_version(version_);
  actions_.send(header_of(wire::FrameKind::kWelcome, 0, 0), wire::as_span(welcome.SerializeAsString()), {});
}

// ---------------------------------------------------------------- from the peer

void PeerSession::handle_established(base::Instant now, const wire::FrameView& frame) {
  const wire::FrameHeader& header = frame.header;
  if (state_ == PeerState::kEstablished && carries_load(header.kind) && header.load() != wire::Load()) {
    actions_.load(header.load());
  }
  switch (header.kind) {
    case wire::FrameKind::kCall:
      return handle_call(frame);
    case wire::FrameKind::kResult:
      return handle_result(frame);
    case wire::FrameKind::kQueued:
      return actions_.queued(header.call_id, header.attempt());
    case wire::FrameKind::kStarted:
      return actions_.started(header.call_id, header.attempt());
    case wire::FrameKind::kRedirect:
      return handle_redirect(frame);
    case wire::FrameKind::kCancel:
      return actions_.cancel(header.call_id, header.attempt());
    case wire::FrameKind::kPrepare:
      return handle_prepare(frame);
    case wire::FrameKind::kNodeInfo:
      return handle_node_info(frame);
    case wire::FrameKind::kNodeInfoDelta:
      return handle_node_info_delta(frame);
    case wire::FrameKind::kNodeInfoWanted:
      return actions_.node_info_wanted();
    case wire::FrameKind::kInquire:
      return actions_.inquired(header.call_id, header.attempt());
    case wire::FrameKind::kPing: {
      if (state_ != PeerState::kEstablished && state_ != PeerState::kAwaitInfo) return;  // nothing more is said here
      wire::FrameHeader pong = header_of(wire::FrameKind::kPong, header.call_id, 0);
      pong.set_load(load_);
      return actions_.send(pong, {}, {});
    }
    case wire::FrameKind::kPong:
      return handle_pong(now, header);
    case wire::FrameKind::kPrepared:
      return sent_templates_.forget(static_cast<std::uint32_t>(header.call_id));
    default:
      return;
  }
}

void PeerSession::handle_pong(base::Instant now, const wire::FrameHeader& header) {
  // An old one, or an invention. One that comes when the next ping is out already measures all the same.
  if (header.call_id <= ping_answered_ || header.call_id > ping_sent_) return;
  ping_answered_ = header.call_id;
  const base::Instant sent{base::Duration(static_cast<std::int64_t>(header.call_id))};
  actions_.round_trip(std::max(now - sent, base::Duration(0)));
}

// A refusal is told, so that the origin prepares it again when it needs it next: calls that come before then go back.
void PeerSession::handle_prepare(const wire::FrameView& frame) {
  const std::uint32_t id = frame.header.template_or_status;
  if (!received_templates_.is_id(id)) return;  // its calls name it again, and come back
  if (received_templates_.make_place(id)) {
    std::size_t bytes = 0;
    if (PlacementRef placement = prepare(frame, bytes)) return received_templates_.put(id, std::move(placement), bytes);
  }
  if (state_ != PeerState::kEstablished)
    return;  // Its goodbye was the last word here; the calls go back by the new link.
  wire::FrameHeader refusal = header_of(wire::FrameKind::kPrepared, id, 0);
  refusal.template_or_status = static_cast<std::uint32_t>(wire::Outcome::kRejected);
  actions_.send(refusal, {}, {});
}

PlacementRef PeerSession::prepare(const wire::FrameView& frame, std::size_t& bytes) {
  auto message = parse_metadata<v1::Prepare>(frame);
  if (!message.ok()) return nullptr;
  auto spec = to_placement(*message);
  if (!spec.ok()) return nullptr;
  bytes = footprint(*spec);
  return received_templates_.has_room(bytes) ? actions_.prepare(*std::move(spec)) : nullptr;
}

void PeerSession::handle_call(const wire::FrameView& frame) {
  const wire::FrameHeader& header = frame.header;
  const std::uint32_t id = header.template_or_status;
  const PlacementRef* const known = received_templates_.find(id);
  if (known == nullptr || *known == nullptr) [[unlikely]] {
    // Refused here, or never told: somebody else has to run it.
    return actions_.hand_back(
        {header.call_id, header.attempt(), {RedirectReason::kQueueFull, base::Duration(0), frame.payload}});
  }
  if (has_failed(frame.payload)) [[unlikely]] {
    return actions_.answer(
        {header.call_id, header.attempt(), failure_of(frame.payload, "the arguments", wire::Outcome::kCancelled)});
  }
  actions_.call({header.call_id, header.attempt(), *known, to_duration(header.budget_ns), header.trace, frame.payload});
}

void PeerSession::handle_result(const wire::FrameView& frame) {
  const wire::FrameHeader& header = frame.header;
  const auto outcome = wire::outcome_from(header.template_or_status);
  if (outcome == wire::Outcome::kSucceeded) [[likely]] {
    const bool failed = has_failed(frame.payload);
    return actions_.result({header.call_id, header.attempt(),
                            failed ? failure_of(frame.payload, "the result", wire::Outcome::kAppLost)
                                   : TaskResult{*outcome, nullptr, frame.payload}});
  }
  actions_.result({header.call_id, header.attempt(), to_failure(frame, outcome)});
}

void PeerSession::handle_redirect(const wire::FrameView& frame) {
  TaskRedirect redirect{RedirectReason::kMismatch, base::Duration(0), frame.payload};
  if (auto message = parse_metadata<v1::RedirectReason>(frame); message.ok()) {
    redirect.reason = to_redirect_reason(*message);
    redirect.retry_after = to_duration(message->retry_after_ns());
  }
  actions_.redirected({frame.header.call_id, frame.header.attempt(), std::move(redirect)});
}

void PeerSession::handle_node_info(const wire::FrameView& frame) {
  info_wanted_ = false;
  base::Status refusal;
  if (auto message = parse_metadata<v1::NodeInfo>(frame); !message.ok()) {
    refusal = message.status();
  } else if (auto info = to_node_info(*message); !info.ok()) {
    refusal = info.status();
  } else if (info->id != peer_->id || info->life != peer_->life) {
    return violation("node info speaks of another node than hello");
  } else {
    refusal = actions_.node_info(*std::move(info));
  }
  if (is_closed()) return;
  if (state_ == PeerState::kAwaitInfo) {
    if (!refusal.ok()) return close(std::move(refusal));
    state_ = PeerState::kEstablished;
    actions_.introduced();
  } else if (!refusal.ok()) {
    actions_.announcement_refused(refusal);
  }
}

void PeerSession::handle_node_info_delta(const wire::FrameView& frame) {
  base::Status refusal;
  if (auto message = parse_metadata<v1::NodeInfoDelta>(frame); !message.ok()) {
    refusal = message.status();
  } else if (auto delta = to_node_info_delta(*message); !delta.ok()) {
    refusal = delta.status();
  } else {
    refusal = actions_.node_info_delta(*std::move(delta));
  }
  if (!is_closed() && !refusal.ok()) actions_.announcement_refused(refusal);
}

// ---------------------------------------------------------------- time

void PeerSession::handle_timeout(base::Instant now, wire::Load load) {
  load_ = load;
  if (state_ == PeerState::kClosed) return;
  if (state_ == PeerState::kRetiring) {
    if (now < retire_deadline_) return;
    state_ = PeerState::kClosed;
    received_templates_.clear();
    return actions_.close(absl::OkStatus(), /*said_goodbye=*/false);
  }
  const bool is_used = state_ == PeerState::kEstablished || state_ == PeerState::kDraining;
  if (!is_used) {
    if (now >= handshake_deadline_) close(absl::DeadlineExceededError("the handshake took too long"));
    return;
  }
  if (now >= last_heard_ + options_.silence_timeout) {
    return close(absl::DeadlineExceededError("nothing was heard of the peer for " +
                                             std::to_string(options_.silence_timeout / std::chrono::milliseconds(1)) +
                                             " ms"));
  }
  if (now >= next_ping_) ping(now, load);
}

void PeerSession::was_away(base::Instant now, base::Duration time) {
  last_heard_ = std::min(now, last_heard_ + time);
  handshake_deadline_ += time;
  retire_deadline_ += time;
}

std::optional<base::Instant> PeerSession::next_timeout() const {
  switch (state_) {
    case PeerState::kClosed:
      return std::nullopt;
    case PeerState::kEstablished:
    case PeerState::kDraining:
      return std::min(next_ping_, last_heard_ + options_.silence_timeout);
    case PeerState::kRetiring:
      return retire_deadline_;
    default:
      return handshake_deadline_;
  }
}

void PeerSession::ping(base::Instant now, wire::Load load) {
  load_ = load;
  next_ping_ = now + options_.ping_interval;
  const bool may_ping =
      state_ == PeerState::kEstablished || state_ == PeerState::kAwaitInfo || state_ == PeerState::kDraining;
  if (!may_ping) return;
  // Two at one moment have different numbers, so that each has its answer.
  ping_sent_ = std::max(static_cast<std::uint64_t>(now.time_since_epoch().count()), ping_sent_ + 1);
  wire::FrameHeader header = header_of(wire::FrameKind::kPing, ping_sent_, 0);
  header.set_load(load);
  actions_.send(header, {}, {});
}

// ---------------------------------------------------------------- from the node

bool PeerSession::send_node_info(const NodeInfo& info) {
  if (state_ != PeerState::kEstablished && state_ != PeerState::kAwaitInfo) return true;
  return send_message(wire::FrameKind::kNodeInfo, to_message(info).SerializeAsString());
}

bool PeerSession::send_node_info_delta(const NodeInfoDelta& delta) {
  if (state_ != PeerState::kEstablished && state_ != PeerState::kAwaitInfo) return true;
  return send_message(wire::FrameKind::kNodeInfoDelta, to_message(delta).SerializeAsString());
}

void PeerSession::want_node_info() {
  if (state_ != PeerState::kEstablished || std::exchange(info_wanted_, true)) return;
  actions_.send(header_of(wire::FrameKind::kNodeInfoWanted, 0, 0), {}, {});
}

bool PeerSession::send_message(wire::FrameKind kind, const std::string& message) {
  if (message.size() > peer_->max_metadata_bytes || frame_bytes(message.size(), {}) > peer_->max_frame_bytes) {
    return false;
  }
  actions_.send(header_of(kind, 0, 0), wire::as_span(message), {});
  return true;
}

// The id under which the peer knows the placement, preparing it where it does not; nothing if it would not take that.
std::optional<std::uint32_t> PeerSession::template_for(const PreparedPlacement& placement) {
  const SentTemplates::Use use = sent_templates_.use(placement.index(), placement.serial());
  if (use.id == 0) return std::nullopt;
  if (!use.is_new) return use.id;
  const std::string message = to_message(placement.spec()).SerializeAsString();
  if (message.size() > peer_->max_metadata_bytes || frame_bytes(message.size(), {}) > peer_->max_frame_bytes) {
    sent_templates_.forget(use.id);
    return std::nullopt;
  }
  wire::FrameHeader prepare = header_of(wire::FrameKind::kPrepare, 0, 0);
  prepare.template_or_status = use.id;
  actions_.send(prepare, wire::as_span(message), {});
  return use.id;
}

bool PeerSession::send_attempt(const PeerAttempt& attempt) {
  if (state_ != PeerState::kEstablished) return false;
  if (frame_bytes(0, attempt.payload) > peer_->max_frame_bytes) return false;
  const auto id = template_for(*attempt.placement);
  if (!id) return false;
  wire::FrameHeader header = header_of(wire::FrameKind::kCall, attempt.sequence, attempt.attempt);
  header.template_or_status = *id;
  header.budget_ns = static_cast<std::uint64_t>(attempt.budget.count());
  header.trace = attempt.trace;
  actions_.send(header, {}, Payload(attempt.payload));
  return true;
}

void PeerSession::send_cancel(std::uint64_t sequence, std::uint32_t attempt) {
  if (state_ != PeerState::kEstablished) return;
  actions_.send(header_of(wire::FrameKind::kCancel, sequence, attempt), {}, {});
}

void PeerSession::send_inquiry(std::uint64_t sequence, std::uint32_t attempt) {
  if (state_ != PeerState::kEstablished) return;
  actions_.send(header_of(wire::FrameKind::kInquire, sequence, attempt), {}, {});
}

void PeerSession::send_queued(std::uint64_t sequence, std::uint32_t attempt, wire::Load load) {
  load_ = load;
  if (state_ != PeerState::kEstablished) return;
  wire::FrameHeader header = header_of(wire::FrameKind::kQueued, sequence, attempt);
  header.flags = wire::kIgnorable;
  header.set_load(load);
  actions_.send(header, {}, {});
}

void PeerSession::send_started(std::uint64_t sequence, std::uint32_t attempt, wire::Load load) {
  load_ = load;
  if (state_ != PeerState::kEstablished) return;
  wire::FrameHeader header = header_of(wire::FrameKind::kStarted, sequence, attempt);
  header.set_load(load);
  actions_.send(header, {}, {});
}

void PeerSession::send_result(PeerResult&& result, wire::Load load) {
  load_ = load;
  if (state_ != PeerState::kEstablished) return;
  wire::FrameHeader header = header_of(wire::FrameKind::kResult, result.sequence, result.attempt);
  header.set_load(load);
  TaskResult& ended = result.result;
  if (frame_bytes(0, ended.payload) > peer_->max_frame_bytes) [[unlikely]] {
    ended = {
        wire::Outcome::kRejected,
        make_error({.message = "the result of " + std::to_string(ended.payload.size()) +
                               " bytes is larger than the origin takes (" + std::to_string(peer_->max_frame_bytes) +
                               "): return less, or raise limits.max_frame_bytes there",
                    .node = options_.node_name,
                    .attempt = result.attempt}),
        {}};
  }
  header.template_or_status = static_cast<std::uint32_t>(ended.outcome);
  if (ended.error == nullptr) return actions_.send(header, {}, std::move(ended.payload));
  std::string error = to_message(*ended.error).SerializeAsString();
  if (const std::size_t most = error_bytes_max(); error.size() > most) {
    error = to_message(TaskError{.message = "the error takes " + std::to_string(error.size()) +
                                            " bytes, more than the origin takes",
                                 .node = options_.node_name,
                                 .attempt = result.attempt})
                .SerializeAsString();
    if (error.size() > most) error.clear();  // its status says what happened
  }
  actions_.send(header, wire::as_span(error), {});
}

// Of the peer's two limits the smaller one.
std::size_t PeerSession::error_bytes_max() const {
  const std::size_t bare = frame_bytes(0, {});
  return std::min<std::size_t>(peer_->max_metadata_bytes, std::max<std::size_t>(peer_->max_frame_bytes, bare) - bare);
}

void PeerSession::send_redirect(PeerRedirect answer, wire::Load load) {
  load_ = load;
  if (state_ != PeerState::kEstablished) return;
  wire::FrameHeader header = header_of(wire::FrameKind::kRedirect, answer.sequence, answer.attempt);
  header.set_load(load);
  TaskRedirect& redirect = answer.redirect;
  actions_.send(header, wire::as_span(to_message(redirect.reason, redirect.retry_after).SerializeAsString()),
                std::move(redirect.payload));
}

void PeerSession::close(base::Status reason) {
  if (state_ == PeerState::kClosed) return;
  is_retired_ = false;
  if (state_ != PeerState::kRetiring && state_ != PeerState::kDraining) {
    const bool would_recur = absl::IsFailedPrecondition(reason) || absl::IsInvalidArgument(reason);
    send_goodbye(std::string(reason.message()), !would_recur, /*replaced=*/false);
  }
  state_ = PeerState::kClosed;
  received_templates_.clear();
  actions_.close(std::move(reason), /*said_goodbye=*/false);
}

void PeerSession::send_goodbye(const std::string& reason, bool may_return, bool replaced) {
  v1::Goodbye goodbye;
  goodbye.set_reason(reason);
  goodbye.set_retry(may_return);
  goodbye.set_replaced(replaced);
  if (twin_ && !replaced) {
    goodbye.mutable_twin()->set_name(twin_->name);
    goodbye.mutable_twin()->set_address(twin_->address);
  }
  actions_.send(header_of(wire::FrameKind::kGoodbye, 0, 0), wire::as_span(goodbye.SerializeAsString()), {});
}

void PeerSession::violation(std::string what) {
  close(absl::InvalidArgumentError("protocol violation: " + std::move(what)));
}

}  // namespace kaido::daemon
