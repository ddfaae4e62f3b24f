#include "proto/wire/body.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "proto/base/check.h"
#include "proto/wire/limits.h"

namespace kaido::wire {
namespace {

/// Smaller chunks are copied: each costs a reference, and pins the block in which it was read.
constexpr std::size_t kSmallChunkBytes = 4U << 10;

/// The first block for small chunks.
constexpr std::size_t kLeastTailBytes = 256;

}  // namespace

std::string_view name(BodyFailure failure) {
  static constexpr std::array<std::string_view, 8> kNames = {
      "nothing failed",
      "its sender gave it up",
      "the connection that it came by was lost",
      "it is larger than its receiver accepts",
      "too many large payloads are under way on its connection",
      "its sender broke the protocol",
      "its receiver has no memory for it now (limits.memory); try again later",
      "nothing of it came, or was taken, for too long (timeouts.stalled)",
  };
  return kNames[static_cast<std::size_t>(failure)];
}

Body::Body(std::size_t size) : Counted(Kind::kBody), size_(std::max<std::size_t>(size, 1)) {}

Payload Body::make(std::size_t size, BodySource& source, Charge charge) {
  auto* const body = new Body(size);
  body->charge_ = std::move(charge);
  body->source_ = &source;
  Payload handle(*body);
  --body->references;  // the handle's is the only one
  return handle;
}

Payload Body::make_failed(std::size_t size, BodyFailure failure) {
  auto* const body = new Body(size);
  body->failure_ = failure;
  Payload handle(*body);
  --body->references;
  return handle;
}

void destroy(Body* body) noexcept {
  if (body->source_ != nullptr) std::exchange(body->source_, nullptr)->on_abandoned(*body);
  delete body;
}

void Body::push(const Payload& chunk) {
  KAIDO_CHECK(!has_failed() && chunk.size() <= size_ - arrived_);
  if (chunk.empty()) return;
  if (chunk.size() < kSmallChunkBytes) {
    push_copy(chunk.bytes());
  } else {
    chunks_.push_back({arrived_, is_retained_ ? chunk.kept() : chunk});
  }
  arrived_ += chunk.size();
  settle_charge();
  if (is_complete()) source_ = nullptr;
  if (sink_ != nullptr) sink_->on_chunk();
}

/// A chunk of one byte must not cost a hundred: small ones lie together in a block of their own.
void Body::push_copy(std::span<const std::byte> bytes) {
  if (bytes.size() > tail_room_) grow_tail(bytes.size());
  std::memcpy(tail_end_, bytes.data(), bytes.size());
  if (Payload* const last = last_in_tail()) {
    *last = Payload(tail_, last->bytes().data(), last->size() + bytes.size());
  } else {
    chunks_.push_back({arrived_, Payload(tail_, tail_end_, bytes.size())});
  }
  tail_end_ += bytes.size();
  tail_room_ -= bytes.size();
}

/// The last chunk, if what comes next continues it.
Payload* Body::last_in_tail() {
  if (chunks_.empty() || tail_end_ == nullptr || tail_end_ == tail_.data()) return nullptr;
  Payload& last = chunks_.back().bytes;
  return last.bytes().data() + last.size() == tail_end_ ? &last : nullptr;
}

/// Twice as large each time, up to a chunk: small chunks lie in one piece, and what was announced and does not come
/// takes no memory.
void Body::grow_tail(std::size_t least) {
  Payload* last = last_in_tail();
  if (last != nullptr && last->size() > kChunkBytes / 2) last = nullptr;  // large enough: the next one begins
  const std::size_t held = last == nullptr ? 0 : last->size();
  const std::size_t wanted = std::clamp(2 * held, kLeastTailBytes, kChunkBytes);
  const std::size_t capacity = std::max(held + least, std::min(wanted, held + size_ - arrived_));
  BlockRef next = BlockRef::allocate(capacity);
  if (last != nullptr) {
    std::memcpy(next.data(), last->bytes().data(), held);
    *last = Payload(next, next.data(), held);
  }
  tail_ = std::move(next);
  tail_end_ = tail_.data() + held;
  tail_room_ = capacity - held;
}

void Body::settle_charge() { charge_.set(is_retained_ || has_failed() ? 0 : arrived_ - released_); }

void Body::compact() {
  if (sink_ != nullptr && is_open_) return;
  for (Chunk& chunk : chunks_) {
    if (sink_ != nullptr && chunk.bytes.footprint() <= kChunkPinnedFactor * chunk.bytes.size() + sizeof(Block))
      continue;
    chunk.bytes = chunk.bytes.kept();
  }
}

void Body::fail(BodyFailure failure) {
  if (has_failed() || is_complete()) return;
  const Payload alive(*this);  // the sink may drop the last handle
  failure_ = failure;
  source_ = nullptr;
  chunks_.clear();
  settle_charge();
  if (sink_ != nullptr) std::exchange(sink_, nullptr)->on_failed();
}

void Body::disown(BodyFailure failure) {
  source_ = nullptr;
  fail(failure);
}

void Body::attach(BodySink& sink, MemoryOwner owner) {
  KAIDO_CHECK(is_replayable());
  charge_.pass_to(owner);
  if (sink_ != nullptr) std::exchange(sink_, nullptr)->on_detached();
  sink_ = &sink;
}

void Body::detach(BodySink& sink) {
  if (sink_ == &sink) sink_ = nullptr;
}

void Body::open() {
  if (std::exchange(is_open_, true) || source_ == nullptr) return;
  source_->on_demand(*this);
}

Payload Body::at(std::size_t offset) const {
  const auto after = std::upper_bound(chunks_.begin(), chunks_.end(), offset,
                                      [](std::size_t at, const Chunk& chunk) { return at < chunk.offset; });
  if (after == chunks_.begin()) return {};
  const Chunk& chunk = *std::prev(after);
  const std::size_t skipped = offset - chunk.offset;
  if (skipped >= chunk.bytes.size()) return {};
  return chunk.bytes.part(skipped, chunk.bytes.size() - skipped);
}

void Body::release(std::size_t offset) {
  if (offset <= released_) return;
  KAIDO_CHECK(offset <= arrived_);
  released_ = offset;
  while (!is_retained_ && !chunks_.empty() && chunks_.front().offset + chunks_.front().bytes.size() <= released_)
    chunks_.pop_front();
  settle_charge();
  if (source_ != nullptr) source_->on_demand(*this);
}

void Body::retain() {
  KAIDO_CHECK(is_replayable());
  is_retained_ = true;
  settle_charge();
  for (Chunk& chunk : chunks_) chunk.bytes = chunk.bytes.kept();
}

std::size_t Body::footprint() const {
  std::size_t sum = sizeof(Body);
  const Chunk* before = nullptr;
  for (const Chunk& chunk : chunks_) {
    if (before == nullptr || !chunk.bytes.shares_block(before->bytes)) sum += chunk.bytes.footprint();
    before = &chunk;
  }
  return sum;
}

}  // namespace kaido::wire
