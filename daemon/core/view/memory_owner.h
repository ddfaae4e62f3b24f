/// Who owns what a node keeps: an app or a link, by its connection; another node, whatever links it has.
#pragma once

#include <cstdint>

#include "daemon/core/view/node_view.h"
#include "proto/wire/memory_budget.h"

namespace kaido::daemon {

/// Of connection ids (core/node/connection_table.h), where the bits that say which use of a place it is begin, and the
/// bit that tells peers from apps. A place's next use is the same owner: its bytes are given back before; of prepared
/// placements that others hold, too, the count goes on with the place.
inline constexpr std::uint32_t kConnectionPlaceBits = 18;
inline constexpr std::uint32_t kConnectionPlaces = 1U << (kConnectionPlaceBits - 1);

/// `id`: of a connection, or of a session, which is the same number; 0: the operator's calls.
[[nodiscard]] constexpr wire::MemoryOwner memory_owner_of_connection(std::uint32_t id) {
  const std::uint32_t is_peer = (id & kConnectionPlaces) != 0 ? 1 : 0;
  return {((id & (kConnectionPlaces - 1)) + 1) * (id == 0 ? 0U : 3U) + is_peer};
}

[[nodiscard]] constexpr wire::MemoryOwner memory_owner_of(NodeIndex node) { return {node.value * 3 + 2}; }

}  // namespace kaido::daemon
