/// Frames both ways over one byte stream, in the loop's turns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "daemon/runtime/byte_stream.h"
#include "daemon/runtime/loop.h"
#include "daemon/runtime/timer.h"
#include "proto/base/status.h"
#include "proto/base/time.h"
#include "proto/wire/frame.h"
#include "proto/wire/frame_reader.h"
#include "proto/wire/frame_writer.h"
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

  /// The other side broke the framing; the connection closes with `reason` when this returns. The place to send a
  /// Goodbye that says why.
  virtual void on_malformed(Connection& connection, const base::Status& reason) {
    static_cast<void>(connection);
    static_cast<void>(reason);
  }

  /// The end, exactly once, whoever caused it: `reason` is what close() was given, kUnavailable when the other side
  /// went away, kInvalidArgument or kResourceExhausted when it broke a rule. No callback follows. Never called from
  /// inside close() or send(), nor after the owner destroyed the connection.
  virtual void on_closed(Connection& connection, const base::Status& reason) = 0;

 protected:
  ~ConnectionHandler() = default;
};

struct ConnectionOptions {
  /// Larger frames close the connection before anything is allocated for them.
  std::uint32_t frame_bytes_max = wire::kMaxFrameBytes;
  /// Above this much unsent output is_congested() holds, and on_drained() follows: the sender should pause its sources.
  std::size_t congested_bytes = 1U << 20;
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

/// Owned by a shell; made by a Transport. One read and one write a turn at most.
///
/// Threading: confined to the loop's thread.
/// Lifetime: destroying it drops unsent output and calls nobody; allowed anywhere, inside its callbacks too.
class Connection final : private IoSource, private TurnOutput {
 public:
  /// For transports. `keep` is held as long as the connection lives (a listener counts its connections so).
  Connection(Loop& loop, std::unique_ptr<ByteStream> stream, const ConnectionOptions& options,
             std::shared_ptr<void> keep);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Reading begins here; `handler` outlives the connection. Called once, before anything else.
  void start(ConnectionHandler& handler);

  /// Queues one frame for the flush at this turn's end. The header's two lengths are filled in here.
  /// Returns false, and drops the frame, if the connection is not open, or if this frame fills it up (it then ends).
  bool send(const wire::FrameHeader& header, std::span<const std::byte> metadata = {},
            std::span<const std::byte> payload = {});

  /// The same; a large payload is held until it is sent instead of copied.
  bool send(const wire::FrameHeader& header, std::span<const std::byte> metadata, const wire::Payload& payload);

  /// No frame is read, nor handled, until resume_reading(): backpressure towards the other side. That it went away is
  /// not noticed meanwhile, except by sending.
  void pause_reading();
  void resume_reading();

  /// Sends what is queued (a Goodbye, say) and ends; on_closed() follows within `linger`. Frames not yet handled are
  /// dropped. Without effect on a connection that is ending already.
  void close(base::Status reason);

  /// Whether send() is of any use.
  [[nodiscard]] bool is_open() const { return state_ == State::kOpen; }
  [[nodiscard]] bool is_congested() const { return congested_; }
  [[nodiscard]] std::size_t queued_bytes() const { return writer_.pending_bytes(); }

  [[nodiscard]] const PeerIdentity& identity() const { return identity_; }
  [[nodiscard]] const std::string& remote() const { return remote_; }
  [[nodiscard]] const ConnectionStats& stats() const { return stats_; }

 private:
  enum class State {
    kIdle,  // not started
    kOpen,
    kDeaf,      // the other side takes nothing any more; what it has sent is still read, a Goodbye perhaps
    kClosing,   // close() was called: queued output goes out, input is discarded
    kFinished,  // all is sent: waiting for the other side to finish, so that closing does not take back our last bytes
    kEnded,     // on_closed() is to be called at the turn's end
    kClosed,
  };

  void on_ready(Readiness ready) override;
  void flush() override;

  [[nodiscard]] bool admit(std::size_t bytes);
  void read();
  [[nodiscard]] bool handle_frames();
  [[nodiscard]] bool report_drained();
  void start_linger();
  void discard_input();
  void write();
  void end(base::Status reason);
  void report_closed();
  void update_interest();
  [[nodiscard]] bool takes_frames() const { return state_ == State::kOpen || state_ == State::kDeaf; }

  Loop& loop_;
  std::unique_ptr<ByteStream> stream_;
  const ConnectionOptions options_;
  const std::shared_ptr<void> keep_;
  const PeerIdentity identity_;
  const std::string remote_;
  ConnectionHandler* handler_ = nullptr;
  wire::FrameReader reader_;
  wire::FrameWriter writer_;
  ConnectionStats stats_;
  State state_ = State::kIdle;
  base::Status reason_;
  bool paused_ = false;
  bool output_blocked_ = false;  // the stream took less than all: wait until it is writable
  bool congested_ = false;
  Readiness interest_;
  std::optional<Timer> linger_;
  bool* destroyed_ = nullptr;  // set while callbacks run, so that they may destroy this connection
};

}  // namespace kaido::daemon
