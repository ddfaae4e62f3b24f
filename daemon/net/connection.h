/// Frames both ways over one byte stream, in the loop's turns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "daemon/runtime/byte_stream.h"
#include "daemon/runtime/loop.h"
#include "proto/base/status.h"
#include "proto/base/time.h"
#include "proto/wire/frame.h"
#include "proto/wire/limits.h"

namespace kaido::daemon {

class Connection;

/// The owner's side of a connection.
///
/// Every callback may send on, close or destroy any connection, this one included.
class ConnectionHandler {
 public:
  /// One complete frame. `frame` points into the connection's buffer and is valid until the callback returns.
  virtual void on_frame(Connection& connection, const wire::FrameView& frame) = 0;

  /// After congestion: the output has drained to half of the mark, more may be sent.
  virtual void on_drained(Connection& connection) = 0;

  /// The end, exactly once, whoever caused it: `reason` is what close() was given, kUnavailable when the other side went
  /// away, kInvalidArgument or kResourceExhausted when it broke a rule. No callback follows. Never called from inside
  /// close() or send(), nor after the owner destroyed the connection.
  virtual void on_closed(Connection& connection, const base::Status& reason) = 0;

 protected:
  ~ConnectionHandler() = default;
};

struct ConnectionOptions {
  /// Larger frames close the connection before anything is allocated for them.
  std::size_t frame_bytes_max = wire::kMaxFrameBytes;
  /// Above this much unsent output is_congested() holds, and on_drained() follows: the sender should pause its sources.
  std::size_t congested_bytes = 1 << 20;
  /// Above this much the other side has stopped reading: the connection is closed with kResourceExhausted.
  std::size_t queued_bytes_max = wire::kMaxQueuedBytes;
  /// How long close() waits for queued output to be taken and for the other side to finish.
  base::Duration linger = std::chrono::milliseconds(500);
};

struct ConnectionStats {
  std::uint64_t frames_in = 0;
  std::uint64_t frames_out = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
};

/// Owned by a shell; made by a Transport.
///
/// Threading: confined to the loop's thread.
/// Lifetime: destroying it drops unsent output and calls nobody; allowed anywhere, inside its callbacks too.
class Connection final {
 public:
  /// For transports. `keep` is held as long as the connection lives (a listener counts its connections so).
  Connection(Loop& loop, std::unique_ptr<ByteStream> stream, const ConnectionOptions& options,
             std::shared_ptr<void> keep);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Reading begins here; `handler` outlives the connection. Called once, before anything else.
  void start(ConnectionHandler& handler);

  /// Queues one frame for the flush at this turn's end. `header.length` and `metadata_length` are filled in here.
  /// Returns false, and drops the frame, if the connection is closing, or if this frame fills it up (it then closes).
  bool send(const wire::FrameHeader& header, std::span<const std::byte> metadata, std::span<const std::byte> payload);

  /// No frame is read, nor handled, until resume_reading(): backpressure towards the other side.
  void pause_reading();
  void resume_reading();

  /// Sends what is queued (a Goodbye, say) and ends; on_closed() follows within `linger`. Frames not yet handled are dropped.
  void close(base::Status reason);

  [[nodiscard]] bool is_open() const;
  [[nodiscard]] bool is_congested() const;
  [[nodiscard]] std::size_t queued_bytes() const;

  [[nodiscard]] PeerIdentity identity() const;
  [[nodiscard]] std::string remote() const;
  [[nodiscard]] const ConnectionStats& stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kaido::daemon
