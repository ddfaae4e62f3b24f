#include "proto/wire/frame_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "proto/base/check.h"

namespace kaido::wire {

FrameReader::FrameReader(std::uint32_t max_frame_bytes, std::uint32_t max_metadata_bytes)
    : max_frame_bytes_(max_frame_bytes), max_metadata_bytes_(max_metadata_bytes) {}

std::span<std::byte> FrameReader::writable() {
  if (begin_ == end_) begin_ = end_ = 0;
  // A frame larger than a read gets a buffer of its own size; when it has passed, the buffer becomes small again.
  const std::size_t needed = std::max(kReadBytes, wanted_);
  if (capacity_ < needed || (begin_ == end_ && capacity_ > needed)) {
    reallocate(needed);
  } else if (capacity_ - end_ < kReadBytes / 4 || capacity_ - begin_ < wanted_) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return {buffer_.get() + end_, capacity_ - end_};
}

void FrameReader::commit(std::size_t count) {
  KAIDO_CHECK(count <= capacity_ - end_);
  end_ += count;
}

std::optional<FrameView> FrameReader::next() {
  if (failed() || end_ - begin_ < kHeaderBytes) return std::nullopt;
  const std::byte* const at = buffer_.get() + begin_;
  const FrameHeader header = decode(std::span<const std::byte, kHeaderBytes>(at, kHeaderBytes));
  if (!judge(header)) return std::nullopt;
  if (end_ - begin_ < header.length) {
    wanted_ = header.length;
    return std::nullopt;
  }
  wanted_ = 0;
  begin_ += header.length;
  const std::byte* const payload = at + kHeaderBytes + header.metadata_length;
  const std::size_t payload_bytes = header.length - kHeaderBytes - header.metadata_length;
  // Built where it is returned: a view built aside and then copied, or an optional that is empty first (which g++ 12
  // fills with zeros), costs more than all else here.
  return std::optional<FrameView>(std::in_place, header, std::span(at + kHeaderBytes, header.metadata_length),
                                  std::span(payload, payload_bytes));
}

bool FrameReader::judge(const FrameHeader& header) {
  if (header.length >= kHeaderBytes && header.length <= max_frame_bytes_ &&
      header.metadata_length <= header.length - kHeaderBytes && header.metadata_length <= max_metadata_bytes_)
      [[likely]] {
    return true;
  }
  if (header.length < kHeaderBytes) {
    error_ = "frame length " + std::to_string(header.length) + " is less than its header of " +
             std::to_string(kHeaderBytes) + " bytes: the sender does not speak this protocol";
  } else if (header.length > max_frame_bytes_) {
    error_ = "frame of " + std::to_string(header.length) + " bytes exceeds max_frame_bytes " +
             std::to_string(max_frame_bytes_) + ": send less or raise limits.max_frame_bytes";
  } else {
    error_ = "frame metadata of " + std::to_string(header.metadata_length) +
             " bytes exceeds its frame or the limit of " + std::to_string(max_metadata_bytes_);
  }
  return false;
}

void FrameReader::reallocate(std::size_t capacity) {
  auto larger = std::make_unique_for_overwrite<std::byte[]>(capacity);
  if (end_ != begin_) std::memcpy(larger.get(), buffer_.get() + begin_, end_ - begin_);
  buffer_ = std::move(larger);
  capacity_ = capacity;
  end_ -= begin_;
  begin_ = 0;
}

}  // namespace kaido::wire
