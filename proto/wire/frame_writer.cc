#include "proto/wire/frame_writer.h"

#include <algorithm>
#include <cstring>

#include "proto/base/check.h"

namespace kaido::wire {
namespace {

// What an idle connection may keep: a burst's worth. More would let a thousand idle connections hold their peaks.
constexpr std::size_t kKeptBytes = 256U << 10;
constexpr std::size_t kFirstBytes = 4U << 10;

}  // namespace

void FrameWriter::append(const FrameHeader& header, std::span<const std::byte> metadata,
                         std::span<const std::byte> payload) {
  const std::size_t length = kHeaderBytes + metadata.size() + payload.size();
  KAIDO_CHECK(length <= UINT32_MAX);
  std::byte* at = capacity_ - end_ >= length ? buffer_.get() + end_ : grow(length);
  end_ += length;
  encode(header, std::span<std::byte, kHeaderBytes>(at, kHeaderBytes));
  // Over the encoded header, not in a copy of the struct: wide loads of what was just stored in parts would stall.
  const auto frame_length = static_cast<std::uint32_t>(length);
  const auto metadata_length = static_cast<std::uint32_t>(metadata.size());
  std::memcpy(at + offsetof(FrameHeader, length), &frame_length, sizeof frame_length);
  std::memcpy(at + offsetof(FrameHeader, metadata_length), &metadata_length, sizeof metadata_length);
  at += kHeaderBytes;
  if (!metadata.empty()) std::memcpy(at, metadata.data(), metadata.size());
  if (!payload.empty()) std::memcpy(at + metadata.size(), payload.data(), payload.size());
}

void FrameWriter::consume(std::size_t count) {
  KAIDO_CHECK(count <= end_ - begin_);
  begin_ += count;
  if (begin_ != end_) return;
  begin_ = end_ = 0;
  if (capacity_ > kKeptBytes) {
    buffer_.reset();
    capacity_ = 0;
  }
}

void FrameWriter::clear() { consume(end_ - begin_); }

std::byte* FrameWriter::grow(std::size_t count) {
  const std::size_t kept = end_ - begin_;
  if (capacity_ >= kept + count && begin_ >= capacity_ / 2) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, kept);
  } else {
    const std::size_t capacity = std::max({kFirstBytes, 2 * capacity_, kept + count});
    auto larger = std::make_unique_for_overwrite<std::byte[]>(capacity);
    if (kept != 0) std::memcpy(larger.get(), buffer_.get() + begin_, kept);
    buffer_ = std::move(larger);
    capacity_ = capacity;
  }
  begin_ = 0;
  end_ = kept;
  return buffer_.get() + end_;
}

}  // namespace kaido::wire
