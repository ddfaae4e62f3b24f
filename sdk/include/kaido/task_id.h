/// TaskId: names a task of this process; never reused while the process runs.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace kaido {

class TaskId {
 public:
  constexpr TaskId() noexcept = default;
  constexpr explicit TaskId(std::uint64_t value) noexcept : value_(value) {}
  [[nodiscard]] constexpr std::uint64_t value() const noexcept { return value_; }
  friend constexpr auto operator<=>(TaskId, TaskId) noexcept = default;

 private:
  std::uint64_t value_ = 0;
};

}  // namespace kaido

template <>
struct std::hash<kaido::TaskId> {
  std::size_t operator()(kaido::TaskId id) const noexcept { return std::hash<std::uint64_t>()(id.value()); }
};
