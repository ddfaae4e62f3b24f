/// LocalQueue: a worker's run queue. A ring of fixed size (so that a push never allocates), pushed and popped by its
/// worker, from which others steal half.
///
/// The algorithm is the one of Go's scheduler as refined by tokio: the head is two indices in one word. `real` is where
/// the owner pops, `steal` where a thief that is still copying began; they differ only while a theft is under way, and
/// then the slots between them are not reused.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include <kaido/detail/task_header.h>

#include "sdk/runtime/task_queue.h"

namespace kaido::inline abi0::detail {

/// Holds one reference of each task in it.
///
/// Threading: push_back, pop: the owner only. steal_into: any worker, with its own queue as the destination.
/// size and is_empty: any thread, approximate.
class LocalQueue {
 public:
  static constexpr std::uint32_t kCapacity = 256;

  LocalQueue() = default;
  LocalQueue(const LocalQueue&) = delete;
  LocalQueue& operator=(const LocalQueue&) = delete;

  /// If the ring is full, half of it and the task move to `overflow`.
  void push_back(TaskHeader& task, TaskQueue& overflow) noexcept;
  [[nodiscard]] TaskHeader* pop() noexcept;
  /// Moves half of this queue to `thief`, except for one task which is returned; null if there was nothing to take.
  /// `stolen`: how many there were in all.
  [[nodiscard]] TaskHeader* steal_into(LocalQueue& thief, std::uint32_t& stolen) noexcept;
  [[nodiscard]] TaskHeader* steal_into(LocalQueue& thief) noexcept {
    std::uint32_t stolen = 0;
    return steal_into(thief, stolen);
  }

  [[nodiscard]] std::uint32_t size() const noexcept {
    // The head first: it never passes the tail that is read later. Both may have moved on meanwhile.
    const std::uint32_t head = unpack(head_.load(std::memory_order_acquire)).real;
    const std::uint32_t length = tail_.load(std::memory_order_acquire) - head;
    return length < kCapacity ? length : kCapacity;
  }
  [[nodiscard]] bool is_empty() const noexcept { return size() == 0; }
  /// How many push_back calls fit for certain. For the owner.
  [[nodiscard]] std::uint32_t room() const noexcept {
    return kCapacity - (tail_.load(std::memory_order_relaxed) - unpack(head_.load(std::memory_order_acquire)).steal);
  }

 private:
  struct Head {
    std::uint32_t steal;
    std::uint32_t real;
  };
  static constexpr std::uint64_t pack(Head head) noexcept {
    return (static_cast<std::uint64_t>(head.steal) << 32) | head.real;
  }
  static constexpr Head unpack(std::uint64_t head) noexcept {
    return {static_cast<std::uint32_t>(head >> 32), static_cast<std::uint32_t>(head)};
  }
  std::atomic<TaskHeader*>& at(std::uint32_t index) noexcept { return ring_[index % kCapacity]; }
  [[nodiscard]] bool overflow_half(std::uint32_t real, std::uint32_t tail, TaskQueue& overflow) noexcept;
  [[nodiscard]] std::uint32_t copy_half(LocalQueue& thief, std::uint32_t thief_tail) noexcept;

  alignas(64) std::atomic<std::uint64_t> head_ = 0;
  alignas(64) std::atomic<std::uint32_t> tail_ = 0;  // Written by the owner only.
  std::array<std::atomic<TaskHeader*>, kCapacity> ring_{};
};

}  // namespace kaido::inline abi0::detail
