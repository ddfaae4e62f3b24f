/// What this thread knows about the runtime it is in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <kaido/detail/waker.h>

namespace kaido::inline abi0 {
class EnterGuard;
}

namespace kaido::inline abi0::detail {

class RemoteWakes;
class RuntimeCore;
class Scheduler;
class TaskHeader;

/// Who waits for the drivers to be polled: a task that is its own scheduler's to queue, with the queue's reference, or
/// whatever else is to be woken.
struct Deferred {
  TaskHeader* task = nullptr;
  Waker waker;
};

/// What a thread is while it runs the tasks of a scheduler. Each flavour derives its own.
///
/// Threading: confined to the thread.
struct LocalScheduler {
  LocalScheduler(RuntimeCore& runtime, bool has_others) noexcept : core(runtime), has_other_threads(has_others) {}
  LocalScheduler(const LocalScheduler&) = delete;
  LocalScheduler& operator=(const LocalScheduler&) = delete;

  RuntimeCore& core;
  /// Another thread could run the tasks: block_in_place is possible.
  const bool has_other_threads;
  /// False while another thread has taken over what this one ran (block_in_place).
  bool is_active = true;
  std::size_t worker_index = 0;
  /// Of the poll under way. Here and not in what another thread may take over.
  Budget budget;
  /// Who yielded: woken after the drivers have been polled, the last first.
  std::vector<Deferred> deferred;
  /// References to `core` that this thread has in stock; see add_scheduler_ref().
  std::size_t spare_references = 0;

  void wake_deferred() noexcept;
  /// For the end of scheduling.
  void refuse_deferred() noexcept;
  /// Lets another thread go on with the tasks; false if one does already. Throws std::system_error.
  virtual bool give_away() { return false; }
  /// Goes on with them here, unless another thread has begun.
  virtual void take_back() noexcept {}

 protected:
  ~LocalScheduler() = default;
};

struct ThreadState {
  RuntimeCore* core = nullptr;          // Handle::current()
  EnterGuard* guard = nullptr;          // The last one made.
  LocalScheduler* local = nullptr;      // Set while this thread runs tasks.
  RuntimeCore* rooted = nullptr;        // Whose block_on polls its root here, where no tasks are run.
  TaskHeader* task = nullptr;           // The task being polled or destroyed.
  Budget* budget = nullptr;             // Of the poll under way; null: without limit.
  std::uint64_t random = 0;             // See detail/random.h; 0: not seeded.
  bool is_driving = false;              // In block_on, or a worker: no further block_on here.
  bool may_block_in_place = false;      // While driving but not on a worker.
  bool is_in_local_set = false;         // A LocalSet is being polled: no block_in_place here.
  Scheduler* local_set = nullptr;       // Where spawn_local() goes; null: to the runtime, if that is local.
  std::uint64_t thread_number = 0;      // See this_thread_number().
  RemoteWakes* remote_wakes = nullptr;  // Gathers what is woken elsewhere.
};

extern constinit thread_local ThreadState thread_state;

/// What Scheduler::add_ref() and drop_ref() do. Of the runtime whose tasks this thread runs, references are taken and
/// given back many at a time, since every task and timer has one and all threads share the count.
void add_scheduler_ref(Scheduler& scheduler) noexcept;
void drop_scheduler_ref(Scheduler& scheduler) noexcept;
/// Gives back what this thread has in stock. The caller has a reference of its own.
void drop_spare_references(LocalScheduler& local) noexcept;

/// Names this thread; never 0, never reused.
[[nodiscard]] std::uint64_t this_thread_number() noexcept;

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

/// Makes `task` the one that this thread runs for a scope. None: what is spawned is nobody's doing, and belongs to no
/// function (see CallScope).
class CurrentTaskScope {
 public:
  explicit CurrentTaskScope(TaskHeader* task) noexcept : previous_(thread_state.task) { thread_state.task = task; }
  CurrentTaskScope(const CurrentTaskScope&) = delete;
  CurrentTaskScope& operator=(const CurrentTaskScope&) = delete;
  ~CurrentTaskScope() { thread_state.task = previous_; }

 private:
  TaskHeader* previous_;
};

/// Makes this thread one that drives tasks, for a scope: `local` is what it runs, null for a root that only waits.
class DrivingScope {
 public:
  DrivingScope(LocalScheduler* local, Budget& budget, bool may_block_in_place) noexcept : previous_(thread_state) {
    thread_state.local = local;
    thread_state.budget = &budget;
    thread_state.is_driving = true;
    thread_state.may_block_in_place = may_block_in_place;
  }
  DrivingScope(const DrivingScope&) = delete;
  DrivingScope& operator=(const DrivingScope&) = delete;
  ~DrivingScope() {
    if (thread_state.local != nullptr) drop_spare_references(*thread_state.local);
    thread_state.local = previous_.local;
    thread_state.budget = previous_.budget;
    thread_state.is_driving = previous_.is_driving;
    thread_state.may_block_in_place = previous_.may_block_in_place;
  }

 private:
  const ThreadState previous_;
};

/// Seeds this thread's random numbers for a scope.
class RandomScope {
 public:
  explicit RandomScope(std::uint64_t seed) noexcept : previous_(thread_state.random) { thread_state.random = seed; }
  RandomScope(const RandomScope&) = delete;
  RandomScope& operator=(const RandomScope&) = delete;
  ~RandomScope() { thread_state.random = previous_; }

 private:
  const std::uint64_t previous_;
};

/// Spreads a counter over all bits (splitmix64); never 0.
[[nodiscard]] constexpr std::uint64_t mix_seed(std::uint64_t value) noexcept {
  value += 0x9e3779b97f4a7c15u;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return (value ^ (value >> 31)) | 1;
}

}  // namespace kaido::inline abi0::detail
