#include "daemon/core/view/function_list.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <utility>

namespace kaido::daemon {
namespace {

using Item = std::shared_ptr<const FunctionInfo>;

bool is_before(const Item& item, base::FunctionId id) { return item->id < id; }

}  // namespace

FunctionList::FunctionList(std::vector<FunctionInfo> functions) {
  std::map<base::FunctionId, FunctionInfo> sorted;
  for (FunctionInfo& function : functions) {
    const base::FunctionId id = function.id;
    sorted.insert_or_assign(id, std::move(function));
  }
  for (auto& [id, function] : sorted) {
    if (size_ % kChunkMax == 0) {
      chunks_.push_back(std::make_shared<Chunk>());
      chunks_.back()->reserve(std::min(kChunkMax, sorted.size() - size_));
    }
    ++size_;
    text_bytes_ += daemon::text_bytes(function);
    chunks_.back()->push_back(std::make_shared<const FunctionInfo>(std::move(function)));
  }
}

std::size_t FunctionList::chunk_of(base::FunctionId id) const {
  const auto after =
      std::upper_bound(chunks_.begin(), chunks_.end(), id,
                       [](base::FunctionId wanted, const auto& chunk) { return wanted < chunk->front()->id; });
  return after == chunks_.begin() ? 0 : static_cast<std::size_t>(after - chunks_.begin()) - 1;
}

FunctionList::Chunk& FunctionList::own(std::size_t chunk) {
  std::shared_ptr<Chunk>& held = chunks_[chunk];
  if (held.use_count() != 1) {
    held = std::make_shared<Chunk>(*held);
  } else {
    // Whoever else held it may have read it on another thread, until it let go.
    std::atomic_thread_fence(std::memory_order_acquire);
  }
  return *held;
}

void FunctionList::put(FunctionInfo function) {
  if (chunks_.empty()) chunks_.push_back(std::make_shared<Chunk>());
  const std::size_t index = chunks_.front()->empty() ? 0 : chunk_of(function.id);
  Chunk& chunk = own(index);
  const auto place = std::lower_bound(chunk.begin(), chunk.end(), function.id, is_before);
  text_bytes_ += daemon::text_bytes(function);
  if (place != chunk.end() && (*place)->id == function.id) {
    text_bytes_ -= daemon::text_bytes(**place);
    *place = std::make_shared<const FunctionInfo>(std::move(function));
    return;
  }
  chunk.insert(place, std::make_shared<const FunctionInfo>(std::move(function)));
  ++size_;
  if (chunk.size() <= kChunkMax) return;
  const auto half = chunk.begin() + kChunkMax / 2;
  auto upper = std::make_shared<Chunk>(half, chunk.end());
  chunk.erase(half, chunk.end());
  chunks_.insert(chunks_.begin() + static_cast<std::ptrdiff_t>(index) + 1, std::move(upper));
}

bool FunctionList::erase(base::FunctionId id) {
  const FunctionInfo* const known = find(id);
  if (known == nullptr) return false;
  text_bytes_ -= daemon::text_bytes(*known);
  --size_;
  const std::size_t index = chunk_of(id);
  Chunk& chunk = own(index);
  chunk.erase(std::lower_bound(chunk.begin(), chunk.end(), id, is_before));
  join_if_small(index);
  return true;
}

// So that there are never many more chunks than what is in them needs.
void FunctionList::join_if_small(std::size_t index) {
  if (chunks_[index]->empty()) {
    chunks_.erase(chunks_.begin() + static_cast<std::ptrdiff_t>(index));
    return;
  }
  if (chunks_[index]->size() >= kChunkMin || chunks_.size() == 1) return;
  const std::size_t first = index + 1 < chunks_.size() ? index : index - 1;
  const Chunk& second = *chunks_[first + 1];
  if (chunks_[first]->size() + second.size() > kChunkMax) return;
  Chunk& joined = own(first);
  joined.insert(joined.end(), second.begin(), second.end());
  chunks_.erase(chunks_.begin() + static_cast<std::ptrdiff_t>(first) + 1);
}

const FunctionInfo* FunctionList::find(base::FunctionId id) const {
  if (chunks_.empty()) return nullptr;
  const Chunk& chunk = *chunks_[chunk_of(id)];
  const auto place = std::lower_bound(chunk.begin(), chunk.end(), id, is_before);
  return place != chunk.end() && (*place)->id == id ? place->get() : nullptr;
}

void FunctionList::compare(const FunctionList& to, std::vector<FunctionInfo>& changed,
                           std::vector<base::FunctionId>& gone) const {
  Iterator old = begin();
  Iterator now = to.begin();
  while (old != end() && now != to.end()) {
    if (old.shares_chunk(now)) {
      old.skip_chunk();
      now.skip_chunk();
    } else if (old->id < now->id) {
      gone.push_back((old++)->id);
    } else if (now->id < old->id) {
      changed.push_back(*now++);
    } else {
      if (&*old != &*now && *old != *now) changed.push_back(*now);
      ++old;
      ++now;
    }
  }
  while (old != end()) gone.push_back((old++)->id);
  while (now != to.end()) changed.push_back(*now++);
}

bool FunctionList::operator==(const FunctionList& other) const {
  if (size_ != other.size_ || text_bytes_ != other.text_bytes_) return false;
  Iterator theirs = other.begin();
  for (Iterator ours = begin(); ours != end();) {
    if (ours.shares_chunk(theirs)) {
      ours.skip_chunk();
      theirs.skip_chunk();
      continue;
    }
    if (&*ours != &*theirs && *ours != *theirs) return false;
    ++ours;
    ++theirs;
  }
  return true;
}

}  // namespace kaido::daemon
