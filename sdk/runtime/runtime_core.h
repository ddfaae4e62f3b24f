/// RuntimeCore: the inner part of a Runtime, shared by the Runtime object, handles, threads and tasks.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include <kaido/detail/task_header.h>
#include <kaido/handle.h>
#include <kaido/runtime.h>

#include "sdk/runtime/blocking_pool.h"
#include "sdk/runtime/driver.h"
#include "sdk/runtime/owned_tasks.h"
#include "sdk/runtime/scheduler.h"
#include "sdk/runtime/turn_hooks.h"
#include "sdk/time/clock.h"

namespace kaido::detail {

/// The flavours implement scheduling; what they share is here.
///
/// Threading: thread-safe.
/// Lifetime: counted references. Tasks and wakers may outlive the Runtime; after shut_down() nothing runs any more.
class RuntimeCore : public Scheduler {
 public:
  explicit RuntimeCore(RuntimeOptions runtime_options);

  [[nodiscard]] bool bind(TaskHeader& task) noexcept final { return owned.insert(task); }
  [[nodiscard]] bool release(TaskHeader& task) noexcept final { return owned.remove(task); }
  /// Drives `root` on this thread.
  virtual void block_on(Root& root) = 0;
  void shut_down(std::optional<std::chrono::nanoseconds> limit) noexcept;

  const RuntimeOptions options;
  RuntimeClock clock;
  Driver driver;
  OwnedTasks owned;
  TurnHooks hooks;
  BlockingPool blocking;

 protected:
  ~RuntimeCore() override = default;
  /// Ends scheduling: destroys every task, or tells the workers to.
  virtual void stop_scheduler() noexcept = 0;
};

/// How often a turn must end even if there is always work, in polls of tasks.
inline constexpr std::uint32_t kPollsPerTurn = 256;

/// The root of a block_on that drives nothing: waits on its thread.
class ThreadWaker final : public WakeTarget {
 public:
  ThreadWaker() noexcept : WakeTarget(kOneRef) {}
  void wake_by_ref() noexcept override {
    if (woken_.exchange(1, std::memory_order_acq_rel) == 0) woken_.notify_one();
  }
  /// True once per wake; true at first.
  [[nodiscard]] bool take_wake() noexcept { return woken_.exchange(0, std::memory_order_acq_rel) != 0; }
  void wait() const noexcept { woken_.wait(0, std::memory_order_acquire); }

 private:
  void destroy() noexcept override { delete this; }
  ~ThreadWaker() override = default;
  std::atomic<std::uint32_t> woken_ = 1;
};

/// Polls `root` on this thread, parking it in between and driving nothing.
void block_on_thread(RuntimeCore& core, Root& root);

[[nodiscard]] RuntimeCore* new_current_thread(RuntimeOptions options);
/// Starts the workers. Throws std::system_error.
[[nodiscard]] RuntimeCore* new_multi_thread(RuntimeOptions options);

}  // namespace kaido::detail
