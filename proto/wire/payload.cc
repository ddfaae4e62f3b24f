#include "proto/wire/payload.h"

#include <array>
#include <cstring>
#include <new>

#include "proto/base/large_memory.h"
#include "proto/wire/body.h"

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
  std::array<Block*, kPooledBlocks> blocks{};
};
struct Pool {
  bool is_closed = false;
  FreeBlocks reads;
  FreeBlocks outputs;

  FreeBlocks* of(std::size_t capacity) {
    if (capacity == kReadBytes) return &reads;
    return capacity == kOutputBlockBytes ? &outputs : nullptr;
  }
};
thread_local Pool pool;

/// Frees a thread's blocks at its end.
struct FreeAtExit {
  ~FreeAtExit() {
    pool.is_closed = true;
    for (FreeBlocks* const free : {&pool.reads, &pool.outputs}) {
      while (free->count > 0) free_block(free->blocks[--free->count]);
    }
  }
};

bool keep(Block* block) {
  FreeBlocks* const free = pool.of(block->capacity());
  if (free == nullptr || free->count >= kPooled || pool.is_closed) return false;
  static thread_local FreeAtExit at_exit;
  static_cast<void>(at_exit);
  free->blocks[free->count++] = block;
  return true;
}

}  // namespace

Block* Block::allocate(std::size_t capacity) {
  if (FreeBlocks* const free = pool.of(capacity); free != nullptr && free->count > 0) {
    Block* const block = free->blocks[--free->count];
    block->references = 1;
    return block;
  }
  void* const memory = ::operator new(sizeof(Block) + capacity);
  base::prefer_huge_pages(memory, sizeof(Block) + capacity);
  return new (memory) Block(capacity);
}

void recycle(Counted* owner) noexcept {
  if (owner->kind == Counted::Kind::kBody) return destroy(static_cast<Body*>(owner));
  if (owner->kind == Counted::Kind::kAdopted) return delete static_cast<Adopted*>(owner);
  auto* const block = static_cast<Block*>(owner);
  if (!keep(block)) free_block(block);
}

Payload Payload::copy_of(std::span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  const BlockRef block = BlockRef::allocate(bytes.size());
  std::memcpy(block.data(), bytes.data(), bytes.size());
  return Payload(block, block.data(), bytes.size());
}

Payload Payload::adopt(std::unique_ptr<std::byte[]> bytes, std::size_t size) {
  if (size == 0) return {};
  Payload payload;
  payload.data_ = bytes.get();
  payload.size_ = size;
  payload.owner_ = new Adopted(std::move(bytes), size);
  return payload;
}

std::unique_ptr<std::byte[]> Payload::release_adopted() {
  if (owner_ == nullptr || owner_->kind != Counted::Kind::kAdopted || owner_->references != 1) return nullptr;
  auto& adopted = static_cast<Adopted&>(*owner_);
  if (adopted.bytes.get() != data_ || adopted.size != size_) return nullptr;
  std::unique_ptr<std::byte[]> bytes = std::move(adopted.bytes);
  *this = Payload();
  return bytes;
}

Payload::Payload(Body& body) : owner_(&body), size_(body.size()) { ++owner_->references; }

Body* Payload::body() const { return is_whole() ? nullptr : static_cast<Body*>(owner_); }

Payload Payload::kept() const {
  if (size_ == 0) return {};
  if (!is_whole()) return *this;
  return footprint() <= kPinnedFactor * size_ + sizeof(Adopted) ? *this : copy_of(bytes());
}

std::size_t Payload::footprint() const {
  if (owner_ == nullptr) return 0;
  if (!is_whole()) return static_cast<const Body*>(owner_)->footprint();
  if (owner_->kind == Counted::Kind::kAdopted) return sizeof(Adopted) + static_cast<const Adopted*>(owner_)->size;
  return sizeof(Block) + static_cast<const Block*>(owner_)->capacity();
}

}  // namespace kaido::wire
