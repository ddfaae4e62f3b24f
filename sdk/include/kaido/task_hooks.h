/// TaskMeta: what the hooks of a runtime (RuntimeBuilder::on_task_spawn and others) learn of a task.
#pragma once

#include <functional>
#include <optional>

#include <kaido/detail/chrono.h>
#include <kaido/source_location.h>
#include <kaido/task_id.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// Threading: a value.
class TaskMeta {
 public:
  TaskMeta(TaskId id, SourceLocation spawned_at, std::optional<std::chrono::nanoseconds> schedule_latency) noexcept
      : id_(id), spawned_at_(spawned_at), schedule_latency_(schedule_latency) {}

  [[nodiscard]] TaskId id() const noexcept { return id_; }
  [[nodiscard]] SourceLocation spawned_at() const noexcept { return spawned_at_; }
  /// How long the task was ready before this poll. Only in the hooks around polls, and only with
  /// RuntimeBuilder::track_task_schedule_latency().
  [[nodiscard]] std::optional<std::chrono::nanoseconds> schedule_latency() const noexcept { return schedule_latency_; }

 private:
  TaskId id_;
  SourceLocation spawned_at_;
  std::optional<std::chrono::nanoseconds> schedule_latency_;
};

/// Called on the threads of the runtime, possibly several at once. Must neither throw nor block.
using TaskHook = std::function<void(const TaskMeta&)>;

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
