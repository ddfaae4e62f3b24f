/// BlockingPool: the threads of a runtime. Closures of spawn_blocking run on them, and so do the workers.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include <kaido/detail/task_header.h>

#include "sdk/runtime/task_queue.h"

namespace kaido::detail {

class RuntimeCore;

/// Threads are started when work waits and none is idle, up to the limit; beyond it closures queue. An idle thread ends
/// after the keep-alive.
///
/// Threading: thread-safe.
/// Lifetime: shut_down() before destruction. Threads hold a reference to the core.
class BlockingPool {
 public:
  explicit BlockingPool(RuntimeCore& core) noexcept : core_(core) {}
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;
  ~BlockingPool() = default;

  /// Takes over a reference. After shutdown the task is cancelled at once. Throws std::system_error if no thread can be
  /// started and none is there.
  void spawn(TaskHeader& task);
  /// A thread of its own, outside the limit. Throws std::system_error.
  void spawn_worker(std::function<void()> body);
  /// Nothing queued or running?
  [[nodiscard]] bool is_idle() noexcept;
  /// Takes no more, and waits until every thread has ended, at most for `limit`; true if all did. Threads that are left
  /// run on and end by themselves.
  bool shut_down(std::optional<std::chrono::nanoseconds> limit) noexcept;

 private:
  using Lock = std::unique_lock<std::mutex>;
  void start_thread(std::function<void()> body);
  void serve();
  void run_queued(Lock& lock);
  bool wait_for_work(Lock& lock);
  void finish_thread() noexcept;
  void join_ended(Lock& lock) noexcept;

  RuntimeCore& core_;
  std::mutex mutex_;  // Guards everything below; no call-outs under it.
  std::condition_variable work_;
  std::condition_variable ended_;
  TaskQueue queue_;
  std::size_t blocking_threads_ = 0;
  std::size_t idle_threads_ = 0;
  std::size_t wakes_ = 0;     // Idle threads that were told of work and have not woken yet.
  std::size_t running_ = 0;
  std::unordered_map<std::thread::id, std::thread> threads_;
  std::vector<std::thread> ended_threads_;
  bool is_closed_ = false;
};

}  // namespace kaido::detail
