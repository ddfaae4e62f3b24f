/// A small seeded generator for decisions that must be reproducible: same seed, same choices, on every machine.
#pragma once

#include <cstdint>

namespace kaido::base {

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): one addition and three
/// mixes a number, full period 2^64. Good for jitter and for choosing candidates; never for secrets.
///
/// Threading: confined to its owner. Copying forks the sequence.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  /// A number in [0, bound) by multiplication instead of division (Lemire, 2019); 0 for bound 0. The bias, below
  /// bound / 2^32, is of no consequence to what uses this.
  std::uint32_t below(std::uint32_t bound) {
    return static_cast<std::uint32_t>((static_cast<std::uint64_t>(static_cast<std::uint32_t>(next())) * bound) >> 32);
  }

  /// A number in [0, 1).
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

 private:
  std::uint64_t state_;
};

}  // namespace kaido::base
