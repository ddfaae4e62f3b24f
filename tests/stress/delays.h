/// Random delays between the polls of a runtime's tasks: what a loaded machine does now and then, done often.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>

#include <kaido/runtime.h>

namespace kaido::stress {

/// Numbers of one sequence, for any thread (SplitMix64; Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", 2014). The sequence is the seed's; who gets which number is the scheduler's.
class SharedRandom {
 public:
  explicit SharedRandom(std::uint64_t seed) noexcept : state_(seed) {}
  [[nodiscard]] std::uint64_t next() noexcept {
    std::uint64_t z = state_.fetch_add(0x9e3779b97f4a7c15ULL, std::memory_order_relaxed) + 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) noexcept { return next() % bound; }
  [[nodiscard]] bool one_in(std::uint64_t count) noexcept { return below(count) == 0; }

 private:
  std::atomic<std::uint64_t> state_;
};

/// One poll in 4 yields the processor before or after it, one in 256 loses it for up to 200 us.
inline void add_random_delays(RuntimeBuilder& builder, std::shared_ptr<SharedRandom> random) {
  const auto delay = [random](const TaskMeta&) {
    if (random->one_in(256)) {
      std::this_thread::sleep_for(std::chrono::microseconds(random->below(200)));
    } else if (random->one_in(4)) {
      std::this_thread::yield();
    }
  };
  builder.on_before_task_poll(delay);
  builder.on_after_task_poll(delay);
}

}  // namespace kaido::stress
