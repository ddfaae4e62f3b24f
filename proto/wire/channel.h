/// Channel: both directions of a connection without the connection. Bytes in, frames out; frames in, segments out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "proto/wire/frame.h"
#include "proto/wire/frame_reader.h"
#include "proto/wire/frame_writer.h"
#include "proto/wire/incoming_streams.h"
#include "proto/wire/limits.h"
#include "proto/wire/outgoing_streams.h"
#include "proto/wire/payload.h"

namespace kaido::wire {

/// What became of a frame that was to be sent. Only kTaken is sent; all else changed nothing.
enum class SendResult : std::uint8_t {
  kTaken,
  kNotOpen,         ///< the connection has ended or is ending
  kFull,            ///< more is queued than may be: slow down, or go elsewhere
  kTooLarge,        ///< the receiver does not accept a message of that size: fail this one
  kTooManyStreams,  ///< as many large payloads are under way as the receiver takes: as kFull
  kUnsendable,      ///< the payload's own sender has failed, or its beginning is gone: fail this one
  kNoMemory,        ///< the receiver's share of the node's memory is used up: fail this one
};

/// Frames over a stream of bytes, in both directions: large payloads travel in chunks between the other frames, as far
/// as their takers at the other end have made room for them.
///
///     channel.commit(read(socket, channel.writable()));
///     while (auto frame = channel.next()) handle(*frame);
///     if (channel.failed()) close(channel.error());
///     ...
///     channel.send(header, metadata, payload);
///     channel.consume(writev(socket, segments, channel.gather(segments)));     // at the turn's end
///
/// Threading: confined to the connection's owner, as all payloads are that pass through it; the channels of one thread
/// pass payloads to each other.
/// Lifetime: destroying it fails what is not complete, in both directions.
/// Errors: a violation by one payload fails that payload: the frame comes with one that has failed. Broken framing is
/// final; next() then returns nothing more and error() says what was wrong.
class Channel {
 public:
  /// `on_output` is called when there is something to send that the owner did not send itself: credit, chunks that have
  /// arrived. Called from inside other channels' functions, too: take a note.
  Channel(const ChannelOptions& options, std::function<void()> on_output);
  ~Channel() { close(); }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // --- in ---
  [[nodiscard]] std::span<std::byte> writable() {
    incoming_.compact();
    return reader_.writable();
  }
  void commit(std::size_t count) { reader_.commit(count); }
  /// The next frame. Its metadata is valid until the next call of next() or writable(). Chunk and Window frames are
  /// handled here.
  [[nodiscard]] std::optional<FrameView> next();
  [[nodiscard]] bool failed() const { return reader_.failed() || !error_.empty(); }
  [[nodiscard]] const std::string& error() const { return reader_.failed() ? reader_.error() : error_; }
  /// Whether next() may have something although nothing was read.
  [[nodiscard]] bool has_input() const { return reader_.pending_bytes() != 0 || incoming_.has_held(); }
  /// Bytes of a frame that is not complete: not zero at the end of a stream means it was cut.
  [[nodiscard]] std::size_t pending_input() const { return reader_.pending_bytes(); }

  /// Whose memory it is that this connection takes, from here on.
  void set_memory_owner(MemoryOwner owner) {
    options_.owner = owner;
    outgoing_.set_owner(owner);
  }
  /// How large a frame that has not come whole is to become; 0: there is none, or its header is not complete.
  [[nodiscard]] std::size_t wanted_input() const { return reader_.wanted(); }
  /// There is no memory for the rest of the frame that has begun: it is to pin no more than has come of it.
  void compact_input() { reader_.compact(); }

  /// For what begins from here on: the other side may send more, or less, than the options said.
  void set_message_bytes_max(std::size_t bytes) { options_.message_bytes_max = bytes; }

  // --- out ---
  /// What the other side accepts: it has said so in its greeting.
  void set_peer_limits(std::size_t message_bytes_max, std::size_t streams_max);
  /// Queues a frame. The header's two lengths are filled in. A Cancel gives up its call's arguments, where they are
  /// still being sent.
  [[nodiscard]] SendResult send(const FrameHeader& header, std::span<const std::byte> metadata, const Payload& payload);
  [[nodiscard]] SendResult send(const FrameHeader& header, std::span<const std::byte> metadata = {},
                                std::span<const std::byte> payload = {});

  /// What is to be sent next; valid until anything else is called.
  [[nodiscard]] std::size_t gather(std::span<std::span<const std::byte>> segments);
  void consume(std::size_t count);
  /// Whether gather() gives anything.
  [[nodiscard]] bool has_output() const { return !writer_.empty() || outgoing_.has_ready(); }
  /// The memory that waits to be sent: frames, and what is not yet in frames of payloads that are wholly here.
  [[nodiscard]] std::size_t pending_bytes() const { return writer_.pending_bytes() + outgoing_.held_bytes(); }
  /// All that was ever given to send() is sent, chunks included.
  [[nodiscard]] bool is_flushed() const { return writer_.empty() && outgoing_.size() == 0; }
  /// Whether all frames of that kind are sent, chunks included; others of them may wait.
  [[nodiscard]] bool is_flushed_of(FrameKind kind) const { return writer_.empty() && !outgoing_.has_any(kind); }
  /// What of it is in frames, and so goes out as soon as the other side reads, without any credit.
  [[nodiscard]] std::size_t framed_bytes() const { return writer_.pending_bytes(); }
  [[nodiscard]] std::size_t streams_out() const { return outgoing_.size(); }
  /// Whether the next large payload would not be kTooManyStreams.
  [[nodiscard]] bool takes_streams() const { return outgoing_.size() < peer_streams_max_; }
  [[nodiscard]] std::size_t streams_in() const { return incoming_.size(); }
  [[nodiscard]] std::size_t assembling_bytes() const { return incoming_.assembling_bytes(); }
  [[nodiscard]] const StreamStats& stream_stats() const { return incoming_.stats(); }

  /// Large payloads that are not sent to their end are given up without a word: a goodbye is about to be said, and
  /// nothing follows it.
  void drop_streams() { outgoing_.clear(); }

  /// The output waits for its reader: it is to pin no more memory than it has bytes.
  void compact_output() { writer_.compact(); }

  /// Called at an interval: gives up payloads that stall. True if the other side takes nothing at all of what it was
  /// announced, for the length of two intervals.
  [[nodiscard]] bool drop_stalled() {
    incoming_.drop_stalled();
    return outgoing_.drop_stalled();
  }

  /// Nothing that was given to send() will be sent: the other side takes nothing any more. It may still be read from.
  void drop_output();

  /// The connection is lost: what is under way has failed, and nothing is to be sent any more.
  void close();

 private:
  void report_output();
  [[nodiscard]] bool is_plain() const;
  [[nodiscard]] bool is_inner(FrameView& frame);
  [[nodiscard]] std::optional<FrameView> take_held();

  ChannelOptions options_;
  const std::function<void()> on_output_;
  bool is_closed_ = false;
  FrameReader reader_;
  FrameWriter writer_;
  IncomingStreams incoming_;
  OutgoingStreams outgoing_;
  Payload held_metadata_;  ///< of the frame that next() returned last
  std::size_t peer_message_bytes_max_ = SIZE_MAX;
  std::size_t peer_streams_max_ = kMaxStreams;
  std::string error_;
};

}  // namespace kaido::wire
