/// The rules of one call site, and which nodes of a view they allow.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/schema/schema.h"
#include "daemon/core/view/cluster_view.h"
#include "proto/base/time.h"

namespace kaido::daemon {

/// Matches a taint when keys are equal (an empty key matches every taint) and, unless `exists`, values are equal; an
/// empty effect matches every effect.
struct Toleration {
  std::string key;
  std::string value;
  std::string effect;
  bool exists = false;
  auto operator<=>(const Toleration&) const = default;
};

/// What a Prepare says: the function and where, how often and how long it may run.
struct PlacementSpec {
  base::FunctionId function;
  std::string function_name;
  std::uint64_t fingerprint = 0;  ///< 0: not compared
  std::string signature;          ///< the caller's, for people
  Schema schema;                  ///< the caller's; empty: only the same fingerprint fits
  bool is_task = false;           ///< the caller knows that it mostly waits
  std::string node_name;          ///< a node's name, or its id; empty: any node
  std::vector<Tag> tags;          ///< all must be carried, with exactly this value
  std::vector<Toleration> tolerations;
  std::uint32_t max_attempts = 1;  ///< 0 and 1: started once
  bool idempotent = false;
  base::Duration wait{0};     ///< how long an unschedulable task waits for a node; 0: not at all
  base::Duration timeout{0};  ///< the deadline of a call that states none; 0: none
  std::int32_t priority = 0;  ///< higher runs first
  auto operator<=>(const PlacementSpec&) const = default;
};

/// What keeping it takes in memory, the objects around its texts included.
[[nodiscard]] std::size_t footprint(const PlacementSpec& spec);

/// Why a node does not fit. Order matters: it is the order in which rules are tried, and the first that fails is told.
enum class Mismatch : std::uint8_t { kNone, kLost, kDraining, kNodeName, kTag, kTaint, kNotOffered, kSignature };

/// Whether any of the tolerations tolerates the taint. A PreferNoSchedule taint needs no toleration.
[[nodiscard]] bool tolerates(std::span<const Toleration> tolerations, const Taint& taint);

/// Why one node was not chosen.
struct NodeReason {
  std::string node;
  std::string reason;
  bool operator==(const NodeReason&) const = default;
};

/// A spec with the nodes that fit it, kept from one call to the next for as long as the view does not change.
/// Made by scheduling's Chooser, which gives equal specs the same object.
///
/// Where a node offers the function under another fingerprint than the caller's, the two schemas are compared, once for
/// each version that is met; a node whose version is compatible fits like any other.
///
/// Threading: confined to the node's loop, for the cache in it.
/// Lifetime: shared; a task keeps its own reference until it is delivered.
class PreparedPlacement {
 public:
  PreparedPlacement(PlacementSpec spec, std::uint32_t index, std::uint64_t serial)
      : spec_(std::move(spec)), index_(index), serial_(serial) {}
  PreparedPlacement(const PreparedPlacement&) = delete;
  PreparedPlacement& operator=(const PreparedPlacement&) = delete;

  [[nodiscard]] const PlacementSpec& spec() const { return spec_; }

  /// Dense among the living: made for tables (a connection's template ids). Reused after the placement is gone, with
  /// another serial.
  [[nodiscard]] std::uint32_t index() const { return index_; }
  [[nodiscard]] std::uint64_t serial() const { return serial_; }

  /// The first rule that excludes the node; kNone if it fits. Allocates nothing, unless it meets a version of the
  /// function for the first time.
  [[nodiscard]] Mismatch find_mismatch(const NodeView& node) const;

  /// The same in words for people, with what was wanted and what the node has; "fits" where it does.
  [[nodiscard]] std::string describe_mismatch(const NodeView& node) const;

  struct Candidates {
    std::vector<NodeIndex> nodes;  ///< that fit, this node first if it does
    bool self_fits = false;
    bool signature_mismatch_only = false;  ///< none fits, and some node would but for the function's signature
  };

  /// Where the executor keeps the function's workers: its own number for it, and the version of its table that the
  /// number is of. A cache of the executor's, here because it is asked for with every call.
  struct Lane {
    std::uint64_t version = 0;
    std::uint32_t number = 0;
  };
  [[nodiscard]] Lane& lane() const { return lane_; }

  /// What fits in this view: O(1) unless the view changed since the last call.
  [[nodiscard]] const Candidates& candidates(const ClusterView& view) const {
    if (version_ != view.version()) refresh(view);
    return candidates_;
  }

 private:
  /// What a node's version of the function was found to be: compatible, or what differs.
  struct Verdict {
    std::uint64_t fingerprint = 0;
    Schema schema;
    std::optional<std::string> difference;
  };
  /// Versions of one function in a cluster; beyond it all are compared anew.
  static constexpr std::size_t kVerdictsMax = 16;

  void refresh(const ClusterView& view) const;
  [[nodiscard]] Mismatch rules_mismatch(const NodeView& node) const;
  [[nodiscard]] const Verdict& judge(const FunctionInfo& offered) const;
  [[nodiscard]] std::string describe_signature(const FunctionInfo& offered) const;

  const PlacementSpec spec_;
  const std::uint32_t index_;
  const std::uint64_t serial_;
  mutable std::uint64_t version_ = 0;
  mutable Candidates candidates_;
  mutable Lane lane_;
  mutable std::vector<Verdict> verdicts_;
};

using PlacementRef = std::shared_ptr<const PreparedPlacement>;

}  // namespace kaido::daemon
