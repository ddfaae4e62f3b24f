/// Payload: bytes with an owner. A counted handle that is cheap to copy and keeps its bytes for as long as it lives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "proto/base/check.h"
#include "proto/wire/limits.h"

namespace kaido::wire {

/// What a handle counts. The count is not atomic, see Payload.
struct Counted {
  enum class Kind : std::uint32_t { kBlock, kAdopted, kBody };

  explicit Counted(Kind of) : kind(of) {}

  std::uint32_t references = 1;
  const Kind kind;
};

class Body;

/// Memory with a count, its bytes directly behind it. Blocks of exactly kReadBytes, into which streams are read, and of
/// kOutputBlockBytes, from which they are written, come from lists of free ones that each thread keeps, up to
/// kPooledBlocks of each; all others are the allocator's.
class Block final : public Counted {
 public:
  /// Uninitialised, with one reference, which is the caller's.
  [[nodiscard]] static Block* allocate(std::size_t capacity);

  [[nodiscard]] std::byte* data() { return reinterpret_cast<std::byte*>(this + 1); }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

 private:
  explicit Block(std::size_t capacity) : Counted(Kind::kBlock), capacity_(capacity) {}

  const std::size_t capacity_;
};

/// Bytes that somebody else has allocated.
struct Adopted final : Counted {
  Adopted(std::unique_ptr<std::byte[]> its_bytes, std::size_t its_size)
      : Counted(Kind::kAdopted), bytes(std::move(its_bytes)), size(its_size) {}
  std::unique_ptr<std::byte[]> bytes;
  const std::size_t size;
};

/// How many blocks of each size a thread keeps for reuse: the last one released is the first one taken, since its
/// bytes are still in the processor's cache.
inline constexpr std::size_t kPooledBlocks = 16;

/// Takes back what has no reference left.
void recycle(Counted* owner) noexcept;

/// A reference to a block that may be written to: what readers and writers of frames hold.
class BlockRef {
 public:
  BlockRef() = default;
  [[nodiscard]] static BlockRef allocate(std::size_t capacity) { return BlockRef(Block::allocate(capacity)); }
  BlockRef(BlockRef&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  BlockRef& operator=(BlockRef&& other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~BlockRef() { reset(); }

  void reset() noexcept {
    if (block_ != nullptr && --block_->references == 0) recycle(block_);
    block_ = nullptr;
  }

  explicit operator bool() const { return block_ != nullptr; }
  /// Nobody else refers to it, so its bytes may be overwritten.
  [[nodiscard]] bool is_unique() const { return block_->references == 1; }
  [[nodiscard]] std::byte* data() const { return block_->data(); }
  [[nodiscard]] std::size_t capacity() const { return block_ == nullptr ? 0 : block_->capacity(); }

 private:
  friend class Payload;
  explicit BlockRef(Block* block) : block_(block) {}

  Block* block_ = nullptr;
};

/// A frame's payload, or a part of one. The bytes are immutable; whoever holds a Payload has them.
///
/// It is whole: its bytes are here; or streamed: its size is known and its bytes come in chunks (body.h), which one
/// taker at a time takes. Dropping the last handle of a streamed payload tells its sender to send no more of it.
///
///     frame.payload                    // a part of the block that the stream was read into: no copy
///     kept_ = frame.payload.kept();    // beyond this turn: copied if it is a small part of a large block
///
/// Threading: the count is not atomic. All handles of one block are copied and destroyed by one thread, or under one
/// lock. Moving does not count.
class Payload {
 public:
  Payload() = default;
  /// `size` bytes at `data`, which lie in `block`.
  Payload(const BlockRef& block, const std::byte* data, std::size_t size)
      : owner_(block.block_), data_(data), size_(size) {
    if (owner_ != nullptr) ++owner_->references;
  }
  Payload(const Payload& other) noexcept : owner_(other.owner_), data_(other.data_), size_(other.size_) {
    if (owner_ != nullptr) ++owner_->references;
  }
  Payload(Payload&& other) noexcept
      : owner_(std::exchange(other.owner_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Payload& operator=(Payload other) noexcept {
    std::swap(owner_, other.owner_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Payload() {
    if (owner_ != nullptr && --owner_->references == 0) recycle(owner_);
  }

  /// All of a body that is under way.
  explicit Payload(Body& body);

  /// In a block of its own, of exactly that size.
  [[nodiscard]] static Payload copy_of(std::span<const std::byte> bytes);

  /// Takes an allocation over, without a copy.
  [[nodiscard]] static Payload adopt(std::unique_ptr<std::byte[]> bytes, std::size_t size);
  /// Gives it back, and is empty then; null, and unchanged, if it was not adopted or others hold it, too.
  [[nodiscard]] std::unique_ptr<std::byte[]> release_adopted();

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

  [[nodiscard]] bool is_whole() const { return data_ != nullptr || size_ == 0; }
  /// What the bytes come in; null if they are here.
  [[nodiscard]] Body* body() const;

  /// Only of whole ones: the bytes, for as long as a handle of them lives.
  [[nodiscard]] std::span<const std::byte> bytes() const {
    KAIDO_CHECK(is_whole());
    return {data_, size_};
  }

  /// Only of whole ones: `count` bytes from `offset` on; shares the block.
  [[nodiscard]] Payload part(std::size_t offset, std::size_t count) const {
    KAIDO_CHECK(is_whole() && offset <= size_ && count <= size_ - offset);
    Payload result(*this);
    result.data_ += offset;
    result.size_ = count;
    return result;
  }

  /// The same bytes, to be held beyond this turn: pins at most kPinnedFactor times its own size. Of a streamed one it
  /// is the same handle: its body keeps what it holds that way.
  [[nodiscard]] Payload kept() const;

  /// What holding this pins in memory. Handles of one block count it each.
  [[nodiscard]] std::size_t footprint() const;
  /// It is the only handle, so that another thread may have it.
  [[nodiscard]] bool is_unique() const { return owner_ != nullptr && owner_->references == 1; }
  [[nodiscard]] bool shares_block(const Payload& other) const { return owner_ == other.owner_; }

 private:
  Counted* owner_ = nullptr;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

static_assert(sizeof(Payload) <= 24, "it is passed along with every call");

/// How much larger than itself a block may be that a kept payload holds on to. Lower copies more, higher lets kept
/// payloads cost more memory than they are counted with.
inline constexpr std::size_t kPinnedFactor = 2;

/// Whether a frame with it is announced, and the rest follows in chunks: it is large, or not all here.
[[nodiscard]] inline bool travels_in_chunks(const Payload& payload) {
  return !payload.is_whole() || payload.size() > kChunkBytes;
}

}  // namespace kaido::wire
