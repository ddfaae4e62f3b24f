#include "sdk/runtime/owned_tasks.h"

#include <mutex>

namespace kaido::detail {

bool OwnedTasks::insert(TaskHeader& task) noexcept {
  Shard& shard = shard_of(task);
  std::scoped_lock lock(shard.lock);
  if (shard.is_closed) return false;
  task.is_owned_ = true;
  task.owned_previous_ = nullptr;
  task.owned_next_ = shard.first;
  if (shard.first != nullptr) shard.first->owned_previous_ = &task;
  shard.first = &task;
  return true;
}

void OwnedTasks::unlink(Shard& shard, TaskHeader& task) noexcept {
  task.is_owned_ = false;
  (task.owned_previous_ != nullptr ? task.owned_previous_->owned_next_ : shard.first) = task.owned_next_;
  if (task.owned_next_ != nullptr) task.owned_next_->owned_previous_ = task.owned_previous_;
}

bool OwnedTasks::remove(TaskHeader& task) noexcept {
  Shard& shard = shard_of(task);
  std::scoped_lock lock(shard.lock);
  if (!task.is_owned_) return false;
  unlink(shard, task);
  return true;
}

void OwnedTasks::close_and_shut_down() noexcept {
  for (Shard& shard : shards_) {
    std::scoped_lock lock(shard.lock);
    shard.is_closed = true;
  }
  for (Shard& shard : shards_) {
    for (;;) {
      TaskHeader* task = nullptr;
      {
        std::scoped_lock lock(shard.lock);
        task = shard.first;
        if (task != nullptr) unlink(shard, *task);
      }
      if (task == nullptr) break;
      // Outside the lock: destructors of the frame may spawn, wake and abort.
      task->shut_down();
    }
  }
}

}  // namespace kaido::detail
