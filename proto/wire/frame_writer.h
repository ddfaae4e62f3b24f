/// Frames in, bytes out: what a connection has to send, gathered so that one system call sends a whole turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "proto/wire/frame.h"

namespace kaido::wire {

/// One contiguous buffer of encoded frames. Appending costs the copy of the bytes and no allocation in the steady
/// state; the buffer shrinks back when it has been sent and was larger than usual.
///
///     writer.append(header, metadata, payload);              // length and metadata_length are filled in
///     writer.consume(write(socket, writer.pending()));       // once per turn
///
/// Threading: confined to the connection's owner.
class FrameWriter {
 public:
  /// Copies a frame to the end. The header's two lengths are set from the spans.
  void append(const FrameHeader& header, std::span<const std::byte> metadata = {},
              std::span<const std::byte> payload = {});

  /// What is still to be sent. Valid until the next append() or consume().
  [[nodiscard]] std::span<const std::byte> pending() const { return {buffer_.get() + begin_, end_ - begin_}; }
  [[nodiscard]] std::size_t pending_bytes() const { return end_ - begin_; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }

  /// The first `count` bytes of pending() were sent.
  void consume(std::size_t count);

  /// Forgets everything, as when the stream is lost.
  void clear();

 private:
  std::byte* grow(std::size_t count);

  std::unique_ptr<std::byte[]> buffer_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace kaido::wire
