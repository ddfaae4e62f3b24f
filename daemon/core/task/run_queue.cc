#include "daemon/core/task/run_queue.h"

namespace kaido::daemon {

void RunQueue::push(std::uint32_t lane, std::uint32_t slot, std::int32_t priority, base::Instant deadline) {
  while (lane >= lanes_.size()) lanes_.emplace_back(positions_);
  Lane& entry = lanes_[lane];
  if (entry.heap.empty()) {
    entry.in_use_at = static_cast<std::uint32_t>(in_use_.size());
    in_use_.push_back(lane);
  }
  entry.heap.push(slot, {-static_cast<std::int64_t>(priority), deadline, arrivals_++});
  ++size_;
}

void RunQueue::erase(std::uint32_t lane, std::uint32_t slot) {
  Lane& entry = lanes_[lane];
  entry.heap.erase(slot);
  --size_;
  if (!entry.heap.empty()) return;
  const std::uint32_t last = in_use_.back();
  in_use_[entry.in_use_at] = last;
  lanes_[last].in_use_at = entry.in_use_at;
  in_use_.pop_back();
  entry.in_use_at = kNone;
}

std::uint32_t RunQueue::pop(std::uint32_t lane) {
  if (lane_empty(lane)) return kNone;
  const std::uint32_t slot = lanes_[lane].heap.top();
  erase(lane, slot);
  return slot;
}

}  // namespace kaido::daemon
