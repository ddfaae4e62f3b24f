/// What the machine wants done: a batch that is taken, acted on in order, and acknowledged as a whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/node/connection_id.h"
#include "daemon/core/task/attempt.h"
#include "proto/base/status.h"
#include "proto/wire/frame.h"
#include "proto/wire/limits.h"
#include "proto/wire/outcome.h"

namespace kaido::daemon {

/// A frame for a connection. The payload is owned; the metadata lies in the batch, see Ready::metadata().
struct FrameOut {
  FrameOut() = default;
  FrameOut(ConnectionId its_connection, std::uint32_t offset, std::uint32_t size, const wire::FrameHeader& its_header,
           Payload&& its_payload)
      : connection(its_connection),
        metadata_offset(offset),
        metadata_size(size),
        header(its_header),
        payload(std::move(its_payload)) {}

  ConnectionId connection;
  std::uint32_t metadata_offset = 0;
  std::uint32_t metadata_size = 0;
  wire::FrameHeader header;
  Payload payload;
};

/// Whether it ends an attempt or a call: somebody waits for it, or for what is said in its place.
[[nodiscard]] inline bool is_answer(const FrameOut& frame) {
  return frame.header.kind == wire::FrameKind::kResult || frame.header.kind == wire::FrameKind::kRedirect;
}

/// Whether it is an answer in whose place an error can be said that needs less room.
[[nodiscard]] inline bool is_replaceable(const FrameOut& frame) {
  return is_answer(frame) && (!frame.payload.empty() || frame.metadata_size > wire::kLeastErrorBytes);
}

/// What an error says that has no place for its text; nothing for every other frame. Whatever is said in its place must
/// say so, too: what ran and threw is not to be tried again.
[[nodiscard]] inline std::optional<wire::Outcome> outcome_of_error(const FrameOut& frame) {
  if (frame.header.kind != wire::FrameKind::kResult || !frame.payload.empty()) return std::nullopt;
  const wire::Outcome outcome = wire::outcome_from(frame.header.template_or_status).value_or(wire::Outcome::kInternal);
  if (outcome == wire::Outcome::kSucceeded) return std::nullopt;
  return outcome;
}

/// Everything that is not a frame, and rare.
struct Command {
  enum class Kind : std::uint8_t {
    kClose,          ///< connection, status: send what is queued, then end it
    kFinish,         ///< connection: end it with kOk once no large payload is under way on it, in either direction
    kPauseReading,   ///< connection: take nothing more from it until kResumeReading
    kResumeReading,  ///< connection
    kPeerLimits,     ///< connection, bytes: the largest message that the other side takes
    kDial,           ///< dial, text: the address
    kAbandonDial,    ///< dial
    kStopListening,  ///< no app and no peer is accepted any more
    kAnswer,         ///< call, result: an operator's call has ended
    kPong,           ///< call, duration: an operator's ping was answered, or (status) cannot be
  };
  Kind kind = Kind::kClose;
  ConnectionId connection;
  DialId dial;
  std::uint64_t call = 0;
  std::size_t bytes = 0;
  base::Status status;
  std::string text;
  TaskResult result;
  base::Duration duration{0};
};

/// Why the shell could not queue a frame; nothing of it was sent.
enum class Unsent : std::uint8_t {
  kFull,        ///< the connection has as much to send as it may have
  kTooLarge,    ///< the other side does not take a message of that size
  kUnsendable,  ///< the payload was still on its way here, and its sender is gone
  kNoMemory,    ///< the receiver has as much of the node's memory as it may have
  kEnded,       ///< the connection is over, which is about to be reported
};

/// A line for the log: constant message, variable fields.
struct LogEvent {
  enum class Level : std::uint8_t { kInfo, kWarn, kError };
  Level level = Level::kInfo;
  const char* room = "";  ///< "apps", "peers", "node"
  const char* message = "";
  std::vector<std::pair<const char*, std::string>> fields;
};

/// One batch. Frames and commands are each in order; of one connection, all frames come before its kClose, since
/// nothing is sent on a connection that was told to close.
///
///     const Ready& ready = machine.ready();
///     for (const FrameOut& frame : ready.frames) connections[frame.connection].send(…);
///     for (const Command& command : ready.commands) act(command);
///     machine.advance();
///
/// Between ready() and advance() the machine may be told of further events; what they cause is in the next batch, so
/// that nothing which this one refers to is touched (the pairing is etcd-raft's Ready and Advance).
struct Ready {
  std::vector<FrameOut> frames;
  std::vector<Command> commands;
  std::vector<LogEvent> events;
  std::vector<std::byte> metadata_bytes;

  [[nodiscard]] std::span<const std::byte> metadata(const FrameOut& frame) const {
    return std::span(metadata_bytes).subspan(frame.metadata_offset, frame.metadata_size);
  }
  [[nodiscard]] bool empty() const { return frames.empty() && commands.empty() && events.empty(); }
  void clear() {
    frames.clear();
    commands.clear();
    events.clear();
    metadata_bytes.clear();
  }
};

}  // namespace kaido::daemon
