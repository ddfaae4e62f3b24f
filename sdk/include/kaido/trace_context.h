/// TraceContext: distributed tracing's identity of a call.
#pragma once

#include <array>
#include <cstdint>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// As in the W3C's Trace Context: all zero where nothing is traced.
struct TraceContext {
  std::array<std::uint8_t, 16> trace_id{};
  std::uint64_t span_id = 0;
  [[nodiscard]] bool is_traced() const noexcept { return trace_id != decltype(trace_id){}; }
  bool operator==(const TraceContext&) const = default;
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
