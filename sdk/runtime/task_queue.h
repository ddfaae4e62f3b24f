/// TaskQueue: an intrusive first-in first-out list of tasks. Inject: the same for several threads, closable.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

#include <kaido/detail/futex_lock.h>
#include <kaido/detail/task_header.h>

namespace kaido::inline abi0::detail {

/// Holds one reference of each task in it. A task is in at most one queue: the "notified" state guards that.
///
/// Threading: confined.
class TaskQueue {
 public:
  TaskQueue() = default;
  TaskQueue(const TaskQueue&) = delete;
  TaskQueue& operator=(const TaskQueue&) = delete;

  void push(TaskHeader& task) noexcept {
    task.queue_next_ = nullptr;
    (last_ != nullptr ? last_->queue_next_ : first_) = &task;
    last_ = &task;
    size_.store(size() + 1, std::memory_order_relaxed);
  }
  [[nodiscard]] TaskHeader* pop() noexcept {
    TaskHeader* task = first_;
    if (task == nullptr) return nullptr;
    first_ = task->queue_next_;
    if (first_ == nullptr) last_ = nullptr;
    size_.store(size() - 1, std::memory_order_relaxed);
    return task;
  }
  /// Moves all of `other` behind those here.
  void append(TaskQueue& other) noexcept {
    if (other.empty()) return;
    (last_ != nullptr ? last_->queue_next_ : first_) = std::exchange(other.first_, nullptr);
    last_ = std::exchange(other.last_, nullptr);
    size_.store(size() + other.size(), std::memory_order_relaxed);
    other.size_.store(0, std::memory_order_relaxed);
  }
  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
  /// From any thread, for metrics.
  [[nodiscard]] std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

 private:
  TaskHeader* first_ = nullptr;
  TaskHeader* last_ = nullptr;
  std::atomic<std::size_t> size_ = 0;
};

/// The global queue: where tasks come from that are woken outside the scheduler's threads, or that overflow a local
/// one.
///
/// Threading: thread-safe. is_empty() is sequentially consistent with push(), for the parking protocol.
class Inject {
 public:
  /// False, and the reference is still the caller's, after close().
  [[nodiscard]] bool push(TaskHeader& task) noexcept {
    std::scoped_lock lock(lock_);
    if (is_closed_) return false;
    queue_.push(task);
    size_.store(queue_.size(), std::memory_order_seq_cst);
    return true;
  }
  /// The same for tasks from outside the scheduler's threads, which are counted; `tasks` is empty then.
  [[nodiscard]] bool push_remote(TaskQueue& tasks) noexcept {
    std::scoped_lock lock(lock_);
    remote_.store(remote_pushes() + tasks.size(), std::memory_order_relaxed);
    if (is_closed_) return false;
    queue_.append(tasks);
    size_.store(queue_.size(), std::memory_order_seq_cst);
    return true;
  }
  [[nodiscard]] TaskHeader* pop() noexcept {
    if (is_empty()) return nullptr;
    std::scoped_lock lock(lock_);
    TaskHeader* task = queue_.pop();
    size_.store(queue_.size(), std::memory_order_seq_cst);
    return task;
  }
  /// Moves up to `count` tasks into `into`.
  void pop_some(std::size_t count, TaskQueue& into) noexcept {
    std::scoped_lock lock(lock_);
    while (count-- > 0 && !queue_.empty()) into.push(*queue_.pop());
    size_.store(queue_.size(), std::memory_order_seq_cst);
  }
  /// What is pushed later is refused; what is inside can still be popped.
  void close() noexcept {
    std::scoped_lock lock(lock_);
    is_closed_ = true;
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_.load(std::memory_order_seq_cst); }
  [[nodiscard]] bool is_empty() const noexcept { return size() == 0; }
  [[nodiscard]] std::uint64_t remote_pushes() const noexcept { return remote_.load(std::memory_order_relaxed); }

 private:
  FutexLock lock_;
  TaskQueue queue_;
  bool is_closed_ = false;
  std::atomic<std::uint64_t> remote_ = 0;
  std::atomic<std::size_t> size_ = 0;
};

}  // namespace kaido::inline abi0::detail
