/// What this thread knows about the runtime it is in.
#pragma once

#include <cstddef>
#include <vector>

#include <kaido/detail/waker.h>

namespace kaido::detail {

class RuntimeCore;
class TaskHeader;

/// What a thread is while it runs the tasks of a scheduler. Each flavour derives its own.
struct LocalScheduler {
  explicit LocalScheduler(RuntimeCore& runtime) noexcept : core(runtime) {}
  RuntimeCore& core;
  /// Targets that yielded: woken after the drivers have been polled, the last first.
  std::vector<Waker> deferred;

  void wake_deferred() noexcept {
    while (!deferred.empty()) {
      Waker waker = std::move(deferred.back());
      deferred.pop_back();
      waker.wake();
    }
  }
};

struct ThreadState {
  RuntimeCore* core = nullptr;        // Handle::current()
  std::size_t enter_depth = 0;        // EnterGuards alive.
  LocalScheduler* local = nullptr;    // Set while this thread runs tasks.
  TaskHeader* task = nullptr;         // The task being polled or destroyed.
  bool is_driving = false;            // In block_on, or a worker: no further block_on here.
};

extern constinit thread_local ThreadState thread_state;

/// Makes `core` this thread's runtime for a scope.
class CoreScope {
 public:
  explicit CoreScope(RuntimeCore& core) noexcept : previous_(thread_state.core) { thread_state.core = &core; }
  CoreScope(const CoreScope&) = delete;
  CoreScope& operator=(const CoreScope&) = delete;
  ~CoreScope() { thread_state.core = previous_; }

 private:
  RuntimeCore* previous_;
};

/// Makes this thread run the tasks of `local` for a scope.
class SchedulerScope {
 public:
  explicit SchedulerScope(LocalScheduler& local) noexcept
      : previous_local_(thread_state.local), previous_driving_(thread_state.is_driving) {
    thread_state.local = &local;
    thread_state.is_driving = true;
  }
  SchedulerScope(const SchedulerScope&) = delete;
  SchedulerScope& operator=(const SchedulerScope&) = delete;
  ~SchedulerScope() {
    thread_state.local = previous_local_;
    thread_state.is_driving = previous_driving_;
  }

 private:
  LocalScheduler* previous_local_;
  bool previous_driving_;
};

}  // namespace kaido::detail
