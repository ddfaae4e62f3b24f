#include "daemon/net/connection.h"

#include <algorithm>
#include <array>
#include <utility>

#include "proto/base/check.h"

namespace kaido::daemon {

Connection::Connection(Loop& loop, std::unique_ptr<ByteStream> stream, const ConnectionOptions& options,
                       std::shared_ptr<void> keep)
    : loop_(loop),
      stream_(std::move(stream)),
      options_(options),
      keep_(std::move(keep)),
      identity_(stream_->identity()),
      remote_(stream_->remote()),
      reader_(options.frame_bytes_max) {}

Connection::~Connection() {
  KAIDO_CHECK_ON(loop_);
  if (destroyed_ != nullptr) *destroyed_ = true;
  loop_.unmark(*this);
}

void Connection::start(ConnectionHandler& handler) {
  KAIDO_CHECK_ON(loop_);
  KAIDO_CHECK(state_ == State::kIdle);
  handler_ = &handler;
  state_ = State::kOpen;
  interest_ = {.readable = true};
  stream_->attach(loop_, *this, interest_);
}

bool Connection::send(const wire::FrameHeader& header, std::span<const std::byte> metadata,
                      std::span<const std::byte> payload) {
  if (!admit(wire::kHeaderBytes + metadata.size() + payload.size())) return false;
  writer_.append(header, metadata, payload);
  return true;
}

bool Connection::send(const wire::FrameHeader& header, std::span<const std::byte> metadata,
                      const wire::Payload& payload) {
  if (!admit(wire::kHeaderBytes + metadata.size() + payload.size())) return false;
  writer_.append(header, metadata, payload);
  return true;
}

/// Whether a frame of that size may be queued; it is counted then.
bool Connection::admit(std::size_t bytes) {
  KAIDO_CHECK_ON(loop_);
  if (state_ != State::kOpen) return false;
  const std::size_t queued = writer_.pending_bytes() + bytes;
  if (queued > options_.queued_bytes_max) {
    end(absl::ResourceExhaustedError(remote_ + " does not read: " + std::to_string(writer_.pending_bytes()) +
                                     " bytes are queued for it, and no more than " +
                                     std::to_string(options_.queued_bytes_max) + " may be"));
    return false;
  }
  ++stats_.frames_out;
  if (queued > options_.congested_bytes) congested_ = true;
  if (!output_blocked_) loop_.mark(*this);
  return true;
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
  if (takes_frames() && reader_.pending_bytes() != 0) loop_.mark(*this);
}

void Connection::close(base::Status reason) {
  KAIDO_CHECK_ON(loop_);
  if (!takes_frames()) return;
  if (state_ == State::kDeaf) {
    end(std::move(reason));
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
    if (!paused_) read();
  } else {
    discard_input();
  }
}

// Once a turn: the buffer is large, and what is left is reported again, after the others had their turn.
void Connection::read() {
  const IoResult result = stream_->read(reader_.writable());
  switch (result.state) {
    case IoState::kOk:
      reader_.commit(result.bytes);
      stats_.bytes_in += result.bytes;
      static_cast<void>(handle_frames());  // nothing of this is touched afterwards
      return;
    case IoState::kWouldBlock:
      return;
    case IoState::kEnd:
      end(reader_.pending_bytes() == 0
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
  while (takes_frames() && !paused_) {
    const std::optional<wire::FrameView> frame = reader_.next();
    if (!frame) break;
    ++stats_.frames_in;
    handler_->on_frame(*this, *frame);
    if (destroyed) return false;
  }
  if (reader_.failed() && takes_frames()) {
    const base::Status reason = absl::InvalidArgumentError(remote_ + " sent a malformed frame: " + reader_.error());
    handler_->on_malformed(*this, reason);
    if (destroyed) return false;
    close(reason);
  }
  destroyed_ = nullptr;
  return true;
}

// False if the callback destroyed this connection.
bool Connection::report_drained() {
  bool destroyed = false;
  congested_ = false;
  destroyed_ = &destroyed;
  handler_->on_drained(*this);
  if (destroyed) return false;
  destroyed_ = nullptr;
  return true;
}

void Connection::start_linger() {
  linger_.emplace(loop_, [this] { end(std::move(reason_)); });
  linger_->set_after(options_.linger);
}

// Not for ever: the linger timer is running.
void Connection::discard_input() {
  const IoResult result = stream_->read(reader_.writable());
  if (result.state == IoState::kEnd || result.state == IoState::kFailed) end(std::move(reason_));
}

void Connection::flush() {
  if (takes_frames() && !paused_ && reader_.pending_bytes() != 0 && !handle_frames()) return;
  if (!output_blocked_ && !writer_.empty()) write();
  if (state_ == State::kClosing && writer_.empty()) {
    state_ = State::kFinished;
    stream_->finish_writing();
  }
  const bool drained = congested_ && writer_.pending_bytes() <= options_.congested_bytes / 2;
  if (drained && state_ == State::kOpen && !report_drained()) return;
  if (state_ == State::kEnded) {
    report_closed();  // may destroy this
    return;
  }
  update_interest();
}

void Connection::write() {
  std::array<std::span<const std::byte>, ByteStream::kSegmentsMax> segments;
  const std::size_t count = writer_.gather(segments);
  const IoResult result = stream_->write(std::span(segments).first(count));
  switch (result.state) {
    case IoState::kOk:
      stats_.bytes_out += result.bytes;
      writer_.consume(result.bytes);
      output_blocked_ = !writer_.empty();
      return;
    case IoState::kWouldBlock:
      output_blocked_ = true;
      return;
    case IoState::kEnd:
    case IoState::kFailed:
      writer_.clear();
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

// Callbacks wait for the turn's end, when no caller of ours is on the stack.
void Connection::end(base::Status reason) {
  if (state_ == State::kEnded || state_ == State::kClosed) return;
  state_ = State::kEnded;
  reason_ = std::move(reason);
  writer_.clear();
  output_blocked_ = false;
  update_interest();
  loop_.mark(*this);
}

void Connection::report_closed() {
  state_ = State::kClosed;
  linger_.reset();
  stream_.reset();
  const base::Status reason = reason_;
  handler_->on_closed(*this, reason);
}

void Connection::update_interest() {
  const bool alive = state_ != State::kEnded && state_ != State::kClosed && state_ != State::kIdle;
  const bool reading = alive && !(takes_frames() && paused_);
  const Readiness interest{.readable = reading, .writable = alive && output_blocked_};
  if (interest == interest_) return;
  interest_ = interest;
  stream_->set_interest(interest);
}

}  // namespace kaido::daemon
