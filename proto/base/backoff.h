/// How long to wait before trying again: exponential, with jitter, bounded.
#pragma once

#include <algorithm>

#include "proto/base/random.h"
#include "proto/base/time.h"

namespace kaido::base {

/// "Full jitter" (Brooker, "Exponential Backoff And Jitter", AWS 2015): the n-th wait is uniform in
/// [initial / 2, min(limit, initial · 2^n)], so that peers that failed together do not come back together.
///
/// Threading: confined to its owner.
class Backoff {
 public:
  Backoff(Duration initial, Duration limit, std::uint64_t seed)
      : initial_(initial), limit_(limit), ceiling_(initial), random_(seed) {}

  /// The wait before the next try.
  Duration next() {
    const Duration floor = initial_ / 2;
    const auto span = static_cast<double>((ceiling_ - floor).count());
    const Duration wait = floor + Duration(static_cast<Duration::rep>(span * random_.unit()));
    ceiling_ = std::min(limit_, ceiling_ * 2);
    return wait;
  }

  /// Call after a success: the next failure starts from `initial` again.
  void reset() { ceiling_ = initial_; }

 private:
  Duration initial_;
  Duration limit_;
  Duration ceiling_;
  Random random_;
};

}  // namespace kaido::base
