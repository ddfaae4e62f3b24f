/// OwnedTasks: every task of a runtime that has not finished, so that shutdown can destroy each frame.
#pragma once

#include <array>
#include <cstddef>

#include <kaido/detail/task_header.h>

#include "sdk/runtime/spin_lock.h"

namespace kaido::detail {

/// Holds one reference of each task in it. Split by task id, so that workers rarely meet at a lock.
///
/// Threading: thread-safe.
class OwnedTasks {
 public:
  /// False after close_and_shut_down(); then the list's reference is still the caller's.
  [[nodiscard]] bool insert(TaskHeader& task) noexcept;
  /// True if it was in the list; the list's reference is the caller's now.
  [[nodiscard]] bool remove(TaskHeader& task) noexcept;
  /// Refuses new tasks and shuts down those inside. May run on several threads at once; when one returns, every task
  /// has been claimed by some of them or is being run by a worker and will be cancelled there.
  void close_and_shut_down() noexcept;

 private:
  static constexpr std::size_t kShards = 8;
  struct alignas(64) Shard {
    SpinLock lock;
    TaskHeader* first = nullptr;
    bool is_closed = false;
  };

  static void unlink(Shard& shard, TaskHeader& task) noexcept;
  Shard& shard_of(const TaskHeader& task) noexcept { return shards_[task.id().value() % kShards]; }

  std::array<Shard, kShards> shards_;
};

}  // namespace kaido::detail
