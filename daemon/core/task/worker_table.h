/// Local worker apps: who offers what, and who has a free slot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <unordered_map>
#include <vector>

#include "daemon/core/view/node_view.h"
#include "daemon/core/view/shares.h"
#include "proto/base/ids.h"

namespace kaido::daemon {

/// A lane is a function that some worker offers; lanes and workers are dense, reused numbers.
///
/// Threading: confined to its owner.
class WorkerTable {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  struct Pick {
    std::uint32_t worker = kNone;
    std::uint32_t function_index = 0;
    bool is_task = false;  ///< takes one of the slots for functions that wait
  };

  /// `owed_max`: of owe(), all workers together.
  explicit WorkerTable(std::size_t owed_max) : owed_(owed_max) {}

  /// The session must not be open. Function index = position in `functions`; `is_task` says which of them mostly wait,
  /// empty: none.
  std::uint32_t open(std::uint32_t session, WorkerSlots slots, std::span<const base::FunctionId> functions,
                     const std::vector<bool>& is_task = {});
  /// Lanes that lost their last worker; they stay until release_lane().
  std::vector<std::uint32_t> close(std::uint32_t worker);
  void release_lane(std::uint32_t lane);
  /// A stalled worker has no free slot, whatever it has.
  void set_stalled(std::uint32_t worker, bool is_stalled) { set_hindrance(worker, kStalled, is_stalled); }
  /// A call of the worker's was given up while it used no slot, or it yields one that was given up: neither a credit
  /// nor a slot bounds how many these are. Who owes more answers to them than its share has no free slot either.
  void owe(std::uint32_t worker) { count_owed(worker, true); }
  /// It answered such a call, or uses a slot for it again.
  void settle_owed(std::uint32_t worker) { count_owed(worker, false); }
  /// How often a worker was given nothing more for that.
  [[nodiscard]] std::uint64_t times_overdue() const { return times_overdue_; }

  /// kNone if the session is not open.
  [[nodiscard]] std::uint32_t find(std::uint32_t session) const;
  /// kNone if nobody offers the function.
  [[nodiscard]] std::uint32_t lane_of(base::FunctionId id) const {
    const auto it = lanes_by_id_.find(id);
    return it == lanes_by_id_.end() ? kNone : it->second;
  }

  /// Grows with every change of the lanes; never 0.
  [[nodiscard]] std::uint64_t version() const { return version_; }

  /// The worker of the lane with the least of its slots busy; equal ones take turns. kNone if none has a free slot.
  [[nodiscard]] Pick pick(std::uint32_t lane);
  /// Whether pick() would find one.
  [[nodiscard]] bool can_run(std::uint32_t lane) const;

  void occupy(std::uint32_t worker, bool is_task) { ++workers_[worker].pool(is_task).busy, ++busy_[is_task]; }
  void vacate(std::uint32_t worker, bool is_task) { --workers_[worker].pool(is_task).busy, --busy_[is_task]; }
  [[nodiscard]] std::uint32_t session(std::uint32_t worker) const { return workers_[worker].session; }

  /// What a node's load is measured by: its slots for computing, or those for waiting where it has no others.
  [[nodiscard]] std::uint32_t slots() const { return slots_[0] > 0 ? slots_[0] : slots_[1]; }
  [[nodiscard]] std::uint32_t busy() const { return slots_[0] > 0 ? busy_[0] : busy_[1]; }
  /// Slots taken of both kinds.
  [[nodiscard]] std::uint32_t busy_in_all() const { return busy_[0] + busy_[1]; }

 private:
  // Why a worker gets nothing, whatever slots it has: bits.
  static constexpr std::uint8_t kStalled = 1;
  static constexpr std::uint8_t kOverdue = 2;
  void set_hindrance(std::uint32_t worker, std::uint8_t bit, bool is_there) {
    std::uint8_t& hindrances = workers_[worker].hindrances;
    hindrances = static_cast<std::uint8_t>(is_there ? hindrances | bit : hindrances & ~bit);
  }
  void count_owed(std::uint32_t worker, bool is_owed);

  struct Pool {
    std::uint32_t slots = 0;
    std::uint32_t busy = 0;
  };
  struct Worker {
    std::uint32_t session = 0;
    Pool pools[2];  // for computing, for waiting
    std::uint8_t hindrances = 0;
    std::vector<std::uint32_t> lanes;
    [[nodiscard]] Pool& pool(bool is_task) { return pools[is_task]; }
    [[nodiscard]] bool has_room(bool is_task) const {
      return pools[is_task].busy < pools[is_task].slots && hindrances == 0;
    }
  };
  struct Lane {
    base::FunctionId id;
    std::vector<Pick> offers;
    std::uint32_t turn = 0;
  };

  std::vector<Worker> workers_;
  std::vector<std::uint32_t> free_workers_;
  std::vector<Lane> lanes_;
  std::vector<std::uint32_t> free_lanes_;
  std::unordered_map<std::uint32_t, std::uint32_t> by_session_;
  std::map<base::FunctionId, std::uint32_t> lanes_by_id_;
  std::uint64_t version_ = 1;
  std::uint32_t slots_[2] = {};
  std::uint32_t busy_[2] = {};
  Shares owed_;
  std::uint64_t times_overdue_ = 0;
};

}  // namespace kaido::daemon
