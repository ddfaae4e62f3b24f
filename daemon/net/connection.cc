#include "daemon/net/connection.h"

#include <algorithm>
#include <array>
#include <utility>

#include "proto/base/check.h"

namespace kaido::daemon {
namespace {

/// What is sent with fewer bytes is counted when the turn ends, not one by one: it leaves then.
constexpr std::size_t kChargedBytes = 4U << 10;

/// Where so much is left of earlier turns (the block that it lies in counts, too), it does not leave: every frame is
/// charged before it is taken. Raising it lets each reader that does not read keep more before its share is asked for.
constexpr std::size_t kWaitingBytes = wire::kOutputBlockBytes + (64U << 10);

/// What one call can do without. All else is little, and the connection is of no use without it.
bool carries_work(wire::FrameKind kind, std::size_t metadata_bytes, std::size_t payload_bytes) {
  if (kind == wire::FrameKind::kCall) return true;
  const bool is_answer = kind == wire::FrameKind::kResult || kind == wire::FrameKind::kRedirect;
  return is_answer && (payload_bytes != 0 || metadata_bytes > wire::kLeastErrorBytes);
}

/// A reader that stalls is looked at so many times before it is cut off; after one it is, when memory is tight.
constexpr int kStallSteps = 8;

/// When a connection that found no memory for its next frame looks again.
constexpr base::Duration kHungerInterval = std::chrono::milliseconds(20);

/// How many frames are handled before the turn's length is looked at: one read may bring thousands.
constexpr std::uint32_t kFramesPerLook = 64;

}  // namespace

Connection::Connection(Loop& loop, std::unique_ptr<ByteStream> stream, const ConnectionOptions& options,
                       std::shared_ptr<void> keep)
    : loop_(loop),
      stream_(std::move(stream)),
      options_(options),
      congested_bytes_(std::min(options.congested_bytes, options.queued_bytes_max / 2)),
      keep_(std::move(keep)),
      identity_(stream_->identity()),
      remote_(stream_->remote()),
      channel_({.message_bytes_max = options.frame_bytes_max,
                .assemble = options.assemble,
                .stream_listener = this,
                .budget = options.budget,
                .memory = options.memory},
               [this] { note_output(); }),
      last_received_(loop.now()),
      charged_from_(kChargedBytes),
      drained_at_(congested_bytes_ / 2) {}

Connection::~Connection() {
  KAIDO_CHECK_ON(loop_);
  if (destroyed_ != nullptr) *destroyed_ = true;
  loop_.unmark(*this);
}

void Connection::set_memory_owner(wire::MemoryOwner owner) {
  output_ = wire::Charge(options_.memory, owner, wire::MemoryKind::kOutput);
  input_ = wire::Charge(options_.memory, owner, wire::MemoryKind::kInput);
  channel_.set_memory_owner(owner);
}

void Connection::start(ConnectionHandler& handler) {
  KAIDO_CHECK_ON(loop_);
  KAIDO_CHECK(state_ == State::kIdle);
  handler_ = &handler;
  state_ = State::kOpen;
  interest_ = {.readable = true};
  stream_->attach(loop_, *this, interest_);
}

wire::SendResult Connection::send(const wire::FrameHeader& header, std::span<const std::byte> metadata,
                                  const wire::Payload& payload) {
  KAIDO_CHECK_ON(loop_);
  if (state_ != State::kOpen) return wire::SendResult::kNotOpen;
  const std::size_t held = payload.is_whole() ? payload.size() : std::min(payload.size(), wire::kChunkBytes);
  if (!has_room(metadata.size() + held) && !has_reserve(header, metadata.size(), held)) [[unlikely]] {
    note_full();
    return wire::SendResult::kFull;
  }
  const bool is_charged = metadata.size() + held >= charged_from_;
  if (is_charged && !charge(header, metadata.size(), held)) [[unlikely]]
    return wire::SendResult::kNoMemory;
  const wire::SendResult result = channel_.send(header, metadata, payload);
  if (is_charged) settle_output();
  if (result == wire::SendResult::kTaken) note_sent();
  if (result == wire::SendResult::kTooManyStreams) stream_refused_ = true;
  return result;
}

wire::SendResult Connection::send(const wire::FrameHeader& header, std::span<const std::byte> metadata,
                                  std::span<const std::byte> payload) {
  KAIDO_CHECK_ON(loop_);
  if (state_ != State::kOpen) return wire::SendResult::kNotOpen;
  if (!has_room(metadata.size() + payload.size()) && !has_reserve(header, metadata.size(), payload.size())) [[unlikely]]
    return wire::SendResult::kFull;
  const wire::SendResult result = channel_.send(header, metadata, payload);
  if (result == wire::SendResult::kTaken) note_sent();
  return result;
}

// What carries no work is taken beyond the share, but whoever makes us send it without reading it is not read either.
bool Connection::charge(const wire::FrameHeader& header, std::size_t metadata_bytes, std::size_t payload_bytes) {
  const std::size_t bytes = metadata_bytes + payload_bytes + (charged_from_ == 0 ? wire::kHeaderBytes : 0);
  if (!carries_work(header.kind, metadata_bytes, payload_bytes)) {
    if (charged_from_ == 0 && !output_.has_room(bytes)) note_full();
    return true;
  }
  if (output_.grow(bytes)) return true;
  note_full();
  return false;
}

// Who does not take what waits for it, and has all that it may, gets no more work until it took half of it.
void Connection::note_full() {
  if (!output_blocked_ || std::exchange(congested_, true)) return;
  drained_at_ = std::min(congested_bytes_, channel_.framed_bytes()) / 2;
}

bool Connection::has_room(std::size_t bytes) const {
  return channel_.pending_bytes() + wire::kHeaderBytes + bytes <= options_.queued_bytes_max;
}

// Full of work, a connection still takes what keeps it going, and an error for each answer that it did not take.
bool Connection::has_reserve(const wire::FrameHeader& header, std::size_t metadata_bytes,
                             std::size_t payload_bytes) const {
  return !carries_work(header.kind, metadata_bytes, payload_bytes) &&
         channel_.pending_bytes() + wire::kHeaderBytes + metadata_bytes + payload_bytes <=
             options_.queued_bytes_max + options_.reserved_bytes;
}

void Connection::note_sent() {
  ++stats_.frames_out;
  if (channel_.framed_bytes() > congested_bytes_ && !std::exchange(congested_, true)) {
    drained_at_ = congested_bytes_ / 2;
  }
  if (output_blocked_) [[unlikely]]
    return settle_output();  // no flush comes that would
  note_output();
}

void Connection::note_output() {
  if (may_write() && !output_blocked_) loop_.mark(*this);
}

void Connection::pause_reading() {
  paused_ = true;
  update_interest();
}

void Connection::resume_reading() {
  if (!paused_) return;
  paused_ = false;
  update_interest();
  // Frames that were read before the pause are handled at this turn's end: no readiness will be reported for them.
  if (takes_frames() && channel_.has_input()) loop_.mark(*this);
}

void Connection::close(base::Status reason) {
  KAIDO_CHECK_ON(loop_);
  if (!takes_frames()) return;
  if (state_ == State::kDeaf) {
    end(reason.ok() ? std::move(reason_) : std::move(reason));
    return;
  }
  reason_ = std::move(reason);
  state_ = State::kClosing;
  start_linger();
  update_interest();
  if (!output_blocked_) loop_.mark(*this);
}

void Connection::on_ready(Readiness ready) {
  if (ready.writable) {
    output_blocked_ = false;
    loop_.mark(*this);
  }
  if (!ready.readable) return;
  if (takes_frames()) {
    if (!paused_ && !is_behind_ && has_memory_to_read()) read();
  } else {
    discard_input();
  }
}

// Once a turn: the buffer is large, and what is left is reported again, after the others had their turn.
void Connection::read() {
  const IoResult result = stream_->read(space_to_read());
  switch (result.state) {
    case IoState::kOk:
      channel_.commit(result.bytes);
      if (stream_refused_) loop_.mark(*this);  // what came may have ended one
      stats_.bytes_in += result.bytes;
      last_received_ = loop_.now();
      if (!handle_frames()) return;
      settle_memory();
      watch_streams();
      return;
    case IoState::kWouldBlock:
      return;
    case IoState::kEnd:
      end(channel_.pending_input() == 0
              ? absl::UnavailableError(remote_ + " closed the connection")
              : absl::UnavailableError(remote_ + " closed the connection in the middle of a frame"));
      return;
    case IoState::kFailed:
      end(stream_->error());
      return;
  }
}

// False if a callback destroyed this connection.
bool Connection::handle_frames() {
  bool destroyed = false;
  destroyed_ = &destroyed;
  is_behind_ = false;
  for (std::uint32_t handled = 1; takes_frames() && !paused_; ++handled) {
    if (handled % kFramesPerLook == 0 && channel_.has_input() && loop_.is_turn_long()) {
      // The rest of what was read comes in the next turn, when others have had theirs.
      is_behind_ = true;
      loop_.mark(*this);
      break;
    }
    const std::optional<wire::FrameView> frame = channel_.next();
    if (!frame) break;
    ++stats_.frames_in;
    if (!ended_streams_.empty() && !report_streams()) return false;
    if (!takes_frames()) break;
    handler_->on_frame(*this, *frame);
    if (destroyed) return false;
  }
  if (channel_.failed() && takes_frames()) {
    const base::Status reason = absl::InvalidArgumentError(remote_ + " sent a malformed frame: " + channel_.error());
    handler_->on_malformed(*this, reason);
    if (destroyed) return false;
    close(reason);
  }
  destroyed_ = nullptr;
  return true;
}

void Connection::on_stream_end(const wire::FrameHeader& announced, wire::StreamEnd end, wire::BodyFailure failure) {
  ended_streams_.push_back({announced, end, failure});
  // What is passed on was sent or flushed just now, which reports it.
  if (end != wire::StreamEnd::kPassedOn) loop_.mark(*this);
}

// False if a callback destroyed this connection.
bool Connection::report_streams() {
  bool* const outer = std::exchange(destroyed_, nullptr);
  bool destroyed = false;
  destroyed_ = &destroyed;
  for (const EndedStream& stream : std::exchange(ended_streams_, {})) {
    handler_->on_stream_end(*this, stream.announced, stream.end, stream.failure);
    if (!destroyed) continue;
    if (outer != nullptr) *outer = true;
    return false;
  }
  destroyed_ = outer;
  return true;
}

// False if the callback destroyed this connection.
bool Connection::report_drained() {
  bool destroyed = false;
  congested_ = congested_ && channel_.framed_bytes() > drained_at_;
  stream_refused_ = false;
  destroyed_ = &destroyed;
  handler_->on_drained(*this);
  if (destroyed) return false;
  destroyed_ = nullptr;
  return true;
}

void Connection::start_linger() {
  linger_.emplace(loop_, [this] { check_linger(); });
  linger_end_ = loop_.now() + options_.linger_max;
  linger_bytes_out_ = stats_.bytes_out;
  linger_->set_after(options_.linger);
}

// A finished result of many chunks goes out as long as the other side takes it.
void Connection::check_linger() {
  const bool has_moved = state_ == State::kClosing && stats_.bytes_out != linger_bytes_out_;
  if (!has_moved || loop_.now() >= linger_end_) return end(std::move(reason_));
  linger_bytes_out_ = stats_.bytes_out;
  linger_->set_after(options_.linger);
}

// Not for ever: the linger timer is running. Nobody takes the frames, but what is still sent in chunks needs the credit
// that is among them.
void Connection::discard_input() {
  if (!has_memory_to_read()) return;
  const IoResult result = stream_->read(space_to_read());
  if (result.state == IoState::kEnd || result.state == IoState::kFailed) return end(std::move(reason_));
  if (result.state != IoState::kOk) return;
  channel_.commit(result.bytes);
  while (channel_.next()) {
  }
  settle_memory();
}

void Connection::flush() {
  if (takes_frames() && !paused_ && channel_.has_input() && !handle_frames()) return;
  if (may_write() && !output_blocked_ && channel_.has_output()) write();
  if (!ended_streams_.empty() && takes_frames() && !report_streams()) return;
  if (state_ == State::kClosing && channel_.is_flushed()) {
    state_ = State::kFinished;
    stream_->finish_writing();
  }
  const bool drained =
      (congested_ && channel_.framed_bytes() <= drained_at_) || (stream_refused_ && channel_.takes_streams());
  if (drained && state_ == State::kOpen && !report_drained()) return;
  if (state_ == State::kEnded) {
    report_closed();  // may destroy this
    return;
  }
  // Chunks of large payloads alone never get that far: they go out of the blocks that they came in.
  if (output_blocked_ && congested_) channel_.compact_output();
  settle_memory();
  watch_streams();
  update_interest();
}

// A few bytes in a block are a block: of output that waits, and of a frame that has begun, unless there is no memory
// for one. What a frame has announced counts when it was granted: before, it takes no memory.
void Connection::settle_memory() {
  settle_output();
  settle_input();
}

void Connection::settle_output() {
  const std::size_t queued = channel_.pending_bytes();
  const std::size_t output = queued == 0 ? 0 : queued + wire::kOutputBlockBytes;
  if (output == output_.bytes()) return;
  output_.set(output);
  charged_from_ = output > kWaitingBytes ? 0 : kChargedBytes;
}

// Not while a frame is being handled, whose metadata lies in the block.
void Connection::settle_input() {
  const std::size_t begun = channel_.pending_input();
  std::size_t input = begun == 0 ? 0 : std::max(wire::kReadBytes, std::min(granted_input_, channel_.wanted_input()));
  if (input <= wire::kReadBytes) granted_input_ = 0;
  if (input > input_.bytes() && !input_.has_room(input - input_.bytes())) [[unlikely]] {
    channel_.compact_input();
    input = begun;
  }
  if (input != input_.bytes()) input_.set(input);
}

// Where to read into. A connection that has not got its memory, since there is none, has its frames read in small
// portions: most are complete then, and take none.
std::span<std::byte> Connection::space_to_read() {
  const std::span<std::byte> space = channel_.writable();
  if (input_.bytes() >= wire::kReadBytes || input_.has_room(wire::kReadBytes - input_.bytes())) [[likely]]
    return space;
  const std::size_t begun = channel_.pending_input();
  const std::size_t most = wire::kLeastReadBytes - std::min(begun, wire::kLeastReadBytes - 1);
  return space.first(std::min(space.size(), most));
}

// What is larger than a read gets a block of its size, and may have to wait for it. So may, when memory is short, what
// is larger than a chunk.
bool Connection::has_memory_to_read() {
  const std::size_t wanted = std::max(channel_.wanted_input(), wire::kReadBytes);
  const bool is_small = channel_.wanted_input() <= wire::kLeastReadBytes;
  if (is_small || wanted <= input_.bytes() || input_.budget() == nullptr) [[likely]]
    return true;
  if (wanted == wire::kReadBytes && input_.has_room(wanted - input_.bytes())) return true;
  const std::size_t before = input_.bytes();
  input_.set(0);
  if (input_.grow(wanted)) {
    granted_input_ = wanted;
    return true;
  }
  input_.set(before);
  starved_ = true;
  last_received_ = loop_.now();  // it speaks, and it is this side that does not listen
  update_interest();
  if (!hunger_) {
    hunger_.emplace(loop_, [this] {
      starved_ = false;
      update_interest();
    });
  }
  hunger_->set_after(kHungerInterval);
  return false;
}

void Connection::write() {
  std::array<std::span<const std::byte>, ByteStream::kSegmentsMax> segments;
  const std::size_t count = channel_.gather(segments);
  std::size_t offered = 0;
  for (std::size_t i = 0; i < count; ++i) offered += segments[i].size();
  const IoResult result = stream_->write(std::span(segments).first(count));
  switch (result.state) {
    case IoState::kOk:
      stats_.bytes_out += result.bytes;
      channel_.consume(result.bytes);
      // Taken whole, there may be room for more: chunks that had no place in the queue.
      output_blocked_ = result.bytes < offered;
      if (output_blocked_) return watch_for_stall();
      if (channel_.has_output()) loop_.mark(*this);
      return;
    case IoState::kWouldBlock:
      output_blocked_ = true;
      return watch_for_stall();
    case IoState::kEnd:
    case IoState::kFailed:
      channel_.drop_output();
      if (state_ == State::kOpen && !paused_) {
        state_ = State::kDeaf;
        reason_ = stream_->error();
        start_linger();
      } else if (state_ != State::kEnded) {
        end(state_ == State::kClosing ? std::move(reason_) : stream_->error());
      }
      return;
  }
}

// Looks again only after a while: a busy connection is blocked many times a second.
void Connection::watch_for_stall() {
  if (stall_ && stall_->expiry()) return;
  if (!stall_) stall_.emplace(loop_, [this] { check_stall(); });
  stall_bytes_out_ = stats_.bytes_out;
  stall_steps_ = 0;
  stall_->set_after(options_.stalled_after / kStallSteps);
}

void Connection::check_stall() {
  if (!output_blocked_ || state_ != State::kOpen) return;
  if (stats_.bytes_out != stall_bytes_out_) return watch_for_stall();
  channel_.compact_output();
  const bool is_in_the_way = options_.memory != nullptr && options_.memory->is_tight() &&
                             (congested_ || channel_.pending_bytes() >= congested_bytes_);
  if (++stall_steps_ < kStallSteps && !is_in_the_way) return stall_->set_after(options_.stalled_after / kStallSteps);
  const auto waited =
      std::chrono::duration_cast<std::chrono::milliseconds>(stall_steps_ * options_.stalled_after / kStallSteps);
  end(absl::ResourceExhaustedError(remote_ + " does not read: " + std::to_string(channel_.pending_bytes()) +
                                   " bytes are queued for it, and it took none of them for " +
                                   std::to_string(waited.count()) + " ms (timeouts.stalled)"));
}

void Connection::watch_streams() {
  const bool may_stall = channel_.streams_in() != 0 || channel_.streams_out() != 0 || channel_.pending_input() != 0;
  if (!may_stall || (sweep_ && sweep_->expiry())) return;
  if (!sweep_) sweep_.emplace(loop_, [this] { check_streams(); });
  sweep_bytes_ = stats_.bytes_in;
  sweep_frames_ = stats_.frames_in;
  sweep_idle_ = 0;
  sweep_->set_after(options_.stalled_after / 2);
}

void Connection::check_streams() {
  if (!takes_frames()) return;
  const auto waited = std::to_string(options_.stalled_after / std::chrono::milliseconds(1)) + " ms (timeouts.stalled)";
  if (channel_.drop_stalled() && options_.ends_if_nothing_is_taken) {
    return end(absl::ResourceExhaustedError(remote_ + " takes nothing of " + std::to_string(channel_.streams_out()) +
                                            " large payloads that it was announced, for " + waited));
  }
  if (is_input_stalled()) {
    return end(absl::ResourceExhaustedError(remote_ + " sent " + std::to_string(channel_.pending_input()) +
                                            " bytes of a frame and not the rest, for " + waited));
  }
  const std::uint32_t idle = sweep_idle_;
  const bool is_same_frame = sweep_frames_ == stats_.frames_in;
  watch_streams();
  sweep_idle_ = is_same_frame ? idle : 0;
}

// Nothing came at all, or little by little for kStalledPatience times as long.
bool Connection::is_input_stalled() {
  if (channel_.pending_input() == 0 || paused_ || starved_ || sweep_frames_ != stats_.frames_in) {
    sweep_idle_ = 0;
    return false;
  }
  sweep_idle_ += sweep_bytes_ == stats_.bytes_in ? wire::kStalledPatience : 1;
  return sweep_idle_ >= 2 * wire::kStalledPatience;
}

// Callbacks wait for the turn's end, when no caller of ours is on the stack.
void Connection::end(base::Status reason) {
  if (state_ == State::kEnded || state_ == State::kClosed) return;
  if (reason.ok() && !channel_.is_flushed()) {
    reason = absl::UnavailableError(remote_ + " did not take all that was sent to it");
  }
  state_ = State::kEnded;
  reason_ = std::move(reason);
  channel_.close();
  settle_memory();
  output_blocked_ = false;
  update_interest();
  loop_.mark(*this);
}

void Connection::report_closed() {
  state_ = State::kClosed;
  linger_.reset();
  sweep_.reset();
  hunger_.reset();
  stream_.reset();
  const base::Status reason = reason_;
  handler_->on_closed(*this, reason);
}

void Connection::update_interest() {
  const bool alive = state_ != State::kEnded && state_ != State::kClosed && state_ != State::kIdle;
  const bool reading = alive && !(takes_frames() && (paused_ || starved_));
  const Readiness interest{.readable = reading, .writable = alive && output_blocked_};
  if (interest == interest_) return;
  interest_ = interest;
  stream_->set_interest(interest);
}

}  // namespace kaido::daemon
