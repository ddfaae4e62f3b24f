/// Fifo: the queue inside a channel, in blocks of several elements, and what it stores of a T.
///
/// It never allocates by itself, since it is used under a lock: who pushes gives it a block when it has no room.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include <kaido/detail/poll.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// A T on the heap, for those that are large or whose move may throw: moving the box does neither.
template <typename T>
class FrameBox {
 public:
  explicit FrameBox(T&& value) : value_(make(std::move(value))) {}
  FrameBox(FrameBox&& other) noexcept : value_(std::exchange(other.value_, nullptr)) {}
  FrameBox& operator=(FrameBox&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~FrameBox() { delete value_; }
  [[nodiscard]] T& operator*() const noexcept { return *value_; }

 private:
  static T* make(T&& value) { return new T(std::move(value)); }
  T* value_;
};

inline constexpr std::size_t kInlineElementBytes = 128;

/// What is moved under the lock: the T itself if that is cheap and cannot fail. Its move constructor must not use the
/// channel it is sent through.
template <typename T>
inline constexpr bool kIsInlineElement = std::is_nothrow_move_constructible_v<T> && std::is_nothrow_destructible_v<T> &&
                                         sizeof(T) <= kInlineElementBytes && alignof(T) <= alignof(std::max_align_t);

template <typename T>
using Element = std::conditional_t<kIsInlineElement<T>, T, FrameBox<T>>;

template <typename T>
[[nodiscard]] T& element_value(Element<T>& element) noexcept {
  if constexpr (kIsInlineElement<T>) {
    return element;
  } else {
    return *element;
  }
}

/// Threading: guarded by its owner's lock; only allocate_block and BlockPointer are used outside it.
template <typename E>
class Fifo {
  static_assert(std::is_nothrow_move_constructible_v<E>);
  static constexpr std::size_t kFitting = 1024 / sizeof(E);
  static constexpr std::size_t kSlots = kFitting < 8 ? 8 : kFitting > 32 ? 32 : kFitting;

  struct Block {
    [[nodiscard]] E* slot(std::size_t index) noexcept {
      return std::launder(reinterpret_cast<E*>(bytes + index * sizeof(E)));
    }
    Block* next = nullptr;
    alignas(E) std::byte bytes[kSlots * sizeof(E)];
  };
  struct FreeBlock {
    void operator()(Block* block) const noexcept { free_frame(block, sizeof(Block)); }
  };

 public:
  using BlockPointer = std::unique_ptr<Block, FreeBlock>;

  Fifo() noexcept = default;
  Fifo(const Fifo&) = delete;
  Fifo& operator=(const Fifo&) = delete;
  ~Fifo() {
    while (first_ != nullptr) {
      for (const std::size_t end = first_ == last_ ? end_ : kSlots; begin_ < end; ++begin_) {
        std::destroy_at(first_->slot(begin_));
      }
      begin_ = 0;
      BlockPointer(std::exchange(first_, first_->next));
    }
  }

  [[nodiscard]] static BlockPointer allocate_block() { return BlockPointer(new (allocate_frame(sizeof(Block))) Block); }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool has_room() const noexcept { return (last_ != nullptr && end_ < kSlots) || spare_ != nullptr; }
  /// Requires !has_room().
  void give(BlockPointer block) noexcept { spare_ = std::move(block); }

  /// Requires has_room().
  void push(E&& element) noexcept {
    if (last_ == nullptr || end_ == kSlots) append(spare_.release());
    std::construct_at(reinterpret_cast<E*>(last_->bytes + end_ * sizeof(E)), std::move(element));
    ++end_;
    ++size_;
  }
  /// Requires size() != 0. Gives a block that is not needed any more, to be freed outside the lock.
  [[nodiscard]] BlockPointer pop(std::optional<E>& popped) noexcept {
    E* slot = first_->slot(begin_);
    popped.emplace(std::move(*slot));
    std::destroy_at(slot);
    ++begin_;
    --size_;
    if (size_ == 0) {
      begin_ = end_ = 0;  // One block is left: start over in it.
    } else if (begin_ == kSlots) {
      BlockPointer emptied(std::exchange(first_, first_->next));
      begin_ = 0;
      if (spare_ != nullptr) return emptied;
      emptied->next = nullptr;
      spare_ = std::move(emptied);
    }
    return nullptr;
  }

  void swap(Fifo& other) noexcept {
    std::swap(first_, other.first_);
    std::swap(last_, other.last_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
    std::swap(size_, other.size_);
    std::swap(spare_, other.spare_);
  }

 private:
  void append(Block* block) noexcept {
    if (last_ == nullptr) {
      first_ = block;
    } else {
      last_->next = block;
    }
    last_ = block;
    end_ = 0;
  }

  Block* first_ = nullptr;
  Block* last_ = nullptr;
  std::size_t begin_ = 0;  // In first_.
  std::size_t end_ = 0;    // In last_.
  std::size_t size_ = 0;
  BlockPointer spare_;
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
