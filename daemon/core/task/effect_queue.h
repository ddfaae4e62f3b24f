/// Effects waiting to be polled.
#pragma once

#include <cstddef>
#include <vector>

namespace kaido::daemon {

/// A ring that grows to the largest burst seen and is then reused: no allocation in steady state. What one call can
/// queue is bounded by the records of its core.
///
/// Threading: confined to its owner.
template <class Effect>
class EffectQueue {
 public:
  EffectQueue() : ring_(kInitial) {}

  [[nodiscard]] bool empty() const { return head_ == tail_; }
  [[nodiscard]] std::size_t size() const { return tail_ - head_; }

  /// A cleared effect at the end of the queue, to be filled in before the next push.
  Effect& push() {
    if (size() == ring_.size()) grow();
    return ring_[tail_++ & (ring_.size() - 1)] = Effect{};
  }

  bool pop(Effect& out) {
    if (empty()) return false;
    out = ring_[head_++ & (ring_.size() - 1)];
    return true;
  }

 private:
  static constexpr std::size_t kInitial = 64;

  void grow() {
    std::vector<Effect> larger(ring_.size() * 2);
    const std::size_t count = size();
    for (std::size_t i = 0; i < count; ++i) larger[i] = ring_[(head_ + i) & (ring_.size() - 1)];
    ring_.swap(larger);
    head_ = 0;
    tail_ = count;
  }

  std::vector<Effect> ring_;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
};

}  // namespace kaido::daemon
