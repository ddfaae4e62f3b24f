#include "sdk/runtime/owned_tasks.h"

#include <mutex>

namespace kaido::detail {

void OwnedList::insert(TaskHeader& task) noexcept {
  task.is_owned_ = true;
  task.owned_previous_ = nullptr;
  task.owned_next_ = first_;
  if (first_ != nullptr) first_->owned_previous_ = &task;
  first_ = &task;
}

bool OwnedList::remove(TaskHeader& task) noexcept {
  if (!task.is_owned_) return false;
  task.is_owned_ = false;
  (task.owned_previous_ != nullptr ? task.owned_previous_->owned_next_ : first_) = task.owned_next_;
  if (task.owned_next_ != nullptr) task.owned_next_->owned_previous_ = task.owned_previous_;
  return true;
}

TaskHeader* OwnedList::pop() noexcept {
  TaskHeader* const task = first_;
  if (task != nullptr) static_cast<void>(remove(*task));
  return task;
}

bool OwnedTasks::insert(TaskHeader& task) noexcept {
  Shard& shard = shard_of(task);
  std::scoped_lock lock(shard.lock);
  if (shard.is_closed) return false;
  shard.tasks.insert(task);
  return true;
}

bool OwnedTasks::remove(TaskHeader& task) noexcept {
  Shard& shard = shard_of(task);
  std::scoped_lock lock(shard.lock);
  return shard.tasks.remove(task);
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
        task = shard.tasks.pop();
      }
      if (task == nullptr) break;
      // Outside the lock: destructors of the frame may spawn, wake and abort.
      task->shut_down();
    }
  }
}

}  // namespace kaido::detail
