/// IncomingStreams: the payloads that a connection is receiving in chunks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "proto/wire/body.h"
#include "proto/wire/frame.h"
#include "proto/wire/frame_writer.h"
#include "proto/wire/limits.h"
#include "proto/wire/memory_budget.h"
#include "proto/wire/payload.h"
#include "proto/wire/stream_end.h"
#include "proto/wire/window_budget.h"

namespace kaido::wire {

/// Told of each frame that is kept until its payload is assembled, when it comes: what counts from then on, such as the
/// budget, may be changed into what does not.
class HoldListener {
 public:
  virtual void on_hold(FrameHeader& header) = 0;

 protected:
  ~HoldListener() = default;
};

/// What a channel accepts.
struct ChannelOptions {
  /// Header, metadata and payload of one message, however it travels.
  std::size_t message_bytes_max = kMaxFrameBytes;
  std::size_t streams_max = kMaxStreams;
  std::size_t window_bytes = kStreamWindowBytes;
  /// Frames whose payload comes in chunks are handed out when all of it is there, in one piece of exactly its size.
  /// Otherwise at once, with a streamed payload.
  bool assemble = false;
  HoldListener* hold_listener = nullptr;
  StreamListener* stream_listener = nullptr;
  /// How much memory payloads that are being assembled may take together; further ones wait for their turn with their
  /// first chunk. One is always under way.
  std::size_t assembling_bytes_max = kMaxAssemblingBytes;
  /// Of all channels together; null: none.
  WindowBudget* budget = nullptr;
  /// The node's memory, for payloads that are handed out at once, and whose it is until they are taken; null: none.
  MemoryBudget* memory = nullptr;
  MemoryOwner owner;
};

/// Counts of what was refused; each concerned one call.
struct StreamStats {
  std::uint64_t begun = 0;
  std::uint64_t refused = 0;       ///< too large, or too many, or no memory
  std::uint64_t stalled = 0;       ///< given up, since their sender sent nothing of them
  std::uint64_t violations = 0;    ///< beyond the window or the size, or with a gap
  std::uint64_t stray_chunks = 0;  ///< of streams that nobody wants any more, or that never were

  StreamStats& operator+=(const StreamStats& other) {
    begun += other.begun;
    refused += other.refused;
    stalled += other.stalled;
    violations += other.violations;
    stray_chunks += other.stray_chunks;
    return *this;
  }
};

/// Judges what is announced before anything is allocated for it, grants as takers take, and tells the sender when
/// nobody wants the rest. A violation fails that one payload.
class IncomingStreams {
 public:
  /// A frame that waited for its payload, or came while the frame that it refers to did.
  struct Held {
    FrameHeader header;
    Payload metadata;
    Payload payload;
  };

  IncomingStreams(const ChannelOptions& options, FrameWriter& writer, std::function<void()> on_output)
      : options_(options), writer_(writer), on_output_(std::move(on_output)) {}
  ~IncomingStreams() { clear(BodyFailure::kConnectionLost); }
  IncomingStreams(const IncomingStreams&) = delete;
  IncomingStreams& operator=(const IncomingStreams&) = delete;

  enum class Begin { kDeliver, kHold, kMalformed };
  /// A frame with kStreamed. kDeliver: its payload was replaced by the streamed one, which may have failed already.
  [[nodiscard]] Begin begin(FrameView& frame);

  /// Before the next read: first chunks that nobody has taken at once leave the block that they were read into.
  void compact();

  /// Gives up what its sender may send and does not: nothing of it came for two intervals, or for kStalledPatience
  /// times as many while others came. Called at an interval.
  void drop_stalled();

  /// A Chunk frame.
  void handle_chunk(const FrameView& frame);

  /// A Cancel frame: true if it has to wait for the call that it refers to.
  [[nodiscard]] bool hold_cancel(const FrameHeader& cancel);

  /// Frames that have become complete; the channel takes them.
  [[nodiscard]] std::deque<Held>& held() { return held_; }

  [[nodiscard]] bool has_held() const { return !held_.empty(); }

  [[nodiscard]] std::size_t size() const { return streams_.size(); }
  [[nodiscard]] std::size_t assembling_bytes() const { return assembling_; }
  [[nodiscard]] const StreamStats& stats() const { return stats_; }

  /// The connection is gone: what is not complete has failed. Sends nothing.
  void clear(BodyFailure failure);

 private:
  struct Stream final : BodySource {
    Stream(IncomingStreams& of, std::uint64_t its_id, std::size_t its_size) : owner(of), id(its_id), size(its_size) {}
    void on_demand(Body&) override { owner.grant(*this); }
    void on_abandoned(Body&) override { owner.stop(*this); }

    IncomingStreams& owner;
    const std::uint64_t id;
    const std::size_t size;
    std::size_t received = 0;
    std::size_t granted = 0;
    std::size_t charged = 0;  ///< of the budget
    std::size_t seen = 0;     ///< had come at the last drop_stalled()
    std::uint32_t idle = 0;   ///< calls of it in which nothing had come
    Body* body = nullptr;     ///< its handles are the takers'; null: assembled here
    BlockRef block;           ///< once it is its turn
    Payload first;            ///< until then
    Held frame;
    bool is_cancelled = false;
  };

  [[nodiscard]] BodyFailure judge(const FrameView& frame, const StreamPrefix& prefix, std::size_t first) const;
  [[nodiscard]] Charge charge() const { return Charge(options_.memory, options_.owner, MemoryKind::kStreams); }
  void start_assembly(Stream& stream);
  void start_waiting();
  void grant(Stream& stream);
  void grant_to(Stream& stream, std::size_t offset);
  void send_window(const Stream& stream, std::uint8_t flags);
  void put(Stream& stream, const Payload& chunk);
  void fail(Stream& stream, BodyFailure failure);
  void stop(Stream& stream);
  void release_frame(Stream& stream, Payload payload);
  void erase(Stream& stream);

  const ChannelOptions& options_;
  FrameWriter& writer_;
  const std::function<void()> on_output_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Stream>> streams_;
  std::deque<std::uint64_t> waiting_;  ///< to be assembled
  std::size_t assembling_ = 0;
  std::vector<std::uint64_t> fresh_;  ///< begun since the last read
  std::deque<Held> held_;
  bool has_moved_ = false;  ///< since the last drop_stalled()
  StreamStats stats_;
};

}  // namespace kaido::wire
