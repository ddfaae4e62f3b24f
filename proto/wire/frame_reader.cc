#include "proto/wire/frame_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "proto/base/check.h"

namespace kaido::wire {
namespace {

/// A read that could take less than this is not worth its system call: the incomplete frame is moved first.
constexpr std::size_t kLeastRead = kReadBytes / 4;

}  // namespace

FrameReader::FrameReader(std::uint32_t max_frame_bytes, std::uint32_t max_metadata_bytes)
    : max_frame_bytes_(max_frame_bytes), max_metadata_bytes_(max_metadata_bytes) {}

std::span<std::byte> FrameReader::writable() {
  const std::size_t needed = std::max(kReadBytes, wanted_);
  if (!block_) {
    block_ = BlockRef::allocate(needed);
  } else if (block_.capacity() - begin_ < wanted_ ||
             ((begin_ != 0 || block_.capacity() < kReadBytes) && block_.capacity() - end_ < kLeastRead)) {
    make_room(needed);
  }
  return {block_.data() + end_, block_.capacity() - end_};
}

/// Moves the beginning of an incomplete frame to the front: of this block if nobody else refers to it, else of another.
void FrameReader::make_room(std::size_t needed) {
  const std::size_t begun = end_ - begin_;
  if (block_.capacity() >= needed && block_.is_unique()) {
    std::memmove(block_.data(), block_.data() + begin_, begun);
  } else {
    BlockRef next = BlockRef::allocate(needed);
    std::memcpy(next.data(), block_.data() + begin_, begun);
    block_ = std::move(next);
  }
  begin_ = 0;
  end_ = begun;
}

void FrameReader::compact() {
  const std::size_t begun = end_ - begin_;
  if (!block_ || block_.capacity() == begun) return;
  BlockRef exact = BlockRef::allocate(begun);
  std::memcpy(exact.data(), block_.data() + begin_, begun);
  block_ = std::move(exact);
  begin_ = 0;
  end_ = begun;
}

void FrameReader::commit(std::size_t count) {
  KAIDO_CHECK(count <= block_.capacity() - end_);
  end_ += count;
}

// The next read takes the block that was used last, by whichever connection.
void FrameReader::release_block() {
  block_.reset();
  begin_ = end_ = 0;
}

void FrameReader::refuse(std::size_t length, std::size_t metadata_length) {
  if (length < kHeaderBytes) {
    error_ = "frame length " + std::to_string(length) + " is less than its header of " + std::to_string(kHeaderBytes) +
             " bytes: the sender does not speak this protocol";
  } else if (length > max_frame_bytes_) {
    error_ = "frame of " + std::to_string(length) + " bytes exceeds the largest that there is, " +
             std::to_string(max_frame_bytes_) + ": payloads of more than 64 KiB travel in chunks";
  } else {
    error_ = "frame metadata of " + std::to_string(metadata_length) + " bytes exceeds its frame or the limit of " +
             std::to_string(max_metadata_bytes_);
  }
}

}  // namespace kaido::wire
