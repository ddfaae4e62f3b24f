/// OwnedTasks: every task of a runtime that has not finished, so that shutdown can destroy each frame. OwnedList: the
/// list inside, for one thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <kaido/detail/futex_lock.h>
#include <kaido/detail/task_header.h>

namespace kaido::inline abi0::detail {

/// Intrusive; holds one reference of each task in it. A task is in at most one list.
///
/// Threading: confined.
class OwnedList {
 public:
  void insert(TaskHeader& task) noexcept;
  /// False if the task is in no list.
  [[nodiscard]] bool remove(TaskHeader& task) noexcept;
  /// The youngest, with the list's reference; null if empty.
  [[nodiscard]] TaskHeader* pop() noexcept;
  [[nodiscard]] bool is_empty() const noexcept { return first_ == nullptr; }

 private:
  TaskHeader* first_ = nullptr;
};

/// Split by task id, so that workers rarely meet at a lock.
///
/// Threading: thread-safe.
class OwnedTasks {
 public:
  /// False after close_and_shut_down(); then the list's reference is still the caller's.
  [[nodiscard]] bool insert(TaskHeader& task) noexcept;
  /// True if it was in the list; the list's reference is the caller's now.
  [[nodiscard]] bool remove(TaskHeader& task) noexcept;
  /// How many are inside, and how many ever were. For metrics.
  [[nodiscard]] std::size_t size() const noexcept;
  [[nodiscard]] std::uint64_t inserted() const noexcept;
  /// Refuses new tasks and shuts down those inside. May run on several threads at once; when one returns, every task
  /// has been claimed by some of them or is being run by a worker and will be cancelled there.
  void close_and_shut_down() noexcept;

 private:
  static constexpr std::size_t kShards = 8;
  struct alignas(64) Shard {
    FutexLock lock;
    OwnedList tasks;
    bool is_closed = false;
    std::atomic<std::uint64_t> inserted = 0;  // Written under the lock.
    std::atomic<std::uint64_t> removed = 0;   // The same.
  };

  Shard& shard_of(const TaskHeader& task) noexcept { return shards_[task.id().value() % kShards]; }

  std::array<Shard, kShards> shards_;
};

}  // namespace kaido::inline abi0::detail
