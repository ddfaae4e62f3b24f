/// Bytes in, complete frames out: incremental, bounded, allocation-free in the steady state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "proto/wire/frame.h"
#include "proto/wire/limits.h"
#include "proto/wire/payload.h"

namespace kaido::wire {

/// Collects a stream's bytes in a counted block and hands out the complete frames in it, without copying them.
///
///     auto space = reader.writable();
///     reader.commit(read(socket, space));
///     while (auto frame = reader.next()) handle(*frame);
///     if (reader.failed()) close(reader.error());
///
/// A frame's length is judged from its first 64 bytes, before anything is allocated for it. A frame larger than a read
/// gets a block of exactly its size. A block whose payloads somebody still holds is theirs; the reader goes on in
/// another, and only the beginning of an incomplete frame moves with it. Between frames it holds no block.
///
/// Threading: confined to the connection's owner, as all handles of its payloads are.
/// Lifetime: a frame's metadata is valid until the next call of next() or writable(), its payload as long as it is
/// held. Errors: a malformed header is final. next() then returns nothing more and error() says what was wrong.
class FrameReader {
 public:
  explicit FrameReader(std::uint32_t max_frame_bytes = kMaxFrameBytes,
                       std::uint32_t max_metadata_bytes = kMaxMetadataBytes);

  /// Where to read into: at least one byte, normally kReadBytes, more if the frame that has begun is larger.
  [[nodiscard]] std::span<std::byte> writable();

  /// `count` bytes were read into what writable() returned.
  void commit(std::size_t count);

  /// The next complete frame, if there is one.
  [[nodiscard]] std::optional<FrameView> next();

  [[nodiscard]] bool failed() const { return !error_.empty(); }
  [[nodiscard]] const std::string& error() const { return error_; }

  /// Bytes of a frame that has begun but is not complete: not zero at the end of a stream means it was cut.
  [[nodiscard]] std::size_t pending_bytes() const { return end_ - begin_; }

 private:
  [[nodiscard]] bool judge(const FrameHeader& header);
  void make_room(std::size_t needed);

  std::uint32_t max_frame_bytes_;
  std::uint32_t max_metadata_bytes_;
  BlockRef block_;
  std::size_t begin_ = 0;   ///< first byte not yet handed out
  std::size_t end_ = 0;     ///< one past the last byte read
  std::size_t wanted_ = 0;  ///< the length of the frame at begin_, once its header is complete
  std::string error_;
};

}  // namespace kaido::wire
