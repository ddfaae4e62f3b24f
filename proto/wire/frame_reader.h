/// Bytes in, complete frames out: incremental, bounded, allocation-free in the steady state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
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
  /// What has come of a frame that is not complete is to pin no more memory than it has bytes.
  void compact();
  /// The length of the frame that has begun and not come whole; 0: none.
  [[nodiscard]] std::size_t wanted() const { return wanted_; }

  /// The next complete frame, if there is one.
  [[nodiscard]] std::optional<FrameView> next() {
    if (!has_frame()) return std::nullopt;
    return take();
  }
  /// The two halves of next(). Whether a frame is complete; false as well when its header is malformed.
  [[nodiscard]] bool has_frame() {
    if (end_ - begin_ >= kHeaderBytes && !failed()) [[likely]] {
      const std::size_t length = begun<std::uint32_t>(offsetof(FrameHeader, length));
      const std::size_t metadata = begun<std::uint32_t>(offsetof(FrameHeader, metadata_length));
      if (length >= kHeaderBytes && length <= max_frame_bytes_ && metadata <= length - kHeaderBytes &&
          metadata <= max_metadata_bytes_) [[likely]] {
        wanted_ = end_ - begin_ < length ? length : 0;
        return wanted_ == 0;
      }
      refuse(length, metadata);
    }
    if (begin_ == end_) release_block();
    return false;
  }
  /// Of the frame that has_frame() found.
  [[nodiscard]] FrameKind kind() const { return begun<FrameKind>(offsetof(FrameHeader, kind)); }
  [[nodiscard]] std::uint8_t flags() const { return begun<std::uint8_t>(offsetof(FrameHeader, flags)); }
  [[nodiscard]] std::uint32_t length() const { return begun<std::uint32_t>(offsetof(FrameHeader, length)); }
  /// Takes the frame that has_frame() found. Never empty: built where it is returned, since a view built aside and then
  /// moved costs more than all else here.
  [[nodiscard]] std::optional<FrameView> take() {
    const std::byte* const at = block_.data() + begin_;
    const FrameHeader header = decode(std::span<const std::byte, kHeaderBytes>(at, kHeaderBytes));
    begin_ += header.length;
    const std::size_t bytes = header.length - kHeaderBytes - header.metadata_length;
    return std::optional<FrameView>(
        std::in_place, header, std::span(at + kHeaderBytes, header.metadata_length),
        bytes == 0 ? Payload() : Payload(block_, at + kHeaderBytes + header.metadata_length, bytes));
  }

  [[nodiscard]] bool failed() const { return !error_.empty(); }
  [[nodiscard]] const std::string& error() const { return error_; }

  /// The block in which they lie.
  [[nodiscard]] std::size_t block_bytes() const { return block_.capacity(); }
  /// Bytes of a frame that has begun but is not complete: not zero at the end of a stream means it was cut.
  [[nodiscard]] std::size_t pending_bytes() const { return end_ - begin_; }

 private:
  /// A field of the header at begin_.
  template <class Field>
  [[nodiscard]] Field begun(std::size_t offset) const {
    Field field;
    std::memcpy(&field, block_.data() + begin_ + offset, sizeof field);
    return field;
  }
  void refuse(std::size_t length, std::size_t metadata_length);
  void release_block();
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
