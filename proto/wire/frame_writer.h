/// Frames in, bytes out: what a connection has to send, gathered so that one system call sends a whole turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "proto/wire/frame.h"
#include "proto/wire/limits.h"
#include "proto/wire/payload.h"

namespace kaido::wire {

/// A payload of this size or more is queued by its handle instead of copied. Copying costs about 60 ns a KiB out of the
/// cache, a segment of its own costs as much as 4 KiB do and pins the whole block that the payload lies in.
inline constexpr std::size_t kReferencedBytes = 16U << 10;

/// How many segments one write gathers at most.
inline constexpr std::size_t kMaxSegments = 64;

/// A queue of segments: runs of small frames, which are copied into blocks, and large payloads by their handles.
/// Appending allocates nothing in the steady state; when all is sent, nothing is held.
///
///     writer.append(header, metadata, payload);              // length and metadata_length are filled in
///     std::array<std::span<const std::byte>, kMaxSegments> segments;
///     const std::size_t count = writer.gather(segments);     // once per turn
///     writer.consume(writev(socket, segments, count));
///
/// Threading: confined to the connection's owner, as the payloads given to it are.
class FrameWriter {
 public:
  /// A frame whose payload is copied. The header's two lengths are set from the spans.
  void append(const FrameHeader& header, std::span<const std::byte> metadata = {},
              std::span<const std::byte> payload = {});

  /// A frame whose payload is copied if it is small, and else held until it is sent.
  void append(const FrameHeader& header, std::span<const std::byte> metadata, const Payload& payload) {
    if (payload.size() < kReferencedBytes) return append(header, metadata, payload.bytes());
    append(header, metadata, {}, payload);
  }

  /// A frame whose payload begins with `prefix`, as one that announces a stream does.
  void append(const FrameHeader& header, std::span<const std::byte> metadata, std::span<const std::byte> prefix,
              const Payload& payload);

  /// What is to be sent next, in order: fills `segments` as far as there are any and says how many. Valid until the
  /// next append() or consume().
  [[nodiscard]] std::size_t gather(std::span<std::span<const std::byte>> segments) const;

  /// The first segment alone; empty if there is nothing to send.
  [[nodiscard]] std::span<const std::byte> pending() const;

  [[nodiscard]] std::size_t pending_bytes() const { return pending_; }
  [[nodiscard]] bool empty() const { return pending_ == 0; }

  /// The first `count` pending bytes were sent.
  void consume(std::size_t count);

  /// What is queued will wait: it must not pin the blocks of whole reads. Costs a look at what was queued since the
  /// last call.
  void compact();

  /// Forgets everything, as when the stream is lost.
  void clear();

 private:
  [[nodiscard]] std::byte* reserve(std::size_t count);
  std::byte* put_header(const FrameHeader& header, std::size_t length, std::size_t copied, std::size_t metadata_bytes);
  void close_run();
  void drop_sent_segments();

  std::vector<Payload> segments_;  ///< closed runs and referenced payloads, before the open run
  std::size_t first_ = 0;          ///< of segments_, those before it are sent
  std::size_t compacted_ = 0;      ///< of segments_, those before it pin no more than they should
  BlockRef block_;                 ///< of the open run
  std::size_t run_begin_ = 0;
  std::size_t run_end_ = 0;
  std::size_t pending_ = 0;
};

}  // namespace kaido::wire
