/// What changed in a node's account of itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/view/node_view.h"

namespace kaido::daemon {

/// The way from one version of a NodeInfo to another of the same life. Name, id and life do not change within one.
///
///     apply(from, difference(from, to)) == to        // up to the order of tags
struct NodeInfoDelta {
  std::uint64_t base_version = 0;
  std::uint64_t version = 0;
  std::vector<FunctionInfo> offered;  ///< new or changed
  std::vector<base::FunctionId> withdrawn;
  std::vector<Tag> tags;  ///< new or changed
  std::vector<std::string> tags_removed;
  std::optional<std::vector<Taint>> taints;  ///< all of them
  std::optional<std::uint32_t> slots;
  std::optional<bool> draining;
  std::optional<std::string> address;
  bool operator==(const NodeInfoDelta&) const = default;

  /// Nothing changed but the version.
  [[nodiscard]] bool is_empty() const;
};

/// A delta that was not made from `from` can be applied, too: it is judged as what it leads to.
///
/// Cost: of difference, what the two do not share; of apply, what changed. Neither grows with the functions that the
/// node offers beside (function_list.h).
[[nodiscard]] NodeInfoDelta difference(const NodeInfo& from, const NodeInfo& to);
[[nodiscard]] NodeInfo apply(NodeInfo from, const NodeInfoDelta& delta);

/// The same with its tags in order of their keys; of two with one key, the last.
[[nodiscard]] NodeInfo in_order(NodeInfo info);

}  // namespace kaido::daemon
