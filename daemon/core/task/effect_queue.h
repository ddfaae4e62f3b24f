/// Effects waiting to be acted on.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace kaido::daemon {

/// First in, first out, in chunks that grow to the largest burst seen and are then reused: no allocation in steady
/// state, and an effect stays where it is while others are added. What one call can queue is bounded by the records of
/// its core.
///
///     while (Effect* effect = queue.front()) {
///       act(*effect);          // may push more
///       queue.drop_front();
///     }
///
/// An Effect has a clear() that makes it as it was when it was made.
///
/// Threading: confined to its owner.
template <class Effect>
class EffectQueue {
 public:
  [[nodiscard]] bool empty() const { return head_ == tail_; }
  [[nodiscard]] std::size_t size() const { return tail_ - head_; }

  /// A cleared effect at the end of the queue, to be filled in.
  Effect& push() {
    if (tail_ == chunks_.size() * kChunk) chunks_.push_back(std::make_unique<Effect[]>(kChunk));
    return at(tail_++);
  }

  /// The first one, in its place; null if there is none.
  [[nodiscard]] Effect* front() { return empty() ? nullptr : &at(head_); }
  void drop_front() {
    at(head_++).clear();
    if (empty()) head_ = tail_ = 0;
  }

  bool pop(Effect& out) {
    if (empty()) return false;
    out = std::move(at(head_));
    drop_front();
    return true;
  }

 private:
  static constexpr std::size_t kChunk = 64;

  [[nodiscard]] Effect& at(std::size_t index) { return chunks_[index / kChunk][index % kChunk]; }

  std::vector<std::unique_ptr<Effect[]>> chunks_;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
};

}  // namespace kaido::daemon
