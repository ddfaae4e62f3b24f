#include "sdk/client/session.h"

#include <algorithm>
#include <cstddef>
#include <new>
#include <stdexcept>
#include <utility>

#include <kaido/time.h>

#include "proto/kaido/v1/local.pb.h"
#include "proto/wire/handshake.h"
#include "proto/wire/outcome.h"
#include "sdk/client/error_of.h"
#include "sdk/client/messages.h"

namespace kaido::inline abi0::detail {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kFirstRetry = 20ms;
constexpr base::Duration kLongestRetry = 1s;
constexpr std::chrono::milliseconds kRetryAfterFull = 10ms;
constexpr std::chrono::milliseconds kRetryAfterDrain = 100ms;
constexpr std::size_t kWakesAtOnce = 64;  // In a turn, without growing what holds them.

constexpr std::uint64_t call_id(std::uint32_t slot, std::uint32_t generation) {
  return static_cast<std::uint64_t>(generation) << 32 | slot;
}

template <class Message>
bool parse(const wire::FrameView& frame, Message& message) {
  return message.ParseFromArray(frame.metadata.data(), static_cast<int>(frame.metadata.size()));
}

bool may_be_repeated(const PendingCall& call) {
  return call.placement != nullptr && call.placement->number(PlacementField::kIdempotent) != 0;
}

}  // namespace

Session::Session(SessionOptions options, FunctionTable functions, SessionEvents& events)
    : options_(std::move(options)),
      functions_(std::move(functions)),
      events_(events),
      backoff_(kFirstRetry, kLongestRetry, options_.seed),
      liveness_(saturate(options_.ping_interval), saturate(options_.ping_limit)),
      templates_(options_.max_templates) {}

// --- the connection ---

void Session::handle_connected(TimePoint now) {
  state_ = State::kHandshake;
  connect_at_.reset();
  handshake_deadline_ = now + saturate(options_.handshake_timeout);
  channel_.emplace(wire::ChannelOptions{.assemble = true, .hold_listener = this},
                   [] {});  // the owner asks after each call
  consumed_ = 0;
  ++connection_;
  templates_.start_connection();
  is_registered_ = false;
  send_message(wire::FrameKind::kHello, hello_message(options_.app_name));
}

void Session::handle_disconnected(TimePoint now, std::string_view reason) {
  if (state_ == State::kClosed) {
    waiting_results_.clear();
    channel_.reset();  // with what was lent to it
    return;
  }
  const bool was_connected = state_ != State::kDisconnected;
  const bool never_ready = !was_ready_;
  state_ = State::kDisconnected;
  handshake_deadline_.reset();
  liveness_.stop();
  is_registered_ = false;
  failure_ = error_of(ErrorKind::kUnavailable, reason);
  if (was_connected) {
    channel_.reset();  // before the calls in flight get their arguments back
    waiting_results_.clear();
    settle_in_flight(reason);
    events_.cancel_all();
  }
  // Not before: a node that turns this program away again and again is asked less and less often.
  if (served_since_ && now - *std::exchange(served_since_, std::nullopt) >= kLongestRetry) backoff_.reset();
  connect_at_ = now + backoff_.next();
  // Who has never been connected has nothing to hope for; who has gets a while, since nodes are restarted.
  if (never_ready) {
    fail_waiting(*failure_);
  } else if (!give_up_at_) {
    give_up_at_ = now + saturate(options_.unavailable_after);
  }
}

bool Session::handle_input(TimePoint now, std::size_t count) {
  channel_->commit(count);
  if (count != 0) liveness_.heard(now);
  input_at_ = now;
  while (auto frame = channel_->next()) {
    if (!handle_frame(*frame, now)) return false;
  }
  if (channel_->failed()) return disconnect("the node sent a malformed frame: " + channel_->error());
  if (!waiting_results_.empty()) send_waiting_results();
  if (first_waiting_ != nullptr) send_waiting(now);
  return true;
}

