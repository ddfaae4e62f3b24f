/// RemoteWakes: the tasks that a thread wakes in one go on a runtime whose tasks it does not run. They enter the global
/// queue together: one lock and one wake-up of a worker, where each by itself would cost both.
#pragma once

#include <kaido/handle.h>

#include "sdk/runtime/runtime_core.h"
#include "sdk/runtime/task_queue.h"
#include "sdk/runtime/thread_state.h"

namespace kaido::inline abi0::detail {

/// While it lives, this thread's wake-ups are gathered here; they are queued when it goes.
///
/// Threading: confined.
class RemoteWakes {
 public:
  RemoteWakes() noexcept : previous_(thread_state.remote_wakes) {
    if (previous_ == nullptr) thread_state.remote_wakes = this;
  }
  RemoteWakes(const RemoteWakes&) = delete;
  RemoteWakes& operator=(const RemoteWakes&) = delete;
  ~RemoteWakes() {
    thread_state.remote_wakes = previous_;
    flush();
  }

  /// Takes over the queue's reference.
  void add(RuntimeCore& core, TaskHeader& task) noexcept {
    if (core_.get() != &core) {
      flush();
      core_ = CoreRef(&core);
    }
    tasks_.push(task);
  }

 private:
  void flush() noexcept {
    if (!core_) return;
    // What refused tasks wake goes its own way: tasks_ is being emptied.
    RemoteWakes* const gathering = std::exchange(thread_state.remote_wakes, nullptr);
    core_->schedule_remote(tasks_);
    thread_state.remote_wakes = gathering;
  }

  RemoteWakes* const previous_;  // The outermost one gathers.
  CoreRef core_;                 // Whose tasks these are.
  TaskQueue tasks_;
};

/// For a thread that runs no tasks of `core`: with the rest of the batch that it wakes, or alone. Takes over the
/// queue's reference.
inline void schedule_from_outside(RuntimeCore& core, TaskHeader& task) noexcept {
  if (thread_state.remote_wakes != nullptr) {
    thread_state.remote_wakes->add(core, task);
    return;
  }
  TaskQueue single;
  single.push(task);
  core.schedule_remote(single);
}

}  // namespace kaido::inline abi0::detail
