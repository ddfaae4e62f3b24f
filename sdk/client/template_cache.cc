#include "sdk/client/template_cache.h"

#include <algorithm>
#include <atomic>
#include <utility>

namespace kaido::inline abi0::detail {
namespace {

std::uint32_t next_cache_id() {
  static std::atomic<std::uint32_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

TemplateCache::TemplateCache(std::size_t most) : id_(next_cache_id()), most_(std::max<std::size_t>(most, 1)) {}

TemplateCache::Template* TemplateCache::find(const PendingCall& call) {
  const std::uint32_t index = find_index(call);
  if (index == kNone) return nullptr;
  use(index);
  return &templates_[index];
}

std::uint32_t TemplateCache::find_index(const PendingCall& call) const {
  if (call.placement == nullptr) {
    const std::uint32_t dense = call.target->dense_index();
    return dense < defaults_.size() ? defaults_[dense] : kNone;
  }
  // A builder that is reused remembers. What that is may stand for something else by now.
  const std::uint64_t cached = call.placement->prepared.load(std::memory_order_relaxed);
  const auto remembered = static_cast<std::uint32_t>(cached);
  if (static_cast<std::uint32_t>(cached >> 32) != id_) return find_by_bytes(call);
  const Template& known = templates_[remembered];
  return known.rules == call.placement && known.target == call.target ? remembered : find_by_bytes(call);
}

// One that is made for each call is found by its bytes, and so is the second of two that are equal, if it is reused.
std::uint32_t TemplateCache::find_by_bytes(const PendingCall& call) const {
  const auto known = by_rules_.find({call.target, call.placement.get()});
  if (known == by_rules_.end()) return kNone;
  call.placement->prepared.store(static_cast<std::uint64_t>(id_) << 32 | known->second, std::memory_order_relaxed);
  return known->second;
}

TemplateCache::Template& TemplateCache::add(const PendingCall& call) {
  const std::uint32_t index = take_place();
  Template& added = templates_[index];
  added.target = call.target;
  added.rules = call.placement;
  added.is_prepared = false;
  try {
    index_by_rules(index);
  } catch (...) {
    added.target = nullptr;
    added.rules = nullptr;
    free_.push_back(index);  // There is room: see take_place().
    throw;
  }
  link_newest(index);
  ++size_;
  return added;
}

void TemplateCache::index_by_rules(std::uint32_t index) {
  const Template& added = templates_[index];
  if (added.rules == nullptr) {
    const std::uint32_t dense = added.target->dense_index();
    if (dense >= defaults_.size()) defaults_.resize(dense + 1, kNone);
    defaults_[dense] = index;
    return;
  }
  by_rules_.emplace(Key{added.target, added.rules.get()}, index);
  added.rules->prepared.store(static_cast<std::uint64_t>(id_) << 32 | index, std::memory_order_relaxed);
}

/// A free one, else that of the template which was used longest ago.
std::uint32_t TemplateCache::take_place() {
  if (size_ >= most_) {
    ++evictions_;
    forget(oldest_);
  }
  if (free_.empty()) {
    free_.reserve(templates_.size() + 1);
    templates_.emplace_back();
    free_.push_back(static_cast<std::uint32_t>(templates_.size() - 1));
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  return index;
}

void TemplateCache::forget(std::uint32_t index) {
  Template& old = templates_[index];
  unlink(index);
  if (old.rules == nullptr) {
    defaults_[old.target->dense_index()] = kNone;
  } else {
    by_rules_.erase(Key{old.target, old.rules.get()});
  }
  old.target = nullptr;
  old.rules = nullptr;
  old.is_prepared = false;
  free_.push_back(index);
  --size_;
}

void TemplateCache::start_connection() {
  ++connection_;
  next_number_ = 1;
  by_number_.clear();
}

void TemplateCache::set_prepared(Template& entry) {
  if (entry.connection != connection_) {
    by_number_.push_back(static_cast<std::uint32_t>(&entry - templates_.data()));
    entry.connection = connection_;
    entry.number = next_number_++;
  }
  entry.is_prepared = true;
}

void TemplateCache::set_refused(std::uint32_t number) {
  if (number != 0 && number <= by_number_.size()) templates_[by_number_[number - 1]].is_prepared = false;
}

void TemplateCache::set_most(std::size_t most) {
  most_ = std::max<std::size_t>(most, 1);
  while (size_ > most_) forget(oldest_);
}

void TemplateCache::use(std::uint32_t index) {
  if (index == newest_) return;
  unlink(index);
  link_newest(index);
}

void TemplateCache::link_newest(std::uint32_t index) {
  templates_[index].newer = kNone;
  templates_[index].older = newest_;
  (newest_ != kNone ? templates_[newest_].newer : oldest_) = index;
  newest_ = index;
}

void TemplateCache::unlink(std::uint32_t index) {
  const Template& entry = templates_[index];
  (entry.newer != kNone ? templates_[entry.newer].older : newest_) = entry.older;
  (entry.older != kNone ? templates_[entry.older].newer : oldest_) = entry.newer;
}

}  // namespace kaido::inline abi0::detail
