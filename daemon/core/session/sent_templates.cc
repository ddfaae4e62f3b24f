#include "daemon/core/session/sent_templates.h"

#include <algorithm>

namespace kaido::daemon {
namespace {

// How many ids are looked at to find one that was not used for long: a sample, as caches do it, since a list in order
// of use would be touched by every call.
constexpr std::uint32_t kSample = 16;

}  // namespace

SentTemplates::Use SentTemplates::use(std::uint32_t index, std::uint64_t serial) {
  if (ids_max_ == 0) return {};
  if (index >= by_index_.size()) by_index_.resize(index + std::size_t{1});
  ByIndex& known = by_index_[index];
  ++clock_;
  if (known.id != 0 && known.serial == serial) [[likely]] {
    ids_[known.id - 1].used = clock_;
    return {known.id, false};
  }
  // Another placement has the index now: what its predecessor's id stood for is of no use any more.
  const std::uint32_t id = known.id != 0 ? known.id : give_id();
  by_index_[index] = {serial, id};
  ids_[id - 1] = {index, clock_};
  return {id, true};
}

void SentTemplates::forget(std::uint32_t id) {
  if (id == 0 || id > ids_.size() || by_index_[ids_[id - 1].index].id != id) return;
  unbind(id);
  free_.push_back(id);
}

std::uint32_t SentTemplates::give_id() {
  if (!free_.empty()) {
    const std::uint32_t id = free_.back();
    free_.pop_back();
    return id;
  }
  if (ids_.size() < ids_max_) {
    ids_.emplace_back();
    return static_cast<std::uint32_t>(ids_.size());
  }
  const auto count = static_cast<std::uint32_t>(ids_.size());
  const auto start = static_cast<std::uint32_t>(clock_ * 0x9e3779b97f4a7c15ULL >> 32) % count;
  std::uint32_t oldest = start;
  for (std::uint32_t i = 1; i < std::min(kSample, count); ++i) {
    const std::uint32_t candidate = (start + i) % count;
    if (ids_[candidate].used < ids_[oldest].used) oldest = candidate;
  }
  unbind(oldest + 1);
  return oldest + 1;
}

}  // namespace kaido::daemon
