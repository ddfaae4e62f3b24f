#include "proto/wire/payload.h"

#include <array>
#include <cstring>
#include <new>

namespace kaido::wire {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t kPooled = 0;  // freed at once, so that AddressSanitizer sees who reads on
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr std::size_t kPooled = 0;
#else
constexpr std::size_t kPooled = kPooledBlocks;
#endif
#else
constexpr std::size_t kPooled = kPooledBlocks;
#endif

void free_block(Block* block) {
  block->~Block();
  ::operator delete(block);
}

/// Trivially destructible: a payload that is destroyed after the thread's destructors ran finds it full.
struct FreeBlocks {
  std::size_t count = 0;
  bool is_closed = false;
  std::array<Block*, kPooledBlocks> blocks{};
};
thread_local FreeBlocks free_blocks;

/// Frees a thread's blocks at its end.
struct FreeAtExit {
  ~FreeAtExit() {
    free_blocks.is_closed = true;
    while (free_blocks.count > 0) free_block(free_blocks.blocks[--free_blocks.count]);
  }
};

bool pool(Block* block) {
  if (block->capacity() != kReadBytes || free_blocks.count >= kPooled || free_blocks.is_closed) return false;
  static thread_local FreeAtExit at_exit;
  static_cast<void>(at_exit);
  free_blocks.blocks[free_blocks.count++] = block;
  return true;
}

}  // namespace

Block* Block::allocate(std::size_t capacity) {
  if (capacity == kReadBytes && free_blocks.count > 0) {
    Block* const block = free_blocks.blocks[--free_blocks.count];
    block->references = 1;
    return block;
  }
  return new (::operator new(sizeof(Block) + capacity)) Block(capacity);
}

void recycle(Counted* owner) noexcept {
  auto* const block = static_cast<Block*>(owner);
  if (!pool(block)) free_block(block);
}

Payload Payload::copy_of(std::span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  const BlockRef block = BlockRef::allocate(bytes.size());
  std::memcpy(block.data(), bytes.data(), bytes.size());
  return Payload(block, block.data(), bytes.size());
}

Payload Payload::kept() const {
  if (size_ == 0) return {};
  return footprint() - sizeof(Block) <= kPinnedFactor * size_ ? *this : copy_of(bytes());
}

std::size_t Payload::footprint() const {
  return owner_ == nullptr ? 0 : sizeof(Block) + static_cast<const Block*>(owner_)->capacity();
}

}  // namespace kaido::wire
