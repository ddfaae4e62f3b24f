/// How two versions of Kaido find the language that both speak. The rule is docs/protocol/versioning.md.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

namespace kaido::wire {

/// The protocol versions that one side speaks, both ends included.
struct VersionRange {
  std::uint32_t min = 0;
  std::uint32_t max = 0;
  bool operator==(const VersionRange&) const = default;
};

/// What this build speaks. Nodes of version N and N-1 must work together, so `min` trails `max` by one from 3 on;
/// version 1, in which payloads did not travel in chunks, was never released.
inline constexpr VersionRange kVersions{2, 2};

/// Optional abilities, one bit each. A side uses one only if both have announced it.
/// App ⇄ node: a result that was given up halfway is followed by another one.
inline constexpr std::uint64_t kFeatureResultsFollow = 1U << 0;
inline constexpr std::uint64_t kFeatures = kFeatureResultsFollow;
/// Node ⇄ node: node info comes as what changed in it, and is asked for where that is of no use.
inline constexpr std::uint64_t kFeatureNodeInfoDeltas = 1U << 0;
inline constexpr std::uint64_t kPeerFeatures = kFeatureNodeInfoDeltas;

/// The highest version that both sides speak, if there is one. An empty range (min > max) speaks none.
[[nodiscard]] constexpr std::optional<std::uint32_t> common_version(VersionRange ours, VersionRange theirs) {
  const std::uint32_t high = std::min(ours.max, theirs.max);
  const std::uint32_t low = std::max(ours.min, theirs.min);
  if (low > high || ours.min > ours.max || theirs.min > theirs.max) return std::nullopt;
  return high;
}

/// What both sides say when there is none: who speaks what, and who must be upgraded.
[[nodiscard]] std::string no_common_version(VersionRange ours, VersionRange theirs);

}  // namespace kaido::wire
