#include "daemon/core/task/payload_pool.h"

#include <utility>

namespace kaido::daemon {

std::uint32_t PayloadPool::keep(Payload payload) {
  if (payload.size() > bytes_max_ - used_bytes_) return kNone;
  std::uint32_t buffer;
  if (free_.empty()) {
    buffer = static_cast<std::uint32_t>(buffers_.size());
    buffers_.emplace_back();
  } else {
    buffer = free_.back();
    free_.pop_back();
    if (buffers_[buffer].capacity() > 0) --with_memory_;
  }
  used_bytes_ += payload.size();
  buffers_[buffer].assign(payload.begin(), payload.end());
  return buffer;
}

void PayloadPool::release(std::uint32_t buffer) {
  used_bytes_ -= buffers_[buffer].size();
  retired_.push_back(buffer);
}

void PayloadPool::recycle_retired() {
  for (const std::uint32_t buffer : retired_) {
    if (buffers_[buffer].capacity() > kReusedBytesMax || with_memory_ >= kReusedCountMax) {
      std::vector<std::byte>().swap(buffers_[buffer]);
    } else if (buffers_[buffer].capacity() > 0) {
      ++with_memory_;
    }
    free_.push_back(buffer);
  }
  retired_.clear();
}

}  // namespace kaido::daemon
