#include <kaido/detail/random.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <thread>

#include "sdk/runtime/thread_state.h"

namespace kaido::inline abi0::detail {

namespace {

std::uint64_t seed_of_thread() noexcept {
  const auto time = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  return time ^ std::hash<std::thread::id>()(std::this_thread::get_id());
}

}  // namespace

std::uint32_t random_below(std::uint32_t bound) noexcept {
  std::uint64_t& state = thread_state.random;
  if (state == 0) state = seed_of_thread();
  // SplitMix64 (Steele, Lea, Flood); the upper half scaled to the bound (Lemire).
  state += 0x9e3779b97f4a7c15u;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
  mixed ^= mixed >> 31;
  return static_cast<std::uint32_t>(((mixed >> 32) * bound) >> 32);
}

}  // namespace kaido::inline abi0::detail
