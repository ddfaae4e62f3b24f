/// What one node says about itself, and what this node makes of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "daemon/core/view/function_list.h"
#include "proto/base/ids.h"

namespace kaido::daemon {

/// A node's place in this process's tables: dense, from 0, so that per-node state is an array lookup. A new life of a
/// known node keeps its index; the index of a node that was lost and forgotten is given to another. 0 is always this
/// node itself.
struct NodeIndex {
  std::uint32_t value = 0;
  auto operator<=>(const NodeIndex&) const = default;
};

inline constexpr NodeIndex kSelf{0};
inline constexpr NodeIndex kNoNode{0xffffffff};

/// A label of a node; a placement's tag matches one of equal key and value.
struct Tag {
  std::string key;
  std::string value;
  auto operator<=>(const Tag&) const = default;
};

/// A mark that keeps tasks away unless they tolerate it; words and meaning as in Kubernetes.
struct Taint {
  std::string key;
  std::string value;
  std::string effect;  ///< "NoSchedule" | "PreferNoSchedule" | "NoExecute"; the second never excludes a node
  auto operator<=>(const Taint&) const = default;
};

/// How many attempts a worker app takes at once: of functions that compute, and beside those of functions that mostly
/// wait.
struct WorkerSlots {
  constexpr WorkerSlots(std::uint32_t of_computing,
                        std::uint32_t of_waiting = 0)  // NOLINT: a number means computing ones
      : compute(of_computing), task(of_waiting) {}
  std::uint32_t compute;
  std::uint32_t task;
  bool operator==(const WorkerSlots&) const = default;
};

/// A node's own account of itself, as it arrives in NodeInfo.
struct NodeInfo {
  base::NodeId id;
  std::string name;
  base::Life life;
  std::vector<Tag> tags;
  std::vector<Taint> taints;
  std::uint32_t slots = 0;
  bool draining = false;
  FunctionList functions;
  std::string address;
  std::uint64_t version = 0;  ///< grows with every change within a life; 0: its sender does not count
  bool operator==(const NodeInfo&) const = default;
};

/// What keeping it takes in memory, the objects around its texts included; schemas and functions that are shared with
/// other accounts count in full. Cost: does not grow with the functions.
[[nodiscard]] std::size_t footprint(const NodeInfo& info);
[[nodiscard]] std::size_t footprint(const Tag& tag);

/// One node of a ClusterView.
struct NodeView {
  NodeIndex index;
  bool alive = false;                    ///< false: lost; the entry stays so that explanations can say so
  bool is_known = true;                  ///< false: forgotten; the place is free
  std::shared_ptr<const NodeInfo> info;  ///< never null

  /// What stands where a node was forgotten: nameless, and offers nothing.
  [[nodiscard]] static const std::shared_ptr<const NodeInfo>& nobody();

  /// The function as this node offers it, or null. Binary search.
  [[nodiscard]] const FunctionInfo* find_function(base::FunctionId id) const { return info->functions.find(id); }
};

}  // namespace kaido::daemon
