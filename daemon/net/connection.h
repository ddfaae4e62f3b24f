/// Frames both ways over one byte stream, in the loop's turns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/runtime/byte_stream.h"
#include "daemon/runtime/loop.h"
#include "daemon/runtime/timer.h"
#include "proto/base/status.h"
#include "proto/base/time.h"
#include "proto/wire/channel.h"
#include "proto/wire/frame.h"
#include "proto/wire/limits.h"
#include "proto/wire/memory_budget.h"
#include "proto/wire/payload.h"
#include "proto/wire/stream_end.h"
#include "proto/wire/window_budget.h"

namespace kaido::daemon {

class Connection;

/// The owner's side of a connection.
///
/// Every callback may send on, close or destroy any connection, this one included.
class ConnectionHandler {
 public:
  /// One frame. Its metadata is valid until the callback returns, its payload as long as it is held; the payload may
  /// have failed (proto/wire/body.h), which is that call's misfortune alone.
  virtual void on_frame(Connection& connection, const wire::FrameView& frame) = 0;

  /// After congestion: the output has drained to half of what it was congested at, more may be sent.
  virtual void on_drained(Connection& connection) = 0;

  /// A large payload that was sent is on its way to its last byte, or will never be: see wire::StreamEnd. `announced`
  /// is the frame that it came with. Before any frame that the other side sent since.
  virtual void on_stream_end(Connection& connection, const wire::FrameHeader& announced, wire::StreamEnd end,
                             wire::BodyFailure failure) {
    static_cast<void>(connection);
    static_cast<void>(announced);
    static_cast<void>(end);
    static_cast<void>(failure);
  }

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
  /// Header, metadata and payload of one message. A larger one comes with a payload that has failed.
  std::uint32_t frame_bytes_max = wire::kMaxFrameBytes;
  /// Whether payloads that come in chunks are handed out when they are complete, in one piece, or at once.
  bool assemble = true;
  /// Of all connections of a node together, for payloads that are handed out at once; null: none.
  wire::WindowBudget* budget = nullptr;
  /// The node's memory: queued output, payloads that pass, and what is not read to its end are taken from it. Null:
  /// none.
  wire::MemoryBudget* memory = nullptr;
  /// Above this much unsent output in frames is_congested() holds, and on_drained() follows: the sender should pause
  /// its sources. At most half of `queued_bytes_max` is meant, whatever it says. Below it, too, where the other side
  /// does not read, and has all of `memory` that it may, or a full queue.
  std::size_t congested_bytes = 1U << 20;
  /// Above this much no call and no result is taken any more, and above `reserved_bytes` more nothing at all. The
  /// connection goes on: who sends must slow down or go elsewhere.
  std::size_t queued_bytes_max = wire::kMaxQueuedBytes;
  /// For frames that carry no work, above `queued_bytes_max`: an error for each answer that was not taken, and what
  /// keeps the connection going.
  std::size_t reserved_bytes = wire::kReservedQueuedBytes;
  /// When the other side has taken nothing for so long although there is output, the connection ends; so it does when
  /// it sent a part of a frame and nothing more. A large payload that does not move is given up.
  base::Duration stalled_after = std::chrono::seconds(30);
  /// Whether it also ends when the other side takes nothing of all large payloads that it was announced. Not where that
  /// may be the fault of somebody behind it.
  bool ends_if_nothing_is_taken = false;
  /// How long close() waits for the other side to take some of the queued output, and to finish.
  base::Duration linger = std::chrono::milliseconds(500);
  /// How long close() waits in all while the other side does take output.
  base::Duration linger_max = std::chrono::seconds(30);
};

struct ConnectionStats {
  std::uint64_t frames_in = 0;
  std::uint64_t frames_out = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;

  ConnectionStats& operator+=(const ConnectionStats& other) {
    frames_in += other.frames_in;
    frames_out += other.frames_out;
    bytes_in += other.bytes_in;
    bytes_out += other.bytes_out;
    return *this;
  }
};

/// Owned by a shell; made by a Transport. One read and one write a turn at most.
///
/// Threading: confined to the loop's thread.
/// Lifetime: destroying it drops unsent output and calls nobody; allowed anywhere, inside its callbacks too.
class Connection final : private IoSource, private TurnOutput, private wire::StreamListener {
 public:
  /// For transports. `keep` is held as long as the connection lives (a listener counts its connections so).
  Connection(Loop& loop, std::unique_ptr<ByteStream> stream, const ConnectionOptions& options,
             std::shared_ptr<void> keep);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Reading begins here; `handler` outlives the connection. Called once, before anything else.
  void start(ConnectionHandler& handler);

  /// Queues one frame for the flush at this turn's end. The header's two lengths are filled in here. Says whether it
  /// was taken; whoever sends something that is waited for must act if it was not.
  wire::SendResult send(const wire::FrameHeader& header, std::span<const std::byte> metadata,
                        const wire::Payload& payload);
  /// The same with a payload that is copied.
  wire::SendResult send(const wire::FrameHeader& header, std::span<const std::byte> metadata = {},
                        std::span<const std::byte> payload = {});

