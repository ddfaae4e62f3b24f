/// OutgoingStreams: the payloads that a connection is sending in chunks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <unordered_map>

#include "proto/wire/body.h"
#include "proto/wire/frame.h"
#include "proto/wire/frame_writer.h"
#include "proto/wire/payload.h"
#include "proto/wire/stream_end.h"

namespace kaido::wire {

/// The first chunk goes with the frame; the rest waits until the receiver grants it, and then takes turns with the
/// other streams, a chunk each. At most kBulkQueuedBytes of chunks are in the writer at once.
///
/// A whole payload is cut where it lies. Of a streamed one, chunks are passed on as they arrive, and none but the first
/// before the receiver has granted more: until then the payload can be sent again elsewhere.
class OutgoingStreams {
 public:
  /// `on_output` is called whenever there is something to send that was not there. `listener`: null for none.
  OutgoingStreams(FrameWriter& writer, std::function<void()> on_output, StreamListener* listener = nullptr)
      : writer_(writer), on_output_(std::move(on_output)), listener_(listener) {}
  ~OutgoingStreams() { clear(); }
  OutgoingStreams(const OutgoingStreams&) = delete;
  OutgoingStreams& operator=(const OutgoingStreams&) = delete;

  /// Who pays for streamed payloads that are on their way out.
  void set_owner(MemoryOwner owner) { owner_ = owner; }

  /// Queues the frame with the first chunk. A streamed payload is replayable and has not failed.
  void begin(FrameHeader header, std::span<const std::byte> metadata, const Payload& payload);

  /// A Window frame: more may be sent, or no more is wanted. One of a stream that has ended is late, and ignored.
  void handle_window(const FrameHeader& header);

  /// Gives up the arguments of that call, if they are still being sent: it is cancelled.
  void abort_call(const FrameHeader& cancel);

  /// Queues chunks, as many as fit.
  void fill();
  /// So many bytes of the writer's were sent.
  void consumed(std::size_t bytes);

  /// Gives up what its receiver does not take: it granted nothing more for two intervals, or for kStalledPatience times
  /// as many while it took others. True, and nothing is given up, if it took nothing at all of anything.
  [[nodiscard]] bool drop_stalled();

  /// Whether fill() has something to queue, now or when some of what is queued was sent.
  [[nodiscard]] bool has_ready() const { return !ready_.empty(); }
  [[nodiscard]] std::size_t size() const { return streams_.size(); }
  /// Whether one of them belongs to a frame of that kind. Looks at all of them.
  [[nodiscard]] bool has_any(FrameKind kind) const {
    return std::any_of(streams_.begin(), streams_.end(),
                       [kind](const auto& entry) { return entry.second->frame.kind == kind; });
  }
  /// What is not yet queued of whole payloads: memory that waits here.
  [[nodiscard]] std::size_t held_bytes() const { return held_bytes_; }

  /// The connection is gone: drops everything and sends nothing.
  void clear();

 private:
  struct Stream final : BodySink {
    Stream(OutgoingStreams& of, std::uint64_t its_id, const FrameHeader& its_frame, const Payload& its_payload)
        : owner(of), id(its_id), frame(its_frame), payload(its_payload) {}
    void on_chunk() override { owner.make_ready(*this); }
    void on_failed() override { owner.abort(*this, StreamEnd::kFailed); }
    void on_detached() override { owner.abort(*this, StreamEnd::kFailed); }

    OutgoingStreams& owner;
    const std::uint64_t id;
    const FrameHeader frame;  ///< the frame that announced it
    Payload payload;
    std::size_t sent = 0;
    std::size_t granted = 0;  ///< may be sent up to here
    bool is_ready = false;    ///< in ready_
    std::size_t seen = 0;     ///< was sent at the last drop_stalled()
    std::uint32_t idle = 0;   ///< calls of it in which nothing had been
  };
  struct Queued {
    std::uint64_t end;  ///< where in all that was ever written it ends
    std::size_t bytes;
  };

  void make_ready(Stream& stream);
  [[nodiscard]] Payload next_chunk(const Stream& stream) const;
  void send_chunk(Stream& stream);
  void abort(Stream& stream, StreamEnd end);
  void finish(Stream& stream, StreamEnd end);
  void erase(Stream& stream);

  FrameWriter& writer_;
  const std::function<void()> on_output_;
  StreamListener* const listener_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Stream>> streams_;
  std::deque<Stream*> ready_;
  std::deque<Queued> queued_;
  std::size_t queued_bytes_ = 0;
  std::size_t held_bytes_ = 0;
  std::uint64_t consumed_ = 0;
  std::uint64_t last_id_ = 0;
  bool has_moved_ = false;  ///< since the last drop_stalled()
  MemoryOwner owner_;
};

}  // namespace kaido::wire
