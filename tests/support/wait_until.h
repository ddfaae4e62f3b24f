/// Waiting for what another process does: by asking again and again, within a limit.
#pragma once

#include <chrono>
#include <concepts>
#include <thread>

namespace kaido::test {

/// Generous, since a sanitizer on a busy machine is slow; only a test that fails waits for so long.
inline constexpr std::chrono::milliseconds kPatience{20000};
inline constexpr std::chrono::milliseconds kPollInterval{5};

/// Whether the condition held within the limit. Asks at least once, and once more at the end.
template <std::predicate Condition>
[[nodiscard]] bool wait_until(Condition condition, std::chrono::milliseconds limit = kPatience) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return condition();
    std::this_thread::sleep_for(kPollInterval);
  }
  return true;
}

/// Whether the condition holds during the whole span: for what must not happen.
template <std::predicate Condition>
[[nodiscard]] bool holds_for(std::chrono::milliseconds span, Condition condition) {
  return !wait_until([&] { return !condition(); }, span);
}

}  // namespace kaido::test
