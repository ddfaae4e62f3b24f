/// TaskId: names a task of this process; never reused while the process runs.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string_view>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

class TaskId {
 public:
  constexpr TaskId() noexcept = default;
  constexpr explicit TaskId(std::uint64_t value) noexcept : value_(value) {}
  [[nodiscard]] constexpr std::uint64_t value() const noexcept { return value_; }
  friend constexpr auto operator<=>(TaskId, TaskId) noexcept = default;

 private:
  std::uint64_t value_ = 0;
};

inline std::ostream& operator<<(std::ostream& out, TaskId id) { return out << id.value(); }

/// About the task that runs on this thread: a spawned coroutine or blocking closure, also while its frame or its
/// discarded result is being destroyed.
namespace task {

/// Throws std::logic_error outside a task, as in the root of a block_on.
[[nodiscard]] TaskId id();
[[nodiscard]] std::optional<TaskId> try_id() noexcept;
/// What task::Builder::name() said; empty outside a task and for those without a name. Valid as long as the task.
[[nodiscard]] std::string_view name() noexcept;

}  // namespace task
}  // namespace kaido::inline abi0
#pragma GCC visibility pop

template <>
struct std::hash<kaido::TaskId> {
  std::size_t operator()(kaido::TaskId id) const noexcept { return std::hash<std::uint64_t>()(id.value()); }
};
