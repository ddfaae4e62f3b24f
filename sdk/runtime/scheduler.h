/// Scheduler: whom a task belongs to. A runtime is one; so is a LocalSet, whose tasks stay on one thread.
#pragma once

#include <atomic>
#include <cstddef>

#include <kaido/detail/task_header.h>

namespace kaido::inline abi0::detail {

class RuntimeCore;

/// Threading: thread-safe, but for what a subclass confines.
/// Lifetime: counted references, one of every task. Tasks and wakers may outlive what runs them.
class Scheduler {
 public:
  /// `runtime` is where its tasks live, null if that may change (a LocalSet's do on whatever runtime polls it).
  explicit Scheduler(RuntimeCore* runtime = nullptr) noexcept : runtime_(runtime) {}
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  void add_ref(std::size_t count = 1) noexcept { references_.fetch_add(count, std::memory_order_relaxed); }
  /// False if the last reference is gone and this about to end.
  [[nodiscard]] bool try_add_ref() noexcept {
    std::size_t count = references_.load(std::memory_order_relaxed);
    do {
      if (count == 0) return false;
    } while (!references_.compare_exchange_weak(count, count + 1, std::memory_order_relaxed));
    return true;
  }
  void drop_ref(std::size_t count = 1) noexcept {
    if (references_.fetch_sub(count, std::memory_order_acq_rel) == count) delete this;
  }

  /// Queues a task that was woken or spawned, taking over a reference. From any thread.
  virtual void schedule(TaskHeader& task) noexcept = 0;
  /// The same for a task that woke itself while it ran: behind all others.
  virtual void schedule_yielded(TaskHeader& task) noexcept = 0;
  /// Takes a new task into the list of unfinished ones, with a reference. False when it takes no more: then the
  /// reference is still the caller's.
  [[nodiscard]] virtual bool bind(TaskHeader& task) noexcept = 0;
  /// Out of that list: true if it was there, and the list's reference is the caller's now.
  [[nodiscard]] virtual bool release(TaskHeader& task) noexcept = 0;
  /// A cancelled task waits for a foreign operation before its frame can be destroyed; the frame is gone.
  virtual void drain_started() noexcept {}
  virtual void drain_ended() noexcept {}
  /// An exception has left a task; called only if observes_panics().
  virtual void task_panicked() noexcept {}

  /// A task has ended in whatever way; called only if observes_ends().
  virtual void task_ended(const TaskHeader&) noexcept {}

  [[nodiscard]] RuntimeCore* runtime() const noexcept { return runtime_; }
  [[nodiscard]] bool observes_panics() const noexcept { return observes_panics_.load(std::memory_order_relaxed); }
  void observe_panics() noexcept { observes_panics_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] bool observes_ends() const noexcept { return observes_ends_; }

 protected:
  virtual ~Scheduler() = default;
  /// From the constructor.
  void observe_ends() noexcept { observes_ends_ = true; }

 private:
  std::atomic<std::size_t> references_ = 1;
  std::atomic<bool> observes_panics_ = false;
  bool observes_ends_ = false;
  RuntimeCore* const runtime_;
};

}  // namespace kaido::inline abi0::detail
