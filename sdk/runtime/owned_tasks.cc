#include "sdk/runtime/owned_tasks.h"

#include <mutex>

namespace kaido::inline abi0::detail {

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

namespace {

// Under a lock: only the reading is concurrent.
void increment(std::atomic<std::uint64_t>& count) noexcept {
  count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace

bool OwnedTasks::insert(TaskHeader& task) noexcept {
  Shard& shard = shard_of(task);
  std::scoped_lock lock(shard.lock);
  if (shard.is_closed) return false;
  shard.tasks.insert(task);
  increment(shard.inserted);
  return true;
}

bool OwnedTasks::remove(TaskHeader& task) noexcept {
  Shard& shard = shard_of(task);
  std::scoped_lock lock(shard.lock);
  if (!shard.tasks.remove(task)) return false;
  increment(shard.removed);
  return true;
}

std::size_t OwnedTasks::size() const noexcept {
  std::size_t sum = 0;
  for (const Shard& shard : shards_) {
    const std::uint64_t removed = shard.removed.load(std::memory_order_relaxed);
    sum += shard.inserted.load(std::memory_order_relaxed) - removed;
  }
  return sum;
}

std::uint64_t OwnedTasks::inserted() const noexcept {
  std::uint64_t sum = 0;
  for (const Shard& shard : shards_) sum += shard.inserted.load(std::memory_order_relaxed);
  return sum;
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
        if (task != nullptr) increment(shard.removed);
      }
      if (task == nullptr) break;
      // Outside the lock: destructors of the frame may spawn, wake and abort.
      task->shut_down();
    }
  }
}

}  // namespace kaido::inline abi0::detail