  /// What the other side has said in its greeting that it accepts: larger messages are not taken from now on.
  void set_peer_limits(std::size_t message_bytes_max, std::size_t streams_max = wire::kMaxStreams) {
    channel_.set_peer_limits(message_bytes_max, streams_max);
  }

  /// Whose share of the node's memory it takes; before start().
  void set_memory_owner(wire::MemoryOwner owner);

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
  [[nodiscard]] std::size_t queued_bytes() const { return channel_.pending_bytes(); }
  /// Large payloads that are not sent to their end.
  [[nodiscard]] std::size_t streams_out() const { return channel_.streams_out(); }
  /// Whether the next large payload would not be kTooManyStreams.
  [[nodiscard]] bool takes_streams() const { return channel_.takes_streams(); }
  /// Large payloads that have not come to their end.
  [[nodiscard]] std::size_t streams_in() const { return channel_.streams_in(); }
  /// When anything was received last, or waited to be while there was no memory for it: that the other side lives,
  /// however long a frame takes.
  [[nodiscard]] base::Instant last_received() const { return last_received_; }
  [[nodiscard]] const wire::StreamStats& stream_stats() const { return channel_.stream_stats(); }

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
  void on_stream_end(const wire::FrameHeader& announced, wire::StreamEnd end, wire::BodyFailure failure) override;

  [[nodiscard]] bool report_streams();
  [[nodiscard]] bool has_room(std::size_t bytes) const;
  [[nodiscard]] bool has_reserve(const wire::FrameHeader& header, std::size_t metadata_bytes,
                                 std::size_t payload_bytes) const;
  [[nodiscard]] bool charge(const wire::FrameHeader& header, std::size_t metadata_bytes, std::size_t payload_bytes);
  void note_full();
  void note_sent();
  void note_output();
  void read();
  [[nodiscard]] bool handle_frames();
  [[nodiscard]] bool report_drained();
  void start_linger();
  void discard_input();
  void write();
  void watch_for_stall();
  void check_stall();
  void watch_streams();
  void check_streams();
  [[nodiscard]] bool is_input_stalled();
  [[nodiscard]] bool has_memory_to_read();
  void settle_memory();
  void settle_output();
  void settle_input();
  [[nodiscard]] std::span<std::byte> space_to_read();
  void check_linger();
  void end(base::Status reason);
  void report_closed();
  void update_interest();
  [[nodiscard]] bool takes_frames() const { return state_ == State::kOpen || state_ == State::kDeaf; }
  [[nodiscard]] bool may_write() const { return state_ == State::kOpen || state_ == State::kClosing; }

  Loop& loop_;
  std::unique_ptr<ByteStream> stream_;
  const ConnectionOptions options_;
  const std::size_t congested_bytes_;  // of framed output
  const std::shared_ptr<void> keep_;
  const PeerIdentity identity_;
  const std::string remote_;
  ConnectionHandler* handler_ = nullptr;
  wire::Channel channel_;
  struct EndedStream {
    wire::FrameHeader announced;
    wire::StreamEnd end{};
    wire::BodyFailure failure{};
  };
  std::vector<EndedStream> ended_streams_;  ///< to be reported; no more than there were streams
  ConnectionStats stats_;
  State state_ = State::kIdle;
  base::Status reason_;
  bool paused_ = false;
  bool output_blocked_ = false;  // the stream took less than all: wait until it is writable
  bool congested_ = false;
  bool is_behind_ = false;       ///< what was read is not handled: the turn was long
  bool stream_refused_ = false;  ///< a large payload found no stream free
  Readiness interest_;
  base::Instant last_received_;
  std::optional<Timer> linger_;
  base::Instant linger_end_;
  std::uint64_t linger_bytes_out_ = 0;  // sent when the linger timer was set
  std::optional<Timer> stall_;
  std::uint64_t stall_bytes_out_ = 0;  // sent when the stall timer was set
  int stall_steps_ = 0;
  wire::Charge output_;
  std::size_t charged_from_;  // frames of so many bytes are charged one by one: all, where output waits
  std::size_t drained_at_;    // while congested: of how few bytes in frames it is not any more
  wire::Charge input_;
  std::size_t granted_input_ = 0;   // of the frame that has begun, where it is larger than a read
  bool starved_ = false;            // there is no memory for the frame that has begun
  std::optional<Timer> hunger_;     // until it is looked for again
  std::optional<Timer> sweep_;      // while something is under way that may stall
  std::uint64_t sweep_frames_ = 0;  // come at the last sweep
  std::uint64_t sweep_bytes_ = 0;
  std::uint32_t sweep_idle_ = 0;
  bool* destroyed_ = nullptr;  // set while callbacks run, so that they may destroy this connection
};

}  // namespace kaido::daemon
