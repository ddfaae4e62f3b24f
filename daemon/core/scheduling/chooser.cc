#include "daemon/core/scheduling/chooser.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "proto/base/check.h"

namespace kaido::daemon {
namespace {

bool contains(std::span<const NodeIndex> nodes, NodeIndex node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

}  // namespace

Chooser::Chooser(std::uint64_t seed, ClusterViewRef view, ChooserOptions options)
    : options_(options), random_(seed), view_(std::move(view)), known_(std::make_shared<Known>(options)) {
  KAIDO_CHECK(view_ != nullptr);
}

PlacementRef Chooser::prepare(PlacementSpec spec, wire::MemoryOwner owner) {
  std::sort(spec.tags.begin(), spec.tags.end());
  if (const auto it = known_->placements.find(&spec); it != known_->placements.end())
    return it->second.placement.lock();
  if (!known_->shares.has_room(owner) || !known_->take_schema(spec, owner)) {
    ++refused_;
    return nullptr;
  }
  const auto forget = [known = std::weak_ptr<Known>(known_)](const PreparedPlacement* dead) {
    const std::unique_ptr<const PreparedPlacement> placement(dead);
    if (const auto living = known.lock()) living->remove(*placement);
  };
  const PlacementRef placement(new PreparedPlacement(std::move(spec), known_->take_index(), next_serial_++), forget);
  known_->placements.emplace(&placement->spec(), Known::Entry{placement, owner});
  known_->shares.take(owner);
  return placement;
}

// Equal schemas are one: whoever comes later holds the first one's bytes.
bool Chooser::Known::take_schema(PlacementSpec& spec, wire::MemoryOwner owner) {
  if (spec.schema.empty()) return true;
  auto known = schemas.find(spec.schema);
  if (known == schemas.end()) {
    const std::size_t bytes = spec.schema.bytes().size();
    if (!schema_shares.has_room(owner, bytes)) return false;
    schema_shares.take(owner, bytes);
    known = schemas.emplace(spec.schema, SchemaEntry{0, owner}).first;
  }
  spec.schema = known->first;
  ++known->second.holders;
  return true;
}

void Chooser::Known::drop_schema(const Schema& schema) {
  const auto known = schemas.find(schema);
  if (known == schemas.end() || --known->second.holders != 0) return;
  schema_shares.give_back(known->second.owner, schema.bytes().size());
  schemas.erase(known);
}

std::uint32_t Chooser::Known::take_index() {
  if (free_indices.empty()) return next_index++;
  const std::uint32_t index = free_indices.back();
  free_indices.pop_back();
  return index;
}

void Chooser::Known::remove(const PreparedPlacement& placement) {
  drop_schema(placement.spec().schema);
  const auto known = placements.find(&placement.spec());
  shares.give_back(known->second.owner);
  placements.erase(known);
  free_indices.push_back(placement.index());
}

void Chooser::set_view(ClusterViewRef view) {
  KAIDO_CHECK(view != nullptr);
  for (const NodeView& node : view->nodes()) {
    const NodeView* before = view_->find(node.index);
    if (before == nullptr || node.index == kSelf) continue;
    if (!node.alive || before->info->life != node.info->life) loads_.forget(node.index);
  }
  view_ = std::move(view);
}

std::uint64_t Chooser::slots_of(NodeIndex node) const {
  if (const std::uint32_t reported = loads_.slots(node); reported > 0) return reported;
  return std::max<std::uint32_t>(1, view_->find(node)->info->slots);
}

// busy_a / slots_a < busy_b / slots_b, without dividing.
bool Chooser::less_loaded(NodeIndex a, NodeIndex b) const {
  return loads_.busy(a) * slots_of(b) < loads_.busy(b) * slots_of(a);
}

Placer::Choice Chooser::chosen(NodeIndex node) const {
  return {.verdict = Verdict::kChosen, .node = node, .life = view_->find(node)->info->life};
}

Placer::Choice Chooser::choose(const PreparedPlacement& placement, std::span<const NodeIndex> avoid) {
  const auto& candidates = placement.candidates(*view_);
  const bool may_be_self = candidates.self_fits && !contains(avoid, kSelf);
  const bool has_room = room_here_ ? may_be_self && room_here_(placement) : loads_.busy(kSelf) < slots_of(kSelf);
  if (may_be_self && has_room) return chosen(kSelf);

  if (may_be_self && load_here_) loads_.reported(kSelf, load_here_());
  const auto count = static_cast<std::uint32_t>(candidates.nodes.size());
  if (count == 0) {
    return {.verdict = candidates.signature_mismatch_only ? Verdict::kSignatureMismatch : Verdict::kUnschedulable};
  }
  if (!avoid.empty()) return choose_avoiding(candidates.nodes, avoid);
  if (count == 1) return chosen(candidates.nodes.front());

  // This node is full (or does not fit): the better of two others, and this node again if it is still no worse, for
  // that saves a way.
  const std::uint32_t first_other = candidates.self_fits ? 1 : 0;
  const std::uint32_t others = count - first_other;
  const std::uint32_t a = random_.below(others);
  NodeIndex best = candidates.nodes[first_other + a];
  if (others > 1) {
    const std::uint32_t b = (a + 1 + random_.below(others - 1)) % others;
    const NodeIndex second = candidates.nodes[first_other + b];
    if (less_loaded(second, best)) best = second;
  }
  if (may_be_self && !less_loaded(best, kSelf)) best = kSelf;
  return chosen(best);
}

// Only after a redirect or a loss, so it may look at every candidate: the least loaded, the first of equals at a random
// start.
Placer::Choice Chooser::choose_avoiding(std::span<const NodeIndex> candidates, std::span<const NodeIndex> avoid) {
  const auto count = static_cast<std::uint32_t>(candidates.size());
  const std::uint32_t start = random_.below(count);
  NodeIndex best = kNoNode;
  for (std::uint32_t i = 0; i < count; ++i) {
    const NodeIndex node = candidates[(start + i) % count];
    if (contains(avoid, node)) continue;
    if (best == kNoNode || less_loaded(node, best)) best = node;
  }
  return best == kNoNode ? Choice{} : chosen(best);
}

std::vector<NodeReason> Chooser::explain(const PreparedPlacement& placement, std::span<const NodeIndex> avoid) const {
  std::vector<NodeReason> reasons;
  for (const NodeView& node : view_->nodes()) {
    if (!node.is_known) continue;
    if (reasons.size() >= options_.reasons_max) {
      reasons.push_back({"…", std::to_string(view_->nodes().size() - reasons.size()) + " more nodes"});
      break;
    }
    std::string reason = placement.describe_mismatch(node);
    if (contains(avoid, node.index)) reason = "was tried already (" + reason + ")";
    reasons.push_back({node.info->name, std::move(reason)});
  }
  return reasons;
}

Placer::Said Chooser::said(NodeIndex node) const {
  const NodeView* const known = view_->find(node);
  return known == nullptr ? Said{} : Said{known->info->life, known->info->version};
}

bool Chooser::fits(const PreparedPlacement& placement, NodeIndex node) const {
  return contains(placement.candidates(*view_).nodes, node);
}

std::string Chooser::node_name(NodeIndex node) const {
  const NodeView* known = view_->find(node);
  return known == nullptr ? std::string() : known->info->name;
}

}  // namespace kaido::daemon
