/// Where an attempt goes: this node if it has a free slot, else the better of two random candidates.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "daemon/core/scheduling/load_table.h"
#include "daemon/core/schema/schema.h"
#include "daemon/core/view/placer.h"
#include "daemon/core/view/shares.h"
#include "proto/base/random.h"
#include "proto/wire/memory_budget.h"

namespace kaido::daemon {

struct ChooserOptions {
  /// Distinct specs alive at once, of which whoever prepares them may have his share (Shares). A spec costs its text
  /// and four bytes a candidate; beyond it prepare() refuses.
  std::uint32_t placements_max = 65536;
  /// Callers' schemas remembered in all, equal ones counted once, for who came with them first; shared alike.
  std::size_t schema_bytes_max = 64U << 20;
  /// Nodes that an explanation lists; of the rest it gives the number.
  std::uint32_t reasons_max = 64;
};

/// Local first, then two choices (Mitzenmacher, "The power of two choices in randomized load balancing", 2001), by the
/// LoadTable. Choosing is O(1) and allocates nothing once a placement's candidates are cached for the view.
///
/// Threading: confined to the node's loop.
/// Lifetime: may die before the placements it prepared.
class Chooser final : public Placer {
 public:
  Chooser(std::uint64_t seed, ClusterViewRef view, ChooserOptions options = {});

  /// The one object for all equal specs, or null when a bound, or the owner's share of it, is reached (answer
  /// `rejected`). It counts for who prepared it first, for as long as anybody holds it.
  [[nodiscard]] PlacementRef prepare(PlacementSpec spec, wire::MemoryOwner owner);

  /// After every change of the cluster; the ledger's view_changed() comes after it. Loads of nodes that are not alive,
  /// or changed their epoch, are forgotten.
  void set_view(ClusterViewRef view);
  [[nodiscard]] const ClusterView& view() const { return *view_; }

  /// `aux` of any frame of a peer.
  void load_reported(NodeIndex node, wire::Load load) { loads_.reported(node, load); }
  /// Whether a worker on this node could start a task of the placement right now: what "local first" goes by, since a
  /// node has slots of two kinds. Without it the number of free slots decides.
  void set_room_here(std::function<bool(const PreparedPlacement&)> has_room) { room_here_ = std::move(has_room); }
  /// This node's own load, asked for where it is compared with others': it changes with every task.
  void set_load_here(std::function<wire::Load()> load) { load_here_ = std::move(load); }
  /// The time by which reports age; before choices that should know it.
  void set_now(base::Instant now) { loads_.set_now(now); }
  [[nodiscard]] const LoadTable& loads() const { return loads_; }

  [[nodiscard]] Choice choose(const PreparedPlacement& placement, std::span<const NodeIndex> avoid) override;
  [[nodiscard]] std::vector<NodeReason> explain(const PreparedPlacement& placement,
                                                std::span<const NodeIndex> avoid) const override;
  [[nodiscard]] Said said(NodeIndex node) const override;
  [[nodiscard]] bool fits(const PreparedPlacement& placement, NodeIndex node) const override;
  [[nodiscard]] std::string node_name(NodeIndex node) const override;
  void attempt_sent(NodeIndex node) override { loads_.attempt_sent(node); }
  void attempt_settled(NodeIndex node) override { loads_.attempt_settled(node); }

  /// Placements that somebody holds: what nobody holds any more is forgotten at once.
  [[nodiscard]] std::size_t placement_count() const { return known_->placements.size(); }
  /// How often prepare() refused; only grows.
  [[nodiscard]] std::uint64_t refused_count() const { return refused_; }

 private:
  [[nodiscard]] std::uint64_t slots_of(NodeIndex node) const;
  [[nodiscard]] bool less_loaded(NodeIndex a, NodeIndex b) const;
  [[nodiscard]] Choice chosen(NodeIndex node) const;
  [[nodiscard]] Choice choose_avoiding(std::span<const NodeIndex> candidates, std::span<const NodeIndex> avoid);

  /// The placements that live, by their own specs. Theirs and the chooser's together: each takes itself out when its
  /// last holder goes.
  struct Known {
    struct BySpec {
      bool operator()(const PlacementSpec* a, const PlacementSpec* b) const { return *a < *b; }
    };
    struct Entry {
      std::weak_ptr<const PreparedPlacement> placement;
      wire::MemoryOwner owner;
    };
    struct SchemaEntry {
      std::uint32_t holders = 0;  ///< placements
      wire::MemoryOwner owner;
    };

    explicit Known(const ChooserOptions& options)
        : shares(options.placements_max), schema_shares(options.schema_bytes_max) {}
    [[nodiscard]] bool take_schema(PlacementSpec& spec, wire::MemoryOwner owner);
    void drop_schema(const Schema& schema);
    [[nodiscard]] std::uint32_t take_index();
    void remove(const PreparedPlacement& placement);

    std::map<const PlacementSpec*, Entry, BySpec> placements;
    Shares shares;
    std::vector<std::uint32_t> free_indices;
    std::uint32_t next_index = 0;
    std::map<Schema, SchemaEntry> schemas;
    Shares schema_shares;  ///< their bytes
  };

  ChooserOptions options_;
  base::Random random_;
  ClusterViewRef view_;
  std::function<bool(const PreparedPlacement&)> room_here_;
  std::function<wire::Load()> load_here_;
  LoadTable loads_;
  const std::shared_ptr<Known> known_;
  std::uint64_t next_serial_ = 1;
  std::uint64_t refused_ = 0;
};

}  // namespace kaido::daemon
