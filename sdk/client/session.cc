#include "sdk/client/session.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <utility>

#include "proto/kaido/v1/local.pb.h"
#include "proto/wire/handshake.h"
#include "proto/wire/outcome.h"
#include "sdk/client/messages.h"

namespace kaido::detail {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kFirstRetry = 20ms;
constexpr base::Duration kLongestRetry = 1s;
constexpr std::chrono::milliseconds kRetryAfterFull = 10ms;
constexpr std::chrono::milliseconds kRetryAfterDrain = 100ms;

std::uint32_t next_session_id() {
  static std::atomic<std::uint32_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

constexpr std::uint64_t call_id(std::uint32_t slot, std::uint32_t generation) {
  return static_cast<std::uint64_t>(generation) << 32 | slot;
}

template <class Message>
bool parse(const wire::FrameView& frame, Message& message) {
  return message.ParseFromArray(frame.metadata.data(), static_cast<int>(frame.metadata.size()));
}

}  // namespace

Session::Session(SessionOptions options, FunctionTable functions, SessionEvents& events)
    : options_(std::move(options)),
      functions_(options_.slots == 0 ? FunctionTable() : std::move(functions)),
      events_(events),
      id_(next_session_id()),
      backoff_(kFirstRetry, kLongestRetry, options_.seed) {}

// --- the connection ---

void Session::handle_connected(TimePoint now) {
  state_ = State::kHandshake;
  connect_at_.reset();
  handshake_deadline_ = now + options_.handshake_timeout;
  reader_.emplace();
  writer_.clear();
  consumed_ = 0;
  ++connection_;
  next_wire_id_ = 1;
  is_registered_ = false;
  send_message(wire::FrameKind::kHello, hello_message(options_.app_name));
}

void Session::handle_disconnected(TimePoint now, std::string_view reason) {
  if (state_ == State::kClosed) return;
  const bool was_connected = state_ != State::kDisconnected;
  const bool never_ready = !was_ready_;
  state_ = State::kDisconnected;
  handshake_deadline_.reset();
  is_registered_ = false;
  failure_ = unavailable(reason);
  if (was_connected) {
    settle_in_flight(reason);
    events_.cancel_all();
    writer_.clear();
  }
  connect_at_ = now + backoff_.next();
  // Who has never been connected has nothing to hope for; who has gets a while, since nodes are restarted.
  if (never_ready) {
    fail_waiting(*failure_);
  } else if (!give_up_at_) {
    give_up_at_ = now + options_.unavailable_after;
  }
}

bool Session::handle_input(TimePoint now, std::size_t count) {
  reader_->commit(count);
  while (auto frame = reader_->next()) {
    if (!handle_frame(*frame, now)) return false;
  }
  if (reader_->failed()) return disconnect("the node sent a malformed frame: " + reader_->error());
  return true;
}

bool Session::handle_frame(const wire::FrameView& frame, TimePoint now) {
  switch (frame.header.kind) {
    case wire::FrameKind::kResult:
      handle_result(frame, now);
      return true;
    case wire::FrameKind::kCall:
      return handle_call(frame, now);
    case wire::FrameKind::kCancel:
      events_.cancel(frame.header.call_id);
      return true;
    case wire::FrameKind::kWelcome:
      return handle_welcome(frame, now);
    case wire::FrameKind::kRegistered:
      is_registered_ = true;
      return true;
    case wire::FrameKind::kPrepared:  // A refusal; the calls of that template get the same answer themselves.
    case wire::FrameKind::kPong:
      return true;
    case wire::FrameKind::kCredit: {
      v1::Credit credit;
      if (!parse(frame, credit)) return disconnect("the node sent a malformed credit");
      credits_ = credit.credits();
      send_waiting(now);
      return true;
    }
    case wire::FrameKind::kPing: {
      wire::FrameHeader pong = frame.header;
      pong.kind = wire::FrameKind::kPong;
      writer_.append(pong);
      return true;
    }
    case wire::FrameKind::kGoodbye:
      return handle_goodbye(frame);
    default:
      if ((frame.header.flags & wire::kIgnorable) != 0) return true;
      return disconnect("the node sent a frame that this version does not know (kind " +
                        std::to_string(static_cast<unsigned>(frame.header.kind)) + ")");
  }
}

bool Session::handle_welcome(const wire::FrameView& frame, TimePoint now) {
  if (state_ != State::kHandshake) return disconnect("the node said welcome twice");
  v1::Welcome welcome;
  if (!parse(frame, welcome)) return disconnect("the node sent a malformed welcome");
  if (welcome.version() < wire::kVersions.min || welcome.version() > wire::kVersions.max) {
    return refuse(wire::no_common_version(wire::kVersions, {welcome.version(), welcome.version()}));
  }
  state_ = State::kReady;
  was_ready_ = true;
  handshake_deadline_.reset();
  give_up_at_.reset();
  failure_.reset();
  backoff_.reset();
  node_name_ = welcome.node_name();
  credits_ = welcome.credits();
  if (welcome.max_frame_bytes() >= wire::kHeaderBytes) max_frame_bytes_ = welcome.max_frame_bytes();
  register_functions();
  send_waiting(now);
  return true;
}

void Session::register_functions() {
  is_registered_ = functions_.empty();
  if (!is_registered_) send_message(wire::FrameKind::kRegister, register_message(functions_, options_.slots));
}

bool Session::handle_goodbye(const wire::FrameView& frame) {
  v1::Goodbye goodbye;
  if (!parse(frame, goodbye)) return disconnect("the node sent a malformed goodbye");
  const std::string reason = "the node closed the connection: " + goodbye.reason();
  return goodbye.retry() ? disconnect(reason) : refuse(reason);
}

bool Session::disconnect(std::string reason) {
  disconnect_reason_ = std::move(reason);
  return false;
}

/// Coming back would end the same way.
bool Session::refuse(std::string reason) {
  close(reason);
  return disconnect(std::move(reason));
}

void Session::consume_output(std::size_t count) {
  writer_.consume(count);
  consumed_ += count;
}

// --- time ---

bool Session::handle_timeout(TimePoint now) {
  if (give_up_at_ && now >= *give_up_at_) {
    give_up_at_.reset();
    was_ready_ = false;  // From now on calls fail at once, until a node is there again.
    fail_waiting(failure_ ? *failure_ : unavailable("no node answered"));
  }
  if (handshake_deadline_ && now >= *handshake_deadline_) return disconnect("the node did not answer in time");
  return true;
}

std::optional<TimePoint> Session::next_timeout() const {
  if (!give_up_at_) return handshake_deadline_;
  if (!handshake_deadline_) return give_up_at_;
  return std::min(*give_up_at_, *handshake_deadline_);
}

// --- calls of this program ---

void Session::start(PendingCall& call, Waker waker, TimePoint now) {
  call.waker = std::move(waker);
  if (state_ == State::kReady && in_flight_ < credits_ && waiting_count_ == 0) return send(call, now);
  if (state_ == State::kClosed || (state_ == State::kDisconnected && !was_ready_ && failure_)) {
    return finish(call, *failure_);
  }
  if (waiting_count_ >= options_.max_waiting_calls) {
    return finish(call,
                  Error(ErrorKind::kRejected, std::to_string(waiting_count_) + " calls of this program wait already")
                      .with_retry_after(kRetryAfterFull));
  }
  enqueue(call);
}

void Session::send(PendingCall& call, TimePoint now) {
  const std::size_t size = wire::kHeaderBytes + call.arguments.size();
  if (size > max_frame_bytes_) {
    return finish(call, Error(ErrorKind::kInvalidArgument,
                              std::string(call.target->name) + ": the arguments take " + std::to_string(size) +
                                  " bytes, the node accepts " + std::to_string(max_frame_bytes_) +
                                  " (limits.max_frame_bytes): pass less, or a reference to the data"));
  }
  wire::FrameHeader header;
  if (call.deadline != TimePoint{}) {
    const std::chrono::nanoseconds left = call.deadline - now;
    if (left.count() <= 0) {
      return finish(call, Error(ErrorKind::kTimedOut,
                                std::string(call.target->name) + ": the deadline passed before it was sent"));
    }
    header.budget_ns = static_cast<std::uint64_t>(left.count());
  }
  const std::uint32_t template_id = find_template(call);
  if (template_id == 0) {
    return finish(call, Error(ErrorKind::kRejected, "more than " + std::to_string(wire::kMaxTemplates) +
                                                        " different functions and rules: reuse rules")
                            .with_retry_after(kRetryAfterFull));
  }
  Template& prepared = templates_[template_id - 1];
  call.slot = take_slot();
  Slot& slot = slots_[call.slot];
  slot.call = &call;
  header.kind = wire::FrameKind::kCall;
  header.template_or_status = prepared.connection == connection_ ? prepared.wire_id : prepare(prepared);
  header.call_id = call_id(call.slot, slot.generation);
  call.stream_offset = consumed_ + writer_.pending_bytes();
  writer_.append(header, {}, call.arguments.bytes());
}

void Session::send_waiting(TimePoint now) {
  while (first_waiting_ != nullptr && state_ == State::kReady && in_flight_ < credits_) {
    PendingCall& call = *first_waiting_;
    unlink(call);
    send(call, now);
  }
}

void Session::drop(PendingCall& call) {
  if (call.is_done.load(std::memory_order_relaxed)) return;
  call.waker.reset();
  if (call.is_waiting) return unlink(call);
  // The slot stays taken until the node has answered: only then is its credit back.
  Slot& slot = slots_[call.slot];
  slot.call = nullptr;
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kCancel;
  header.call_id = call_id(call.slot, slot.generation);
  writer_.append(header);
}

void Session::handle_result(const wire::FrameView& frame, TimePoint now) {
  const auto index = static_cast<std::uint32_t>(frame.header.call_id);
  const auto generation = static_cast<std::uint32_t>(frame.header.call_id >> 32);
  if (index >= slots_.size() || !slots_[index].is_used || slots_[index].generation != generation) {
    ++late_results_;
    return;
  }
  PendingCall* const call = slots_[index].call;
  free_slot(index);
  if (call == nullptr) {
    ++late_results_;
  } else if (frame.header.template_or_status == static_cast<std::uint32_t>(wire::Outcome::kSucceeded)) [[likely]] {
    std::optional<Error> error;
    try {
      error = call->decode(*call, frame.payload.bytes());
    } catch (...) {  // Of a user's type.
      error = Error::from_exception(std::current_exception());
    }
    finish(*call, std::move(error));
  } else {
    finish(*call, to_error(frame));
  }
  if (first_waiting_ != nullptr) send_waiting(now);
}

void Session::finish(PendingCall& call, std::optional<Error> error) {
  call.error = std::move(error);
  wakes_.push_back(std::move(call.waker));
  // Last: from here on the call belongs to its task again, which may end it at once.
  call.is_done.store(true, std::memory_order_release);
}

Error Session::unavailable(std::string_view what) const { return Error(ErrorKind::kUnavailable, std::string(what)); }

void Session::fail_waiting(const Error& error) {
  while (first_waiting_ != nullptr) {
    PendingCall& call = *first_waiting_;
    unlink(call);
    finish(call, error);
  }
}

/// What was under way when the connection was lost: repeated if that is allowed, or if nothing of it was sent.
void Session::settle_in_flight(std::string_view reason) {
  std::vector<PendingCall*> again;
  for (std::uint32_t index = 0; index < slots_.size(); ++index) {
    if (!slots_[index].is_used) continue;
    PendingCall* const call = slots_[index].call;
    free_slot(index);
    if (call == nullptr) continue;
    const bool is_unsent = call->stream_offset >= consumed_;
    if (is_unsent || (call->placement != nullptr && call->placement->is_idempotent)) {
      again.push_back(call);
    } else {
      finish(*call, Error(ErrorKind::kUnavailable,
                          std::string(call->target->name) +
                              ": the outcome is unknown, the connection to the node was lost: " + std::string(reason)));
    }
  }
  // In the order in which they were sent, before what has waited until now.
  std::sort(again.begin(), again.end(), [](auto* a, auto* b) { return a->stream_offset > b->stream_offset; });
  for (PendingCall* call : again) enqueue_front(*call);
}

// --- calls for this program ---

bool Session::handle_call(const wire::FrameView& frame, TimePoint now) {
  const std::uint32_t index = frame.header.template_or_status;
  if (index >= functions_.size()) {
    const Error error(ErrorKind::kInvalidArgument, "this program offers no function number " + std::to_string(index));
    reply(connection_, frame.header.call_id, &error, {});
    return true;
  }
  if (is_draining_) {
    const Error error = Error(ErrorKind::kRejected, "the program that runs the function is shutting down")
                            .with_retry_after(kRetryAfterDrain);
    reply(connection_, frame.header.call_id, &error, {});
    return true;
  }
  IncomingCall call;
  call.function = &functions_[index];
  call.call_id = frame.header.call_id;
  call.connection = connection_;
  call.attempt = std::max<std::uint32_t>(frame.header.attempt, 1);
  if (frame.header.budget_ns != 0) {
    constexpr std::uint64_t kFar = std::numeric_limits<std::int64_t>::max() / 2;  // So that the sum cannot overflow.
    call.deadline = now + std::chrono::nanoseconds(static_cast<std::int64_t>(std::min(frame.header.budget_ns, kFar)));
  }
  call.info = frame.metadata;
  call.arguments = frame.payload.bytes();
  events_.run(call);
  return true;
}

void Session::reply(std::uint64_t connection, std::uint64_t id, const Error* error, std::span<const std::byte> result) {
  if (connection != connection_ || state_ != State::kReady) return;
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kResult;
  header.call_id = id;
  if (error == nullptr && wire::kHeaderBytes + result.size() > max_frame_bytes_) {
    const Error too_large(ErrorKind::kInvalidArgument,
                          "the result takes " + std::to_string(result.size()) +
                              " bytes, more than the node accepts (limits.max_frame_bytes)");
    return reply(connection, id, &too_large, {});
  }
  if (error == nullptr) return writer_.append(header, {}, result);
  header.template_or_status = static_cast<std::uint32_t>(to_outcome(error->kind()));
  writer_.append(header, wire::as_span(error_message(*error)));
}

// --- the end ---

void Session::close(std::string_view reason) {
  if (state_ == State::kClosed) return;
  const bool was_connected = state_ != State::kDisconnected;
  state_ = State::kClosed;
  is_registered_ = false;
  connect_at_.reset();
  handshake_deadline_.reset();
  give_up_at_.reset();
  failure_ = unavailable(reason);
  for (std::uint32_t index = 0; index < slots_.size(); ++index) {
    if (!slots_[index].is_used) continue;
    if (slots_[index].call != nullptr) finish(*slots_[index].call, *failure_);
    free_slot(index);
  }
  fail_waiting(*failure_);
  events_.cancel_all();
  if (was_connected) send_message(wire::FrameKind::kGoodbye, goodbye_message(reason));
}

// --- tables ---

void Session::send_message(wire::FrameKind kind, std::string_view metadata, wire::FrameHeader header) {
  header.kind = kind;
  writer_.append(header, wire::as_span(metadata));
}

std::uint32_t Session::find_template(PendingCall& call) {
  if (call.placement == nullptr) {
    const std::uint32_t index = call.target->dense_index();
    if (index < default_templates_.size() && default_templates_[index] != 0) return default_templates_[index];
    const std::uint32_t id = add_template(call);
    if (index >= default_templates_.size()) default_templates_.resize(index + 1, 0);
    return default_templates_[index] = id;
  }
  // A builder that is reused remembers, one that is made for each call is found by its contents.
  const std::uint64_t cached = call.placement->prepared.load(std::memory_order_relaxed);
  if (static_cast<std::uint32_t>(cached >> 32) == id_) return static_cast<std::uint32_t>(cached);
  const std::uint64_t hash = call.placement->hash() ^ call.target->id;
  std::uint32_t id = 0;
  for (auto [at, end] = templates_by_rules_.equal_range(hash); at != end && id == 0; ++at) {
    const Template& known = templates_[at->second - 1];
    if (known.target == call.target && known.rules->same_rules(*call.placement)) id = at->second;
  }
  if (id == 0) {
    id = add_template(call);
    if (id == 0) return 0;
    templates_by_rules_.emplace(hash, id);
  }
  call.placement->prepared.store(static_cast<std::uint64_t>(id_) << 32 | id, std::memory_order_relaxed);
  return id;
}

std::uint32_t Session::add_template(PendingCall& call) {
  if (templates_.size() >= wire::kMaxTemplates) return 0;
  templates_.push_back(Template{call.target, call.placement, 0, 0});
  return static_cast<std::uint32_t>(templates_.size());
}

/// On a new connection the numbers start again from 1, in the order of use.
std::uint32_t Session::prepare(Template& prepared) {
  prepared.connection = connection_;
  prepared.wire_id = next_wire_id_++;
  wire::FrameHeader header;
  header.template_or_status = prepared.wire_id;
  send_message(wire::FrameKind::kPrepare, prepare_message(*prepared.target, prepared.rules.get()), header);
  return prepared.wire_id;
}

std::uint32_t Session::take_slot() {
  if (free_slots_.empty()) {
    slots_.emplace_back();
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size() - 1));
  }
  const std::uint32_t index = free_slots_.back();
  free_slots_.pop_back();
  slots_[index].is_used = true;
  ++in_flight_;
  return index;
}

void Session::free_slot(std::uint32_t index) {
  Slot& slot = slots_[index];
  slot.call = nullptr;
  slot.is_used = false;
  ++slot.generation;
  free_slots_.push_back(index);
  --in_flight_;
}

void Session::enqueue(PendingCall& call) {
  call.is_waiting = true;
  call.previous = last_waiting_;
  call.next = nullptr;
  (last_waiting_ != nullptr ? last_waiting_->next : first_waiting_) = &call;
  last_waiting_ = &call;
  ++waiting_count_;
}

void Session::enqueue_front(PendingCall& call) {
  call.is_waiting = true;
  call.previous = nullptr;
  call.next = first_waiting_;
  (first_waiting_ != nullptr ? first_waiting_->previous : last_waiting_) = &call;
  first_waiting_ = &call;
  ++waiting_count_;
}

void Session::unlink(PendingCall& call) {
  call.is_waiting = false;
  (call.previous != nullptr ? call.previous->next : first_waiting_) = call.next;
  (call.next != nullptr ? call.next->previous : last_waiting_) = call.previous;
  --waiting_count_;
}

}  // namespace kaido::detail
