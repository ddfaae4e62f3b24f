#include "daemon/core/task/worker_table.h"

#include <algorithm>

#include "daemon/core/view/memory_owner.h"
#include "proto/base/check.h"

namespace kaido::daemon {
namespace {

std::uint32_t take(std::vector<std::uint32_t>& free, std::size_t next) {
  if (free.empty()) return static_cast<std::uint32_t>(next);
  const std::uint32_t reused = free.back();
  free.pop_back();
  return reused;
}

}  // namespace

std::uint32_t WorkerTable::open(std::uint32_t session, WorkerSlots slots, std::span<const base::FunctionId> functions,
                                const std::vector<bool>& is_task) {
  KAIDO_CHECK(!by_session_.contains(session));
  ++version_;
  const std::uint32_t index = take(free_workers_, workers_.size());
  if (index == workers_.size()) workers_.emplace_back();
  by_session_.emplace(session, index);
  Worker& worker = workers_[index];
  worker = {.session = session, .pools = {{slots.compute, 0}, {slots.task, 0}}};
  slots_[0] += slots.compute;
  slots_[1] += slots.task;
  for (std::uint32_t function_index = 0; function_index < functions.size(); ++function_index) {
    std::uint32_t lane = lane_of(functions[function_index]);
    if (lane == kNone) {
      lane = take(free_lanes_, lanes_.size());
      if (lane == lanes_.size()) lanes_.emplace_back();
      lanes_[lane] = {.id = functions[function_index]};
      lanes_by_id_.emplace(functions[function_index], lane);
    }
    worker.lanes.push_back(lane);
    lanes_[lane].offers.push_back(
        {.worker = index, .function_index = function_index, .is_task = !is_task.empty() && is_task[function_index]});
  }
  return index;
}

std::vector<std::uint32_t> WorkerTable::close(std::uint32_t index) {
  ++version_;
  Worker& worker = workers_[index];
  std::vector<std::uint32_t> orphaned;
  for (const std::uint32_t lane : worker.lanes) {
    std::erase_if(lanes_[lane].offers, [&](const Pick& offer) { return offer.worker == index; });
    if (!lanes_[lane].offers.empty()) continue;
    lanes_by_id_.erase(lanes_[lane].id);
    orphaned.push_back(lane);
  }
  for (const bool kind : {false, true}) {
    busy_[kind] -= worker.pool(kind).busy;
    slots_[kind] -= worker.pool(kind).slots;
  }
  by_session_.erase(worker.session);
  worker = {};
  free_workers_.push_back(index);
  return orphaned;
}

void WorkerTable::release_lane(std::uint32_t lane) {
  ++version_;
  free_lanes_.push_back(lane);
}

std::uint32_t WorkerTable::find(std::uint32_t session) const {
  const auto it = by_session_.find(session);
  return it == by_session_.end() ? kNone : it->second;
}

void WorkerTable::count_owed(std::uint32_t worker, bool is_owed) {
  const wire::MemoryOwner owner = memory_owner_of_connection(workers_[worker].session);
  if (is_owed) {
    owed_.take(owner);
  } else {
    owed_.give_back(owner);
  }
  // Who owes nothing is not made to wait for those who do: nothing would look at it again when they have answered.
  const bool is_overdue = owed_.owned(owner) != 0 && !owed_.has_room(owner);
  if (is_overdue && (workers_[worker].hindrances & kOverdue) == 0) ++times_overdue_;
  set_hindrance(worker, kOverdue, is_overdue);
}

WorkerTable::Pick WorkerTable::pick(std::uint32_t index) {
  Lane& lane = lanes_[index];
  const auto count = static_cast<std::uint32_t>(lane.offers.size());
  if (count == 1) {
    const Pick& only = lane.offers.front();
    return workers_[only.worker].has_room(only.is_task) ? only : Pick{};
  }
  const Pick* best = nullptr;
  for (std::uint32_t i = 0, at = lane.turn; i < count; ++i, ++at) {
    if (at >= count) at = 0;
    const Pick& offer = lane.offers[at];
    const Worker& worker = workers_[offer.worker];
    if (!worker.has_room(offer.is_task)) continue;
    if (best != nullptr) {
      const Pool& ours = worker.pools[offer.is_task];
      const Pool& others = workers_[best->worker].pools[best->is_task];
      if (std::uint64_t{ours.busy} * others.slots >= std::uint64_t{others.busy} * ours.slots) continue;
    }
    best = &offer;
  }
  if (best == nullptr) return {};
  lane.turn = static_cast<std::uint32_t>(best - lane.offers.data()) + 1;
  return *best;
}

bool WorkerTable::can_run(std::uint32_t lane) const {
  const auto& offers = lanes_[lane].offers;
  return std::any_of(offers.begin(), offers.end(),
                     [&](const Pick& offer) { return workers_[offer.worker].has_room(offer.is_task); });
}

}  // namespace kaido::daemon
