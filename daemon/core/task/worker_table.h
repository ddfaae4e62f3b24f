/// Local worker apps: who offers what, and who has a free slot.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

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
  };

  /// The session must not be open. Function index = position in `functions`.
  std::uint32_t open(std::uint32_t session, std::uint32_t slots, std::span<const base::FunctionId> functions);
  /// Lanes that lost their last worker; they stay until release_lane().
  std::vector<std::uint32_t> close(std::uint32_t worker);
  void release_lane(std::uint32_t lane);
  void set_slots(std::uint32_t worker, std::uint32_t slots);

  /// kNone if the session is not open.
  [[nodiscard]] std::uint32_t find(std::uint32_t session) const;
  /// kNone if nobody offers the function.
  [[nodiscard]] std::uint32_t lane_of(base::FunctionId id) const {
    const auto it = lanes_by_id_.find(id);
    return it == lanes_by_id_.end() ? kNone : it->second;
  }

  /// The worker of the lane with the least of its slots busy; equal ones take turns. kNone if none has a free slot.
  [[nodiscard]] Pick pick(std::uint32_t lane);
  /// Whether pick() would find one.
  [[nodiscard]] bool can_run(std::uint32_t lane) const;

  void occupy(std::uint32_t worker) { ++workers_[worker].busy, ++busy_; }
  void vacate(std::uint32_t worker) { --workers_[worker].busy, --busy_; }
  [[nodiscard]] std::uint32_t session(std::uint32_t worker) const { return workers_[worker].session; }

  [[nodiscard]] std::uint32_t slots() const { return slots_; }
  [[nodiscard]] std::uint32_t busy() const { return busy_; }

 private:
  struct Worker {
    std::uint32_t session = 0;
    std::uint32_t slots = 0;
    std::uint32_t busy = 0;
    std::vector<std::uint32_t> lanes;
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
  std::unordered_map<base::FunctionId, std::uint32_t> lanes_by_id_;
  std::uint32_t slots_ = 0;
  std::uint32_t busy_ = 0;
};

}  // namespace kaido::daemon
