#include "daemon/core/view/placement.h"

#include <algorithm>

#include "daemon/core/schema/compatibility.h"
#include "proto/base/ids.h"

namespace kaido::daemon {
namespace {

const Tag* find_tag(const NodeInfo& node, std::string_view key) {
  const auto it = std::find_if(node.tags.begin(), node.tags.end(), [&](const Tag& tag) { return tag.key == key; });
  return it == node.tags.end() ? nullptr : &*it;
}

const Tag* first_missing_tag(const PlacementSpec& spec, const NodeInfo& node) {
  for (const Tag& wanted : spec.tags) {
    const Tag* has = find_tag(node, wanted.key);
    if (has == nullptr || has->value != wanted.value) return &wanted;
  }
  return nullptr;
}

const Taint* first_untolerated(const PlacementSpec& spec, const NodeInfo& node) {
  for (const Taint& taint : node.taints) {
    if (!tolerates(spec.tolerations, taint)) return &taint;
  }
  return nullptr;
}

std::string describe_tag(const Tag& wanted, const NodeInfo& node) {
  const Tag* has = find_tag(node, wanted.key);
  const std::string text = "tag " + wanted.key + "=" + wanted.value + " missing";
  return has == nullptr ? text : text + " (has " + has->key + "=" + has->value + ")";
}

std::string describe_taint(const Taint& taint) {
  const std::string value = taint.value.empty() ? "" : "=" + taint.value;
  return "taint " + taint.key + value + ":" + taint.effect + " not tolerated";
}

std::string version_text(const std::string& signature, std::uint64_t fingerprint) {
  return signature.empty() ? "fingerprint " + base::to_hex(fingerprint) : signature;
}

}  // namespace

std::size_t footprint(const PlacementSpec& spec) {
  // Beside its texts: the placement, the caches that hang on it, and the tables that find it.
  constexpr std::size_t kOverhead = 512;
  std::size_t sum = sizeof(PreparedPlacement) + kOverhead + spec.function_name.size() + spec.signature.size() +
                    spec.schema.bytes().size() + spec.node_name.size();
  for (const Tag& tag : spec.tags) sum += footprint(tag);
  for (const Toleration& each : spec.tolerations)
    sum += sizeof each + each.key.size() + each.value.size() + each.effect.size();
  return sum;
}

bool tolerates(std::span<const Toleration> tolerations, const Taint& taint) {
  if (taint.effect == "PreferNoSchedule") return true;
  return std::any_of(tolerations.begin(), tolerations.end(), [&](const Toleration& toleration) {
    const bool key_matches = toleration.key.empty() || toleration.key == taint.key;
    const bool value_matches = toleration.exists || toleration.value == taint.value;
    const bool effect_matches = toleration.effect.empty() || toleration.effect == taint.effect;
    return key_matches && value_matches && effect_matches;
  });
}

Mismatch PreparedPlacement::find_mismatch(const NodeView& node) const {
  return node.alive ? rules_mismatch(node) : Mismatch::kLost;
}

// The rules that a node's own account decides, alive or not.
Mismatch PreparedPlacement::rules_mismatch(const NodeView& node) const {
  const NodeInfo& info = *node.info;
  if (info.draining) return Mismatch::kDraining;
  // A node goes by its id, too: that is its own even where two share a name.
  if (!spec_.node_name.empty() && spec_.node_name != info.name && spec_.node_name != to_string(info.id)) {
    return Mismatch::kNodeName;
  }
  if (first_missing_tag(spec_, info) != nullptr) return Mismatch::kTag;
  if (first_untolerated(spec_, info) != nullptr) return Mismatch::kTaint;
  const FunctionInfo* function = node.find_function(spec_.function);
  if (function == nullptr) return Mismatch::kNotOffered;
  if (spec_.fingerprint == 0 || function->fingerprint == spec_.fingerprint) return Mismatch::kNone;
  return judge(*function).difference ? Mismatch::kSignature : Mismatch::kNone;
}

const PreparedPlacement::Verdict& PreparedPlacement::judge(const FunctionInfo& offered) const {
  const auto known = std::find_if(verdicts_.begin(), verdicts_.end(), [&](const Verdict& verdict) {
    return verdict.fingerprint == offered.fingerprint && verdict.schema == offered.schema;
  });
  if (known != verdicts_.end()) return *known;
  if (verdicts_.size() == kVerdictsMax) verdicts_.clear();
  verdicts_.push_back({offered.fingerprint, offered.schema, find_incompatibility(spec_.schema, offered.schema)});
  return verdicts_.back();
}

std::string PreparedPlacement::describe_signature(const FunctionInfo& offered) const {
  return "signature mismatch of " + offered.name + ": the caller has " +
         version_text(spec_.signature, spec_.fingerprint) + ", the node offers " +
         version_text(offered.signature, offered.fingerprint) + "; " + judge(offered).difference.value_or("");
}

std::string PreparedPlacement::describe_mismatch(const NodeView& node) const {
  const PlacementSpec& spec = spec_;
  const NodeInfo& info = *node.info;
  switch (find_mismatch(node)) {
    case Mismatch::kNone:
      return "fits";
    case Mismatch::kLost:
      return "lost";
    case Mismatch::kDraining:
      return "draining";
    case Mismatch::kNodeName:
      return (base::parse_node_id(spec.node_name) ? "not the node with the id " : "not the node named ") +
             spec.node_name;
    case Mismatch::kTag:
      return describe_tag(*first_missing_tag(spec, info), info);
    case Mismatch::kTaint:
      return describe_taint(*first_untolerated(spec, info));
    case Mismatch::kNotOffered:
      return "no app offers " +
             (spec.function_name.empty() ? "function " + base::to_hex(spec.function.value) : spec.function_name);
    case Mismatch::kSignature:
      return describe_signature(*node.find_function(spec.function));
  }
  return {};
}

void PreparedPlacement::refresh(const ClusterView& view) const {
  candidates_.nodes.clear();
  bool some_signature_mismatch = false;
  for (const NodeView& node : view.nodes()) {
    const Mismatch mismatch = find_mismatch(node);
    if (mismatch == Mismatch::kNone) candidates_.nodes.push_back(node.index);
    if (mismatch == Mismatch::kSignature) some_signature_mismatch = true;
  }
  candidates_.self_fits = !candidates_.nodes.empty() && candidates_.nodes.front() == kSelf;
  candidates_.signature_mismatch_only = candidates_.nodes.empty() && some_signature_mismatch;
  version_ = view.version();
}

}  // namespace kaido::daemon
