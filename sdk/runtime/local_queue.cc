#include "sdk/runtime/local_queue.h"

namespace kaido::inline abi0::detail {

void LocalQueue::push_back(TaskHeader& task, TaskQueue& overflow) noexcept {
  const std::uint32_t tail = tail_.load(std::memory_order_relaxed);
  for (;;) {
    const Head head = unpack(head_.load(std::memory_order_acquire));
    if (tail - head.steal < kCapacity) {
      at(tail).store(&task, std::memory_order_relaxed);
      tail_.store(tail + 1, std::memory_order_release);
      return;
    }
    // A thief is about to make room, or we do.
    if (head.steal != head.real || overflow_half(head.real, tail, overflow)) {
      overflow.push(task);
      return;
    }
  }
}

bool LocalQueue::overflow_half(std::uint32_t real, std::uint32_t tail, TaskQueue& overflow) noexcept {
  const std::uint32_t count = (tail - real) / 2;
  std::uint64_t expected = pack({real, real});
  if (!head_.compare_exchange_strong(expected, pack({real + count, real + count}), std::memory_order_release,
                                     std::memory_order_relaxed)) {
    return false;  // A thief came first, so there is room now.
  }
  for (std::uint32_t index = real; index != real + count; ++index) {
    overflow.push(*at(index).load(std::memory_order_relaxed));
  }
  return true;
}

TaskHeader* LocalQueue::pop() noexcept {
  std::uint64_t packed = head_.load(std::memory_order_acquire);
  const std::uint32_t tail = tail_.load(std::memory_order_relaxed);
  for (;;) {
    const Head head = unpack(packed);
    if (head.real == tail) return nullptr;
    const std::uint32_t next = head.real + 1;
    // While a theft is under way its start stays where it is.
    const Head after = head.steal == head.real ? Head{next, next} : Head{head.steal, next};
    if (head_.compare_exchange_weak(packed, pack(after), std::memory_order_acq_rel, std::memory_order_acquire)) {
      return at(head.real).load(std::memory_order_relaxed);
    }
  }
}

TaskHeader* LocalQueue::steal_into(LocalQueue& thief, std::uint32_t& stolen) noexcept {
  const std::uint32_t tail = thief.tail_.load(std::memory_order_relaxed);
  const Head head = unpack(thief.head_.load(std::memory_order_acquire));
  // Somebody may be stealing from the thief: without room for half a ring it is not hungry.
  if (tail - head.steal > kCapacity / 2) return nullptr;
  std::uint32_t count = copy_half(thief, tail);
  stolen = count;
  if (count == 0) return nullptr;
  --count;
  TaskHeader* task = thief.at(tail + count).load(std::memory_order_relaxed);
  if (count != 0) thief.tail_.store(tail + count, std::memory_order_release);
  return task;
}

std::uint32_t LocalQueue::copy_half(LocalQueue& thief, std::uint32_t thief_tail) noexcept {
  std::uint64_t packed = head_.load(std::memory_order_acquire);
  Head head{};
  std::uint32_t count = 0;
  for (;;) {
    head = unpack(packed);
    if (head.steal != head.real) return 0;  // One thief at a time.
    const std::uint32_t available = tail_.load(std::memory_order_acquire) - head.real;
    count = available - available / 2;
    if (count == 0) return 0;
    if (head_.compare_exchange_weak(packed, pack({head.steal, head.real + count}), std::memory_order_acq_rel,
                                    std::memory_order_acquire)) {
      break;
    }
  }
  for (std::uint32_t index = 0; index != count; ++index) {
    thief.at(thief_tail + index)
        .store(at(head.real + index).load(std::memory_order_relaxed), std::memory_order_relaxed);
  }
  // Done copying: the start catches up with wherever the owner has popped to.
  packed = pack({head.steal, head.real + count});
  for (;;) {
    const std::uint32_t real = unpack(packed).real;
    if (head_.compare_exchange_weak(packed, pack({real, real}), std::memory_order_acq_rel, std::memory_order_acquire)) {
      return count;
    }
  }
}

}  // namespace kaido::inline abi0::detail
