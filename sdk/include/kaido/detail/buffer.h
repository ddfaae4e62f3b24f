/// Buffer: bytes that are small as a rule. Arguments and results of a call are held in one.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// Uninitialised memory for a large payload, on huge pages where the kernel has them.
[[nodiscard]] std::unique_ptr<std::byte[]> allocate_large(std::size_t size);

/// Owned bytes; up to kInlineBytes without an allocation. Aligned for any fundamental type.
///
/// Threading: a value.
class Buffer {
 public:
  static constexpr std::size_t kInlineBytes = 160;
  static constexpr std::size_t kLargeBytes = std::size_t{4} << 20U;

  Buffer() noexcept = default;
  explicit Buffer(std::span<const std::byte> bytes) {
    std::byte* const at = allocate(bytes.size());
    if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  }
  Buffer(Buffer&& other) noexcept { take(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) take(other);
    return *this;
  }

  /// Forgets the contents and makes room for `size` bytes, which the caller fills.
  std::byte* allocate(std::size_t size) {
    size_ = 0;  // In case the allocation throws.
    if (size <= kInlineBytes) {
      heap_.reset();
    } else {
      heap_ = size < kLargeBytes ? std::unique_ptr<std::byte[]>(new std::byte[size]) : allocate_large(size);
    }
    size_ = size;
    return data();
  }

  /// Gives the allocation away, and is empty then. Only where there is one: size() > kInlineBytes.
  [[nodiscard]] std::unique_ptr<std::byte[]> release() noexcept {
    size_ = 0;
    return std::move(heap_);
  }
  /// The reverse. `size` > kInlineBytes.
  void adopt(std::unique_ptr<std::byte[]> bytes, std::size_t size) noexcept {
    heap_ = std::move(bytes);
    size_ = size;
  }

  [[nodiscard]] std::byte* data() noexcept { return heap_ ? heap_.get() : inline_; }
  [[nodiscard]] const std::byte* data() const noexcept { return heap_ ? heap_.get() : inline_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data(), size_}; }

 private:
  void take(Buffer& other) noexcept {
    heap_ = std::move(other.heap_);
    size_ = std::exchange(other.size_, 0);
    if (!heap_ && size_ != 0) std::memcpy(inline_, other.inline_, size_);
  }

  alignas(16) std::byte inline_[kInlineBytes];
  std::unique_ptr<std::byte[]> heap_;
  std::size_t size_ = 0;
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
