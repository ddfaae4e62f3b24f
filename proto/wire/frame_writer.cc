#include "proto/wire/frame_writer.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "proto/base/check.h"

namespace kaido::wire {
namespace {

std::byte* put(std::byte* at, std::span<const std::byte> bytes) {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

}  // namespace

/// Room for `copied` bytes in the open run, which begin with the header of a frame of `length` bytes.
inline std::byte* FrameWriter::put_header(const FrameHeader& header, std::size_t length, std::size_t copied,
                                          std::size_t metadata_bytes) {
  KAIDO_CHECK(length <= UINT32_MAX);
  std::byte* const at = block_.capacity() - run_end_ >= copied ? block_.data() + run_end_ : reserve(copied);
  run_end_ += copied;
  pending_ += copied;
  encode(header, std::span<std::byte, kHeaderBytes>(at, kHeaderBytes));
  // Over the encoded header, not in a copy of the struct: wide loads of what was just stored in parts would stall.
  const auto frame_length = static_cast<std::uint32_t>(length);
  const auto metadata_length = static_cast<std::uint32_t>(metadata_bytes);
  std::memcpy(at + offsetof(FrameHeader, length), &frame_length, sizeof frame_length);
  std::memcpy(at + offsetof(FrameHeader, metadata_length), &metadata_length, sizeof metadata_length);
  return at + kHeaderBytes;
}

void FrameWriter::append(const FrameHeader& header, std::span<const std::byte> metadata,
                         std::span<const std::byte> payload) {
  const std::size_t length = kHeaderBytes + metadata.size() + payload.size();
  put(put(put_header(header, length, length, metadata.size()), metadata), payload);
}

void FrameWriter::append(const FrameHeader& header, std::span<const std::byte> metadata,
                         std::span<const std::byte> prefix, const Payload& payload) {
  const std::size_t copied = kHeaderBytes + metadata.size() + prefix.size();
  put(put(put_header(header, copied + payload.size(), copied, metadata.size()), metadata), prefix);
  if (payload.empty()) return;
  close_run();
  segments_.push_back(payload);
  pending_ += payload.size();
}

std::size_t FrameWriter::gather(std::span<std::span<const std::byte>> segments) const {
  std::size_t count = 0;
  for (std::size_t i = first_; i < segments_.size() && count < segments.size(); ++i)
    segments[count++] = segments_[i].bytes();
  if (count < segments.size() && run_begin_ != run_end_)
    segments[count++] = {block_.data() + run_begin_, run_end_ - run_begin_};
  return count;
}

std::span<const std::byte> FrameWriter::pending() const {
  if (first_ < segments_.size()) return segments_[first_].bytes();
  if (run_begin_ == run_end_) return {};
  return {block_.data() + run_begin_, run_end_ - run_begin_};
}

void FrameWriter::consume(std::size_t count) {
  KAIDO_CHECK(count <= pending_);
  pending_ -= count;
  while (first_ < segments_.size()) {
    Payload& segment = segments_[first_];
    if (count < segment.size()) {
      segment = segment.part(count, segment.size() - count);
      return drop_sent_segments();
    }
    count -= segment.size();
    segment = Payload();
    ++first_;
  }
  segments_.clear();
  first_ = compacted_ = 0;
  run_begin_ += count;
  if (run_begin_ != run_end_) return;
  block_.reset();
  run_begin_ = run_end_ = 0;
}

/// So that a connection that is never quite idle does not remember all that it ever sent.
void FrameWriter::drop_sent_segments() {
  if (first_ < kMaxSegments || first_ < segments_.size() / 2) return;
  segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(first_));
  compacted_ -= std::min(compacted_, first_);
  first_ = 0;
}

void FrameWriter::compact() {
  for (compacted_ = std::max(compacted_, first_); compacted_ < segments_.size(); ++compacted_)
    segments_[compacted_] = segments_[compacted_].kept();
}

void FrameWriter::clear() { consume(pending_); }

void FrameWriter::close_run() {
  if (run_begin_ == run_end_) return;
  segments_.emplace_back(block_, block_.data() + run_begin_, run_end_ - run_begin_);
  run_begin_ = run_end_;
}

std::byte* FrameWriter::reserve(std::size_t count) {
  close_run();
  block_ = BlockRef::allocate(std::max(kOutputBlockBytes, count));
  run_begin_ = run_end_ = 0;
  return block_.data();
}

}  // namespace kaido::wire
