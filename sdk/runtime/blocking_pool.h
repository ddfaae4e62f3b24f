/// BlockingPool: the threads of a runtime. Closures of spawn_blocking run on them, and so do the workers: a worker is a
/// closure that takes long, so that after block_in_place a thread is what it then has to be.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <vector>

#include <kaido/detail/task_header.h>

#include "sdk/runtime/futex_condition.h"
#include "sdk/runtime/os_thread.h"
#include "sdk/runtime/task_queue.h"

namespace kaido::inline abi0::detail {

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
  /// The same on a thread that is new, for the workers. Throws std::system_error if it cannot be started.
  void spawn_on_new_thread(TaskHeader& task);
  /// Nothing queued or running?
  [[nodiscard]] bool is_idle() noexcept;
  /// All of them, workers included.
  [[nodiscard]] std::size_t threads() noexcept;
  [[nodiscard]] std::size_t idle_threads() noexcept;
  [[nodiscard]] std::size_t queued() noexcept;
  /// Takes no more, and waits until every thread but the calling one has ended, at most for `limit`; true if they did.
  /// Threads that are left run on and end by themselves.
  bool shut_down(std::optional<std::chrono::nanoseconds> limit) noexcept;

 private:
  using Lock = FutexCondition::Lock;
  void start_thread();
  void serve();
  void run_queued(Lock& lock);
  bool wait_for_work(Lock& lock);
  void finish_thread() noexcept;
  void join_ended(Lock& lock) noexcept;
  void cancel_queued(Lock& lock) noexcept;
  [[nodiscard]] bool may_start_thread() const noexcept;
  [[nodiscard]] bool have_others_ended() const noexcept;

  RuntimeCore& core_;
  FutexLock lock_;  // Guards everything below; no call-outs under it.
  FutexCondition work_;
  FutexCondition ended_;
  TaskQueue queue_;
  std::size_t thread_count_ = 0;
  std::size_t idle_threads_ = 0;
  std::size_t wakes_ = 0;  // Idle threads that were told of work and have not woken yet.
  std::size_t running_ = 0;
  struct Thread {
    OsThread thread;
    bool has_ended = false;  // And waits to be joined.
  };
  std::vector<Thread> threads_;
  std::size_t ended_threads_ = 0;  // Of threads_.
  bool is_closed_ = false;
};

}  // namespace kaido::inline abi0::detail