inline bool Session::handle_frame(wire::FrameView& frame, TimePoint now) {
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
      served_since_ = now;
      return true;
    case wire::FrameKind::kPrepared:
      handle_prepared(frame);
      return true;
    case wire::FrameKind::kPong:
      return true;
    case wire::FrameKind::kPing: {
      wire::FrameHeader pong = frame.header;
      pong.kind = wire::FrameKind::kPong;
      append(pong);
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
  if (functions_.empty()) served_since_ = now;
  node_name_ = *node_names_.insert(welcome.node_name()).first;
  credits_ = welcome.credits();
  results_follow_ = (welcome.features() & wire::kFeatureResultsFollow) != 0;
  set_limits(welcome);
  liveness_.start(now);
  if (!register_functions()) return false;
  send_waiting(now);
  return true;
}

/// A refusal; the calls of that template get the same answer themselves. If the node had no room, it may have later.
void Session::handle_prepared(const wire::FrameView& frame) {
  if (frame.header.template_or_status != static_cast<std::uint32_t>(wire::Outcome::kRejected)) return;
  templates_.set_refused(static_cast<std::uint32_t>(frame.header.call_id));
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

void Session::consume_output(TimePoint now, std::size_t count) {
  channel_->consume(count);
  consumed_ += count;
  // A stream may have ended, and with it what others wait for.
  if (!waiting_results_.empty()) send_waiting_results();
  if (first_waiting_ != nullptr) send_waiting(now);
}

// --- time ---

bool Session::handle_timeout(TimePoint now) {
  if (give_up_at_ && now >= *give_up_at_) {
    give_up_at_.reset();
    was_ready_ = false;  // From now on calls fail at once, until a node is there again.
    fail_waiting(failure_ ? *failure_ : error_of(ErrorKind::kUnavailable, "no node answered"));
  }
  if (handshake_deadline_ && now >= *handshake_deadline_) return disconnect("the node did not answer in time");
  switch (liveness_.handle_timeout(now)) {
    case Liveness::Verdict::kFine:
      return true;
    case Liveness::Verdict::kPing:
      append(wire::FrameHeader{.kind = wire::FrameKind::kPing});
      return true;
    case Liveness::Verdict::kLost:
      return disconnect("the node does not answer: nothing came for " +
                        std::to_string(std::chrono::ceil<std::chrono::milliseconds>(options_.ping_limit).count()) +
                        " ms after a ping (is kaidod stopped?)");
  }
  return true;
}

std::optional<TimePoint> Session::next_timeout() const {
  std::optional<TimePoint> next = give_up_at_;
  for (const auto& other : {handshake_deadline_, liveness_.next_timeout()}) {
    if (other && (!next || *other < *next)) next = other;
  }
  return next;
}

// --- calls of this program ---

void Session::start(PendingCall& call, Waker waker, TimePoint now) {
  call.waker = std::move(waker);
  if (state_ == State::kReady && in_flight_ < credits_ && waiting_count_ == 0 && has_room_for(call))
    return send(call, now);
  if (state_ == State::kClosed || (state_ == State::kDisconnected && !was_ready_ && failure_)) {
    return finish(call, copy_of(*failure_));
  }
  if (waiting_count_ >= options_.max_waiting_calls) {
    return finish(call, error_made_by(ErrorKind::kRejected, [this] {
                    return Error(ErrorKind::kRejected,
                                 std::to_string(waiting_count_) + " calls of this program wait already")
                        .with_retry_after(kRetryAfterFull);
                  }));
  }
  enqueue(call);
}

/// Whatever goes wrong is this call's alone.
inline void Session::send(PendingCall& call, TimePoint now) {
  std::optional<Error> failure;
  try {
    failure = try_send(call, now);
  } catch (const std::bad_alloc&) {
    failure = error_made_by(ErrorKind::kRejected, [&call] {
      return Error(ErrorKind::kRejected, std::string(call.target->name) + ": there is no memory to send the call")
          .with_retry_after(kRetryAfterFull);
    });
  } catch (const std::exception& thrown) {
    failure = error_of(ErrorKind::kInternal, call.target->name, ": sending the call: ", thrown.what());
  }
  if (failure) finish(call, std::move(failure));
}

inline std::optional<Error> Session::try_send(PendingCall& call, TimePoint now) {
  const std::size_t size = wire::kHeaderBytes + call.arguments.size();
  if (size > max_frame_bytes_) {
    return Error(ErrorKind::kInvalidArgument, std::string(call.target->name) + ": the arguments take " +
                                                  std::to_string(size) + " bytes, the node accepts " +
                                                  std::to_string(max_frame_bytes_) +
                                                  " (limits.max_frame_bytes): pass less, or a reference to the data");
  }
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kCall;
  header.trace.trace_id = call.trace.trace_id;
  header.trace.span_id = call.trace.span_id;
  if (call.deadline != TimePoint{}) {
    const std::chrono::nanoseconds left = call.deadline - now;
    if (left.count() <= 0) {
      return Error(ErrorKind::kTimedOut, std::string(call.target->name) + ": the deadline passed before it was sent");
    }
    header.budget_ns = static_cast<std::uint64_t>(left.count());
  }
  if (auto refusal = try_prepare(call, header.template_or_status)) return refusal;
  const std::uint32_t index = take_slot();
  header.call_id = call_id(index, slots_[index].generation);
  const std::uint64_t offset = consumed_ + channel_->framed_bytes();
  try {
    if (send_arguments(call, slots_[index], header) != wire::SendResult::kTaken) {
      throw std::logic_error("the connection refused what it had room for");
    }
  } catch (...) {
    free_slot(index);
    throw;
  }
  slots_[index].call = &call;
  call.slot = index;
  call.stream_offset = offset;
  return std::nullopt;
}

inline std::optional<Error> Session::try_prepare(PendingCall& call, std::uint32_t& number) {
  TemplateCache::Template* known = templates_.find(call);
  if (known == nullptr) {
    if (auto problem = placement_problem(*call.target, call.placement.get())) {
      return Error(ErrorKind::kInvalidArgument, *std::move(problem));
    }
    known = &templates_.add(call);
  }
  number = templates_.number(*known);
  if (templates_.is_prepared(*known)) return std::nullopt;
  const std::string message = prepare_message(*known->target, known->rules.get());
  if (message.size() > max_message_bytes()) {
    return Error(ErrorKind::kInvalidArgument, std::string(call.target->name) + ": its schema and rules take " +
                                                  std::to_string(message.size()) + " bytes, the node accepts " +
                                                  std::to_string(max_message_bytes()));
  }
  wire::FrameHeader header;
  header.template_or_status = number;
  send_message(wire::FrameKind::kPrepare, message, header);
  templates_.set_prepared(*known);
  return std::nullopt;
}

void Session::send_waiting(TimePoint now) {
  while (first_waiting_ != nullptr && state_ == State::kReady && in_flight_ < credits_ &&
         has_room_for(*first_waiting_)) {
    PendingCall& call = *first_waiting_;
    unlink(call);
    send(call, now);
  }
}

void Session::drop(PendingCall& call) {
  if (call.is_done.load(std::memory_order_relaxed)) return;
  call.waker.reset();
  if (call.is_waiting) return unlink(call);
  // It has ended without being told, or was never taken up: start() threw.
  if (call.slot == PendingCall::kNoSlot) return forget_unwoken(call);
  // The slot stays taken until the node has answered: only then is its credit back.
  Slot& slot = slots_[call.slot];
  slot.call = nullptr;
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kCancel;
  header.call_id = call_id(call.slot, slot.generation);
  try {
    append(header);
  } catch (const std::bad_alloc&) {
    // Then it runs to its end, and nobody looks at its result.
  }
}

inline void Session::handle_result(wire::FrameView& frame, TimePoint now) {
  const auto index = static_cast<std::uint32_t>(frame.header.call_id);
  const auto generation = static_cast<std::uint32_t>(frame.header.call_id >> 32);
  if (index >= slots_.size() || !slots_[index].is_used || slots_[index].generation != generation) {
    ++late_results_;
    return;
  }
  PendingCall* const call = slots_[index].call;
  if (call != nullptr && frame.header.template_or_status != static_cast<std::uint32_t>(wire::Outcome::kSucceeded))
      [[unlikely]] {
    Error error = to_error(frame);
    // The node stops, and will close the connection: what may be repeated counts as under way until then. An answer
    // that names a node is the function's own.
    if (error.is_unavailable() && error.node().empty() && may_be_repeated(*call)) return;
    free_slot(index);
    finish(*call, std::move(error));
  } else {
    if (!frame.payload.is_whole() && is_to_follow(frame)) [[unlikely]]
      return;
    free_slot(index);
    if (call != nullptr)
      finish(*call, take_result(*call, frame));
    else
      ++late_results_;
  }
  if (first_waiting_ != nullptr) send_waiting(now);
}

void Session::finish(PendingCall& call, std::optional<Error> error) noexcept {
  call.error = std::move(error);
  call.slot = PendingCall::kNoSlot;
  try {
    if (wakes_.capacity() == 0) wakes_.reserve(kWakesAtOnce);  // The owner took what it was in.
    wakes_.emplace_back();
  } catch (const std::bad_alloc&) {
    call.next = std::exchange(unwoken_, &call);
    return;
  }
  wakes_.back() = std::move(call.waker);
  // From here on the call belongs to its task again, which may end it at once.
  call.is_done.store(true, std::memory_order_release);
}

void Session::fail_waiting(const Error& error) noexcept {
  while (first_waiting_ != nullptr) {
    PendingCall& call = *first_waiting_;
    unlink(call);
    finish(call, copy_of(error));
  }
}

/// What was under way when the connection was lost: repeated if that is allowed, or if nothing of it was sent.
void Session::settle_in_flight(std::string_view reason) noexcept {
  for (std::uint32_t index = 0; index < slots_.size(); ++index) {
    if (!slots_[index].is_used) continue;
    PendingCall* const call = slots_[index].call;
    if (call != nullptr) {
      take_back_arguments(*call, slots_[index]);
      if (call->stream_offset >= consumed_ || may_be_repeated(*call)) continue;
    }
    free_slot(index);
    if (call != nullptr) {
      finish(*call, error_of(ErrorKind::kUnavailable, call->target->name,
                             ": the outcome is unknown, the connection to the node was lost: ", reason));
    }
  }
  // What is left waits again, in the order in which it was sent, before what has waited until now. The list of free
  // slots has room for all of them, so that sorting takes no memory.
  const auto first = static_cast<std::ptrdiff_t>(free_slots_.size());
  for (std::uint32_t index = 0; index < slots_.size(); ++index) {
    if (!slots_[index].is_used) continue;
    PendingCall* const call = slots_[index].call;
    free_slot(index);
    slots_[index].call = call;
    call->slot = PendingCall::kNoSlot;
  }
  const auto offset = [this](std::uint32_t index) { return slots_[index].call->stream_offset; };
  std::sort(free_slots_.begin() + first, free_slots_.end(), [&](auto a, auto b) { return offset(a) > offset(b); });
  for (auto at = free_slots_.begin() + first; at != free_slots_.end(); ++at) {
    enqueue_front(*std::exchange(slots_[*at].call, nullptr));
  }
}

// --- calls for this program ---

inline bool Session::handle_call(wire::FrameView& frame, TimePoint now) {
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
  if (!frame.payload.is_whole()) {
    const Error error = to_error(functions_[index], frame.payload.body()->failure());
    reply(connection_, frame.header.call_id, &error, {});
    return true;
  }
  // All at once: set to nothing first and filled then, it took three times as long.
  IncomingCall call{.function = &functions_[index],
                    .call_id = frame.header.call_id,
                    .connection = connection_,
                    .attempt = std::max<std::uint32_t>(frame.header.attempt(), 1),
                    .deadline = std::nullopt,
                    .trace = {.trace_id = frame.header.trace.trace_id, .span_id = frame.header.trace.span_id},
                    .node = node_name_,
                    .info = frame.metadata,
                    .arguments = frame.payload.bytes(),
                    .large = {}};
  if (frame.header.budget_ns != 0) call.deadline = deadline_of(frame.header, now);
  // What did not come in chunks lies in a block that the channel goes on using.
  if (frame.payload.size() > wire::kChunkBytes && frame.payload.is_unique()) call.large = std::move(frame.payload);
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
  if (error == nullptr) return append(header, {}, result);
  header.template_or_status = static_cast<std::uint32_t>(to_outcome(error->kind()));
  append(header, wire::as_span(error_message(*error)));
}

// --- the end ---

void Session::close(std::string_view reason) {
  if (state_ == State::kClosed) return;
  const bool was_connected = state_ != State::kDisconnected;
  state_ = State::kClosed;
  is_registered_ = false;
  connect_at_.reset();
  handshake_deadline_.reset();
  liveness_.stop();
  give_up_at_.reset();
  failure_ = error_of(ErrorKind::kUnavailable, reason);
  for (std::uint32_t index = 0; index < slots_.size(); ++index) {
    if (!slots_[index].is_used) continue;
    if (slots_[index].call != nullptr) finish(*slots_[index].call, copy_of(*failure_));
    free_slot(index);
  }
  fail_waiting(*failure_);
  waiting_results_.clear();  // Nothing follows the goodbye.
  events_.cancel_all();
  if (!was_connected) return;
  channel_->drop_streams();
  try {
    send_message(wire::FrameKind::kGoodbye, goodbye_message(reason));
  } catch (const std::bad_alloc&) {
    // Then the node sees the connection end without it.
  }
}

// --- tables ---

void Session::send_message(wire::FrameKind kind, std::string_view metadata, wire::FrameHeader header) {
  header.kind = kind;
  append(header, wire::as_span(metadata));
}

void Session::tell(wire::FrameKind kind, std::uint64_t connection, std::uint64_t id) {
  if (connection != connection_ || state_ != State::kReady) return;
  wire::FrameHeader header;
  header.kind = kind;
  header.flags = wire::kIgnorable;
  header.call_id = id;
  append(header);
}

inline std::uint32_t Session::take_slot() {
  if (free_slots_.empty()) {
    free_slots_.reserve(slots_.size() + 1);  // So that giving it back cannot fail.
    slots_.emplace_back();
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size() - 1));
  }
  const std::uint32_t index = free_slots_.back();
  free_slots_.pop_back();
  slots_[index].is_used = true;
  ++in_flight_;
  return index;
}

inline void Session::free_slot(std::uint32_t index) {
  Slot& slot = slots_[index];
  slot.call = nullptr;
  slot.is_used = false;
  slot.arguments = wire::Payload();
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

}  // namespace kaido::inline abi0::detail
